"""Reports that do not come to their end: failures, refusals, interrupts."""

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

from ganutils.cli import main
from ganutils.errors import ParameterError, ReportError
from ganutils.report import report
from ganutils.report.execution import StoppedError
from ganutils.report.exporter import ReportExporter
from ganutils.report.kernel import SECONDS_TO_SAVE, running

SCRIPT = shutil.which("ganutils", path=Path(sys.executable).parent)
REPORT = [SCRIPT, "report", "toy.ipynb", "--output", "out"]


def interrupted(command, after, times=1, request=signal.SIGINT, within=60):
    """Run a command that prints a line, press Ctrl-C some times; returns status, output and errors.

    It has to end within so many seconds of the last time.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout.readline() == after
        time.sleep(0.5)
        running.send_signal(request)
        if times > 1:
            assert running.stdout.readline().startswith(b"Interrupting the running cell")
            running.send_signal(request)
        out, err = running.communicate(timeout=within)
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
    within = SECONDS_TO_SAVE / 4  # after one interrupt it waits for half of them, and longer
    status, _, err = interrupted([sys.executable, "-c", code], b"epoch 1\n", times=2, within=within)
    assert status == 1
    assert "StoppedError: The notebook stopped: it was interrupted." in err
    assert nbformat.read("out.ipynb", 4).cells[-1].outputs[0].text == "epoch 1\n"


def test_an_interrupt_while_the_kernel_ends_kills_it_and_is_no_other_outcome(monkeypatch):
    with running(with_kit=False) as kernel:
        shut_down, asked = kernel.manager.shutdown_kernel, []

        async def interrupted_once(now):
            asked.append(now)
            if len(asked) == 1:
                raise KeyboardInterrupt
            await shut_down(now=now)

        monkeypatch.setattr(kernel.manager, "shutdown_kernel", interrupted_once)
    assert asked == [False, True]
    assert not kernel.manager.has_kernel


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
