"""What others wrote is read and never run: files with code in them, texts that look like code, bombs."""

import io
import os
import tarfile
import zipfile

import nbformat
import numpy as np
import pytest
import torch
from fuzz_targets import archive, check
from nbformat.v4 import new_code_cell, new_notebook

from ganutils import variants
from ganutils.cli import main
from ganutils.commands import read_values
from ganutils.data import decoded, folder
from ganutils.errors import DataError, GanutilsError, ParameterError, RunError
from ganutils.report import execute
from ganutils.runs import RunDir


class Planted:
    """Makes a file named `executed` wherever somebody unpickles it."""

    def __reduce__(self):
        return open, ("executed", "w")


CODE = [
    "__import__('os').mknod('executed')",
    "'); open('executed', 'w') #",
    '"); open("executed", "w") #',
    "\\'\nopen('executed', 'w')\n'",
    "{open('executed', 'w')}",
    "!!python/object/apply:os.mknod [executed]",
    "$(touch executed)",
]


PAIRS = zip("abcdefgh", "bcdefghi", strict=True)
ALIASES = "a: &a [x, x]\n" + "\n".join(f"{n}: &{n} [*{m}, *{m}]" for m, n in PAIRS)  # means 1,000 words


@pytest.fixture(autouse=True)
def nothing_was_executed():
    yield
    assert not os.path.exists("executed")


@pytest.mark.parametrize("name", ["last.pt", "previous.pt", "best.pt"])
def test_code_in_a_checkpoint(toy_params, toy_data, name):
    run = RunDir.open(toy_params(), toy_data)
    torch.save({"step": 1, "generator": Planted()}, run.path / "checkpoints" / name)
    with pytest.raises(RunError, match="cannot be read"):
        run.checkpoints.load_best() if name == "best.pt" else run.checkpoints.load()
    assert run.checkpoints.load_previous() is None


def test_code_in_the_cache_of_images(tmp_path):
    np.savez(tmp_path / "some.npz", facts=np.array([Planted()], dtype=object))
    assert decoded.read(tmp_path / "some.npz", "train") is None


@pytest.mark.parametrize("text", CODE)
def test_code_in_a_parameter_of_a_run(text, capsys):
    for name in ("epochs", "classes", "sample_epochs", "augment", "data_dir", "device", text):
        assert main(["run", "dcgan", "-p", "dataset", "image_folder", "-p", name, text]) == 1
        assert len(capsys.readouterr().err) < 20_000


def test_code_in_the_parameters_of_a_notebook(tmp_path):
    cells = [
        new_code_cell("text: str = ''  # some", metadata={"tags": ["parameters"]}),
        new_code_cell("print(text, end='|')"),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, "some.ipynb")
    together = "|".join(CODE)
    execute("some.ipynb", "out.ipynb", {"text": together}, progress=None)
    assert nbformat.read("out.ipynb", 4).cells[-1].outputs[0].text == f"{together}|"
    with pytest.raises(ParameterError, match="has no parameter"):
        execute("some.ipynb", "out.ipynb", {"text=''; open('executed', 'w')": 1})


@pytest.mark.parametrize(
    "text",
    [
        "epochs: !!python/object/apply:os.mknod [executed]",
        "epochs: !!python/name:os.mknod",
        ALIASES,
        "epochs: " + "[" * 3000,
        "epochs: " + "9" * 90_000,
        "x: " + "y" * 200_000,
    ],
)
def test_code_and_bombs_in_a_preset(tmp_path, text):
    (tmp_path / "some.yaml").write_text(text)
    with pytest.raises(ParameterError) as caught:
        variants.get("dcgan").Params(**read_values([tmp_path / "some.yaml"], []))
    assert len(str(caught.value)) < 2000


def test_thousands_of_names_in_an_archive_are_few_words(tmp_path):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as packed:
        for number in range(5000):
            packed.writestr(f"class-{number}/{'x' * 200}-{number}.png", b"no picture")
    with pytest.raises(DataError) as caught:
        folder.image_folder(tmp_path / "many.zip", "train", 4)
    assert len(str(caught.value)) < 2000


def test_an_archive_leaves_nothing_beside_it(tmp_path):
    with tarfile.open(tmp_path / "some.tar", "w") as packed:
        packed.addfile(tarfile.TarInfo("cat/../../escaped.png"), io.BytesIO())
    with pytest.raises(GanutilsError):
        folder.image_folder(tmp_path / "some.tar", "train", 4)
    check(archive, (tmp_path / "some.tar").read_bytes(), tmp_path)
