import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from trainings import assert_same, run_of, weights

from ganutils import training
from ganutils.checkpoints import Checkpoints
from ganutils.errors import RunError
from ganutils.runs import RunDir
from ganutils.update import Update


@pytest.mark.parametrize("values", [{}, {"network": "dense", "ema": 0.9}, {"d_steps": 3, "log_every": 2}])
def test_a_longer_run_equals_one_in_two_sessions(toy_params, toy_data, values):
    whole, whole_run, _ = run_of(toy_params(run="whole", **values), toy_data)
    run_of(toy_params(run="parts", epochs=1, **values), toy_data)
    parts, parts_run, _ = run_of(toy_params(run="parts", **values), toy_data)
    assert whole.updates == parts.updates
    assert_same(weights(whole_run), weights(parts_run))
    assert torch.equal(whole_run.samples(2).images, parts_run.samples(2).images)


def test_time_left_after_a_resume_counts_only_this_session(toy_params, toy_data, monkeypatch):
    made = []

    class Spy(training.Progress):
        def __init__(self, total, done, *others):
            made.append((total, done))
            super().__init__(total, done, *others)

    monkeypatch.setattr(training, "Progress", Spy)
    run_of(toy_params(run="parts", epochs=1), toy_data)
    run_of(toy_params(run="parts", epochs=2), toy_data)
    assert made == [(5, 0), (10, 5)]


def test_stopping_in_the_middle_of_an_epoch_and_going_on_changes_nothing(toy_params, toy_data, monkeypatch):
    whole, whole_run, _ = run_of(toy_params(run="whole"), toy_data)
    original = Update.__call__

    def interrupted(update, indices):
        if update.state.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return original(update, indices)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Update, "__call__", interrupted)
        stopped, _, _ = run_of(toy_params(run="parts"), toy_data)
    assert signal.getsignal(signal.SIGINT) is before
    assert stopped.step == 3
    parts, parts_run, _ = run_of(toy_params(run="parts"), toy_data)
    assert whole.updates == parts.updates
    assert_same(weights(whole_run), weights(parts_run))


@pytest.mark.parametrize(
    ("values", "share", "saved"),
    [
        ({}, 0.0, [0, 15]),
        ({}, float("inf"), [0, 5, 10, 15]),
        ({"on_nan": "rollback"}, 0.0, [0, 5, 10, 15]),  # where it would go back to
    ],
)
def test_epochs_share_a_checkpoint_where_saving_takes_long(
    toy_params, toy_data, monkeypatch, values, share, saved
):
    steps, save = [], Checkpoints.save
    monkeypatch.setattr(training, "SAVING_SHARE", share)
    monkeypatch.setattr(
        Checkpoints, "save", lambda *given, **how: (steps.append(given[1]["step"]), save(*given, **how))
    )
    run_of(toy_params(epochs=3, **values), toy_data)
    assert steps == saved


def test_a_stop_at_the_end_of_an_epoch_without_a_checkpoint_saves(toy_params, toy_data, monkeypatch):
    monkeypatch.setattr(training, "SAVING_SHARE", 0.0)
    advance = training.Progress.epoch

    def stopping(progress, epoch, *told):
        advance(progress, epoch, *told)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training.Progress, "epoch", stopping)
    stopped, run, _ = run_of(toy_params(epochs=3), toy_data)
    assert stopped.step == weights(run)["step"] == 5


def test_a_stopped_run_shows_where_it_stands(toy_params, toy_data):
    _, run, _ = run_of(toy_params(max_minutes=1e-9), toy_data)
    assert run.sample_epochs() == []
    assert run.latest().title == "epoch 0.20"


def test_max_minutes_pauses_and_the_same_call_goes_on(toy_params, toy_data, capsys):
    params = toy_params(max_minutes=1e-9)
    steps = []
    for _ in range(3):
        steps.append(run_of(params, toy_data)[0].step)
    assert steps == [1, 2, 3]
    assert "Stopped by max_minutes after 0.60 of 2 epochs" in capsys.readouterr().out


def test_a_finished_run_is_read_and_not_trained(toy_params, toy_data, capsys):
    history, run, _ = run_of(toy_params(), toy_data)
    before = (run.path / "checkpoints" / "last.pt").stat().st_mtime_ns
    again, _, _ = run_of(toy_params(), toy_data)
    assert again == history
    assert (run.path / "checkpoints" / "last.pt").stat().st_mtime_ns == before
    assert "nothing trained" in capsys.readouterr().out


def test_rows_after_the_checkpoint_are_recorded_anew(toy_params, toy_data):
    """As after a crash between a history line and the next checkpoint."""
    whole, _, _ = run_of(toy_params(run="whole"), toy_data)
    _, run, _ = run_of(toy_params(run="parts", epochs=1), toy_data)
    run.append(updates=[{"step": 6, "epoch": 1.2, "d_real": 123.0}])
    with (run.path / "history.jsonl").open("a") as file:
        file.write('{"step": 7, "epo')
    parts, _, _ = run_of(toy_params(run="parts"), toy_data)
    assert parts.updates == whole.updates


def test_a_second_process_in_the_same_folder_is_refused_and_a_dead_one_is_not(toy_params, toy_data):
    params = toy_params(run="mine")
    run = RunDir.open(params, toy_data)
    code = (
        "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); "
        "print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, run.path / ".lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline().strip() == b"held"
    with pytest.raises(RunError, match="another process is training in this folder"):
        run_of(params, toy_data)
    holder.kill()
    holder.wait()
    assert run_of(params, toy_data)[0].step == 10


def test_environment_is_noted_once_a_session(toy_params, toy_data):
    _, run, _ = run_of(toy_params(epochs=1), toy_data)
    run_of(toy_params(epochs=1), toy_data)
    assert len(run.environment()) == 1
    assert {"started", "device", "system", "libraries"} == set(run.environment()[0])
    assert json.loads((run.path / "params.json").read_text())["params"]["epochs"] == 1
