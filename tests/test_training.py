import json
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from ganutils import training, variants
from ganutils.data import to_float, to_uint8
from ganutils.errors import ParameterError, RunError
from ganutils.objective import Terms
from ganutils.prior import Prior
from ganutils.runs import RunDir
from ganutils.sampling import generate
from ganutils.streams import stream
from ganutils.training import train
from ganutils.update import Update
from ganutils.variants import build


def run_of(params, data):
    gan, run = build(params, data), RunDir.open(params, data)
    return train(gan, data, params, run), run, gan


def weights(run):
    return run.checkpoints.load()


def assert_same(first, second):
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            if key != "epoch_seconds":
                assert_same(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second


def test_history_has_every_term_of_every_update(toy_params, toy_data):
    history, run, _ = run_of(toy_params(), toy_data)
    assert [row["step"] for row in history.updates] == list(range(1, 11))
    assert set(history.names()) == {"d_real", "d_fake", "D(x)", "D(G(z))", "d_grad", "g_fake", "g_grad"}
    assert [(row["epoch"], row["step"], row["g_step"]) for row in history.epochs] == [(1, 5, 5), (2, 10, 10)]
    assert all(row["images_per_second"] > 0 for row in history.epochs)
    assert run.sample_epochs() == [1, 2]


def test_first_losses_are_those_of_the_untrained_networks(toy_params, toy_data):
    params = toy_params(flip=False)
    history, _, _ = run_of(params, toy_data)
    gan = build(params, toy_data)
    order = torch.randperm(40, generator=stream(params.seed, "order", 0))[:8]
    z, labels = gan.prior.sample(8, generator=stream(params.seed, "latents"))
    with torch.no_grad():
        fake = gan.generator(z, labels)
        real = gan.discriminator(to_float(toy_data.images[order]))
        fake = gan.discriminator(fake)
    expected = [torch.nn.functional.softplus(x).mean().item() for x in (-real, fake)]
    assert [history.updates[0][name] for name in ("d_real", "d_fake")] == pytest.approx(expected, rel=1e-4)


def test_same_seed_same_history_and_other_seed_another(toy_params, toy_data):
    first, _, _ = run_of(toy_params(run="a"), toy_data)
    second, _, _ = run_of(toy_params(run="b"), toy_data)
    other, _, _ = run_of(toy_params(run="c", seed=1), toy_data)
    assert first.updates == second.updates
    assert first.updates != other.updates


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


def test_a_stopped_run_shows_where_it_stands(toy_params, toy_data):
    _, run, _ = run_of(toy_params(max_minutes=1e-9), toy_data)
    assert run.sample_epochs() == []
    assert run.latest().title == "epoch 0.20"


def test_averaged_weights_are_sampled_with_statistics_of_their_own(toy_params, toy_data):
    """In eval mode the first norm's output must be standardised over many latents."""
    params = toy_params(ema=0.9)
    _, run, _ = run_of(params, toy_data)
    generator = variants.load(run).generator
    z, _ = Prior(100).sample(2000, generator=torch.Generator().manual_seed(7))
    norm = generator.layers[2]
    with torch.no_grad():
        features = generator.layers[1](generator.layers[0](z))
    torch.testing.assert_close(norm.running_mean, features.mean((0, 2, 3)), atol=0.02, rtol=0.2)
    torch.testing.assert_close(norm.running_var, features.var((0, 2, 3)), atol=0.0, rtol=0.2)


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


def test_grid_is_the_generator_at_fixed_latents(toy_params, toy_data):
    params = toy_params()
    _, run, gan = run_of(params, toy_data)
    z, labels = gan.prior.grid(6, generator=stream(params.seed, "evaluation"))
    gan.generator.load_state_dict(weights(run)["generator"])
    expected = to_uint8(gan.generator.eval()(z, labels))
    assert torch.equal(run.samples(2).images, expected)
    assert run.samples(2).columns == 3


def test_sampling_does_not_change_training(toy_params, toy_data):
    often, _, _ = run_of(toy_params(run="often"), toy_data)
    seldom, _, _ = run_of(toy_params(run="seldom", sample_epochs="2"), toy_data)
    assert often.updates == seldom.updates


def test_generating_keeps_the_mode_and_does_not_depend_on_the_batch(toy_params, toy_data):
    gan = build(toy_params(), toy_data)
    z, labels = gan.prior.sample(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(generate(gan.generator, z, labels, 2), generate(gan.generator, z, labels, 7))
    assert gan.generator.training


def test_discriminator_steps_per_generator_step(toy_params, toy_data):
    history, _, _ = run_of(toy_params(d_steps=3), toy_data)
    assert [row["step"] for row in history.updates if "g_fake" in row] == [3, 6, 9]
    assert history.epochs[-1]["g_step"] == 3


def test_log_every_averages(toy_params, toy_data):
    each, _, _ = run_of(toy_params(run="each"), toy_data)
    pairs, _, _ = run_of(toy_params(run="pairs", log_every=2), toy_data)
    assert [row["step"] for row in pairs.updates] == [2, 4, 5, 7, 9, 10]
    mean = (each.updates[0]["d_real"] + each.updates[1]["d_real"]) / 2
    assert pairs.updates[0]["d_real"] == pytest.approx(mean, rel=1e-6)
    assert pairs.updates[2]["d_real"] == each.updates[4]["d_real"]


def test_moving_average_by_hand(toy_params, toy_data):
    params = toy_params(epochs=1, batch_size=40, ema=0.75)
    gan = build(params, toy_data)
    first = gan.generator.state_dict()["layers.1.weight"].clone()
    run = RunDir.open(params, toy_data)
    train(gan, toy_data, params, run)
    kept = weights(run)
    torch.testing.assert_close(
        kept["average"]["module.layers.1.weight"],
        kept["generator"]["layers.1.weight"],
        msg="first update copies",
    )
    assert not torch.equal(first, kept["generator"]["layers.1.weight"])


def test_linear_decay_reaches_zero_after_the_last_update(toy_params, toy_data):
    _, run, _ = run_of(toy_params(schedule="linear"), toy_data)
    group = weights(run)["g_optimizer"]["param_groups"][0]
    assert group["lr"] == pytest.approx(2e-4 * (1 - 9 / 10))


def test_device_that_is_not_there(toy_params, toy_data):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ParameterError, match="device='cuda': is not on this machine, which has cpu"):
        run_of(toy_params(device="cuda"), toy_data)


def test_a_loss_that_is_not_finite_stops_with_term_and_epoch(toy_params, toy_data):
    params = toy_params()
    gan = build(params, toy_data)

    class Sick(type(gan.objective)):
        def generator_terms(self, discriminator, real, fake):
            return Terms({"g_fake": super().generator_terms(discriminator, real, fake).total * float("nan")})

    run = RunDir.open(params, toy_data)
    with pytest.raises(RunError, match=r"g_fake is nan in epoch 0\.20 \(update 1\)"):
        train(gan._replace(objective=Sick()), toy_data, params, run)
    assert not run.sample_epochs()


class SickOnce:
    """An objective whose generator loss is NaN at one call, counted from 1."""

    def __init__(self, objective, *calls):
        self.objective, self.calls, self.called = objective, calls, 0
        self.discriminator_terms, self.constrain = objective.discriminator_terms, objective.constrain

    def generator_terms(self, discriminator, real, fake):
        self.called += 1
        terms = self.objective.generator_terms(discriminator, real, fake)
        return Terms({"g_fake": terms.total * float("nan")}) if self.called in self.calls else terms


def test_rollback_goes_on_from_the_checkpoint_at_half_the_step_size(toy_params, toy_data, capsys):
    params = toy_params(on_nan="rollback")
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    history = train(gan._replace(objective=SickOnce(gan.objective, 8)), toy_data, params, run)
    assert [row["step"] for row in history.updates] == list(range(1, 11))
    assert run.rollbacks() == ["g_fake is nan in epoch 1.60 (update 8)"]
    assert "Back to epoch 1.00, at half the step size" in capsys.readouterr().out
    whole, _, _ = run_of(toy_params(run="whole"), toy_data)
    assert history.updates[:5] == whole.updates[:5]
    state = weights(run)
    assert state["g_optimizer"]["param_groups"][0]["lr"] == pytest.approx(1e-4)
    assert all(tensor.isfinite().all() for tensor in state["generator"].values())


def test_a_run_that_went_back_resumes_at_the_lower_step_size(toy_params, toy_data):
    """Three epochs with a sick update in the second, in one session and in two."""
    kept = []
    for name, sessions in (("whole", (3,)), ("parts", (2, 3))):
        for epochs in sessions:
            params = toy_params(on_nan="rollback", run=name, epochs=epochs)
            gan, run = build(params, toy_data), RunDir.open(params, toy_data)
            sick = SickOnce(gan.objective, 8) if epochs == sessions[0] else gan.objective
            train(gan._replace(objective=sick), toy_data, params, run)
        kept.append((run.history().updates, weights(run), run.rollbacks()))
    assert kept[0][0] == kept[1][0]
    assert_same(kept[0][1], kept[1][1])
    assert kept[0][2] == kept[1][2]


def test_a_sickness_that_stays_stops_in_the_end(toy_params, toy_data):
    params = toy_params(on_nan="rollback")
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    sick = SickOnce(gan.objective, *range(1, 100))
    with pytest.raises(RunError, match=r"g_fake is nan in epoch 0\.20"):
        train(gan._replace(objective=sick), toy_data, params, run)
    assert len(run.rollbacks()) == training.MOST_ROLLBACKS


def test_too_little_memory_names_what_to_lower(toy_params, toy_data, monkeypatch):
    def greedy(update, indices):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nDetails")

    monkeypatch.setattr(Update, "__call__", greedy)
    with pytest.raises(RunError, match=r"20\.00 GiB\.\)\. Lower batch_size or width"):
        run_of(toy_params(), toy_data)


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


def test_training_in_a_thread_leaves_signals_alone(toy_params, toy_data):
    found = []
    thread = threading.Thread(target=lambda: found.append(run_of(toy_params(), toy_data)[0].step))
    thread.start()
    thread.join()
    assert found == [10]


def test_bf16_follows_fp32_at_first(toy_params, toy_data):
    fast, _, _ = run_of(toy_params(run="bf16", precision="bf16"), toy_data)
    exact, _, _ = run_of(toy_params(run="fp32"), toy_data)
    for name in ("d_real", "d_fake", "g_fake"):
        assert fast.updates[0][name] == pytest.approx(exact.updates[0][name], rel=0.05)


def test_environment_is_noted_once_a_session(toy_params, toy_data):
    _, run, _ = run_of(toy_params(epochs=1), toy_data)
    run_of(toy_params(epochs=1), toy_data)
    assert len(run.environment()) == 1
    assert {"started", "device", "system", "libraries"} == set(run.environment()[0])
    assert json.loads((run.path / "params.json").read_text())["params"]["epochs"] == 1
