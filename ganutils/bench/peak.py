"""What a machine can do at most, and how much arithmetic an update takes."""

import time
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganutils.update import Update
from ganutils.winograd import plainly

_SIZE = 2048
_SECONDS = 1.0


def flops_per_second(dtype: torch.dtype, device: torch.device | str = "cpu") -> float:
    """Return the speed of a large matrix product, multiplications and additions counted apart.

    As a convolution of single pixels, because some libraries multiply fp32 matrices more slowly.
    """
    count = 2 if torch.device(device).type == "cpu" else 64  # a GPU needs more to be busy
    images = torch.randn(count, _SIZE, 32, 32, device=device).to(dtype, memory_format=torch.channels_last)
    kernel = torch.randn(_SIZE, _SIZE, 1, 1, device=device).to(dtype, memory_format=torch.channels_last)
    best, until = 0.0, time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        begun = time.perf_counter()
        torch.nn.functional.conv2d(images, kernel)[0, 0, 0, 0].item()  # reading a number waits for a GPU
        best = max(best, 2 * count * 32 * 32 * _SIZE**2 / (time.perf_counter() - begun))
    return best


class Counter(TorchDispatchMode):
    """Counts the arithmetic of what runs inside, by torch's own formulas.

    torch's FlopCounterMode would do, if it did not refuse a gradient of a gradient.
    """

    flops = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator and add what it takes."""
        result = function(*args, **(kwargs or {}))
        if (formula := flop_registry.get(function.overloadpacket)) is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        return result


def count_flops(update: Update) -> float:
    """Count the arithmetic of a discriminator update with its share of the generator's; it is carried out.

    Matrix products and convolutions as they are written, forwards and backwards, also where `winograd` takes
    less; what else there is, is small beside them.
    """
    params = update.params
    with Counter() as counter, plainly():
        for _ in range(params.d_steps):
            update(torch.arange(params.batch_size))
    return counter.flops / params.d_steps
