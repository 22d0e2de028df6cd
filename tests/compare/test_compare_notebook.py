import shutil

import nbformat
import papermill
import pytest
from compared_runs import measured
from nbval_strictly import second_execution
from test_notebooks import ROOT, outputs

from ganutils.cli import main
from ganutils.variants import wgan


@pytest.mark.parametrize("with_metrics", [False, True])
def test_the_notebook_runs_and_repeats_itself(made, tmp_path, with_metrics):
    """The second execution, by nbval, must give the same outputs; no file of a run changes."""
    measured_runs = [made("a"), made("b", wgan)]
    if with_metrics:
        for run in measured_runs:
            measured(run, ("FID", 8.0, 1, {}), ("FID", 7.0, 2, {}))
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    papermill.execute_notebook(ROOT / "notebooks" / "compare.ipynb", tmp_path / "x.ipynb", progress_bar=False)
    executed = nbformat.read(tmp_path / "x.ipynb", as_version=4)
    figures = [o for o in outputs(executed) if "image/png" in o.get("data", {})]
    assert len(figures) == (4 if with_metrics else 2)
    assert all(o.metadata["ganutils"][text].endswith(".") for o in figures for text in ("caption", "alt"))
    assert len(outputs(executed, "table")) == (7 if with_metrics else 4)
    assert len(outputs(executed, "environment")) == 1
    assert not any(o.output_type in ("stream", "error") for o in outputs(executed))
    assert second_execution(tmp_path / "x.ipynb") == ""
    assert before == {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}


@pytest.mark.parametrize("epochs", [0, 10])
def test_without_a_run_of_ones_own_the_kits_are_compared(tmp_path, epochs):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "runs").symlink_to(ROOT / "reports" / "runs")
    papermill.execute_notebook(
        ROOT / "notebooks" / "compare.ipynb", tmp_path / "x.ipynb", {"epochs": epochs}, progress_bar=False
    )
    executed = nbformat.read(tmp_path / "x.ipynb", as_version=4)
    (told,) = (o.text for o in outputs(executed) if o.output_type == "stream")
    assert told == "No run in runs is finished yet: these are the kit's own, reports/runs/*.\n"
    assert len([o for o in outputs(executed) if "image/png" in o.get("data", {})]) == 4


def test_the_command_writes_a_pdf(made, tmp_path, capsys, monkeypatch):
    made("a")
    made("b", wgan)
    shutil.copy(ROOT / "notebooks" / "compare.ipynb", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path / "runs")
    assert main(["compare", "b", "a", "b", "--name", "both", "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "both.pdf").read_bytes().startswith(b"%PDF")
    executed = nbformat.read(tmp_path / "out" / "both.ipynb", as_version=4)
    assert executed.metadata.papermill.parameters["runs"] == "runs/b,runs/a,runs/b"
    assert "both.pdf" in capsys.readouterr().out


def test_the_command_tells_a_wrong_folder_in_one_line_and_leaves_nothing(made, tmp_path, capsys):
    made("a")
    assert main(["compare", "runs/a", "runs/b"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ganutils: ParameterError: runs='runs/a,runs/b': there is no folder 'runs/b'")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "reports").exists()
