"""All metrics of two sets of features, and the floor of them, kept on disk."""

import hashlib
import json
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from ganutils import paths
from ganutils.files import keep
from ganutils.metrics.frechet import fid
from ganutils.metrics.kid import kid
from ganutils.metrics.manifolds import overlap
from ganutils.metrics.network import FEATURES
from ganutils.metrics.score import inception_score
from ganutils.params import FEWEST

SCORE = "inception score"
NO_CLASSIFIER = (
    "the installed weights have no classifier; the file weights-inception-2015-12-05-6726825d.pth has it"
)
_VERSION = 1  # raise it when equal features would give other numbers


class Number(NamedTuple):
    """A value and its standard error, where there is one."""

    value: float
    error: float | None = None


def numbers(fake: Tensor, real: Tensor, classifier: Tensor | None = None) -> dict[str, Number]:
    """Return every metric by name of features (N, 2048) and (M, 2048), at least 10 of each.

    Without the classifier (1008, 2048) there is no Inception score.
    """
    found = {"FID": Number(fid(fake, real)), "KID": Number(*kid(fake, real))}
    found |= {name: Number(value) for name, value in overlap(fake, real)._asdict().items()}
    if classifier is not None:
        found[SCORE] = Number(*inception_score(fake, classifier.to(fake.device)))
    return found


def of_class(fake: Tensor, real: Tensor) -> dict[str, Number]:
    """Return FID and KID of one class by name; FID only if both have more samples than dimensions.

    With fewer, a covariance is singular and the bias of FID outweighs what is measured; KID has none.
    """
    fewest = min(len(fake), len(real))
    found = {}
    if fewest > FEATURES:
        found["FID"] = Number(fid(fake, real))
    if fewest >= FEWEST:
        found["KID"] = Number(*kid(fake, real))
    return found


def kept(key: object, compute: Callable[[], dict[str, Number]]) -> dict[str, Number]:
    """Return what `compute` returns, from the cache folder if it was computed for an equal key before."""
    name = hashlib.sha256(repr((key, _VERSION)).encode()).hexdigest()[:32]
    path = paths.cache_folder() / "floors" / f"{name}.json"
    try:
        return {name: Number(*pair) for name, pair in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        found = compute()
    keep(path, lambda file: file.write_text(json.dumps(found, indent=2)))
    return found
