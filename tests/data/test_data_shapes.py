import math

import pytest
import torch

from ganutils.data.shapes import CLASSES, JITTER, RADIUS, TILT, shapes
from ganutils.errors import ParameterError


@pytest.fixture(scope="module")
def drawn():
    return shapes(500, 32, seed=3)


def test_same_seed_same_images_whatever_the_count(drawn):
    assert shapes(500, 32, seed=3).fingerprint == drawn.fingerprint
    fewer = shapes(123, 32, seed=3)
    assert torch.equal(fewer.images, drawn.images[:123])
    assert all(torch.equal(values, drawn.factors[name][:123]) for name, values in fewer.factors.items())


def test_seeds_and_splits_differ(drawn):
    others = [shapes(500, 32, seed=4), shapes(500, 32, seed=3, split="test")]
    for other in others:
        assert not (other.images == drawn.images).flatten(1).all(1).any()
    assert others[1].split == "test"


def test_classes_are_balanced(drawn):
    assert drawn.labels.bincount().tolist() == [50] * 10
    assert len(set(CLASSES)) == 10
    assert drawn.classes == CLASSES


def test_factors_stay_in_their_ranges(drawn):
    bounds = {
        "x": (0.5 - JITTER, 0.5 + JITTER),
        "y": (0.5 - JITTER, 0.5 + JITTER),
        "radius": RADIUS,
        "rotation": (-TILT, TILT),
        "hue": (0, 2 * math.pi),
        "colour": (0, 1),
        "background": (0, 1),
    }
    assert set(drawn.factors) == set(bounds)
    for name, (low, high) in bounds.items():
        values = drawn.factors[name]
        assert len(values) == 500
        assert low <= values.min() < values.max() <= high


def luminance(srgb):
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear @ torch.tensor([0.2126, 0.7152, 0.0722])


def test_contrast_is_guaranteed():
    factors = shapes(20_000, 4).factors
    one, two = (luminance(factors[name]) + 0.05 for name in ("colour", "background"))
    assert (torch.maximum(one, two) / torch.minimum(one, two)).min() >= 2


def cover(data):
    """Return how far each pixel (N, S, S) is shape (1) and not background (0)."""
    colour, background = (data.factors[name] * 255 for name in ("colour", "background"))
    along = (colour - background)[:, :, None, None]
    return ((data.images - background[:, :, None, None]) * along).sum(1) / (along**2).sum(1)


def test_circles_and_squares_have_the_recorded_place_and_size():
    data = shapes(400, 64)
    inside = (cover(data) > 0.5).float()
    centres = (torch.arange(64) + 0.5) / 64
    area = inside.mean((1, 2))
    r2 = data.factors["radius"] ** 2
    for name, expected in (("circle", math.pi * 0.95**2), ("square", 1.6**2)):
        of_class = data.labels == CLASSES.index(name)
        assert torch.allclose(area[of_class] / r2[of_class], torch.tensor(expected), rtol=0.03)
        for axis, factor in ((1, "x"), (2, "y")):
            mean = (inside.sum(axis) * centres).sum(1) / inside.sum((1, 2))
            assert torch.allclose(mean[of_class], data.factors[factor][of_class], atol=0.005)


def test_nothing_touches_the_border():
    data = shapes(1000, 32)
    border = torch.ones(32, 32, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    assert (cover(data)[:, border] < 0.4).all()


def test_larger_images_show_the_same_scene(drawn):
    large = shapes(100, 64, seed=3)
    assert torch.equal(large.factors["hue"], drawn.factors["hue"][:100])
    difference = (large.resized(32).images.float() - drawn.images[:100].float()).abs()
    assert difference.mean() < 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 0}, "n_images=0: must be at least 1"),
        ({"count": 5, "image_size": 3}, "image_size=3: must be at least 4"),
        ({"count": 5, "seed": -1}, "seed=-1: must be at least 0"),
        ({"count": 5, "split": "val"}, "split='val': allowed are train and test"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ParameterError, match=message):
        shapes(**values)


def test_few_images():
    assert shapes(3, 4).labels.tolist() == [0, 1, 2]
