"""What a user waits for around a training: the start, and the report."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ganutils.bench.rows import Row
from ganutils.paths import project_root

_TOY = {
    "dataset": "shapes",
    "n_images": 640,
    "width": 16,
    "epochs": 10,
    "measure_samples": 0,
    "device": "cpu",
}
_IMPORT = "import ganutils as gu; gu.train"
_FIRST_UPDATE = (
    "import sys, ganutils as gu; from ganutils import variants;"
    "values = dict(dataset='shapes', n_images=64, epochs=1, device='cpu', run=sys.argv[1]);"
    "params = variants.get('dcgan').Params(**values);"
    "data = gu.load_dataset(params); gan = gu.build(params, data);"
    "gu.train(gan, data, params, gu.RunDir.open(params, data))"
)


def rows(rounds: int) -> Iterator[Row]:
    """Time a fresh Python process up to the import and to the first update, and a report of ten grids."""
    with tempfile.TemporaryDirectory() as folder:
        imports, updates, reports = [], [], []
        for turn in range(rounds):
            alone, reported, single = (Path(folder) / f"{name}-{turn}" for name in ("run", "report", "one"))
            imports.append(_seconds([sys.executable, "-c", _IMPORT]))
            updates.append(_seconds([sys.executable, "-c", _FIRST_UPDATE, str(single)]))
            notebook = str(project_root() / "notebooks" / "dcgan.ipynb")
            whole = _seconds([*_command("report", notebook, reported), "--output", folder])
            reports.append(whole - _seconds(_command("run", "dcgan", alone)))
    yield Row("import of ganutils and torch", "s", ours=imports)
    yield Row(
        "start to the first update", "s", ours=updates, note="one update, grids and checkpoint included"
    )
    yield Row(
        "what a report with ten grids adds", "s", ours=reports, note="`ganutils report` less `ganutils run`"
    )


def _command(command: str, subject: str, run: Path) -> list[str]:
    values = {**_TOY, "sample_epochs": "every 1", "run": str(run)}
    pairs = [part for name, value in values.items() for part in ("-p", name, str(value))]
    return [sys.executable, "-m", "ganutils", command, subject, *pairs]


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun
