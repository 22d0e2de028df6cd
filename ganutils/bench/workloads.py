"""The trainings that are timed."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from ganutils import variants
from ganutils.data import load_dataset
from ganutils.hardware import choose
from ganutils.params import RunParams
from ganutils.state import TrainState
from ganutils.update import Update

_ON_GPU = 4
_USUAL = 700e9  # FLOP/s of a matrix product in fp32 that the numbers of updates below suit


@dataclass(frozen=True)
class Workload:
    """A variant with parameters, and the updates of one slice of time: one to three seconds on a CPU.

    A GPU makes `_ON_GPU` times as many.
    """

    name: str
    variant: str
    updates: int
    values: dict[str, Any] = field(default_factory=dict)

    def fitted(self, flops_per_second: float) -> Self:
        """Return it with as many updates, in cycles of `d_steps`, as a slower machine makes in the time."""
        unit = self.params("", "fp32").d_steps
        share = min(1.0, flops_per_second / _USUAL)
        return replace(self, updates=unit * max(1, round(share * self.updates / unit)))

    def updates_on(self, device: str) -> int:
        """Return the updates of one slice of time."""
        return self.updates * (1 if device == "cpu" else _ON_GPU)

    def params(self, run: str, precision: str, device: str = "cpu", **others: Any) -> RunParams:
        """Return its parameters, on as many embedded shapes as a slice of the CPU needs."""
        params_class = variants.get(self.variant).Params
        batch = self.values.get("batch_size", params_class.model_fields["batch_size"].default)
        values = {"dataset": "shapes", "classes": "", "n_images": self.updates * batch, **self.values}
        return params_class(**values, **others, device=device, precision=precision, run=run)


CLIP = {"constraint": "clip", "optimizer": "rmsprop", "learning_rate": 5e-5, "beta2": 0.99}

WORKLOADS = {
    "dcgan-64": Workload("DCGAN 64", "dcgan", 6, {"image_size": 64}),
    "dcgan-dense": Workload("dense DCGAN 32", "dcgan", 20, {"network": "dense"}),
    "dcgan": Workload("DCGAN 32", "dcgan", 24),
    "wgan-penalty": Workload("WGAN-GP, 5 critic steps", "wgan", 20),
    "wgan-clip": Workload("WGAN clipping, 5 critic steps", "wgan", 40, CLIP),
    "acgan": Workload("ACGAN 32", "acgan", 24),
    "siamese-difference": Workload("Siamese 32, difference head", "siamese", 15),
    "siamese-concat": Workload("Siamese 32, concat head", "siamese", 20, {"head": "concat"}),
}


def untrained(params: RunParams) -> Update:
    """Return what updates a GAN that has not been trained."""
    dataset = load_dataset(params)
    gan, hardware = variants.build(params, dataset), choose(params)
    return Update(gan, TrainState(gan, params, hardware.device), dataset, params, hardware)
