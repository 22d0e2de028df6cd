import weakref

import pytest
import torch
from trainings import assert_same, run_of, weights

from ganutils import training
from ganutils.errors import ParameterError, RunError
from ganutils.objective import Terms
from ganutils.runs import RunDir
from ganutils.training import train
from ganutils.update import Update
from ganutils.variants import build


class SickOnce:
    """An objective whose generator loss is NaN at one call, counted from 1."""

    def __init__(self, objective, *calls):
        self.objective, self.calls, self.called = objective, calls, 0
        self.discriminator_terms, self.constrain = objective.discriminator_terms, objective.constrain

    def generator_terms(self, discriminator, real, fake):
        self.called += 1
        terms = self.objective.generator_terms(discriminator, real, fake)
        return Terms({"g_fake": terms.total * float("nan")}) if self.called in self.calls else terms


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


def test_rollback_goes_on_from_the_checkpoint_at_half_the_step_size(toy_params, toy_data, capsys):
    params = toy_params(on_nan="rollback")
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    history = train(gan._replace(objective=SickOnce(gan.objective, 8)), toy_data, params, run)
    assert [row["step"] for row in history.updates] == list(range(1, 11))
    assert run.rollbacks() == ["g_fake is nan in epoch 1.60 (update 8)"]
    assert "Back to epoch 1.00, at half the learning rate" in capsys.readouterr().out
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
    with pytest.raises(RunError, match=r"g_fake is nan in epoch 0\.20.*, after 5 returns"):
        train(gan._replace(objective=sick), toy_data, params, run)
    assert len(run.rollbacks()) == training.MOST_ROLLBACKS


def test_too_little_memory_names_what_to_lower(toy_params, toy_data, monkeypatch):
    def greedy(update, indices):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nDetails")

    monkeypatch.setattr(Update, "__call__", greedy)
    with pytest.raises(RunError, match=r"20\.00 GiB\.\)\. Lower batch_size or width"):
        run_of(toy_params(), toy_data)


@pytest.mark.parametrize(
    "message",
    ["MPS backend out of memory (MPS allocated: 9 GB)", "DefaultCPUAllocator: can't allocate memory", None],
)
def test_too_little_memory_frees_what_was_computed(toy_params, toy_data, monkeypatch, message):
    """A notebook keeps its last error; the same cell with a smaller batch must have room."""
    computed = []

    def greedy(update, indices):
        activations = torch.zeros(3)
        computed.append(weakref.ref(activations))
        raise RuntimeError(message) if message else torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Update, "__call__", greedy)
    with pytest.raises(RunError, match="too little memory") as kept:
        run_of(toy_params(), toy_data)
    assert kept.value is not None
    assert computed[0]() is None


def test_an_old_gpu_driver_does_not_keep_the_cpu_from_training(toy_params, toy_data, monkeypatch):
    def too_old(*arguments):
        raise RuntimeError("The NVIDIA driver on your system is too old")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", too_old)
    history, *_ = run_of(toy_params(epochs=1), toy_data)
    assert history.step > 0


def test_a_machine_that_cannot_compile_is_told_in_one_error(toy_params, toy_data, monkeypatch):
    class InductorError(RuntimeError):
        __module__ = "torch._inductor.exc"

    def no_compiler(*arguments):
        raise InductorError("No working C++ compiler found\nDetails")

    monkeypatch.setattr(torch, "compile", lambda network: no_compiler)
    with pytest.raises(RunError, match=r"compile=True: .* \(No working C\+\+ compiler found\)\. Use"):
        run_of(toy_params(compile=True), toy_data)


def test_device_that_is_not_there(toy_params, toy_data):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ParameterError, match="device='cuda': is not on this machine, which has cpu"):
        run_of(toy_params(device="cuda"), toy_data)
