import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pypdf
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from report_cells import code

from ganutils.cli import main
from ganutils.errors import ParameterError, ReportError
from ganutils.report import execute, export, report
from ganutils.report.execution import StoppedError
from ganutils.report.exporter import ReportExporter

PARAMETERS = code(
    "# Parameters of toy\nepochs: int = 2  # passes\nname: str = 'a = b'  # x = y", tags=["parameters"]
)


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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epoch": 3}, "has no parameter 'epoch'; did you mean 'epochs'"),
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


SCRIPT = shutil.which("ganutils", path=Path(sys.executable).parent)
REPORT = [SCRIPT, "report", "toy.ipynb", "--output", "out"]


def interrupted(command, after, times=1, request=signal.SIGINT):
    """Run a command that prints a line, press Ctrl-C some times; returns status, output and errors."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout.readline() == after
        time.sleep(0.5)
        running.send_signal(request)
        if times > 1:
            assert running.stdout.readline().startswith(b"Interrupting the running cell")
            running.send_signal(request)
        out, err = running.communicate(timeout=60)
    return running.returncode, out.decode(), err.decode()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_interrupted_cell_is_named_and_what_there_was_becomes_a_report(write):
    write("import time\nprint('epoch 1', flush=True)\ntime.sleep(60)", "print('never')", parameters=())
    status, _, err = interrupted(REPORT, b"epoch 1\n")
    assert status == 130
    assert err.splitlines() == [
        "ganutils: StoppedError: The notebook stopped: it was interrupted.",
        "It happened in the cell that begins: import time",
        "The notebook as far as it came: out/toy.partial.ipynb",
        "A report of what there was: out/toy.partial.pdf",
    ]
    cells = nbformat.read("out/toy.partial.ipynb", 4).cells
    assert any("epoch 1" in output.get("text", "") for output in cells[-2].outputs)
    assert not cells[-1].outputs
    assert "epoch 1" in pypdf.PdfReader("out/toy.partial.pdf").pages[0].extract_text()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupt_before_the_first_cell_ends_at_once_and_leaves_what_was_there(write):
    path = write("print('never')", parameters=())
    Path("out").mkdir()
    Path("out/toy.partial.ipynb").write_text("of an earlier run")
    with pytest.raises(KeyboardInterrupt):
        report(path, output_dir="out", check=lambda: signal.raise_signal(signal.SIGINT))
    assert Path("out/toy.partial.ipynb").read_text() == "of an earlier run"
    assert [file.name for file in Path("out").iterdir()] == ["toy.partial.ipynb"]


def test_what_the_check_raises_ends_everything_before_a_cell_runs(write):
    def refuse():
        raise ParameterError("epochs='x': must be a number.")

    with pytest.raises(ParameterError, match="must be a number"):
        report(write("open('ran', 'w')", parameters=()), output_dir="out", check=refuse)
    assert not Path("ran").exists()
    assert not list(Path("out").iterdir())


@pytest.mark.parametrize("shown", ["", "print('an hour of training')"])
def test_a_refusal_keeps_what_was_shown_before_it(write, shown):
    refusal = "from ganutils.errors import ParameterError\nraise ParameterError('samples=5: too few.')"
    with pytest.raises(ReportError, match="samples=5: too few") as caught:
        report(write(shown, refusal, parameters=()), output_dir="out", progress=None)
    assert isinstance(caught.value, StoppedError) == bool(shown)
    assert Path("out/toy.partial.ipynb").exists() == bool(shown)


TRAINING = """import signal, time
stopped = []
signal.signal(signal.SIGINT, lambda *args: stopped.append(1))
print('epoch 1', flush=True)
while not stopped:
    time.sleep(0.05)"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("request_name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_training_that_is_interrupted_saves_and_the_cells_after_it_run(write, request_name):
    """By Ctrl-C, by a batch system, by a terminal that is closed."""
    write(TRAINING, "print('figures')", parameters=())
    status, out, err = interrupted(REPORT, b"epoch 1\n", request=getattr(signal, request_name))
    assert status == 130
    assert "figures" in out
    assert "begins: import signal, time" in err
    assert "figures" in pypdf.PdfReader("out/toy.partial.pdf").pages[0].extract_text()
    assert sorted(os.listdir("out")) == ["toy.partial.ipynb", "toy.partial.pdf"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_second_interrupt_stops_at_once(write):
    write("import signal, time\nsignal.signal(signal.SIGINT, print)\nprint('epoch 1')\ntime.sleep(60)")
    code = "from ganutils.report import execute; execute('toy.ipynb', 'out.ipynb')"
    began = time.monotonic()
    status, _, err = interrupted([sys.executable, "-c", code], b"epoch 1\n", times=2)
    assert time.monotonic() - began < 30
    assert status == 1
    assert "StoppedError: The notebook stopped: it was interrupted." in err
    assert nbformat.read("out.ipynb", 4).cells[-1].outputs[0].text == "epoch 1\n"


def test_a_report_of_a_failed_notebook_shows_what_there_was(write):
    source = write("print('before')", "raise ValueError('boom')")
    with pytest.raises(StoppedError, match=r"A report of what there was: new/toy\.partial\.pdf"):
        report(source, output_dir="new", progress=None)
    text = pypdf.PdfReader("new/toy.partial.pdf").pages[0].extract_text()
    assert "before" in text
    assert "Stopped here: cell 3 failed. ValueError: boom" in " ".join(text.split())
    write("print('mended')")
    report(source, output_dir="new", progress=None)
    assert sorted(os.listdir("new")) == ["toy.ipynb", "toy.pdf"]


def test_a_limit_on_the_command_line(write, capsys):
    source = write("import time\ntime.sleep(30)", parameters=())
    assert main(["report", str(source), "--output", "out", "--timeout", "1"]) == 1
    error = capsys.readouterr().err
    assert "a cell took longer than the limit of 1 s" in error
    assert "begins: import time" in error
    assert os.path.exists("out/toy.partial.pdf")
    with pytest.raises(SystemExit):
        main(["report", str(source), "--timeout", "0"])


def test_a_dead_kernel_on_the_command_line(write):
    write("print('epoch 1', flush=True)", "import os; os.kill(os.getpid(), 9)", parameters=())
    done = subprocess.run(REPORT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "epoch 1\n")
    assert done.stderr.splitlines() == [
        "ganutils: StoppedError: The notebook stopped: the kernel died, most often because the memory was "
        "used up; try a smaller batch_size.",
        "It happened in the cell that begins: import os; os.kill(os.getpid(), 9)",
        "The notebook as far as it came: out/toy.partial.ipynb",
        "A report of what there was: out/toy.partial.pdf",
    ]


def test_typesetting_that_is_interrupted_keeps_the_notebook(write, monkeypatch, capsys):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    source = write("print('done')", parameters=())
    monkeypatch.setattr(ReportExporter, "from_notebook_node", interrupt)
    assert main(["report", str(source), "--output", "out"]) == 130
    assert capsys.readouterr().err.splitlines() == [
        "ganutils: StoppedError: The report was interrupted while it was typeset.",
        "The whole notebook: out/toy.ipynb",
    ]
    assert nbformat.read("out/toy.ipynb", 4).cells[-1].outputs[0].text == "done\n"


def test_what_the_kernel_writes_to_its_error_stream_is_shown(write, capfd):
    execute(write("import sys; print('NOT CIFAR-10', file=sys.__stderr__, flush=True)"), "out.ipynb")
    assert capfd.readouterr().err == "NOT CIFAR-10\n"


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
