"""Memorisation: the training images nearest to given images, by features or by pixels.

How many of them are copies says `ganutils/memorisation.py`.
"""

from typing import NamedTuple

from torch import Tensor

from ganutils.data import Dataset, to_float
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.inception import Inception
from ganutils.metrics.pairs import nearest


class Neighbours(NamedTuple):
    """The k training images nearest to each of N images, the nearest first."""

    distances: Tensor  # (N, k): of features, or root mean square over pixels in [-1, 1]
    indices: Tensor  # (N, k), places in the data set


def by_features(images: Tensor, dataset: Dataset, inception: Inception, k: int = 1) -> Neighbours:
    """Return the nearest images of a data set to uint8 images (N, 3, S, S), by Inception features.

    Distances are Euclidean. The data set's features are embedded once and kept in the cache folder.
    """
    features = FeatureCache(inception).features(dataset.images)
    return Neighbours(*nearest(inception.features(images), features, k))


def by_pixels(images: Tensor, dataset: Dataset, k: int = 1) -> Neighbours:
    """Return the nearest images of a data set to uint8 images (N, 3, S, S), by pixels."""
    some, all_ = (to_float(images).flatten(1) for images in (images, dataset.images))
    distances, indices = nearest(some, all_, k)
    return Neighbours(distances / some.shape[1] ** 0.5, indices)
