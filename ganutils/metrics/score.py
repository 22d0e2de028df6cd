"""Inception score: how sure a classifier of real photographs is of each image, and how varied its answers."""

from typing import NamedTuple

import torch
from torch import Tensor


class Score(NamedTuple):
    """The mean over the parts, 1 at the least and 1,008 at the most, and its standard error."""

    value: float
    error: float


def inception_score(features: Tensor, classifier: Tensor, parts: int = 10) -> Score:
    """Return the Inception score of features (N, 2048); the classifier is (1008, 2048), without a bias.

    exp of the mean Kullback-Leibler divergence of p(y|x) from p(y), over `parts` equal parts of the samples
    in their order (Salimans 2016, arXiv 1606.03498, section 4; logits without a bias, as in its code).
    The error is the deviation of the parts divided by the square root of their number.
    """
    if len(features) < parts:
        raise ValueError(f"the Inception score of {parts} parts needs as many samples, not {len(features)}")
    scores = []
    for part in features.double().tensor_split(parts):
        log_each = (part @ classifier.double().T).log_softmax(1)
        log_all = log_each.logsumexp(0) - torch.tensor(float(len(part))).log()
        scores.append((log_each.exp() * (log_each - log_all)).sum(1).mean().exp())
    found = torch.stack(scores)
    return Score(found.mean().item(), (found.std() / parts**0.5).item())
