"""Sliders that redraw an image at once, in JupyterLab; a kernel without a reader shows none."""

import io
from collections.abc import Sequence
from typing import get_args

import ipywidgets as widgets
import torch
from IPython.display import display
from PIL import Image
from torch import Tensor

from ganutils.data import to_uint8
from ganutils.latents import from_normal
from ganutils.objective import Gan
from ganutils.params import PriorKind
from ganutils.places import is_open_notebook
from ganutils.prior import Prior, traverse
from ganutils.sampling import generate
from ganutils.streams import stream

SIDE = 320  # screen pixels of the image
_ELSEWHERE = "Sliders appear here when the notebook runs in JupyterLab."


def png(image: Tensor, side: int = SIDE) -> bytes:
    """Return a uint8 image (3, S, S) as PNG of about `side` pixels; each pixel becomes a sharp square."""
    factor = max(1, round(side / image.shape[-1]))
    large = image.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)
    content = io.BytesIO()
    # Level 1: the image travels no further than to the browser, speed counts more than bytes.
    Image.fromarray(large.permute(1, 2, 0).numpy()).save(content, format="png", compress_level=1)
    return content.getvalue()


def latent(prior: Prior, kind: str, seed: int) -> Tensor:
    """Return the latent (size,) that the sliders start from: of a kind, at the variance of the prior."""
    scores = torch.randn(1, prior.size, generator=stream(seed, "sliders"))
    return from_normal(scores, kind, prior.variance)[0]


class Explorer:
    """One image, and a control for each thing that decides about it; a changed control redraws it.

    `seed` and `kind` draw a latent, with the same quantiles for every kind; then `dimension` is set to
    `value`. Conditional generators have `label`, too.
    """

    def __init__(
        self,
        gan: Gan,
        *,
        dimensions: Sequence[int] = (),
        seed: int = 0,
        span: float = 3.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self._gan, self._device, prior = gan, device, gan.prior
        reach, slow = span * prior.variance**0.5, {"continuous_update": True}
        ranked = list(dimensions) or list(range(prior.size))
        kinds = list(get_args(PriorKind))
        self.dimension = widgets.Dropdown(options=ranked, value=ranked[0], description="dimension")
        self.value = widgets.FloatSlider(min=-reach, max=reach, step=reach / 50, description="value", **slow)
        self.seed = widgets.IntSlider(seed, min(seed, 0), seed + 100, description="seed", **slow)
        self.kind = widgets.Dropdown(options=kinds, value=prior.kind, description="prior")
        self.label = widgets.IntSlider(0, 0, max(prior.classes - 1, 0), description="class", **slow)
        self.picture = widgets.Image(format="png", width=SIDE, height=SIDE)
        self.reset = widgets.Button(description="drawn value", tooltip="Set the dimension as it was drawn")
        self.controls = [
            self.dimension,
            self.value,
            self.seed,
            self.kind,
            *[self.label] * bool(prior.classes),
        ]
        for control in self.controls:
            control.observe(self.redraw, names="value")
        self.reset.on_click(self._reset)
        self._reset()
        self.redraw()

    @property
    def widget(self) -> widgets.Widget:
        """The image beside its controls."""
        return widgets.HBox([self.picture, widgets.VBox([*self.controls, self.reset])])

    def drawn(self) -> Tensor:
        """Return the latent (size,) of the seed and the prior, before a dimension is set."""
        return latent(self._gan.prior, self.kind.value, self.seed.value)

    def redraw(self, change: object = None) -> None:
        """Draw the image of the controls' present values."""
        z = traverse(self.drawn(), self.dimension.value, torch.tensor([self.value.value]))
        labels = torch.tensor([self.label.value])
        image = generate(self._gan.generator, z.to(self._device), labels.to(self._device))
        self.picture.value = png(to_uint8(image[0]).cpu())

    def _reset(self, button: object = None) -> None:
        self.value.value = self.drawn()[self.dimension.value].item()


def show_sliders(gan: Gan, **settings: object) -> Explorer | None:
    """Show an `Explorer` of these settings where a person looks on; elsewhere say in a line where it shows.

    Papermill would store widgets that nobody can move.
    """
    if not is_open_notebook():
        print(_ELSEWHERE)
        return None
    explorer = Explorer(gan, **settings)
    # A front end without widgets, and the saved notebook, would show the whole image as escaped bytes.
    shown = {**explorer.widget._repr_mimebundle_(), "text/plain": _ELSEWHERE}
    display(shown, raw=True, metadata={"ganutils": {"role": "live"}})
    return explorer
