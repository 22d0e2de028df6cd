"""FinishedRun: what a comparison needs to know about one run, read from its folder."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganutils import variants
from ganutils.errors import ParameterError
from ganutils.history import History
from ganutils.measurements import Measurement, Scale, read_measurements
from ganutils.objective import Gan
from ganutils.params import RunParams
from ganutils.runs import Grid, RunDir
from ganutils.streams import stream
from ganutils.summary import trainable


@dataclass(frozen=True)
class FinishedRun:
    """One run of a comparison; `number` counts from 1 and stands for the run in tables and figures.

    With `until`, the run is seen as it was after so many epochs.
    """

    number: int
    name: str
    folder: RunDir
    until: int = field(default=0, kw_only=True)

    @property
    def label(self) -> str:
        """Number and name."""
        return f"{self.number}: {self.name}"

    @property
    def described(self) -> dict[str, Any]:
        """The content of params.json."""
        return self.folder.described

    @cached_property
    def params(self) -> dict[str, Any]:
        """The run's parameters; one that its kit did not have yet had, in effect, its default."""
        known = self._known_params
        return self.described["params"] if known is None else known.model_dump()

    @cached_property
    def history(self) -> History:
        """What the run recorded."""
        whole = self.folder.history()
        return whole.until(self.until) if self.until else whole

    @cached_property
    def measurements(self) -> list[Measurement]:
        """The numbers of metrics.json, by epoch; none if nothing was measured."""
        return [one for one in read_measurements(self.folder) if one.epoch <= (self.until or one.epoch)]

    @property
    def unmeasured(self) -> str:
        """Why there is no number: nothing was measured, or only after `until`."""
        return "measured later only" if self.until and read_measurements(self.folder) else "not measured"

    def of_scale(self, scale: Scale) -> list[Measurement]:
        """Return the numbers of one metric and protocol, by epoch."""
        return [one for one in self.measurements if one.scale == scale]

    def spent(self, epoch: float, what: str) -> float:
        """Return what was spent up to an epoch: `minutes`, or updates: `step`, `g_step`.

        A part of an epoch counts in proportion, of an unfinished one at the pace of those before it.
        """
        rows = self.history.epochs
        ends = [0, *(row["epoch"] for row in rows)]
        beyond = max(1.0, epoch / ends[-1])
        if what == "minutes":
            minutes = np.cumsum([0, *(row["seconds"] for row in rows)]) / 60
            return float(np.interp(epoch, ends, minutes)) * beyond
        return round(np.interp(epoch, ends, [0, *(row[what] for row in rows)]) * beyond)

    @property
    def sample_epochs(self) -> list[int]:
        """The epochs with a sample grid."""
        return [epoch for epoch in self.folder.sample_epochs() if epoch <= (self.until or epoch)]

    @cached_property
    def last_samples(self) -> tuple[int, Grid]:
        """The last epoch that has a sample grid, and the grid."""
        epoch = self.sample_epochs[-1]
        return epoch, self.folder.samples(epoch)

    @cached_property
    def _known_params(self) -> RunParams | None:
        # A run of a variant that is gone, or has changed its parameters, can still be looked at.
        try:
            return variants.params_of(self.folder)
        except ParameterError:
            return None

    @cached_property
    def _rebuilt(self) -> Gan | None:
        params = self._known_params
        if params is None:
            return None
        with torch.random.fork_rng(devices=[]):
            return variants.get(params.variant).build(params, len(self.described["data"]["classes"]))

    @property
    def weights(self) -> tuple[int, int] | None:
        """Trainable parameters of generator and discriminator; None if the kit cannot rebuild them."""
        gan = self._rebuilt
        return None if gan is None else (trainable(gan.generator), trainable(gan.discriminator))

    @cached_property
    def latents(self) -> tuple[Tensor, Tensor] | None:
        """The latents z (N, size) and labels (N,) behind the sample grids; None if they are not known."""
        if self._rebuilt is None:
            return None
        evaluation = stream(self.params["seed"], "evaluation")
        return self._rebuilt.prior.grid(self.params["n_samples"], generator=evaluation)

    @property
    def classes_of_samples(self) -> int:
        """Classes that the generator is told, 0 if it is not told any; a grid then has one row per class."""
        return 0 if self._rebuilt is None else self._rebuilt.prior.classes

    def shared_latents(self, other: "FinishedRun", count: int) -> int | None:
        """Return how many of the first `count` images come from the same latent in both runs, place by place.

        None if the latents of either are not known.
        """
        if self.latents is None or other.latents is None:
            return None
        mine, others = self.latents[0][:count], other.latents[0][:count]
        return int((mine == others).all(dim=1).sum()) if mine.shape == others.shape else 0
