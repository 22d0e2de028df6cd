"""One update of both networks."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganutils.augment import augment
from ganutils.data import Batch, Dataset, to_float
from ganutils.data.batches import draw_flips, flip_some
from ganutils.hardware import Hardware, to_device
from ganutils.objective import Gan
from ganutils.optimizers import step
from ganutils.params import RunParams
from ganutils.replay import UNRECORDED, Replay
from ganutils.scalars import Scalars
from ganutils.state import TrainState


class Drawn(NamedTuple):
    """What chance gives to an update, for N images; wider types first, as `Replay` wants them."""

    indices: Tensor  # (N,) int64, of the real images
    labels: Tensor  # (N,) int64, of the generated images
    z: Tensor  # (N, latent_size)
    flips: Tensor  # (N,) bool: which real images are mirrored


class Update:
    """Updates a training's state with real images that stay on the device.

    It reads no number from the device, which would wait for it: what it returns is read later. On a CUDA GPU
    it is recorded and replayed, see `Replay`.
    """

    def __init__(
        self, gan: Gan, state: TrainState, dataset: Dataset, params: RunParams, hardware: Hardware
    ) -> None:
        self._objective, self._prior = gan.objective, gan.prior
        self.state, self.params, self._hardware = state, params, hardware
        self._generator, self._discriminator = state.generator, state.discriminator
        if params.compile:
            torch.compiler.reset()  # networks of earlier runs count against the compiler's limit
            self._generator, self._discriminator = (
                torch.compile(network) for network in (state.generator, state.discriminator)
            )
        self._images = dataset.images.to(hardware.device)
        self._labels = dataset.labels.to(hardware.device)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was recorded: the state's tensors are others now."""
        self._replay = Replay(self._hardware.device) if self._hardware.is_replayed else None

    @property
    def cycles_to_warm_up(self) -> int:
        """Cycles of `d_steps` updates after which each takes its usual time."""
        return UNRECORDED + 1 if self._hardware.is_replayed else 2

    def __call__(self, indices: Tensor) -> Scalars:
        """Make one discriminator update and, every `d_steps`, a generator update on the same latents.

        `indices` (N,) name the real images. Returns what the history tells. Drawing new latents for the
        generator, as Goodfellow 2014 writes it, would cost another pass.
        """
        with_generator = (self.state.step + 1) % self.params.d_steps == 0
        drawn = self._draw(indices)
        if self._replay is None:
            here = Drawn(*(to_device(tensor, self._hardware.device) for tensor in drawn))
            values = self._compute(here, with_generator)
        else:
            values = self._replay(self._compute, drawn, with_generator)
        self.state.count(with_generator)
        return values

    def _draw(self, indices: Tensor) -> Drawn:
        count = len(indices)
        flips = draw_flips(count, self.state.flips) if self.params.flip else torch.zeros(count, dtype=bool)
        z, labels = self._prior.sample(count, generator=self.state.latents)
        return Drawn(indices, labels, z, flips)

    def _compute(self, drawn: Drawn, with_generator: bool) -> Scalars:
        """Change the tensors of the state, and nothing else that lasts."""
        state, objective = self.state, self._objective
        real = self._real_batch(drawn)
        with self._hardware.autocast(), torch.set_grad_enabled(with_generator):
            images = augment(self._generator(drawn.z, drawn.labels).float(), self.params.augment)
            fake = Batch(images.contiguous(memory_format=torch.channels_last), drawn.labels)

        with self._hardware.autocast():
            terms = objective.discriminator_terms(
                self._discriminator, real, Batch(fake.images.detach(), fake.labels)
            )
        values = {**terms.losses, **terms.watched}
        values["d_grad"] = _descend(terms.total, state.discriminator, state.d_optimizer)
        objective.constrain(state.discriminator)

        if with_generator:
            state.discriminator.requires_grad_(False)
            with self._hardware.autocast():
                terms = objective.generator_terms(self._discriminator, real, fake)
            state.discriminator.requires_grad_(True)
            values |= {**terms.losses, **terms.watched}
            values["g_grad"] = _descend(terms.total, state.generator, state.g_optimizer)
            state.update_average()
        return Scalars.of(values)

    def _real_batch(self, drawn: Drawn) -> Batch:
        images = to_float(self._images[drawn.indices])
        if self.params.flip:
            images = flip_some(images, drawn.flips)
        images = augment(images, self.params.augment)
        return Batch(images.contiguous(memory_format=torch.channels_last), self._labels[drawn.indices])


def _descend(loss: Tensor, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
    """Make one optimiser step and return the norm of the gradient."""
    loss.backward()
    norm = torch.nn.utils.get_total_norm(
        [weight.grad for weight in network.parameters() if weight.grad is not None]
    )
    step(optimizer)
    return norm
