"""FID and KID of few images against a run's training images, as text for a table."""

from collections.abc import Callable

import torch
from torch import Tensor

from ganutils.errors import DataError, MetricError
from ganutils.metrics import inception, references
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.frechet import fid
from ganutils.metrics.kid import kid
from ganutils.runs import RunDir

NOT_MEASURED = "not measured"


def judge(run: RunDir, count: int, device: torch.device) -> Callable[[Tensor], str]:
    """Return what tells FID and KID of the first `count` of uint8 images (N, 3, S, S), as text.

    It says "not measured" for a count of 0 and where the network or the training images are missing, which
    is printed once.
    """
    if not count:
        return lambda images: NOT_MEASURED
    try:
        network = inception.Inception(device=device)
        training = references.training_images(run).first(count).dataset
    except (MetricError, DataError) as error:
        print(f"FID and KID are not measured: {error}")
        return lambda images: NOT_MEASURED
    real = FeatureCache(network).features(training.images)

    def judged(images: Tensor) -> str:
        found = network.features(images[:count])
        value, deviation = kid(found, real)
        return f"{fid(found, real):.1f}, {value:.3f} ± {deviation:.3f}"

    return judged
