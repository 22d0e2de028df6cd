import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from report_cells import code, rich_notebook

PARAMETERS = code(
    "# Parameters of toy\nepochs: int = 2  # passes\nname: str = 'a = b'  # x = y", tags=["parameters"]
)


@pytest.fixture(scope="session")
def rich():
    return rich_notebook()


@pytest.fixture
def write(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def writer(*sources, name="toy.ipynb", parameters=(PARAMETERS,)):
        cells = [new_markdown_cell("# Toy"), *parameters, *(code(source) for source in sources)]
        notebook = new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, folder / name)
        return folder / name

    return writer
