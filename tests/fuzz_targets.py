"""Readers of what others may have written, each as a function of bytes in a folder of its own.

A target returns quietly or raises the kit's own errors; anything else is a finding. `SEEDS` holds a good
example for each, to be cut and changed.
"""

import contextlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from ganutils.checkpoints import Checkpoints
from ganutils.data import decoded
from ganutils.data.folder import image_folder
from ganutils.errors import GanutilsError
from ganutils.history import cut_rows
from ganutils.measurements import read_absences, read_floors, read_measurements
from ganutils.metrics.cache import _load
from ganutils.presets import read_preset
from ganutils.report.document import build
from ganutils.report.execution import check_names, read
from ganutils.report.foreign import tidied
from ganutils.report.html import to_html
from ganutils.report.markdown import to_typst
from ganutils.report.notebook import parse_cell, run_folder
from ganutils.rows import Rows
from ganutils.runs import RunDir
from ganutils.variants import dcgan

Target = Callable[[bytes, Path], None]


def history(content: bytes, folder: Path) -> None:
    path = folder / "history.jsonl"
    path.write_bytes(content)
    rows = Rows.read(path)
    assert all(isinstance(row["step"], int) for row in rows)
    cut_rows(path, 10**9)
    assert content.startswith(path.read_bytes())
    assert Rows.read(path) == rows


def preset(content: bytes, folder: Path) -> None:
    path = folder / "preset.yaml"
    path.write_bytes(content)
    dcgan.Params(**read_preset(path, "-f preset.yaml"))


def parameters(content: bytes, folder: Path) -> None:
    for line in content.decode(errors="surrogateescape").splitlines():
        name, _, value = line.partition("=")
        try:
            dcgan.Params(**{name: value})
        except GanutilsError as error:
            str(error).encode(errors="surrogateescape")
    with contextlib.suppress(SyntaxError):
        parse_cell(content.decode(errors="replace"))


def notebook(content: bytes, folder: Path) -> None:
    path = folder / "some.ipynb"
    path.write_bytes(content)
    node = tidied(read(path))
    check_names(node, {}, path)
    run_folder(node)
    build(node, show_code=True)
    page = to_html(node, "some", "why").decode()
    assert not any(tag in page.lower() for tag in ("<script", "<iframe", "<object", "<embed", "<svg"))


def markdown(content: bytes, folder: Path) -> None:
    to_typst(content.decode(errors="replace"))


def archive(content: bytes, folder: Path) -> None:
    before, path = {found.name for found in folder.iterdir()}, folder / "some.archive"
    path.write_bytes(content)
    try:
        image_folder(path, "train", 4)
    finally:
        names = {found.name for found in folder.iterdir()}
        assert names <= before | {path.name, ".cache", "cache"}, names


def checkpoint(content: bytes, folder: Path) -> None:
    checkpoints = Checkpoints(folder)
    checkpoints.last.write_bytes(content)
    assert isinstance(checkpoints.load()["step"], int)


def image_cache(content: bytes, folder: Path) -> None:
    path = folder / "some.npz"
    path.write_bytes(content)
    found = decoded.read(path, "train")
    if found is not None and "train" in found.images:
        assert len(found.images["train"]) == len(found.labels["train"])


def feature_cache(content: bytes, folder: Path) -> None:
    path = folder / "some.npz"
    path.write_bytes(content)
    for name in ("keys", "features"):
        found = _load(path, name)
        assert found is None or found.dtype != object


def run(content: bytes, folder: Path) -> None:
    """What lies in a run folder: the parts of the content are its files."""
    files = ("params.json", "metrics.json", "environment.json", "rollbacks.json", "epochs.jsonl")
    for name, part in zip(files, content.split(b"\0"), strict=False):
        (folder / name).write_bytes(part)
    opened = RunDir(folder)
    opened.history()
    opened.environment()
    opened.rollbacks()
    for reader in (read_measurements, read_floors, read_absences):
        reader(opened)


def grid(content: bytes, folder: Path) -> None:
    (folder / "params.json").write_text('{"variant": "dcgan", "params": {"image_size": 4}, "data": {}}')
    (folder / "samples").mkdir(exist_ok=True)
    (folder / "samples" / "latest.png").write_bytes(content)
    if RunDir(folder).has_grid("latest"):
        assert RunDir(folder).latest().images.shape[2:] == (4, 4)


PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGP8z4AATAxEcQAz0QEHOoQ+uAAAAABJRU5ErkJggg=="
)
THEORY = """# T
## 1. Theory
$$\\frac{a}{b}$$ [x](javascript:1) <script>1</script> ![p](/etc/passwd)"""
TEXT = r"""# T
> q
- a
  1. b

| a | b |
|---|--:|
| $x$ | `c` |

$$\sum_{i=1}^n \frac{a_i}{b}$$
[^n] [a](b) ![c](d)

[^n]: e
"""


def _notebook() -> bytes:
    outputs = [
        new_output("stream", name="stdout", text="epoch 1\r 10%|#  | 1/10\n"),
        new_output("display_data", data={"image/png": PICTURE}, metadata={"ganutils": {"caption": "$x$"}}),
        new_output("display_data", data={"text/markdown": "| a | b |\n|:--|--:|\n| 1 | 2 |"}),
        new_output("error", ename="E", evalue="v", traceback=["t"]),
    ]
    cells = [
        new_markdown_cell(THEORY),
        new_code_cell('# Parameters of x\na: int = 1  # b\nc: str = "d"', metadata={"tags": ["parameters"]}),
        new_code_cell("1", outputs=outputs, execution_count=1),
    ]
    return nbformat.writes(new_notebook(cells=cells)).encode()


def _archive(kind: str) -> bytes:
    picture, written = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(picture, "png")
    files = {f"train/{name}/1.png": picture.getvalue() for name in ("cat", "dog")}
    if kind == "zip":
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return written.getvalue()
    with tarfile.open(fileobj=written, mode=f"w:{kind}") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return written.getvalue()


def _saved(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


_FACTS = {"classes": ["a"], "splits": ["train"], "skipped": {}}
_RUN = [
    {"variant": "dcgan", "params": {"epochs": 1, "image_size": 4}, "data": {"classes": ["a"]}},
    [{"name": "FID", "value": 1.5, "epoch": 1, "protocol": {"reference": "r", "n_real": 1, "n_fake": 1}}],
    [{"device": "cpu"}],
    ["d_real is nan"],
]

SEEDS: dict[Target, list[bytes]] = {
    history: [b'{"step": 1, "epoch": 0.5, "d": 1e-3}\n{"step": 2, "epoch": 1.0, "d": NaN, "g": "x"}\n'],
    preset: [b"# c\nepochs: 3\nlearning_rate: 1.0e-4\nclasses: [cat, 1]\ndate: 2026-11-22\nrun: *a\n"],
    parameters: [b"epochs=3\nclasses=[cat,dog]\nsample_epochs=every 5\nlearning_rate=1e-4\nrun=none\n"],
    notebook: [_notebook()],
    markdown: [TEXT.encode()],
    archive: [_archive(kind) for kind in ("zip", "", "gz", "xz", "bz2")],
    checkpoint: [_saved(lambda file: torch.save({"step": 1, "w": torch.zeros(2), "o": {"a": [1]}}, file))],
    image_cache: [
        _saved(
            lambda file: np.savez(
                file,
                facts=np.frombuffer(json.dumps(_FACTS).encode(), np.uint8),
                images_train=np.zeros((2, 3, 4, 4), np.uint8),
                labels_train=np.zeros(2, np.int64),
            )
        )
    ],
    feature_cache: [
        _saved(lambda file: np.savez(file, keys=np.zeros((2, 16), np.uint8), features=np.ones((2, 3))))
    ],
    run: [b"\0".join([*(json.dumps(part).encode() for part in _RUN), b'{"step": 1, "epoch": 1}\n'])],
    grid: [_saved(lambda file: Image.new("RGB", (8, 8)).save(file, "png"))],
}
TARGETS = {target.__name__: target for target in SEEDS}


def check(target: Target, content: bytes, folder: Path) -> None:
    """Run a target; all but the kit's own errors come through, and those must have a message that fits."""
    try:
        target(content, folder)
    except GanutilsError as error:
        length = len(str(error))
    else:
        return
    assert 0 < length < 20_000, f"a message of {length} characters"
