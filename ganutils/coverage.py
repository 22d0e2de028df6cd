"""Mode coverage: which values of known factors, and which combinations, generated images show.

Of any images the factor `class` can be read by the kit's classifier (`read_classes`); of the embedded
shapes also what else they were drawn from (`ganutils/shape_reader.py`).
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from ganutils.classifier import Classifier, predict

_RARE = 0.1  # a value is missing if there is less than this share of what real images have


@dataclass(frozen=True)
class Reading:
    """What was read from N images: for each factor the names of its values, and which of them each shows."""

    names: dict[str, tuple[str, ...]]
    values: dict[str, Tensor]  # (N,) int64 each, an index into the names
    readable: Tensor  # (N,) bool; nothing is counted of an image that cannot be read

    def counts(self, factor: str) -> Tensor:
        """Return how many readable images (K,) show each value of a factor."""
        return torch.bincount(self.values[factor][self.readable], minlength=len(self.names[factor]))

    def combinations(self) -> Tensor:
        """Return how many readable images (C,) show each combination of values, in the order of `product`."""
        index = torch.zeros_like(self.readable, dtype=torch.int64)
        total = 1
        for factor, names in self.names.items():
            index = index * len(names) + self.values[factor]
            total *= len(names)
        return torch.bincount(index[self.readable], minlength=total)


@dataclass(frozen=True)
class Coverage:
    """What N generated images cover of what real images show."""

    images: int  # N
    readable: float  # share of them, 0 to 1
    possible: int  # combinations that real images show
    covered: int  # of these, in the generated images
    expected: float  # covered by N images from the real images' distribution, on average
    missing: tuple[str, ...]  # single values such as "background light"
    absent: tuple[str, ...]  # combinations that real images show and generated ones do not
    rows: tuple[tuple[str, str, int, float], ...]  # factor, value, count, count expected
    accuracy: float | None = None  # of the reader: share of held-out real images whose class it reads right

    @property
    def share(self) -> float:
        """Combinations covered, in shares of the number that as many real images cover: about 1 at best."""
        return self.covered / self.expected


def coverage(generated: Reading, real: Reading) -> Coverage:
    """Compare two readings by the same reader; real images set what there is to cover, and how often.

    N images drawn from shares p_c of the combinations cover sum_c 1 - (1 - p_c)^N of them on average. A
    single value is missing if there are less than a tenth as many as expected, where at least 10 are: by
    chance that happens once in 20,000 times (e^-10).

    Raises:
        ValueError: the readings know other factors, or are empty.
    """
    if generated.names != real.names:
        raise ValueError(f"readings of other factors: {generated.names} and {real.names}")
    count = len(generated.readable)
    if not count or not real.readable.any():
        raise ValueError("coverage needs generated images, and real ones that can be read")
    there, shares = generated.combinations() > 0, _shares(real.combinations())
    rows = [row for factor in real.names for row in _rows(factor, generated, real)]
    names = [" ".join(values) for values in product(*real.names.values())]
    return Coverage(
        images=count,
        readable=generated.readable.float().mean().item(),
        possible=int((shares > 0).sum()),
        covered=int((there & (shares > 0)).sum()),
        expected=(1 - (1 - shares) ** count).sum().item(),
        missing=tuple(
            f"{factor} {value}" for factor, value, n, mean in rows if mean >= 10 and n < _RARE * mean
        ),
        absent=tuple(
            name
            for name, is_there, share in zip(names, there, shares, strict=True)
            if share > 0 and not is_there
        ),
        rows=tuple(rows),
    )


def _rows(factor: str, generated: Reading, real: Reading) -> list[tuple[str, str, int, float]]:
    found, shares = generated.counts(factor), _shares(real.counts(factor))
    expected = shares * len(generated.readable)
    return [(factor, *row) for row in zip(real.names[factor], found.tolist(), expected.tolist(), strict=True)]


def _shares(counts: Tensor) -> Tensor:
    return counts.double() / counts.sum()


def read_classes(judge: Classifier, images: Tensor, classes: tuple[str, ...]) -> Reading:
    """Read the class of uint8 images (N, 3, S, S) as the judge sees it, right or wrong.

    Compare with real images read by the same judge, so that both sides share its errors.
    """
    seen = predict(judge.network, images)
    return Reading({"class": tuple(classes)}, {"class": seen}, torch.ones(len(images), dtype=torch.bool))
