"""Metrics of features: closed forms, points laid by hand, and torch-fidelity's results."""

import math

import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from ganutils.metrics import pairs
from ganutils.metrics.frechet import Gaussian, fid, fit, frechet
from ganutils.metrics.kid import kid
from ganutils.metrics.manifolds import overlap
from ganutils.metrics.numbers import kept, numbers, of_class
from ganutils.metrics.score import inception_score


def features(n, size=64, seed=0, shift=0.0):
    """Return correlated features that are never negative, as those of a network are."""
    random = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, generator=torch.Generator().manual_seed(99)) / size**0.5
    return (torch.randn(n, size, generator=random) @ mix + shift).relu()


def diagonal(mean, deviations):
    return Gaussian(torch.tensor(mean).double(), torch.tensor(deviations).double().square().diag())


def test_frechet_of_independent_dimensions():
    """(m1 - m2)^2 + (s1 - s2)^2, dimension by dimension; a deviation of 0 is allowed."""
    first, second = diagonal([0.0, 1, 5], [2.0, 3, 0]), diagonal([1.0, 1, 3], [1.0, 7, 2])
    assert frechet(first, second) == pytest.approx((1 + 0 + 4) + (1 + 16 + 4), abs=1e-9)


def test_frechet_of_covariances_that_do_not_commute():
    """In two dimensions the trace of the root of A is sqrt(Tr A + 2 sqrt(det A))."""
    first, second = torch.tensor([[[2, 1], [1, 3]], [[4, -1], [-1, 1]]]).double()
    trace = math.sqrt((first @ second).trace() + 2 * math.sqrt(torch.linalg.det(first @ second)))
    nothing = torch.zeros(2).double()
    found = frechet(Gaussian(nothing, first), Gaussian(nothing, second))
    assert found == pytest.approx(2 + 3 + 4 + 1 - 2 * trace, abs=1e-9)


def expected_fid(fake, real):
    """The trace of the root is the sum of the singular values of the two centred samples' product."""
    fake, real = fake.double(), real.double()
    first, second = ((some - some.mean(0)) / (len(some) - 1) ** 0.5 for some in (fake, real))
    overlap_ = torch.linalg.svdvals(first @ second.T).sum()
    spread = first.square().sum() + second.square().sum()
    return ((fake.mean(0) - real.mean(0)).square().sum() + spread - 2 * overlap_).item()


@pytest.mark.parametrize(("n", "m"), [(200, 300), (200, 2500)])
def test_fid_of_features_as_wide_as_inceptions_is_exact_to_six_decimals(n, m):
    fake, real = features(n, 2048), features(m, 2048, seed=1, shift=0.3)
    assert fid(fake, real) == pytest.approx(expected_fid(fake, real), abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(5, 7), (5, 300), (300, 5), (65, 64), (300, 400)])
def test_fid_is_exact_with_few_and_with_many_samples(n, m):
    fake, real = features(n), features(m, seed=1, shift=0.3)
    assert fid(fake, real) == pytest.approx(expected_fid(fake, real), abs=1e-6)
    assert fid(real, fake) == pytest.approx(fid(fake, real), abs=1e-6)
    theirs = [fid_features_to_statistics(some) for some in (fake, real)]
    theirs = fid_statistics_to_metric(*theirs, verbose=False)["frechet_inception_distance"]
    assert fid(fake, real) == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize(("n", "size"), [(50, 2048), (300, 64), (65, 64)])
def test_fid_of_equal_images_is_zero(n, size):
    some = features(n, size)
    assert abs(fid(some, some)) < 1e-3
    assert abs(fid(some, some.flip(0))) < 1e-3


def test_fid_of_features_that_never_change():
    """A dead feature makes a covariance singular, though there are more samples than dimensions."""
    fake, real = features(300), features(300, seed=1)
    with_dead = [torch.cat([some, torch.zeros(300, 3)], 1) for some in (fake, real)]
    assert fid(*with_dead) == pytest.approx(fid(fake, real), abs=1e-6)
    assert abs(fid(with_dead[0], with_dead[0])) < 1e-3


def test_fitting_in_pieces_is_exact(monkeypatch):
    some = features(1000, 16)
    monkeypatch.setattr("ganutils.metrics.frechet._ROWS", 7)
    found = fit(some)
    assert torch.allclose(found.covariance, torch.cov(some.double().T), atol=1e-12)
    assert torch.allclose(found.mean, some.double().mean(0), atol=1e-12)


def test_kid_is_that_of_torch_fidelity_without_its_noise():
    fake, real = features(120), features(120, seed=1, shift=0.1)
    how = {"verbose": False, "rng_seed": 0}
    theirs = kid_features_to_metric(fake, real, kid_subsets=1, kid_subset_size=120, **how)
    assert kid(fake, real).value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-6)
    subsets = kid_features_to_metric(fake, real, kid_subsets=2000, kid_subset_size=60, **how)
    noise = subsets["kernel_inception_distance_std"] / 2000**0.5
    assert abs(kid(fake, real).value - subsets["kernel_inception_distance_mean"]) < 4 * noise


def test_kid_by_hand():
    """One dimension, kernel (xy + 1)^3: 1 and 0 give 8 together and 1 otherwise."""
    fake, real = torch.tensor([[0.0], [1], [1]]), torch.tensor([[0.0], [0], [0], [1]])
    within_fake, within_real, across = (2 * 8 + 4 * 1) / 6, 1, (2 * 8 + 10 * 1) / 12
    assert kid(fake, real).value == pytest.approx(within_fake + within_real - 2 * across)


def test_kid_has_no_bias_and_an_honest_error():
    """Of points 0 and 1 with chances p and q, MMD^2 is 7 (p - q)^2."""
    random = torch.Generator().manual_seed(0)
    for p, q in ((0.5, 0.5), (0.3, 0.6)):
        found = [
            kid(*((torch.rand(count, 1, generator=random) < chance).float() for count, chance in sizes))
            for sizes in [((40, p), (60, q))] * 400
        ]
        values = torch.tensor([one.value for one in found])
        error = torch.tensor([one.error for one in found]).square().mean().sqrt()
        assert abs(values.mean() - 7 * (p - q) ** 2) < 3 * values.std() / 20
        # Where both are the same, the jackknife is known to tell up to sqrt(2) of the deviation.
        assert 0.9 < error / values.std() < (1.15 if p != q else 1.6)


def test_numbers_do_not_depend_on_order_and_blocks(monkeypatch):
    fake, real = features(60), features(50, seed=1, shift=0.2)
    found = numbers(fake, real)
    monkeypatch.setattr(pairs, "_BLOCK", 333)
    for name, number in numbers(fake.flip(0), real.roll(7, 0)).items():
        assert number.value == pytest.approx(found[name].value, abs=1e-6)
        assert number.error == pytest.approx(found[name].error, abs=1e-6)


def test_precision_and_recall_are_those_of_torch_fidelity():
    fake, real = features(150, 8), features(200, 8, seed=1, shift=1.0)
    how = {"verbose": False, "save_cpu_ram": False, "prc_neighborhood": 3, "prc_batch_size": 1000}
    theirs = prc_features_to_metric(fake, real, **how)
    found = overlap(fake, real)
    assert 0.1 < found.precision < 0.95
    assert 0.1 < found.recall < 0.95
    assert found.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert found.recall == pytest.approx(theirs["recall"], abs=1e-6)


def test_overlap_of_points_on_a_line():
    """Real 0, 1, ..., 9: the ball of 3 neighbours reaches 2 or, at the ends, 3; that of 5, 3 to 5."""
    real = torch.arange(10.0)[:, None]
    fake = torch.tensor([12.0, 12.5, 13, 14.5, 30, 30.5])[:, None]
    found = overlap(fake, real)
    assert found.precision == 1 / 6  # 12 is within 3 of 9
    assert found.recall == 0  # the ball of 14.5 reaches to 12
    assert found.density == pytest.approx(
        (3 + 1) / (5 * 6)
    )  # 12, 12.5 and 13 are within 5 of 9, 12 within 4 of 8
    assert found.coverage == 2 / 10


def test_overlap_of_equal_samples_and_of_distant_ones():
    real = features(40, 8)
    assert overlap(real, real)[:2] == (1, 1)
    assert overlap(real, real).coverage == 1
    assert overlap(real + 100, real) == (0, 0, 0, 0)


def test_a_collapsed_generator_is_precise_and_covers_nothing():
    real = features(200, 8)
    fake = real[:1] + 1e-3 * features(50, 8, seed=2)
    found = overlap(fake, real)
    assert found.precision == 1
    assert found.recall < 0.05
    assert found.coverage < 0.1
    assert found.density > 0.5


def test_nearest_and_radii_agree_with_all_distances(monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK", 100)
    some, others = features(30, 8), features(40, 8, seed=1)
    distances, indices = pairs.nearest(some, others, 2)
    expected = torch.cdist(some.double(), others.double()).topk(2, largest=False)
    assert torch.equal(indices, expected.indices)
    assert torch.allclose(distances, expected.values)
    own = torch.cdist(others.double(), others.double()).fill_diagonal_(torch.inf).sort().values
    for k, radius in zip((3, 5), pairs.radii(others, 3, 5), strict=True):
        assert torch.allclose(radius.sqrt(), own[:, k - 1])


def test_inception_score():
    """Sure and evenly spread over k classes: k. The same answer to everything: 1."""
    classifier = 100 * torch.eye(7)
    assert inception_score(torch.eye(7).repeat(10, 1), classifier).value == pytest.approx(7)
    assert inception_score(torch.ones(20, 7), classifier) == pytest.approx((1, 0))
    some, head = features(100, 16), features(30, 16, seed=5)
    theirs = isc_features_to_metric(some @ head.T, splits=10, shuffle=False, rng_seed=0)
    found = inception_score(some, head)
    assert found.value == pytest.approx(theirs["inception_score_mean"], rel=1e-5)
    assert found.error == pytest.approx(theirs["inception_score_std"] / 9**0.5, rel=1e-4)


def test_a_class_of_few_images_has_no_fid():
    assert of_class(features(9, 2048), features(50, 2048)) == {}
    assert list(of_class(features(50, 2048), features(50, 2048))) == ["KID"]


def test_kept_numbers_are_computed_once_for_a_key(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return numbers(features(12), features(12, seed=1))

    first = kept(("a", 1), compute)
    assert kept(("a", 1), compute) == first
    assert len(calls) == 1
    kept(("b", 1), compute)
    assert len(calls) == 2
    for path in (tmp_path / "cache" / "floors").iterdir():
        path.write_text('{"FID": ')
    assert kept(("a", 1), compute) == first
    assert len(calls) == 3
