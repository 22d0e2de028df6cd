"""What every variant must keep; found by file, so that a new one is tested by being there."""

from dataclasses import replace

import pytest
import torch

from ganutils import variants
from ganutils.cli import main
from ganutils.data import Batch, to_uint8
from ganutils.errors import ParameterError, RunError
from ganutils.hardware import choose
from ganutils.runs import RunDir
from ganutils.sampling import generate
from ganutils.state import TrainState
from ganutils.streams import stream
from ganutils.training import train
from ganutils.update import Update


def small(name, **values):
    return variants.get(name).Params(**values)


def batches(gan, params, n=8):
    z, labels = gan.prior.sample(n, generator=torch.Generator().manual_seed(3))
    images = torch.rand(n, 3, params.image_size, params.image_size) * 2 - 1
    real_labels = torch.arange(n) % max(1, gan.prior.classes)
    return Batch(images, real_labels), Batch(gan.generator(z, labels), labels)


@pytest.fixture(params=variants.names())
def built(request, toy_data):
    params = small(request.param)
    return params, variants.build(params, toy_data)


def test_generator_draws_images_in_range(built):
    params, gan = built
    _, fake = batches(gan, params)
    assert fake.images.shape == (8, 3, params.image_size, params.image_size)
    assert fake.images.abs().max() <= 1


def test_discriminator_terms_reach_the_discriminator_alone(built):
    params, gan = built
    real, fake = batches(gan, params)
    terms = gan.objective.discriminator_terms(
        gan.discriminator, real, Batch(fake.images.detach(), fake.labels)
    )
    terms.total.backward()
    assert all(weight.grad is not None for weight in gan.discriminator.parameters())
    assert all(weight.grad is None for weight in gan.generator.parameters())
    assert all(value.ndim == 0 and not value.requires_grad for value in terms.watched.values())


def test_generator_terms_reach_the_generator_alone(built):
    params, gan = built
    gan.discriminator.requires_grad_(False)
    terms = gan.objective.generator_terms(gan.discriminator, *batches(gan, params))
    terms.total.backward()
    assert all(weight.grad.abs().sum() > 0 for weight in gan.generator.parameters())
    assert all(weight.grad is None for weight in gan.discriminator.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("image_size", [32, 64])
@pytest.mark.parametrize("name", variants.names())
def test_a_step_moves_its_own_network_alone(name, image_size, precision, toy_data):
    times = image_size // toy_data.image_size
    images = toy_data.images.repeat_interleave(times, 2).repeat_interleave(times, 3)
    data = replace(toy_data, images=images)
    params = small(
        name,
        image_size=image_size,
        width=4,
        batch_size=8,
        d_steps=2,
        device="cpu",
        precision=precision,
    )
    gan, hardware = variants.build(params, data), choose(params)
    state = TrainState(gan, params, hardware.device)
    update = Update(gan, state, data, params, hardware)

    def moved():
        before = [[w.clone() for w in net.parameters()] for net in (gan.generator, gan.discriminator)]
        update(torch.arange(8))
        after = [list(net.parameters()) for net in (gan.generator, gan.discriminator)]
        return [
            [not torch.equal(*pair) for pair in zip(*nets, strict=True)]
            for nets in zip(before, after, strict=True)
        ]

    generator, discriminator = moved()  # the first of two discriminator steps
    assert not any(generator)
    assert sum(discriminator) >= len(discriminator) - 1  # a constant cancels in a critic's terms
    for group in state.d_optimizer.param_groups:
        group["lr"] = 0.0
    generator, discriminator = moved()  # the second one, which stands still, and the generator's step
    assert all(generator)
    assert not any(discriminator)


def test_weights_depend_on_the_seed_alone(built, toy_data):
    params, gan = built
    name = params.variant
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again, other = (variants.build(small(name, seed=seed), toy_data) for seed in (0, 1))
    assert torch.equal(before, torch.get_rng_state())
    first = next(iter(gan.generator.state_dict().values()))
    assert torch.equal(first, next(iter(again.generator.state_dict().values())))
    assert not torch.equal(first, next(iter(other.generator.state_dict().values())))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "dcgam",
            "There is no variant 'dcgam', did you mean 'dcgan'? There are acgan, dcgan, siamese, wgan.",
        ),
        ("zzzqq", "There is no variant 'zzzqq'. There are acgan, dcgan, siamese, wgan."),
    ],
)
def test_an_unknown_variant_is_told_with_those_that_are_there(name, told):
    with pytest.raises(ParameterError) as caught:
        variants.get(name)
    assert str(caught.value) == told


def test_an_unknown_notebook_is_told_with_variants_and_studies(capsys):
    assert main(["params", "noise-study"]) == 1
    assert capsys.readouterr().err == (
        "ganutils: ParameterError: There is no variant or study 'noise-study', did you mean 'noise_study'? "
        "There are ablation, acgan, compare, dcgan, noise_study, siamese, wgan.\n"
    )


def test_a_finished_run_gives_back_its_networks(toy_params, toy_data):
    params = toy_params(ema=0.5)
    run = RunDir.open(params, toy_data)
    gan = variants.build(params, toy_data)
    train(gan, toy_data, params, run)
    loaded = variants.load(run)
    z, labels = gan.prior.grid(6, generator=stream(params.seed, "evaluation"))
    assert torch.equal(to_uint8(generate(loaded.generator, z, labels)), run.samples(2).images)
    assert not loaded.discriminator.training


def test_a_stopped_run_gives_back_the_networks_of_its_latest_samples(toy_params, toy_data):
    params = toy_params(ema=0.5, max_minutes=1e-9)
    run = RunDir.open(params, toy_data)
    gan = variants.build(params, toy_data)
    train(gan, toy_data, params, run)
    z, labels = gan.prior.grid(6, generator=stream(params.seed, "evaluation"))
    assert torch.equal(to_uint8(generate(variants.load(run).generator, z, labels)), run.latest().images)


def test_a_run_without_a_checkpoint(toy_params, toy_data):
    with pytest.raises(RunError, match="has no checkpoint yet"):
        variants.load(RunDir.open(toy_params(), toy_data))
