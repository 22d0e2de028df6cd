"""Everything that a training step reads and changes: what a checkpoint has to hold."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ganutils import optimizers
from ganutils.objective import Gan
from ganutils.params import RunParams
from ganutils.streams import stream


class TrainState:
    """Networks, their moving average, optimisers, random streams and counters of a run."""

    def __init__(self, gan: Gan, params: RunParams, device: torch.device) -> None:
        self.generator = gan.generator.to(device, memory_format=torch.channels_last)
        self.discriminator = gan.discriminator.to(device, memory_format=torch.channels_last)
        for network in (self.generator, self.discriminator):  # an update may have been cut off half-way
            network.train().requires_grad_(True).zero_grad(set_to_none=True)
        self._device = device
        self.average = _moving_average(self.generator, params.ema)
        self.g_optimizer = optimizers.make(self.generator.parameters(), params, params.learning_rate, device)
        self.d_optimizer = optimizers.make(
            self.discriminator.parameters(), params, params.learning_rate * params.d_learning_rate, device
        )
        self.latents = stream(params.seed, "latents")
        self.flips = stream(params.seed, "flips")
        self.step = 0  # discriminator updates
        self.g_step = 0  # generator updates
        self.epoch_seconds = 0.0  # spent in the unfinished epoch
        self.sampled_epoch = 0  # the last epoch that left a grid of its own
        self.rollbacks: list[str] = []  # what was not finite; each halves the learning rate

    @property
    def sampler(self) -> nn.Module:
        """The generator that draws samples: the moving average if there is one."""
        return self.generator if self.average is None else self.average.module

    def update_average(self) -> None:
        """Let the moving average follow the generator, if there is one; the first update copies it."""
        if self.average is None:
            return
        ours, theirs = (list(net.parameters()) for net in (self.average.module, self.generator))
        # AveragedModel.update_parameters does the same, and waits for the GPU in each update.
        with torch.no_grad():
            if self.g_step == 0:
                torch._foreach_copy_(ours, theirs)
            else:
                self.average.multi_avg_fn(ours, theirs, self.average.n_averaged)

    def count(self, with_generator: bool) -> None:
        """Count an update of the discriminator, and one of the generator if it was made."""
        self.step += 1
        self.g_step += with_generator
        if with_generator and self.average is not None:
            self.average.n_averaged += 1

    def scale_learning_rate(self, factor: float) -> None:
        """Set both learning rates to `factor` times their first values, halved for each rollback."""
        factor *= 0.5 ** len(self.rollbacks)
        for optimizer in (self.g_optimizer, self.d_optimizer):
            for group in optimizer.param_groups:
                optimizers.set_rate(group, group["initial_lr"] * factor)

    def capture(self) -> dict[str, Any]:
        """Return tensors and plain data from which `restore` continues exactly."""
        cuda = [torch.cuda.get_rng_state(self._device)] if self._device.type == "cuda" else []
        mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            "random": {
                "latents": self.latents.get_state(),
                "flips": self.flips.get_state(),
                "torch": torch.get_rng_state(),
                "cuda": cuda,
                "mps": mps,
            },
            "sampled_epoch": self.sampled_epoch,
            "step": self.step,
            "g_step": self.g_step,
            "epoch_seconds": self.epoch_seconds,
            "rollbacks": list(self.rollbacks),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `capture` returned; the global random streams too."""
        for name, part in self._parts().items():
            if isinstance(part, torch.optim.Optimizer):
                optimizers.load(part, state[name])
            else:
                part.load_state_dict(state[name])
        random: dict[str, Tensor] = state["random"]
        self.latents.set_state(random["latents"].cpu())
        self.flips.set_state(random["flips"].cpu())
        torch.set_rng_state(random["torch"].cpu())
        if self._device.type == "cuda":
            self._restore_cuda(random["cuda"])
        if torch.backends.mps.is_available() and random.get("mps") is not None:
            torch.mps.set_rng_state(random["mps"].cpu())
        self.step, self.g_step = state["step"], state["g_step"]
        self.epoch_seconds = state["epoch_seconds"]
        self.rollbacks = list(state.get("rollbacks", []))  # older checkpoints have neither
        self.sampled_epoch = state.get("sampled_epoch", 0)

    def _restore_cuda(self, states: list[Tensor]) -> None:
        # Older checkpoints have the states of all GPUs.
        place = 0 if len(states) == 1 else self._device.index or 0
        if place < len(states):
            torch.cuda.set_rng_state(states[place].cpu(), self._device)
        else:
            print("WARNING: the checkpoint knows no random numbers of this GPU; they begin anew.")

    def _parts(self) -> dict[str, Any]:
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "g_optimizer": self.g_optimizer,
            "d_optimizer": self.d_optimizer,
        }
        return parts if self.average is None else {**parts, "average": self.average}


def _moving_average(generator: nn.Module, decay: float) -> AveragedModel | None:
    """Average the weights (Karras 2018, arXiv 1710.10196); batch-norm statistics are measured to sample."""
    if decay == 0:
        return None
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=False)
    average.n_averaged = average.n_averaged.cpu()  # it is read in each update, which must not wait for a GPU
    return average
