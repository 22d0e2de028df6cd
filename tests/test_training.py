import threading

import pytest
import torch
from trainings import run_of, weights

from ganutils import variants
from ganutils.data import to_float, to_uint8
from ganutils.prior import Prior
from ganutils.runs import RunDir
from ganutils.sampling import generate
from ganutils.streams import stream
from ganutils.training import train
from ganutils.variants import build


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


def test_a_learning_rate_that_a_gpu_rounded_is_exact_again(toy_data, toy_params):
    for epochs in (1, 2):
        params = toy_params(run="run", epochs=epochs)
        run = RunDir.open(params, toy_data)
        train(build(params, toy_data), toy_data, params, run)
        state = run.checkpoints.load()
        (group,) = state["g_optimizer"]["param_groups"]
        assert group["lr"] == params.learning_rate
        assert not group["capturable"]
        group |= {"lr": torch.tensor(group["lr"]), "capturable": True}  # as on a GPU, in fp32
        assert float(group["lr"]) != params.learning_rate
        run.checkpoints.save(state)


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
