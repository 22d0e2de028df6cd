"""Scores of a run while it trains: KID on few samples, within a bounded share of the time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn

from ganutils.data import Dataset
from ganutils.errors import MetricError
from ganutils.hardware import lacks_memory
from ganutils.measurements import Measurement, read_measurements, write_measurements
from ganutils.objective import Gan
from ganutils.params import RunParams
from ganutils.progress import clock
from ganutils.runs import RunDir
from ganutils.scores import monitored

if TYPE_CHECKING:
    from ganutils.metrics.engine import Precision
    from ganutils.metrics.quick import QuickScore


@dataclass(frozen=True)
class Score:
    """The KID after an epoch, and what it cost."""

    measurement: Measurement
    seconds: float
    is_best: bool  # of all epochs so far

    def __str__(self) -> str:
        return f"KID {self.measurement}"


class Monitor:
    """Scores the generator every `metric_every` epochs.

    Scoring may take `metric_share` of the time that training took: an epoch whose score would cost more
    goes without. Samples come from latents of their own, so that training does not notice.
    """

    def __init__(self, run: RunDir, dataset: Dataset, gan: Gan, params: RunParams) -> None:
        self._run, self._dataset, self._gan, self._params = run, dataset, gan, params
        self._quick: QuickScore | None = None  # loaded when the first score is due
        self._is_off = not params.metric_every
        history = run.history()
        self._trained = sum(row["seconds"] for row in history.epochs)
        self._spent = sum(row.get("score_seconds", 0.0) for row in history.epochs)
        self._told = False

    @cached_property
    def _precision(self) -> "Precision":
        """The precision of the scores that the run has, or the usual one."""
        from ganutils.metrics.quick import precision

        before = next((one.protocol.precision for one in monitored(self._run)), "")
        chosen = precision(self._params, before)
        if before and chosen != before:
            print(f"Scores were in {before} and go on in {chosen}: the best is chosen among new ones.")
        return chosen

    def is_due(self, epoch: int) -> bool:
        """Say whether an epoch gets a score, if there is time for it."""
        return not self._is_off and epoch % self._params.metric_every == 0

    def score(self, epoch: int, ready: Callable[[], nn.Module], seconds: float) -> Score | None:
        """Return the score after an epoch that took so many seconds; None if it is not due or too dear.

        `ready` returns the generator that draws samples.
        """
        self._trained += seconds
        if not self.is_due(epoch):
            return None
        from ganutils.metrics.quick import QuickScore

        sampler = ready()
        try:
            self._quick = self._quick or QuickScore(self._dataset, self._params, sampler, self._precision)
            if not self._can_pay(epoch):
                return None
            began = time.perf_counter()
            measurement = self._quick.measure(sampler, self._gan, epoch)
        except MetricError as error:
            return self._give_up(str(error))
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            return self._give_up(f"too little memory beside the training ({str(error).splitlines()[0]})")
        spent = time.perf_counter() - began
        self._spent += spent
        before = [
            one.value
            for one in read_measurements(self._run)
            if one.scale == measurement.scale and _is_whole(one)
        ]
        return Score(measurement, round(spent, 3), measurement.value < min(before, default=math.inf))

    def _give_up(self, reason: str) -> None:
        print(f"No scores while training: {reason}")
        self._is_off, self._quick = True, None  # its network takes memory

    def keep(self, score: Score) -> None:
        """Write a score into metrics.json, once its epoch is in the history."""
        write_measurements(self._run, [score.measurement])

    def best_epoch(self) -> int:
        """Return the epoch with the best score; 0 if there is none, or none is taken."""
        if not self._params.metric_every:
            return 0  # a report may have measured by the same protocol, but kept no checkpoint
        how = (self._params.metric_samples, self._precision)
        scores = [
            one
            for one in read_measurements(self._run)
            if one.name == "KID" and (one.protocol.n_fake, one.protocol.precision) == how and _is_whole(one)
        ]
        return min(scores, key=lambda one: one.value).epoch if scores else 0

    def _can_pay(self, epoch: int) -> bool:
        cost, earned = self._quick.cost(), self._params.metric_share * self._trained - self._spent
        if cost > earned and not self._told:
            self._told = True
            print(
                f"Epoch {epoch} goes without a score, which would take {clock(cost)}: scoring may take "
                f"{self._params.metric_share:.0%} of the training time (metric_share). Lower metric_samples, "
                "or raise metric_every."
            )
        return cost <= earned


def _is_whole(one: Measurement) -> bool:
    """Say whether a number is of the end of an epoch: only there checkpoints are kept by score."""
    return isinstance(one.epoch, int)
