"""What updates and runs cost, varying one thing at a time: DCGAN 32, batch 64, width 64, one critic step."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import torch

from ganutils.bench.peak import count_flops
from ganutils.bench.whole import BATCH, seconds_of_a_run
from ganutils.bench.workloads import untrained
from ganutils.estimate import seconds_per_update
from ganutils.hardware import choose
from ganutils.variants import get

VARIED = {
    "batch_size": (8, 16, 32, 64, 128, 256),
    "width": (16, 32, 64, 96, 128),
    "image_size": (32, 64),
    "d_steps": (1, 2, 5),
}
RUNS = ((16, 1), (32, 1), (64, 1), (16, 2), (16, 4))  # updates an epoch, epochs
_SECONDS = 3.0  # a point
_IMAGES = 512


@dataclass(frozen=True)
class Point:
    """The cost of a discriminator update, with its share of the generator's."""

    name: str
    value: int
    seconds: float
    flops: float


@dataclass(frozen=True)
class Run:
    """The time of a whole run, with its history, grids and checkpoints."""

    images: int
    epochs: int
    updates: int
    seconds: float
    flops: float  # of an update


def runs() -> Iterator[Run]:
    """Train `RUNS`, once each."""
    flops = count_flops(untrained(get("dcgan").Params(dataset="shapes", n_images=BATCH, device="cpu")))
    for updates, epochs in RUNS:
        seconds = seconds_of_a_run(updates, epochs)
        yield Run(BATCH * updates, epochs, updates * epochs, seconds, flops)


def points(rounds: int) -> Iterator[Point]:
    """Measure every value of `VARIED`; the median over rounds."""
    updates = {
        (name, value): untrained(
            get("dcgan").Params(**{"dataset": "shapes", "n_images": _IMAGES, "device": "cpu", name: value})
        )
        for name, values in VARIED.items()
        for value in values
    }
    taken: dict[tuple[str, int], list[float]] = {key: [] for key in updates}
    for _ in range(rounds):
        for key, update in updates.items():
            with choose(update.params).algorithms():
                taken[key].append(seconds_per_update(update, _IMAGES, _SECONDS / rounds))
    for (name, value), update in updates.items():
        yield Point(name, value, median(taken[name, value]), count_flops(update))


def markdown(found: list[Point], trained: list[Run]) -> str:
    """Return a table, the line that fits it best, seconds = a + b * arithmetic, and what it says of runs."""
    lines = [
        "| Varied | Value | ms an update | GFLOP an update | GFLOP/s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for point in found:
        cells = (f"{1000 * point.seconds:.1f}", f"{point.flops / 1e9:.2f}", f"{_speed(point):.0f}")
        lines.append(f"| `{point.name}` | {point.value} | {' | '.join(cells)} |")
    fixed, each = fit(found)
    lines += [
        "",
        f"Fitted: an update takes {1000 * fixed:.1f} ms and {1000 * each * 1e9:.2f} ms per GFLOP.",
        "",
        "| Images | Epochs | Updates | s a run | s by the line |",
        "| --- | --- | --- | --- | --- |",
    ]
    for run in trained:
        expected = run.updates * (fixed + each * run.flops)
        seconds = f"{run.seconds:.1f} | {expected:.1f}"
        lines.append(f"| {run.images:,} | {run.epochs} | {run.updates} | {seconds} |")
    return "\n".join(lines)


def fit(found: list[Point]) -> tuple[float, float]:
    """Return a and b of seconds = a + b * flops, with the least squared relative error."""
    seconds = torch.tensor([point.seconds for point in found], dtype=torch.float64)
    flops = torch.tensor([point.flops for point in found], dtype=torch.float64)
    relative = torch.stack([1 / seconds, flops / seconds], dim=1)
    solution = torch.linalg.lstsq(relative, torch.ones(len(found), 1, dtype=torch.float64)).solution
    return solution[0].item(), solution[1].item()


def _speed(point: Point) -> float:
    return point.flops / point.seconds / 1e9
