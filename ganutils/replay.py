"""An update as a CUDA graph: recorded once, then launched as a whole.

A GPU is done with the kernels of such networks sooner than Python launches them one by one.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from ganutils.errors import RunError
from ganutils.hardware import lacks_memory, pinned, to_device
from ganutils.scalars import Scalars

UNRECORDED = 3  # calls before it is recorded: optimisers make their state, cuDNN tries its algorithms


def as_cuda_graph(launch: Callable[[], Scalars], device: torch.device) -> Callable[[], Scalars]:
    """Record the kernels that `launch` starts on a GPU, without running them, and return what replays them.

    A random number on the device is a new one in each replay, the same as without recording. Raises
    `RunError` if they cannot be recorded, as when a number is read from the device.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, stream=torch.cuda.Stream(device)):  # the stream names the GPU
            recorded = launch()
    except RuntimeError as error:
        if lacks_memory(error):
            raise
        reason = str(error).strip().splitlines()[0]
        raise RunError(
            f"cuda_graph=True: an update cannot be recorded ({reason}). An objective that reads numbers from "
            "tensors, as .item() does, needs cuda_graph=False."
        ) from error

    def replay() -> Scalars:
        graph.replay()
        return Scalars(recorded.names, recorded.numbers.clone())  # the next replay writes over them

    return replay


class Replay:
    """Calls a function of tensors as it is at first, then as it was recorded; one recording for each `kind`.

    The function, always the same, launches the same kernels on the same memory each time: it decides nothing
    by a number on the device, and counts nothing. Its first argument are tensors on the device, given here on
    the CPU, of the same sizes in every call.
    """

    def __init__(
        self,
        device: torch.device,
        record: Callable[[Callable[[], Scalars], torch.device], Callable[[], Scalars]] = as_cuda_graph,
    ) -> None:
        self._device, self._record = device, record
        self._calls: Counter[bool] = Counter()
        self._recorded: dict[bool, Callable[[], Scalars]] = {}
        self._inputs: _Inputs | None = None

    def __call__(self, compute: Callable[[Any, bool], Scalars], given: NamedTuple, kind: bool) -> Scalars:
        """Return what `compute(given, kind)` returns."""
        self._calls[kind] += 1
        if self._calls[kind] <= UNRECORDED:
            return compute(given._make(to_device(tensor, self._device) for tensor in given), kind)
        if self._inputs is None:
            self._inputs = _Inputs(given, self._device)
        self._inputs.fill(given)
        if kind not in self._recorded:
            self._recorded[kind] = self._record(partial(compute, self._inputs.tensors, kind), self._device)
        return self._recorded[kind]()


class _Inputs:
    """Tensors on a device that are filled anew by one copy; those of wider types come first."""

    def __init__(self, like: NamedTuple, device: torch.device) -> None:
        sizes = [tensor.nbytes for tensor in like]
        self._memory = torch.empty(sum(sizes), dtype=torch.uint8, device=device)
        parts = zip(self._memory.split(sizes), like, strict=True)
        self.tensors = like._make(part.view(tensor.dtype).view(tensor.shape) for part, tensor in parts)

    def fill(self, given: NamedTuple) -> None:
        """Copy tensors of the CPU, without waiting for a CUDA GPU."""
        parts = [tensor.contiguous().view(-1).view(torch.uint8) for tensor in given]
        self._memory.copy_(pinned(torch.cat(parts), self._memory.device), non_blocking=True)
