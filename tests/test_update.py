"""One update of each variant: what the loop relies on."""

import contextlib
import functools
import gc

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from ganutils import variants
from ganutils.errors import ParameterError
from ganutils.hardware import Hardware, choose
from ganutils.layers import CheapDropout
from ganutils.objective import gradient_norms
from ganutils.state import TrainState
from ganutils.update import Update
from ganutils.variants.dcgan import conv_discriminator


class Reads(TorchDispatchMode):
    """Counts the numbers that Python reads from tensors: each would wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function in (
            torch.ops.aten._local_scalar_dense.default,
            torch.ops.aten.nonzero.default,
            torch.ops.aten.equal.default,
        )
        return function(*args, **(kwargs or {}))


CASES = [
    *((name, {}) for name in variants.names()),
    ("wgan", {"constraint": "clip", "optimizer": "rmsprop"}),
    ("siamese", {"head": "concat"}),
    ("dcgan", {"network": "dense"}),
    ("dcgan", {"d_norm": "spectral", "augment": "color,translation", "ema": 0.9}),
]


@pytest.mark.parametrize(("name", "values"), CASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_update_waits_for_nothing_and_counts_itself(toy_data, name, values, precision):
    params = variants.get(name).Params(
        **{"width": 4, "batch_size": 8, "d_steps": 2, "device": "cpu", "precision": precision, **values}
    )
    gan, hardware = variants.build(params, toy_data), choose(params)
    update = Update(gan, TrainState(gan, params, hardware.device), toy_data, params, hardware)
    update(torch.arange(8))
    with Reads() as reads:
        told = update(torch.arange(8))
    assert reads.count == 0
    assert (update.state.step, update.state.g_step) == (2, 1)
    assert {"d_grad", "g_grad"} <= told.keys()
    assert all(value.ndim == 0 and value.isfinite() and not value.requires_grad for value in told.values())


def test_the_moving_average_is_that_of_torch(toy_params, toy_data):
    params = toy_params(ema=0.9)
    gan = variants.build(params, toy_data)
    state = TrainState(gan, params, torch.device("cpu"))
    expected = AveragedModel(gan.generator, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for _ in range(3):
        for weight in gan.generator.parameters():
            weight.data += torch.randn_like(weight)
        state.update_average()
        state.count(True)
        expected.update_parameters(gan.generator)
        for ours, theirs in zip(state.average.parameters(), expected.parameters(), strict=True):
            assert torch.equal(ours, theirs)
    assert state.average.n_averaged == 3


@pytest.mark.parametrize(("name", "values"), [case for case in CASES if case != ("wgan", {})])
def test_compiled_networks_make_the_same_updates(toy_data, monkeypatch, name, values):
    """Through torch's tracing, without the C++ compiler that its last stage needs on a CPU."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    told = []
    for compiled in (False, True):
        chosen = {"width": 4, "batch_size": 8, "device": "cpu", "precision": "fp32", "ema": 0.9, **values}
        params = variants.get(name).Params(compile=compiled, **chosen)
        torch.manual_seed(0)
        gan, hardware = variants.build(params, toy_data), choose(params)
        for layer in gan.discriminator.modules():  # compiled, it draws other random numbers
            if isinstance(layer, CheapDropout):
                layer.dropped = 0
        update = Update(gan, TrainState(gan, params, hardware.device), toy_data, params, hardware)
        told.append([update(torch.arange(8)) for _ in range(3)])
        assert not any("_orig_mod" in name for name in update.state.capture()["generator"])
    torch.testing.assert_close(told[1], told[0])


@pytest.mark.parametrize(("name", "values"), CASES)
def test_an_update_keeps_all_its_tensors_on_one_device(toy_data, monkeypatch, name, values):
    """On torch's device without numbers, which refuses tensors of the CPU as a GPU does."""
    monkeypatch.setattr(Hardware, "autocast", lambda hardware: contextlib.nullcontext())
    chosen = {"width": 4, "batch_size": 8, "d_steps": 2, **values, "optimizer": "rmsprop"}
    params, device = variants.get(name).Params(**chosen), torch.device("meta")  # fused Adam does not know it
    gan, hardware = variants.build(params, toy_data), Hardware(device, "fp32", "none", False)
    update = Update(gan, TrainState(gan, params, device), toy_data, params, hardware)
    told = [update(torch.arange(8)) for _ in range(2)]
    assert all(value.device == device for values in told for value in values.values())


def test_a_gradient_of_a_gradient_is_not_compiled():
    with pytest.raises(ParameterError, match=r"compile=True: needs constraint='clip'"):
        variants.get("wgan").Params(compile=True)
    variants.get("wgan").Params(compile=True, constraint="clip")


def test_updates_leave_no_tensors_behind(toy_params, toy_data):
    params = toy_params(ema=0.9, augment="color")
    gan, hardware = variants.build(params, toy_data), choose(params)
    update = Update(gan, TrainState(gan, params, hardware.device), toy_data, params, hardware)

    def count_after(updates):
        for _ in range(updates):
            update(torch.arange(8))
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    assert count_after(2) == count_after(20)


def test_a_number_that_is_read_is_counted():
    with Reads() as reads:
        torch.ones(1).item()
    assert reads.count == 1


def test_the_penalty_in_bf16_agrees_with_fp32():
    """Value and gradient to the precision of bf16's 8 bits."""
    torch.manual_seed(0)
    critic = conv_discriminator(32, 16, batch_norm=False)
    images = [torch.randn(16, 3, 32, 32) for _ in range(2)]

    def measured(fast):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
            loss = (gradient_norms(critic, *images) - 1).square().mean()
        found = torch.autograd.grad(loss, [weight for weight in critic.parameters() if weight.ndim > 1])
        return loss, torch.cat([part.flatten() for part in found])

    (exact, gradient), (close, fast_gradient) = measured(False), measured(True)
    assert close.item() == pytest.approx(exact.item(), rel=0.01)
    assert (fast_gradient - gradient).norm() < 0.05 * gradient.norm()
