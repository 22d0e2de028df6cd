"""What is drawn from a generator between updates; training does not notice."""

from typing import TYPE_CHECKING

from torch import nn

from ganutils.objective import Gan
from ganutils.params import RunParams
from ganutils.runs import RunDir
from ganutils.sampling import fixed_samples, recalibrate
from ganutils.sheets import Grid
from ganutils.state import TrainState
from ganutils.streams import stream

if TYPE_CHECKING:
    from ganutils.live import LiveFigure


class Observer:
    """Looks at the generator of a running training."""

    def __init__(self, state: TrainState, gan: Gan, params: RunParams, run: RunDir) -> None:
        self._state, self._gan, self._params, self._run = state, gan, params, run

    def draw(self) -> Grid:
        """Return images at the latents that are kept for looking."""
        done = self._state.step / self._run.steps_per_epoch
        title = f"epoch {done:.0f}" if done.is_integer() else f"epoch {done:.2f}"
        return fixed_samples(self.sampler(), self._gan.prior, self._params, title)

    def sample(self, *names: str) -> None:
        """Write the images as the latest ones and under further names."""
        grid = self.draw()
        for name in (*names, "latest"):
            self._run.save_grid(name, grid)

    def live(self) -> "LiveFigure":
        """Return the picture for an open notebook."""
        from ganutils.live import LiveFigure  # matplotlib takes a second to load

        return LiveFigure(self._run.history(), self.draw)

    def sample_best(self) -> None:
        """Write the images of the best score."""
        self._run.save_grid("best", self.draw())

    def sampler(self) -> nn.Module:
        """Return the generator that draws: the trained one, or its average with statistics of its own."""
        if self._state.average is not None:
            recalibrate(self._state.sampler, self._gan.prior, stream(self._params.seed, "recalibration"))
        return self._state.sampler
