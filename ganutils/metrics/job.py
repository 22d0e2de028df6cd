"""What is measured of a run, against what and how: all that is checked before the work starts."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganutils import variants
from ganutils.checkpoints import State
from ganutils.errors import ParameterError, RunError
from ganutils.hardware import choose
from ganutils.measurements import Protocol
from ganutils.metrics import references
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.inception import NETWORK, RESIZER, Inception
from ganutils.metrics.references import Floor, Reference
from ganutils.objective import Gan
from ganutils.params import FEWEST
from ganutils.progress import clock
from ganutils.runs import RunDir

CPU_SIZES = (5_000, 10_000)  # generated and real images: minutes on a CPU
GPU_SIZES = (50_000, 50_000)  # as in most papers
_MOST = 1_000_000
_DIGITS = 12  # of a digest


@dataclass(frozen=True)
class Job:
    """A generator, the real images it is compared with, and the network that embeds both."""

    run: RunDir
    gan: Gan
    epoch: int | float
    samples: int  # generated images
    reference: Reference
    floor: Floor
    inception: Inception
    cache: FeatureCache

    def protocol(self, n_fake: int, reference: Reference) -> Protocol:
        """Return the protocol of so many images against a reference."""
        return protocol(n_fake, reference, self.inception)

    def to_embed(self) -> int:
        """Return how many images go through the network: the generated ones and the real ones not known."""
        sets = (self.reference.dataset, self.floor.held_out, self.floor.reference.dataset)
        return self.samples + self.cache.missing(torch.cat([some.images for some in sets]))

    def cost(self) -> str:
        """Say what embedding takes, from the time of one batch."""
        rate = self.inception.speed(self.reference.dataset.images[:16])
        number = self.to_embed()
        return (
            f"{self.run}, epoch {self.epoch:g}: {self.samples:,} generated against "
            f"{len(self.reference.dataset):,} real images, {number:,} of all not embedded yet, at {rate:.0f} "
            f"images/s: {clock(number / rate)} left, then the comparison of all pairs"
        )

    def placed(self, features: Tensor) -> Tensor:
        """Return features where pairs of them are compared: on a CUDA GPU or on the CPU."""
        # In double precision, which Apple's GPUs do not have.
        return features.to(self.inception.device) if self.inception.device.type == "cuda" else features


def protocol(n_fake: int, reference: Reference, inception: Inception) -> Protocol:
    """Return the protocol of so many images against a reference."""
    return Protocol(
        reference=reference.words,
        n_real=len(reference.dataset),
        n_fake=n_fake,
        network=NETWORK,
        resizer=RESIZER,
        precision=inception.precision,
        weights=inception.digest[:_DIGITS],
        images=reference.dataset.fingerprint[:_DIGITS],
    )


def prepare(run: RunDir, samples: int, real: int, weights: str, device: str, best: bool) -> Job:
    """Return the job of measuring a run; see `measure` for arguments and errors."""
    params = variants.params_of(run, device=device, precision="fp32", deterministic=False)
    where = choose(params).device
    state = run.checkpoints.load_best() if best else run.checkpoints.load()  # once: the run may go on
    if state is None:
        raise run.missing_checkpoint()
    epoch = _epoch(run, state)
    gan = variants.load(run, where, state)
    inception = Inception(weights, where)
    images = references.training_images(run)
    usual = GPU_SIZES if where.type == "cuda" else CPU_SIZES
    samples = _checked("samples", samples, usual[0])
    real = _checked("real", real, min(usual[1], len(images.dataset)), len(images.dataset))
    reference = images.first(real)
    floor = references.floor(run, reference, samples)
    return Job(run, gan, epoch, samples, reference, floor, inception, FeatureCache(inception))


def _epoch(run: RunDir, state: State) -> int | float:
    """Return the epochs that a checkpoint has passed, a fraction if it was made within one."""
    if not state["step"]:
        raise RunError(f"run={str(run)!r}: has no update yet. Train it first.")
    epochs, rest = divmod(state["step"], run.steps_per_epoch)
    return round(state["step"] / run.steps_per_epoch, 4) if rest else epochs


def _checked(name: str, value: int, default: int, most: int = _MOST) -> int:
    if value and not FEWEST <= value <= most:
        raise ParameterError(f"{name}={value}: must be {FEWEST} to {most:,} images, or 0 for {default:,}.")
    return value or default
