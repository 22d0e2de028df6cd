"""A cheap score for the time of training: KID on few images, whose real features are embedded once."""

from torch import nn

from ganutils.data import Dataset
from ganutils.hardware import choose, has_vnni
from ganutils.measurements import Measurement
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.drawing import draw
from ganutils.metrics.engine import Precision, has_openvino
from ganutils.metrics.inception import Inception
from ganutils.metrics.job import protocol
from ganutils.metrics.kid import kid
from ganutils.metrics.references import reference
from ganutils.objective import Gan
from ganutils.params import RunParams


class QuickScore:
    """KID of `metric_samples` generated images against as many real ones; unbiased, so few are enough.

    On a CPU the network may compute in fewer bits, and its protocol says so; see `precision`. Both kinds of
    images are embedded in the same precision, because its errors are alike then.

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


def precision(params: RunParams) -> Precision:
    """Return the precision of a run's scores, on a CPU the fastest of bf16 and int8 if `precision` is auto.

    A training in fp32 that was asked for has its scores in fp32 too, and so have those on a GPU, where they
    take seconds.
    """
    hardware = choose(params)
    if hardware.device.type != "cpu":
        return "fp32"
    if params.precision == "auto" and hardware.precision == "fp32" and has_vnni() and has_openvino():
        return "int8"
    return hardware.precision
