"""Going on after crashes that the files of a run tell of; tests/faults.py makes real ones."""

import shutil

import pytest
import torch

from ganutils import training
from ganutils.errors import RunError
from ganutils.runs import RunDir
from ganutils.training import train
from ganutils.update import Update
from ganutils.variants import build

EVERY_UPDATE = {"checkpoint_minutes": 1e-9}


def run_of(params, data):
    gan, run = build(params, data), RunDir.open(params, data)
    train(gan, data, params, run)
    return run


def content(run):
    """What must not depend on how often a run was interrupted."""
    state = run.checkpoints.load()
    grids = [run.samples(epoch).images for epoch in run.sample_epochs()]
    return run.history().updates, state["generator"] | state["discriminator"], grids


def assert_same(first, second):
    (updates, weights, grids), (other_updates, other_weights, other_grids) = content(first), content(second)
    assert updates == other_updates
    assert all(torch.equal(value, other_weights[name]) for name, value in weights.items())
    assert len(grids) == len(other_grids)
    assert all(torch.equal(*pair) for pair in zip(grids, other_grids, strict=True))


@pytest.fixture
def whole(toy_params, toy_data):
    return run_of(toy_params(run="whole", **EVERY_UPDATE), toy_data)


@pytest.fixture
def damaged(toy_params, toy_data):
    """A run like `whole` to be damaged, and a function that starts it again."""
    params = toy_params(run="damaged", **EVERY_UPDATE)
    return run_of(params, toy_data), lambda: run_of(params, toy_data)


def test_a_run_whose_last_checkpoint_is_missing_is_not_finished(whole, damaged, capsys):
    """As after a crash between the last line of the history and the last checkpoint."""
    run, again = damaged
    shutil.move(run.checkpoints.previous, run.checkpoints.last)
    capsys.readouterr()
    again()
    assert "nothing trained" not in capsys.readouterr().out
    assert_same(whole, run)


def test_a_damaged_first_checkpoint_is_made_again(whole, toy_params, toy_data, monkeypatch, capsys):
    """It was all that there was, and its weights follow from the seed."""
    params = toy_params(run="again")
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    with monkeypatch.context() as patch:
        patch.setattr(training._Loop, "_train_epoch", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(gan, toy_data, params, run)
    run.checkpoints.last.write_bytes(b"PK")
    train(build(params, toy_data), toy_data, params, run)
    assert "Nothing follows it: training from the start." in capsys.readouterr().out
    assert_same(whole, run)


@pytest.mark.parametrize("left", ["previous.pt", "epochs.jsonl"])
def test_a_damaged_checkpoint_is_an_error_where_others_were(damaged, left):
    run, again = damaged
    run.checkpoints.last.write_bytes(b"PK")
    if left == "previous.pt":
        run.checkpoints.previous.write_bytes(b"PK")
        (run.path / "epochs.jsonl").unlink()
    else:
        run.checkpoints.previous.unlink()
    with pytest.raises(RunError, match=r"last\.pt cannot be read .* Delete the run folder"):
        again()


@pytest.mark.parametrize("name", ["epoch-00002", "latest"])
def test_a_damaged_grid_is_made_again(whole, damaged, capsys, name):
    run, again = damaged
    (run.path / "samples" / f"{name}.png").write_bytes(b"\x89PNG")
    again()
    assert f"samples/{name}.png is damaged or gone. Going back to previous.pt" in capsys.readouterr().out
    assert_same(whole, run)


@pytest.mark.parametrize("file", ["history.jsonl", "epochs.jsonl"])
def test_a_history_shorter_than_the_checkpoint_is_recorded_again(whole, damaged, capsys, file):
    run, again = damaged
    path = run.path / file
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    again()
    assert "lines up to update 10. Going back to previous.pt" in capsys.readouterr().out
    assert_same(whole, run)
    assert [row["step"] for row in run.history().epochs] == [5, 10]


def test_what_no_checkpoint_can_bring_back_is_told(damaged, capsys):
    run, again = damaged
    path = run.path / "history.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[4:]))
    again()
    assert "history.jsonl has 6 of 10 lines up to update 10. It stays missing." in capsys.readouterr().out


def test_grids_of_other_epochs_may_be_asked_for_later(toy_params, toy_data, capsys):
    run_of(toy_params(run="mine", epochs=2, sample_epochs="2"), toy_data)
    run = run_of(toy_params(run="mine", epochs=3, sample_epochs="every 1"), toy_data)
    assert "WARNING" not in capsys.readouterr().out
    assert run.sample_epochs() == [2, 3]


def test_a_grid_that_was_never_drawn_is_not_missed(toy_params, toy_data, monkeypatch, capsys):
    usual = Update.__call__

    def dies(update, indices):
        if update.state.step == 10:
            raise OSError(5, "killed at the beginning of the third epoch")
        return usual(update, indices)

    monkeypatch.setattr(Update, "__call__", dies)
    with pytest.raises(RunError):
        run_of(toy_params(run="mine", epochs=3, sample_epochs="3"), toy_data)
    monkeypatch.setattr(Update, "__call__", usual)
    run = run_of(toy_params(run="mine", epochs=3, sample_epochs="every 1"), toy_data)
    assert "WARNING" not in capsys.readouterr().out
    assert run.sample_epochs() == [3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RunError, OSError(28, "No space left on device")])
def test_a_cell_that_is_run_again_in_the_same_kernel_begins_with_the_first_weights(
    whole, toy_params, toy_data, monkeypatch, error
):
    """The networks in memory have been trained when the first checkpoint is still to come."""
    params = toy_params(run="again")
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    original = Update.__call__

    def failing(update, indices):
        if update.state.step == 3:
            raise error
        return original(update, indices)

    with monkeypatch.context() as patch:
        patch.setattr(Update, "__call__", failing)
        with pytest.raises(RunError if isinstance(error, OSError) else error):
            train(gan, toy_data, params, run)
    train(gan, toy_data, params, run)
    assert_same(whole, run)


def test_networks_that_an_interrupt_left_half_way_are_put_in_order(whole, toy_params, toy_data):
    """Gradients that were not yet used, weights frozen for the other's turn, a generator in eval mode."""
    params = toy_params(run="again")
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    gan.generator(torch.randn(8, 100)).sum().backward()
    gan.generator.load_state_dict(build(params, toy_data).generator.state_dict())
    gan.discriminator.requires_grad_(False)
    gan.generator.eval()
    train(gan, toy_data, params, run)
    assert_same(whole, run)


def test_what_another_process_trained_before_the_lock_was_free_is_kept(toy_params, toy_data, monkeypatch):
    params = toy_params(run="shared")
    half = toy_params(run="shared", epochs=1)
    run_of(half, toy_data)
    locked = RunDir.locked

    def late(run):
        monkeypatch.setattr(RunDir, "locked", locked)
        run_of(params, toy_data)  # the other one comes first
        return locked(run)

    monkeypatch.setattr(RunDir, "locked", late)
    steps = []
    usual = Update.__call__
    monkeypatch.setattr(Update, "__call__", lambda update, at: (steps.append(1), usual(update, at))[1])
    run = run_of(params, toy_data)
    assert len(steps) == 5  # the second epoch, once
    assert [row["step"] for row in run.history().updates] == list(range(1, 11))


def test_an_output_that_nobody_reads_ends_after_the_checkpoint(toy_params, toy_data, monkeypatch):
    def closed(*arguments):
        raise BrokenPipeError(32, "Broken pipe")

    params = toy_params(epochs=3)
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    monkeypatch.setattr("ganutils.progress.Progress.epoch", closed)
    with pytest.raises(RunError, match="Nobody reads the output any more"):
        train(gan, toy_data, params, run)
    assert run.checkpoints.load()["step"] == 5


def test_a_folder_without_permission_to_lock_is_told(toy_params, toy_data, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    params = toy_params()
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    monkeypatch.setattr("ganutils.locking.FileLock.acquire", forbidden)
    with pytest.raises(RunError, match=r"cannot be written \(Permission denied\)"):
        train(gan, toy_data, params, run)


def test_a_disk_that_fills_up_while_samples_are_drawn(toy_params, toy_data, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    params = toy_params()
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    monkeypatch.setattr(RunDir, "save_grid", full)
    with pytest.raises(
        RunError, match=r"cannot be written \(No space left on device\)\. The last checkpoint"
    ):
        train(gan, toy_data, params, run)


def test_a_run_without_its_checkpoints_is_not_trained_over(damaged):
    run, again = damaged
    shutil.rmtree(run.path / "checkpoints")
    before = (run.path / "history.jsonl").read_bytes()
    with pytest.raises(RunError, match=r"history of 2 epochs, but its checkpoints are gone\. Put them back"):
        again()
    assert (run.path / "history.jsonl").read_bytes() == before
