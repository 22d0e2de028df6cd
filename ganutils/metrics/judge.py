"""FID and KID of few images against a run's training images, as text for a table."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ganutils.errors import DataError, MetricError
from ganutils.metrics import inception, references
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.frechet import fid
from ganutils.metrics.job import protocol
from ganutils.metrics.kid import kid
from ganutils.params import FEWEST
from ganutils.runs import RunDir

NOT_MEASURED = "not measured"


class Judge(NamedTuple):
    """What tells FID and KID, what real images score by the same protocol, and the protocol, as texts."""

    tell: Callable[[Tensor], str]
    floor: str
    protocol: str


def judge(run: RunDir, count: int, device: torch.device) -> Judge:
    """Return what tells FID and KID of the first `count` of uint8 images (N, 3, S, S), or of all.

    It measures against as many of the run's training images, or against all. It says "not measured" for a
    count of 0 and where the network or the training images are missing, and its protocol says why.
    """
    if not count:
        return _silent("`measure_samples` sets on how many images of each row")
    try:
        network = inception.Inception(device=device)
        training = references.training_images(run)
    except (MetricError, DataError) as error:
        return _silent(str(error).rstrip("."))
    count = min(count, len(training.dataset))
    reference, floor = training.first(count), references.floor(run, training, count)
    other = floor.reference.first(min(count, len(floor.reference.dataset)))
    cache = FeatureCache(network)
    real, held_out, against = (
        cache.features(some.images) for some in (reference.dataset, floor.held_out, other.dataset)
    )
    return Judge(
        lambda images: _numbers(network.features(images[:count]), real),
        _numbers(held_out, against),
        f"FID and KID: {protocol(count, reference, network)}. Floor: {floor.words}.",
    )


def _silent(why: str) -> Judge:
    return Judge(lambda images: NOT_MEASURED, NOT_MEASURED, f"FID and KID are not measured: {why}.")


def _numbers(fake: Tensor, real: Tensor) -> str:
    if min(len(fake), len(real)) < FEWEST:
        return NOT_MEASURED
    value, deviation = kid(fake, real)
    return f"{fid(fake, real):.1f}, {value:.3f} ± {deviation:.3f}"
