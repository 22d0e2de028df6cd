"""The GIF beside a report: when there is one, and that the PDF names it."""

import pypdf
import pytest
import torch
from nbformat import write
from nbformat.v4 import new_markdown_cell, new_notebook
from report_cells import code, markdown_output

from ganutils.cli import main
from ganutils.report import export
from ganutils.runs import RunDir
from ganutils.sheets import Grid


@pytest.fixture
def executed(tmp_path, toy_params, toy_data):
    """Return a function that writes an executed notebook about a run with sample grids of so many epochs."""

    def make(epochs, about="dcgan"):
        run = RunDir.open(toy_params(), toy_data)
        for epoch in range(1, epochs + 1):
            images = torch.full((4, 3, 32, 32), 60 * epoch, dtype=torch.uint8)
            run.save_grid(f"epoch-{epoch:05d}", Grid(images, 2))
        facts = markdown_output("|a|b|\n|---|---|\n|1|2|", role="environment", run=str(run.path))
        cells = [
            new_markdown_cell("# T"),
            code(f"# Parameters of {about}\nepochs: int = 1", tags=["parameters"]),
            code("show()", facts),
        ]
        path = tmp_path / "out" / "made.ipynb"
        path.parent.mkdir()
        write(new_notebook(cells=cells), path)
        return path

    return make


def text_of(pdf):
    return " ".join(pypdf.PdfReader(pdf).pages[0].extract_text().split())


def test_a_gif_lies_beside_the_report_which_names_it(executed):
    files = export(executed(3))
    assert files.animation == files.pdf.with_suffix(".gif")
    assert files.animation.read_bytes().startswith(b"GIF89a")
    assert "The file made.gif beside this report" in text_of(files.pdf)
    assert f"GIF:      {files.animation}" in str(files)


def test_both_are_the_same_when_made_again(executed):
    notebook = executed(3)
    first = [path.read_bytes() for path in (export(notebook).pdf, export(notebook).animation)]
    files = export(notebook)
    assert first == [files.pdf.read_bytes(), files.animation.read_bytes()]


@pytest.mark.parametrize(
    ("epochs", "about", "wanted"), [(2, "dcgan", True), (3, "noise_study", True), (3, "dcgan", False)]
)
def test_no_gif_of_few_grids_of_studies_or_if_nobody_wants_it(executed, epochs, about, wanted):
    files = export(executed(epochs, about), animate=wanted)
    assert files.animation is None
    assert not list(files.pdf.parent.glob("*.gif"))
    assert "GIF" not in str(files)
    assert "beside this report" not in text_of(files.pdf)


def test_damaged_samples_do_not_cost_the_report(executed, tmp_path):
    notebook = executed(3)
    for sheet in tmp_path.glob("runs/*/samples/epoch-*.png"):
        sheet.write_bytes(b"\x89PNG broken")
    files = export(notebook)
    assert files.pdf.exists()
    assert files.animation is None


def test_the_command_takes_layout_and_animation(tmp_path, monkeypatch, capsys):
    asked = {}

    def report(notebook, values, **options):
        asked.update(options)
        return export(notebook)

    monkeypatch.setattr("ganutils.report.build.report", report)
    write(new_notebook(cells=[new_markdown_cell("# T")]), tmp_path / "n.ipynb")
    assert main(["report", str(tmp_path / "n.ipynb"), "--layout", "paper", "--no-animation"]) == 0
    assert asked["layout"] == "paper"
    assert asked["animate"] is False
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path / "n.ipynb"), "--layout", "poster"])
