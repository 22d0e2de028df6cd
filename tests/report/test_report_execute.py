import os
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_notebook
from papermill import engines
from papermill.iorw import write_ipynb
from report_cells import code

from ganutils.errors import ParameterError, ReportError
from ganutils.report import execute, export, report
from ganutils.report.exporter import ReportExporter


def test_report_runs_exports_and_echoes_epochs(write, capfd):
    source = write("import os, sys\nfor epoch in range(epochs):\n    print('epoch', epoch, os.getcwd())")
    files = report(source, {"epochs": 3}, output_dir="new/deep", name="mine")
    assert files.notebook.as_posix() == "new/deep/mine.ipynb"
    assert files.pdf.read_bytes().startswith(b"%PDF")
    printed = capfd.readouterr()
    assert printed.out.splitlines() == [f"epoch {epoch} {os.getcwd()}" for epoch in range(3)]
    assert printed.err == ""
    assert sorted(os.listdir()) == ["new", "toy.ipynb"]


def test_report_lies_in_reports_by_default_and_never_over_its_source(write, tmp_path):
    (tmp_path / "notebooks").mkdir(exist_ok=True)
    source = write("1")
    assert report(source, progress=None).pdf == tmp_path / "reports" / "toy.pdf"
    with pytest.raises(ReportError, match="overwrite"):
        report(source, output_dir=".")


def test_a_file_in_the_place_of_the_folder_is_told_before_anything_runs(write):
    with open("report.pdf", "w"):
        pass
    with pytest.raises(ReportError, match=r"report\.pdf cannot be a folder of reports \(File exists\)"):
        report(write("1"), output_dir="report.pdf", progress=None)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epoch": 3}, "has no parameter 'epoch', did you mean 'epochs'"),
        ({"qqqq": 1}, "Its parameters are: epochs, name"),
    ],
)
def test_unknown_name_stops_before_the_kernel_starts(write, parameters, message):
    with pytest.raises(ParameterError, match=message):
        execute(write("1"), "out.ipynb", parameters)
    assert not os.path.exists("out.ipynb")


def test_notebook_without_parameters_takes_none(tmp_path):
    nbformat.write(new_notebook(cells=[code("1")]), tmp_path / "plain.ipynb")
    with pytest.raises(ParameterError, match="tag `parameters`"):
        execute(tmp_path / "plain.ipynb", tmp_path / "out.ipynb", {"epochs": 1})


@pytest.mark.parametrize("content", [None, "{", '{"cells": 3}'])
def test_unreadable_notebook(tmp_path, content):
    if content:
        (tmp_path / "bad.ipynb").write_text(content)
    with pytest.raises(ReportError, match=r"bad\.ipynb"):
        execute(tmp_path / "bad.ipynb", tmp_path / "out.ipynb")


def test_failed_cell_is_named_and_the_notebook_kept(write):
    source = write("print('before')", "# why it fails\nraise ValueError('boom ' + name)", "print('never')")
    with pytest.raises(ReportError) as caught:
        execute(source, "out.ipynb", {"name": "x"}, progress=None)
    lines = str(caught.value).splitlines()
    assert lines[:2] == ["Cell [4] failed: raise ValueError('boom ' + name)", "ValueError: boom x"]
    assert lines[-1].endswith("out.ipynb")
    assert len(lines) < 20
    assert "\x1b" not in str(caught.value)
    outputs = [cell.outputs for cell in nbformat.read("out.ipynb", 4).cells if cell.cell_type == "code"]
    assert [len(output) for output in outputs] == [0, 0, 1, 1, 0]
    assert export("out.ipynb").pdf


@pytest.mark.parametrize(
    ("source", "limit", "message"),
    [("import os; os._exit(1)", None, "kernel died"), ("import time\ntime.sleep(30)", 1, "limit of 1 s")],
)
def test_dead_kernel_and_time_limit(write, source, limit, message):
    with pytest.raises(ReportError, match=message) as caught:
        execute(write("print('before')", source), "out.ipynb", cell_timeout=limit, progress=None)
    assert f"begins: {source.splitlines()[0]}" in str(caught.value)
    assert nbformat.read("out.ipynb", 4).cells[2].outputs


def test_what_the_kernel_writes_to_its_error_stream_is_shown(write, capfd):
    execute(write("import sys; print('NOT CIFAR-10', file=sys.__stderr__, flush=True)"), "out.ipynb")
    assert capfd.readouterr().err == "NOT CIFAR-10\n"


def test_a_kernel_that_ends_spares_the_imports_and_no_object_of_a_cell(write):
    """What a file in a circle of references has not written yet is written."""
    cell = """import gc, ganutils
class Log:
    def __init__(self):
        self.me, self.file = self, open("log", "w")
        self.file.write("to the end")
log = Log()
print(gc.get_freeze_count() > 100_000)"""
    execute(write(cell), "out.ipynb", progress=None)
    assert nbformat.read("out.ipynb", 4).cells[-1].outputs[0].text == "True\n"
    with open("log") as file:
        assert file.read() == "to the end"


def test_failed_pdf_leaves_html_with_the_reason(rich, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise ReportError("no <font>")

    monkeypatch.setattr(ReportExporter, "from_notebook_node", refuse)
    nbformat.write(rich, tmp_path / "rich.ipynb")
    files = export(tmp_path / "rich.ipynb", tmp_path / "pdf" / "mine.pdf")
    assert (files.pdf, files.html, files.problem) == (None, tmp_path / "pdf" / "mine.html", "no <font>")
    page = files.html.read_text()
    assert "no &lt;font&gt;" in page
    assert "data:image/png;base64," in page
    assert "secret_code" not in page
    assert [path.name for path in files.html.parent.iterdir()] == ["mine.html"]


def test_export_tells_the_run_folder_and_replaces_the_old_report(rich, tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    nbformat.write(rich, folder / "rich.ipynb")
    (folder / "rich.pdf").write_text("old")
    files = export(folder / "rich.ipynb")
    assert files.run.as_posix() == "runs/dcgan-1"
    assert files.pdf.read_bytes().startswith(b"%PDF")
    assert "Run:      runs/dcgan-1" in str(files)
    assert sorted(path.name for path in folder.iterdir()) == ["rich.ipynb", "rich.pdf"]


def test_folder_that_cannot_be_written(rich, tmp_path):
    nbformat.write(rich, tmp_path / "rich.ipynb")
    with pytest.raises(ReportError, match=r"rich\.ipynb.*cannot be written"):
        export(tmp_path / "rich.ipynb", tmp_path / "rich.ipynb" / "below.pdf")


def test_report_needs_no_torch():
    command = "import sys, ganutils.report.exporter; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False, timeout=60).returncode == 0


def test_a_notebook_is_written_now_and_then_and_whole_at_its_end(write, monkeypatch):
    writings = []

    def write_slowly(notebook, path):
        time.sleep(0.02)
        writings.append(write_ipynb(notebook, path))

    monkeypatch.setattr(engines, "write_ipynb", write_slowly)
    execute(write(*(f"print({number})" for number in range(40))), "out.ipynb", progress=None)
    assert len(writings) < 60  # papermill alone writes twice for each cell
    cells = [cell for cell in nbformat.read("out.ipynb", 4).cells if cell.cell_type == "code"]
    assert cells[-1].outputs[0].text == "39\n"
    assert all(cell.metadata.papermill.end_time for cell in cells)


def test_what_ran_before_a_long_cell_is_written_while_it_runs(write):
    long = "import nbformat, time\nprint('epoch 1', flush=True)\ntime.sleep(1)\n"
    long += "print(nbformat.read('out.ipynb', 4).cells[-2].outputs[0].text, flush=True)"
    execute(write("print('before')", long), "out.ipynb", progress=None)
    shown = "".join(output.text for output in nbformat.read("out.ipynb", 4).cells[-1].outputs)
    assert shown == "epoch 1\nbefore\n\n"
