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

    def __init__(
        self, dataset: Dataset, params: RunParams, sampler: nn.Module, bits: Precision | None = None
    ) -> None:
        self._params = params
        device = next(sampler.parameters()).device
        self._inception = Inception(device=device, precision=bits or precision(params))
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


def precision(params: RunParams, before: str = "") -> Precision:
    """Return the precision of a run's scores.

    On a CPU it is bf16 if the training has it, else int8 where the CPU is fast in it and OpenVINO is there,
    unless fp32 is asked for; on a GPU fp32, which takes seconds. `before`, that of the scores which the run
    has already, is kept if it can be computed here, so that scores can be compared.
    """
    hardware = choose(params)
    on_cpu = hardware.device.type == "cpu"
    usual = hardware.precision if on_cpu else "fp32"
    if on_cpu and params.precision == "auto" and usual == "fp32" and has_vnni() and has_openvino():
        usual = "int8"
    if before == "fp32" or (before == "int8" and on_cpu and has_openvino()):
        return before
    return usual
