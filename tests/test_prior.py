import math

import pytest
import torch

from ganutils.errors import ParameterError
from ganutils.prior import Prior, interpolate, traverse


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", ["normal", "uniform", "laplace", "truncated", "sphere"])
def test_mean_and_variance(kind):
    prior = Prior(50, kind)
    z, labels = prior.sample(20_000, generator=seeded())
    assert z.shape == (20_000, 50)
    assert labels.eq(0).all()
    assert z.mean().item() == pytest.approx(0, abs=0.005)
    assert z.var().item() == pytest.approx(prior.variance, rel=0.01)


def test_fourth_moment_tells_the_kinds_apart():
    expected = {"normal": 3.0, "uniform": 9 / 5, "laplace": 6.0}
    for kind, kurtosis in expected.items():
        z, _ = Prior(100, kind).sample(20_000, generator=seeded())
        assert (z.pow(4).mean() / z.pow(2).mean() ** 2).item() == pytest.approx(kurtosis, rel=0.02)


def test_bounds():
    assert Prior(9, "uniform").sample(5_000, generator=seeded())[0].abs().max() <= 1
    assert Prior(9, "truncated").sample(5_000, generator=seeded())[0].abs().max() <= 2
    norms = Prior(9, "sphere").sample(100, generator=seeded())[0].norm(dim=1)
    torch.testing.assert_close(norms, torch.full((100,), 3.0))


def test_same_stream_same_latents_and_labels():
    prior = Prior(4, "laplace", classes=3)
    first, second = (prior.sample(20, generator=seeded(5)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert set(first[1].tolist()) == {0, 1, 2}


def test_class_grid_has_the_same_latents_in_each_row():
    prior = Prior(4, classes=3)
    z, labels = prior.grid(10, generator=seeded())
    assert prior.columns(10) == 4
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert torch.equal(z[:4], z[4:8])
    assert torch.equal(z[:4], z[8:])


def test_interpolation_keeps_its_ends_and_slerp_its_length():
    start, end = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    straight, round_ = interpolate(start, end, 5), interpolate(start, end, 5, spherical=True)
    for way in (straight, round_):
        torch.testing.assert_close(way[[0, -1]], torch.stack([start, end]))
    torch.testing.assert_close(round_.norm(dim=1), torch.full((5,), 2.0))
    torch.testing.assert_close(straight[2], torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(round_[2], torch.full((2,), math.sqrt(2)))


def test_traversal_changes_one_dimension():
    z = torch.arange(4.0)
    changed = traverse(z, 2, torch.tensor([-1.0, 7.0]))
    assert changed.tolist() == [[0, 1, -1, 3], [0, 1, 7, 3]]


def test_unknown_kind():
    with pytest.raises(ParameterError, match="must be one of normal, uniform"):
        Prior(3, "cauchy")


def test_a_way_between_opposite_latents_is_straight():
    way = interpolate(torch.tensor([1.0]), torch.tensor([-0.8]), 5, spherical=True)
    torch.testing.assert_close(way, torch.tensor([1.0, 0.55, 0.1, -0.35, -0.8])[:, None])
