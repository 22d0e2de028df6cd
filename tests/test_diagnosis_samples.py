"""Facts about samples: variety and copies by hand, and what a run folder gives away."""

import pytest
import torch

from ganutils import notebook, variants
from ganutils.data import load
from ganutils.diagnosis import diagnose_run, look_at_samples, show_diagnosis
from ganutils.diagnosis.samples import relative_variety
from ganutils.memorisation import copied_rate
from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.training import train


def noise(count, contrast=60, seed=0):
    random = torch.Generator().manual_seed(seed)
    return (128 + contrast * (2 * torch.rand(count, 3, 8, 8, generator=random) - 1)).round().to(torch.uint8)


def test_variety_is_a_ratio_of_distances():
    real = noise(100)
    assert relative_variety(real, real) == 1
    assert relative_variety(real[:1].expand(100, -1, -1, -1), real) == pytest.approx(0, abs=1e-3)
    assert relative_variety(noise(100, contrast=30, seed=1), real) == pytest.approx(0.5, abs=0.02)
    assert relative_variety(noise(100, seed=1), real) == pytest.approx(1, abs=0.02)


def test_images_of_one_class_are_compared_with_each_other():
    """Ten classes with an image each, drawn ten times: varied as a whole, not within a class."""
    real = noise(100)
    by_class = real[:10].repeat_interleave(10, 0)
    scattered = real[:10].repeat(10, 1, 1, 1)
    assert relative_variety(by_class, real, size=10) == pytest.approx(0, abs=1e-3)
    assert relative_variety(scattered, real, size=10) == pytest.approx(1, abs=0.05)


def test_more_samples_than_real_images():
    assert relative_variety(noise(100, seed=1), noise(20)) == pytest.approx(1, abs=0.03)


@pytest.fixture(scope="module")
def training():
    return load("shapes", n_images=600).images


def test_copies_are_found_with_noise_and_mirrored(training):
    blurred = training[:50].float() + 8 * torch.randn(
        50, 3, 32, 32, generator=torch.Generator().manual_seed(0)
    )
    copies = blurred.clamp(0, 255).to(torch.uint8)
    assert copied_rate(copies, training) == 1
    half = torch.cat([copies[:25], load("shapes", n_images=25, split="test").images])
    assert copied_rate(half, training) == pytest.approx(0.5, abs=0.05)
    crescents = load("shapes", classes="crescent", n_images=100).images
    assert copied_rate(crescents.flip(3), crescents) < 0.2
    assert copied_rate(crescents.flip(3), crescents, flip=True) == 1


@pytest.mark.parametrize("flip", [False, True])
def test_new_images_are_no_copies(training, flip):
    assert copied_rate(load("shapes", n_images=400, split="test").images, training, flip=flip) < 0.05


def test_blurred_images_are_no_copies(training):
    """They are near to every image: by plain distance they would count."""
    fresh = load("shapes", n_images=200, split="test").images.float()
    blurred = torch.nn.functional.avg_pool2d(fresh, 9, 1, 4).to(torch.uint8)
    assert copied_rate(blurred, training) < 0.05


@pytest.mark.parametrize("flip", [False, True])
def test_images_that_are_there_twice_hide_no_copies(training, flip):
    doubled = torch.cat([training, training[:60].flip(3) if flip else training[:60]])
    fresh = load("shapes", n_images=64, split="test").images
    assert copied_rate(training[:64], doubled, flip=flip) == 1
    assert copied_rate(fresh, doubled, flip=flip) <= 0.05
    assert copied_rate(training[:8], training[:1].expand(50, -1, -1, -1)) == 1 / 8


def test_copies_need_images_to_compare_with(training):
    with pytest.raises(ValueError, match="2 training images"):
        copied_rate(training[:5], training[:2])


@pytest.mark.parametrize("block", [7, 4096])
def test_blocks_of_training_images_change_nothing(training, block, monkeypatch):
    monkeypatch.setattr("ganutils.memorisation._BLOCK", block)
    assert copied_rate(training[:40], training[:100]) == 1


def finished(params, data):
    run = RunDir.open(params, data)
    train(variants.build(params, data), data, params, run)
    return run


def test_a_run_folder_gives_away_its_samples(toy_params, toy_data):
    run = finished(toy_params(n_samples=16), toy_data)
    samples = look_at_samples(run, toy_data)
    assert (samples.count, samples.within_classes) == (16, False)
    assert samples.variety.keys() == {1.0, 2.0}
    assert samples.variety[2.0] == pytest.approx(relative_variety(run.samples(2).images, run.real().images))
    assert 0 <= samples.copied <= 1
    assert look_at_samples(run).copied is None


def test_an_old_grid_is_not_dated_with_the_newest_update(toy_params, toy_data):
    run = finished(toy_params(n_samples=16), toy_data)
    run.save_grid("latest", run.samples(1))
    (run.path / "samples" / "epoch-00002.png").unlink()
    assert look_at_samples(run).variety.keys() == {1.0}


def test_too_few_samples_say_nothing(toy_params, toy_data):
    assert look_at_samples(finished(toy_params(n_samples=6), toy_data)) is None


def test_a_conditional_run_is_looked_at_class_by_class(toy_params, toy_data):
    chosen = toy_params(n_samples=16, epochs=1).model_dump()
    params = variants.get("acgan").Params(
        **{k: v for k, v in chosen.items() if k not in ("network", "d_norm")}
    )
    run = finished(params, toy_data)
    run.save_grid("epoch-00001", Grid(toy_data.images[:2].repeat_interleave(8, 0), 8, "epoch 1"))
    run.save_grid("latest", run.samples(1))
    samples = look_at_samples(run)
    assert samples.within_classes
    assert samples.variety == {1.0: 0.0}
    finding = diagnose_run(run)[1]
    assert (finding.sign, finding.light) == ("Generator collapse", "red")


def test_a_run_shows_its_diagnosis(toy_params, toy_data, monkeypatch, capsys):
    run = finished(toy_params(n_samples=16), toy_data)
    outputs = []
    monkeypatch.setattr(notebook, "display", lambda data, raw, metadata: outputs.append((data, metadata)))
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda one: shown.append(one.data))
    show_diagnosis(run, toy_data)
    ((data, about),) = outputs
    assert about["ganutils"]["role"] == "table"
    assert data["text/markdown"].count("\n") == 11
    assert (
        "| Not trained long enough | **red** | The generator made 10 updates in 2 of 2 epochs."
        in data["text/markdown"]
    )
    assert "Not trained long enough (red)" in shown[0]
