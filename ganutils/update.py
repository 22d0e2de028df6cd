"""One update of both networks."""

import torch
from torch import Tensor

from ganutils.augment import augment
from ganutils.data import Batch, Dataset, to_float
from ganutils.data.batches import flip_some
from ganutils.hardware import Hardware, to_device
from ganutils.objective import Gan
from ganutils.params import RunParams
from ganutils.state import TrainState


class Update:
    """Updates a training's state with real images that stay on the device.

    It reads no number from the device, which would wait for it: what it returns is read later.
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

    def __call__(self, indices: Tensor) -> dict[str, Tensor]:
        """Make one discriminator update and, every `d_steps`, a generator update on the same latents.

        `indices` (N,) name the real images. Returns detached scalars, for the history. Drawing new latents
        for the generator, as Goodfellow 2014 writes it, would cost another pass.
        """
        state, objective = self.state, self._objective
        real = self._real_batch(indices)
        with_generator = (state.step + 1) % self.params.d_steps == 0
        z, labels = self._prior.sample(len(indices), generator=state.latents, device=self._hardware.device)
        with self._hardware.autocast(), torch.set_grad_enabled(with_generator):
            images = augment(self._generator(z, labels).float(), self.params.augment)
            fake = Batch(images.contiguous(memory_format=torch.channels_last), labels)

        with self._hardware.autocast():
            terms = objective.discriminator_terms(
                self._discriminator, real, Batch(fake.images.detach(), labels)
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
            state.g_step += 1
            if state.average is not None:
                state.update_average()
        state.step += 1
        return {name: value.detach() for name, value in values.items()}

    def _real_batch(self, indices: Tensor) -> Batch:
        indices = to_device(indices, self._images.device)
        images = to_float(self._images[indices])
        if self.params.flip:
            images = flip_some(images, self.state.flips)
        images = augment(images, self.params.augment)
        return Batch(images.contiguous(memory_format=torch.channels_last), self._labels[indices])


def _descend(loss: Tensor, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
    """Make one optimiser step and return the norm of the gradient."""
    loss.backward()
    norm = torch.nn.utils.get_total_norm(
        [weight.grad for weight in network.parameters() if weight.grad is not None]
    )
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
