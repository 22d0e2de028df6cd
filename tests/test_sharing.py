import errno
import json
from pathlib import Path

import pytest
from trainings import run_of

from ganutils import variants
from ganutils.cli import main
from ganutils.errors import ParameterError, RunError
from ganutils.history import averaged
from ganutils.runs import RunDir
from ganutils.sharing import share


def test_rows_are_means_that_end_with_the_epoch_at_the_latest():
    rows = [{"step": step, "epoch": step / 5, "d": float(step)} for step in range(1, 11)]
    for row in rows[2::3]:
        row["g"] = row["d"]
    assert list(averaged(rows, 3, 5)) == [
        {"step": 3, "epoch": 0.6, "d": 2.0, "g": 3.0},
        {"step": 5, "epoch": 1.0, "d": 4.5},
        {"step": 8, "epoch": 1.6, "d": 7.0, "g": 6.0},
        {"step": 10, "epoch": 2.0, "d": 9.5, "g": 9.0},
    ]


def test_a_copy_has_the_history_that_log_every_would_have_recorded(toy_params, toy_data, tmp_path):
    _, run, _ = run_of(toy_params(run="runs/a"), toy_data)
    coarse, _, _ = run_of(toy_params(run="runs/b", log_every=3), toy_data)
    copy = RunDir(share(run, tmp_path / "out", every=3))
    assert len(copy.history().updates) == len(coarse.updates) == 4
    for ours, theirs in zip(copy.history().updates, coarse.updates, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert copy.history().epochs == run.history().epochs


def test_a_copy_has_all_but_the_checkpoints(toy_params, toy_data, tmp_path):
    _, run, _ = run_of(toy_params(run="runs/a"), toy_data)
    (run.path / "metrics.json").write_text("[]")
    copy = share(run, tmp_path / "out")
    ours, theirs = (
        {file.relative_to(top): file.read_bytes() for file in top.rglob("*") if file.is_file()}
        for top in (run.path, copy)
    )
    changed = {name for name in theirs if ours[name] != theirs[name]}
    assert {str(name) for name in changed} == {"history.jsonl", "params.json"}
    assert {name.parts[0] for name in ours.keys() - theirs.keys()} <= {"checkpoints", ".lock"}
    described = RunDir(copy).described
    assert described.pop("copy") == {"every": 10}
    assert described == run.described


def test_nothing_trains_in_a_copy(toy_params, toy_data, tmp_path):
    _, run, _ = run_of(toy_params(run="runs/a"), toy_data)
    copy = share(run, tmp_path / "out")
    before = (copy / "history.jsonl").read_bytes()
    with pytest.raises(RunError, match="'out/a': is a copy without checkpoints"):
        RunDir.open(toy_params(run="out/a"), toy_data)
    assert (copy / "history.jsonl").read_bytes() == before


def test_what_needs_a_checkpoint_says_that_a_copy_has_none(toy_params, toy_data, tmp_path, capsys):
    _, run, _ = run_of(toy_params(run="runs/a"), toy_data)
    copy = RunDir(share(run, tmp_path / "out"))
    with pytest.raises(RunError, match=r"run='out/a': is a copy without checkpoints\. Name"):
        variants.load(copy)
    assert main(["metrics", "out/a"]) == 1
    assert "run='out/a': is a copy without checkpoints" in capsys.readouterr().err


def test_an_older_copy_is_replaced_and_nothing_else(toy_params, toy_data, tmp_path):
    _, run, _ = run_of(toy_params(run="runs/a"), toy_data)
    share(run, tmp_path / "out", every=1)
    copy = RunDir(share(run, tmp_path / "out", every=5))
    assert len(copy.history().updates) == 2
    with pytest.raises(RunError, match="is not a copy"):
        share(run, tmp_path / "runs")
    assert len(run.history().updates) == 10
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["a"]


def test_another_students_run_of_the_same_parameters_is_not_replaced(toy_params, toy_data, tmp_path):
    _, alice, _ = run_of(toy_params(run="alice/run"), toy_data)
    _, bob, _ = run_of(toy_params(run="bob/run"), toy_data)
    sessions = [{**bob.environment()[0], "started": "earlier"}]
    (bob.path / "environment.json").write_text(json.dumps(sessions))
    copy = share(alice, tmp_path / "class")
    before = (copy / "history.jsonl").read_bytes()
    with pytest.raises(RunError, match=r"run exists and is not a copy of bob/run\. Choose another folder"):
        share(bob, tmp_path / "class")
    assert (copy / "history.jsonl").read_bytes() == before


def test_a_full_disk_is_told_and_leaves_the_older_copy(toy_params, toy_data, tmp_path, monkeypatch):
    _, run, _ = run_of(toy_params(run="runs/a"), toy_data)
    copy = share(run, tmp_path / "out")

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    def no_place(path, target):
        if path.name == ".a.tmp":
            full()
        return rename(path, target)

    rename = Path.rename
    for name, stand_in in (("ganutils.sharing.append_rows", full), ("pathlib.Path.rename", no_place)):
        with monkeypatch.context() as patch:
            patch.setattr(name, stand_in)
            with pytest.raises(RunError, match=r"a cannot be written \(No space left on device\)"):
                share(run, tmp_path / "out")
        assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["a"]
        assert len(RunDir(copy).history().updates) == 2


def test_the_command_reads_all_runs_before_it_copies_one(toy_params, toy_data, tmp_path, capsys):
    run_of(toy_params(run="runs/a"), toy_data)
    assert main(["share", "runs/a", "runs/z", "--output", "out"]) == 1
    assert "runs/z is not a run folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["share", "runs/a", "--output", "out", "--every", "5"]) == 0
    assert f"{tmp_path / 'out' / 'a'}: " in capsys.readouterr().out
    assert RunDir("out/a").is_copy


def test_rows_of_no_updates_are_refused(toy_params, toy_data, tmp_path):
    _, run, _ = run_of(toy_params(run="runs/a"), toy_data)
    with pytest.raises(ParameterError, match="every=0: must be at least 1"):
        share(run, tmp_path / "out", every=0)
