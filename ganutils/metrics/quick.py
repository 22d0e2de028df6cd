"""A cheap score for the time of training: KID on few images, whose real features are embedded once."""

from typing import Literal

from torch import nn

from ganutils.data import Dataset
from ganutils.hardware import choose
from ganutils.measurements import Measurement
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.drawing import draw
from ganutils.metrics.inception import Inception
from ganutils.metrics.job import protocol
from ganutils.metrics.kid import kid
from ganutils.metrics.references import reference
from ganutils.objective import Gan
from ganutils.params import RunParams


class QuickScore:
    """KID of `metric_samples` generated images against as many real ones; unbiased, so few are enough.

    On a CPU the network has the precision of the training, and its protocol says so. In bf16 it takes half
    of the time; both kinds of images are embedded in the same precision, because its errors are alike then.

    Raises `MetricError` if the network's weights are missing.
    """

    def __init__(self, dataset: Dataset, params: RunParams, sampler: nn.Module) -> None:
        self._params = params
        device = next(sampler.parameters()).device
        self._inception = Inception(device=device, precision=precision(params))
        self._cache = FeatureCache(self._inception)
        self._reference = reference(dataset, params).first(min(params.metric_samples, len(dataset)))
        self._speed = self._inception.speed(self._reference.dataset.images[:16])
        self.protocol = protocol(params.metric_samples, self._reference, self._inception)

    def cost(self) -> float:
        """Return the seconds that the next score will take."""
        missing = self._cache.missing(self._reference.dataset.images)
        return (self._params.metric_samples + missing) / self._speed

    def measure(self, sampler: nn.Module, gan: Gan, epoch: int) -> Measurement:
        """Return the KID of the images that a sampler draws now."""
        images, _ = draw(gan._replace(generator=sampler), self._params.metric_samples, self._params.seed)
        found = kid(self._inception.features(images), self._cache.features(self._reference.dataset.images))
        return Measurement(
            name="KID", value=found.value, error=found.error, epoch=epoch, protocol=self.protocol
        )


def precision(params: RunParams) -> Literal["fp32", "bf16"]:
    """Return the precision of a run's scores: that of its training on a CPU; a GPU takes seconds in fp32."""
    hardware = choose(params)
    return hardware.precision if hardware.device.type == "cpu" else "fp32"
