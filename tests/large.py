"""Long and large: what a history of 500,000 updates, 100,000 images and a report of 200 grids cost.

    python tests/large.py

Prints a Markdown table. Takes some minutes and 4 GB of memory; Linux only.
"""

import base64
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

UPDATES, IMAGES, GRIDS = 500_000, 100_000, 200
COLUMNS = ("d_real", "d_fake", "D(x)", "D(G(z))", "d_grad", "g_fake", "g_grad")


def megabytes() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(action: Callable[[], object]) -> tuple[object, float, float]:
    """Return what an action returns, its seconds, and by how many megabytes it raised the most ever held."""
    before, began = megabytes(), time.perf_counter()
    found = action()
    return found, time.perf_counter() - began, megabytes() - before


def history(folder: Path) -> list[str]:
    from ganutils import variants
    from ganutils.diagnosis import diagnose
    from ganutils.figures import Panel, curves
    from ganutils.history import History
    from ganutils.rows import Rows

    path, random = folder / "history.jsonl", np.random.default_rng(0)
    with path.open("w") as file:
        for step in range(1, UPDATES + 1):
            values = random.random(len(COLUMNS)).tolist()
            row = {name: float(f"{value:.7g}") for name, value in zip(COLUMNS, values, strict=True)}
            file.write(json.dumps({"step": step, "epoch": round(step / 780, 6), **row}) + "\n")
    panels = [
        Panel("d", {name: name for name in COLUMNS[:4]}),
        Panel("g", {name: name for name in COLUMNS[4:]}),
    ]
    curves(History([{"step": 1, "epoch": 1.0, "d_real": 1.0}], []), *panels)  # what is loaded once
    rows, seconds, more = timed(lambda: Rows.read(path))
    assert len(rows) == UPDATES
    figure, drawn, more_drawn = timed(lambda: curves(History(rows, []), *panels))
    _, saved, _ = timed(lambda: figure.savefig(folder / "losses.svg"))
    params = variants.get("dcgan").Params().model_dump()
    _, judged, _ = timed(lambda: diagnose(History(rows, []), params))
    return [
        f"read a history of {UPDATES:,} updates, {path.stat().st_size / 1e6:.0f} MB "
        f"| {seconds:.1f} s | {more:.0f} MB more",
        f"draw its {len(COLUMNS)} curves, an SVG of {(folder / 'losses.svg').stat().st_size / 1e6:.1f} MB "
        f"| {drawn + saved:.1f} s | {more_drawn:.0f} MB more",
        f"judge it in words | {judged:.1f} s |",
    ]


def images(folder: Path) -> list[str]:
    import torch

    from ganutils import RunDir, build, train, variants
    from ganutils.data import Dataset

    values = {"batch_size": 64, "width": 4, "epochs": 1, "n_samples": 4, "device": "cpu", "precision": "fp32"}
    rows, base = [], 0.0
    for count in (1_000, IMAGES):
        random = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (count, 3, 32, 32), generator=random, dtype=torch.uint8)
        data = Dataset(pixels, torch.arange(count) % 2, ("a", "b"), "random", "train", "random numbers")
        params = variants.get("dcgan").Params(**values, run=str(folder / str(count)))
        gan, run = build(params, data), RunDir.open(params, data)
        base = base or megabytes()
        _, seconds, more = timed(lambda g=gan, d=data, p=params, r=run: train(g, d, p, r))
        size = count * 3072 / 1e6
        rows.append(
            f"an epoch over {count:,} images of 32x32, {size:.0f} MB | {seconds:.1f} s | {more:.0f} MB more"
        )
    return rows


def grids(folder: Path) -> list[str]:
    import torch

    from ganutils.report import export
    from ganutils.sheets import Grid, encode

    random, cells = np.random.default_rng(0), [new_markdown_cell("# Many\n\n## Grids")]
    for number in range(GRIDS):
        pixels = torch.from_numpy(random.integers(0, 256, (64, 3, 32, 32), dtype=np.uint8))
        data = {"image/png": base64.b64encode(encode(Grid(pixels, 8))).decode()}
        about = {"ganutils": {"caption": f"Samples after epoch {number}.", "alt": "A grid."}}
        cells.append(new_code_cell("1", outputs=[new_output("display_data", data=data, metadata=about)]))
    nbformat.write(new_notebook(cells=cells), folder / "many.ipynb")
    files, seconds, more = timed(lambda: export(folder / "many.ipynb"))
    assert files.pdf, files
    size = files.pdf.stat().st_size / 1e6
    return [
        f"export a report of {GRIDS} grids of 64 images, {size:.0f} MB | {seconds:.1f} s | {more:.0f} MB more"
    ]


PARTS = {part.__name__: part for part in (history, images, grids)}


def main() -> None:
    """Measure each part in a process of its own."""
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            print("\n".join(f"@| {row} |" for row in PARTS[sys.argv[1]](Path(folder))))
        return
    print("| What | Time | Memory |\n| --- | ---: | ---: |")
    for name in PARTS:
        done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
        print("\n".join(line[1:] for line in done.stdout.splitlines() if line.startswith("@")), flush=True)


if __name__ == "__main__":
    main()
