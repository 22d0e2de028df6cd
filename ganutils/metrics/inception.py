"""Images to features, as FID's reference code makes them."""

import time
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version

import torch
from torch import Tensor

from ganutils.metrics import weights
from ganutils.metrics.engine import Engine, Precision, choose
from ganutils.metrics.network import FEATURES

NETWORK = "Inception 2015, pool features (2048)"
RESIZER = "bilinear to 299 as in TensorFlow 1"
_SIDE = 299


class Inception:
    """The genuine network on a device: uint8 images (N, 3, S, S) to features (N, 2048).

    Published numbers have fp32. For scores while training there are bf16 (about twice as fast on a CPU that
    has it; moves a feature by up to 0.1) and int8 (nearly three times as fast on a CPU with VNNI, in OpenVINO
    only; moves features by a tenth of their norm). The engine is made when the first images come.

    Raises `MetricError` if its weights are missing, damaged or not genuine; see `weights.find`.
    """

    def __init__(
        self, path: str = "", device: torch.device | str = "cpu", precision: Precision = "fp32"
    ) -> None:
        read = weights.read(path)
        self.digest = read.digest
        self.classifier = read.classifier
        self.device = torch.device(device)
        self.precision = precision
        self._network = read.network

    @cached_property
    def _engine(self) -> Engine:
        return choose(self._network, self.device, self.precision)

    @property
    def arithmetic(self) -> str:
        """What features depend on beside the weights and the image; in int8 versions differ in rounding."""
        if self.precision != "int8":
            return self.precision
        from ganutils.metrics import int8

        return f"int8, version {int8.VERSION}, OpenVINO {version('openvino')}"

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self._engine.name

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 2048) of one batch of uint8 images (N, 3, S, S), on the CPU."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be (N, 3, S, S) uint8, not {tuple(images.shape)} {images.dtype}")
        with torch.autocast(self.device.type, enabled=False):
            large = resize((images.to(self.device).float() - 128) / 128)
        return self._engine(large)

    def features(
        self, images: Tensor, batch_size: int = 0, advance: Callable[[int], object] | None = None
    ) -> Tensor:
        """Return the features (N, 2048) of any number of images; `advance` is told how many are done."""
        found = torch.empty(len(images), FEATURES)
        size = batch_size or self._engine.batch
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            found[start : start + size] = self(batch)
            if advance is not None:
                advance(len(batch))
        return found

    def speed(self, images: Tensor) -> float:
        """Return the images that go through the network in a second, measured on one batch."""
        self(images)  # the first one is slower
        started = time.perf_counter()
        self(images)
        return len(images) / (time.perf_counter() - started)


def resize(images: Tensor) -> Tensor:
    """Resize floats (N, 3, H, W) to (N, 3, 299, 299) as TensorFlow 1's `resize_bilinear` does by default.

    Pixel i of the result lies at i * H / 299 of the original: corners are not aligned, and there is no
    offset of half a pixel. Images that shrink are not smoothed before.
    """
    height, width = images.shape[-2:]
    return _weights(height, images) @ images @ _weights(width, images).T


def _weights(size: int, like: Tensor) -> Tensor:
    """Return the weights (299, size) of the original's pixels in each pixel of the result."""
    place = torch.arange(_SIDE, dtype=torch.float32) * torch.tensor(size / _SIDE)
    low = place.long()
    high = (low + 1).clamp_max(size - 1)
    share = (place - low)[:, None]
    each = torch.eye(size)
    return (each[low] * (1 - share) + each[high] * share).to(like)
