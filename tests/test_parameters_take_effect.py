"""Every parameter of training reaches what it names: optimisers, objective, networks and real images."""

from pathlib import Path

import pytest
import torch
from torch.nn.utils import parametrize

import ganutils
from ganutils import hardware, update, variants
from ganutils.data import to_float
from ganutils.layers import CheapDropout
from ganutils.state import TrainState
from ganutils.variants import siamese


def parameters(name, **values):
    small = {"width": 4, "batch_size": 8, "device": "cpu", "precision": "fp32", "flip": False}
    return variants.get(name).Params(**{**small, **values})


def started(params, data, objective=None):
    gan = variants.build(params, data)
    gan = gan if objective is None else gan._replace(objective=objective(gan.objective))
    chosen = hardware.choose(params)
    return update.Update(gan, TrainState(gan, params, chosen.device), data, params, chosen)


class Recorded:
    """An objective that keeps the batches it was given."""

    def __init__(self, objective):
        self.objective, self.seen = objective, []
        self.constrain = objective.constrain

    def discriminator_terms(self, discriminator, real, fake):
        self.seen.append((real, fake))
        return self.objective.discriminator_terms(discriminator, real, fake)

    def generator_terms(self, discriminator, real, fake):
        self.seen.append((real, fake))
        return self.objective.generator_terms(discriminator, real, fake)


def test_optimisers_take_their_parameters(toy_data):
    chosen = {"learning_rate": 3e-3, "d_learning_rate": 2.0, "beta1": 0.3, "beta2": 0.8}
    state = started(parameters("dcgan", **chosen), toy_data).state
    (adam,), (other,) = state.g_optimizer.param_groups, state.d_optimizer.param_groups
    assert (adam["lr"], adam["betas"], other["lr"], other["betas"]) == (3e-3, (0.3, 0.8), 6e-3, (0.3, 0.8))
    state = started(parameters("wgan", **chosen, optimizer="rmsprop"), toy_data).state
    (rmsprop,), (other,) = state.g_optimizer.param_groups, state.d_optimizer.param_groups
    assert isinstance(state.g_optimizer, torch.optim.RMSprop)
    assert (rmsprop["lr"], rmsprop["alpha"], other["lr"], other["alpha"]) == (3e-3, 0.8, 6e-3, 0.8)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("dcgan", {"label_smoothing": 0.2}, {"label_smoothing": 0.2}),
        ("siamese", {"label_smoothing": 0.2}, {"label_smoothing": 0.2}),
        (
            "acgan",
            {"label_smoothing": 0.2, "class_weight": 3.0, "fake_class": True},
            {"label_smoothing": 0.2, "class_weight": 3.0, "fake_label": 2},
        ),
        ("acgan", {}, {"fake_label": None, "class_weight": 1.0}),
        ("wgan", {"penalty": 4.0}, {"penalty": 4.0, "clip": 0.0}),
        ("wgan", {"constraint": "clip", "clip": 0.3}, {"penalty": 0.0, "clip": 0.3}),
    ],
)
def test_objectives_take_their_parameters(toy_data, name, values, expected):
    objective = variants.build(parameters(name, **values), toy_data).objective
    assert {field: getattr(objective, field) for field in expected} == expected


@pytest.mark.parametrize(
    "name", [one for one in variants.names() if "d_norm" in variants.get(one).Params.model_fields]
)
@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_a_discriminator_has_the_norm_that_was_asked_for(toy_data, name, norm):
    layers = list(variants.build(parameters(name, d_norm=norm), toy_data).discriminator.modules())
    weighted = [layer for layer in layers if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))]
    assert any(isinstance(layer, torch.nn.BatchNorm2d) for layer in layers) == (norm == "batch")
    assert {parametrize.is_parametrized(layer) for layer in weighted} == {norm == "spectral"}


def test_dropout_is_that_of_the_parameters(toy_data):
    discriminator = variants.build(parameters("acgan", dropout=0.25), toy_data).discriminator
    (dropout,) = (layer for layer in discriminator.modules() if isinstance(layer, CheapDropout))
    dropped = (dropout.train()(torch.ones(100_000)) == 0).float().mean().item()
    assert dropped == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("name", variants.names())
def test_both_networks_are_shown_the_images_and_labels_that_were_named(toy_data, name):
    made = started(parameters(name, d_steps=1), toy_data, Recorded)
    indices = torch.tensor([7, 0, 31, 4, 5, 22, 13, 9])
    made(indices)
    assert len(made._objective.seen) == 2
    for real, fake in made._objective.seen:
        assert torch.equal(real.images, to_float(toy_data.images[indices]))
        assert torch.equal(real.labels, toy_data.labels[indices])
        assert fake.images.shape == real.images.shape


def test_half_of_the_real_images_are_mirrored(toy_data):
    made = started(parameters("dcgan", flip=True), toy_data, Recorded)
    made(torch.arange(40))
    images, plain = made._objective.seen[0][0].images, to_float(toy_data.images)
    kept = (images == plain).flatten(1).all(1)
    mirrored = (images == plain.flip(3)).flatten(1).all(1)
    assert (kept ^ mirrored).all()
    assert 10 <= mirrored.sum() <= 30


def test_both_sides_are_augmented_in_both_turns(toy_data, monkeypatch):
    monkeypatch.setattr(update, "augment", lambda images, kinds: images + (5 if kinds == "color" else 0))
    made = started(parameters("dcgan", augment="color"), toy_data, Recorded)
    made(torch.arange(8))
    assert len(made._objective.seen) == 2
    assert all(batch.images.min() >= 4 for turn in made._objective.seen for batch in turn)


def test_every_update_clips_the_critic(toy_data):
    made = started(parameters("wgan", constraint="clip", clip=0.02, learning_rate=0.5), toy_data)
    made(torch.arange(8))
    told = made(torch.arange(8))
    assert max(weight.abs().max().item() for weight in made.state.discriminator.parameters()) <= 0.02 + 1e-9
    assert told["at_bound"] > 0.5  # steps of half a unit leave hardly a weight between the bounds


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_networks_compute_in_the_precision_of_the_parameters(toy_data, precision, dtype):
    made, seen = started(parameters("dcgan", precision=precision), toy_data), set()
    networks = (made.state.generator, made.state.discriminator)
    layers = [
        layer
        for network in networks
        for layer in network.modules()
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))
    ]
    for layer in layers[:-1]:  # the last one's answer is taken in fp32
        layer.register_forward_hook(lambda layer, given, result: seen.add(result.dtype))
    made(torch.arange(8))
    assert seen == {dtype}
    assert {weight.dtype for network in networks for weight in network.parameters()} == {torch.float32}


def test_kernels_lie_channels_last(toy_data):
    state = started(parameters("dcgan"), toy_data).state
    kernels = [
        weight
        for network in (state.generator, state.discriminator)
        for weight in network.parameters()
        if weight.ndim == 4 and min(weight.shape[1:]) > 1
    ]
    assert len(kernels) >= 6
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_auto_takes_bf16_where_a_processor_has_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert hardware.choose(parameters("dcgan", precision="auto")).precision == expected
    assert hardware.has_amx() is capabilities.get("amx_bf16", False)


def test_freed_memory_is_kept_for_the_next_update(monkeypatch):
    calls = []

    class Library:
        mallopt = staticmethod(lambda name, value: calls.append((name, value)))

    monkeypatch.setattr("ctypes.CDLL", lambda name: Library)
    hardware.choose(parameters("dcgan"))
    assert [name for name, _ in calls] == [-3, -1]
    assert min(value for _, value in calls) >= 1 << 30


def test_the_loop_knows_no_variant():
    folder = Path(ganutils.__file__).parent
    loop = "".join((folder / name).read_text() for name in ("training.py", "update.py", "state.py"))
    assert not [name for name in variants.names() if name in loop.lower()]


def test_a_pair_has_two_different_real_images():
    """The positive pairs of a batch of different images are never an image with itself."""
    torch.manual_seed(0)
    judge = siamese.PairDiscriminator(siamese.Params(width=4, hidden=8)).eval()
    images = torch.randn(4, 3, 32, 32)
    same, _ = judge(images[:1].expand(4, -1, -1, -1), images)
    different, _ = judge(images, images)
    assert len(set(same.tolist())) == 1
    assert not torch.isclose(different, same[0]).any()
