"""How long a run will take on this machine, from a few seconds of it."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ganutils.checkpoints import SAVING_SHARE, Checkpoints
from ganutils.data import Dataset
from ganutils.errors import MetricError
from ganutils.hardware import SMALLER, Hardware, choose, telling_memory
from ganutils.objective import Gan
from ganutils.params import RunParams, is_sampled
from ganutils.progress import clock
from ganutils.sampling import fixed_samples
from ganutils.sheets import encode
from ganutils.state import TrainState
from ganutils.update import Update

PROBE_SECONDS = 12.0  # of updates; starting, sampling and saving take a few more


@dataclass(frozen=True)
class Part:
    """Something that a run does again and again."""

    name: str
    count: int
    seconds: float  # for each

    @property
    def total(self) -> float:
        """Seconds of the whole run."""
        return self.count * self.seconds

    def __str__(self) -> str:
        return f"{self.name}: {self.count:,} at {1000 * self.seconds:.0f} ms, {clock(self.total)}"


@dataclass(frozen=True)
class Estimate:
    """What a run will take: the sum over its parts of count times seconds."""

    parts: list[Part]
    hardware: str

    @property
    def seconds(self) -> float:
        """Seconds of the whole run, from its first update on."""
        return sum(part.total for part in self.parts)

    def __str__(self) -> str:
        lines = [f"About {clock(self.seconds)} on {self.hardware}:", *(f"  {part}" for part in self.parts)]
        return "\n".join(lines)


def estimate(gan: Gan, dataset: Dataset, params: RunParams) -> Estimate:
    """Train a little, draw and save once, and extrapolate; `gan` is changed, no run folder is made.

    What the report adds (`measure_samples`) is not in it. Raises `ParameterError` as `train` does,
    and `RunError` if the memory does not suffice.
    """
    torch.manual_seed(params.seed)
    hardware = choose(params)
    with hardware.algorithms(), telling_memory(hardware.device, SMALLER):  # those of training
        return Estimate(_parts(gan, dataset, params, hardware), str(hardware))


def _parts(gan: Gan, dataset: Dataset, params: RunParams, hardware: Hardware) -> list[Part]:
    state = TrainState(gan, params, hardware.device)
    update = Update(gan, state, dataset, params, hardware)
    updates = params.epochs * (len(dataset) // params.batch_size)
    parts = [Part("updates", updates, seconds_per_update(update, len(dataset), PROBE_SECONDS))]

    with tempfile.TemporaryDirectory() as folder:
        grid = _seconds(lambda: encode(fixed_samples(state.sampler, gan.prior, params, "probe")))
        save = _seconds(lambda: Checkpoints(Path(folder)).save(state.capture()))
    sampled = {epoch for epoch in range(1, params.epochs + 1) if is_sampled(epoch, params.sample_epochs)}
    parts.append(Part("sample grids", len(sampled | {params.epochs}), grid))
    ends = params.epochs
    if params.on_nan == "stop":
        ends = int(min(ends, 1 + SAVING_SHARE * parts[0].total / save))
    within_epochs = int(parts[0].total / (60 * params.checkpoint_minutes))
    parts.append(Part("checkpoints", 1 + max(ends, within_epochs), save))
    if params.metric_every and (score := _score_seconds(state, dataset, params)):
        affordable = int(params.metric_share * parts[0].total / score)
        parts.append(Part("scores", min(params.epochs // params.metric_every, affordable), score))
    return parts


def seconds_per_update(update: Update, images: int, seconds: float) -> float:
    """Return the mean time of a discriminator update with its share of the generator's.

    Whole cycles of `d_steps` updates are timed for so many seconds, two at least, after some to warm up.
    """
    steps = update.params.d_steps
    _seconds_of(update, images, update.cycles_to_warm_up * steps)
    cycles, done, spent = 1, 0, 0.0
    while done < 2 or spent < seconds:
        taken = _seconds_of(update, images, cycles * steps)
        done, spent = done + cycles, spent + taken
        if taken < seconds / 20:
            cycles *= 2  # a GPU works ahead of what is read, as in training
    return spent / done / steps


def _seconds_of(update: Update, images: int, updates: int) -> float:
    begun = time.perf_counter()
    for _ in range(updates):
        values = update(torch.randint(images, (update.params.batch_size,)))
    values["d_grad"].item()  # waits for a GPU
    return time.perf_counter() - begun


def _score_seconds(state: TrainState, dataset: Dataset, params: RunParams) -> float:
    from ganutils.metrics.quick import QuickScore

    try:
        return QuickScore(dataset, params, state.sampler).cost()
    except MetricError:
        return 0.0  # training then goes without scores, and says so


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun
