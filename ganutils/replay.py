"""An update as a CUDA graph: recorded once, then launched as a whole.

A GPU is done with the kernels of such networks sooner than Python launches them one by one.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganutils.errors import RunError

Values = dict[str, Tensor]
UNRECORDED = 3  # calls as they are: optimisers make their state, cuDNN tries its algorithms


def as_cuda_graph(launch: Callable[[], Values]) -> Callable[[], Values]:
    """Record the kernels that `launch` starts, without running them, and return what replays them.

    A random number on the device is a new one in each replay, the same as without recording. Raises
    `RunError` if they cannot be recorded, as when a number is read from the device.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            values = launch()
            recorded = torch.stack([value.float() for value in values.values()])
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(
            f"cuda_graph=True: an update cannot be recorded ({reason}). An objective that reads numbers from "
            "tensors, as .item() does, needs cuda_graph=False."
        ) from error

    def replay() -> Values:
        graph.replay()
        return dict(zip(values, recorded.clone().unbind(), strict=True))  # the next replay writes over them

    return replay


class Replay:
    """Calls a function of tensors as it is at first, then as it was recorded; one recording for each `kind`.

    The function launches the same kernels on the same memory each time: it decides nothing by a number on
    the device, and counts nothing. Its first argument are tensors of the same sizes in every call.
    """

    def __init__(
        self,
        compute: Callable[[Any, bool], Values],
        record: Callable[[Callable[[], Values]], Callable[[], Values]] = as_cuda_graph,
    ) -> None:
        self._compute, self._record = compute, record
        self._calls: Counter[bool] = Counter()
        self._recorded: dict[bool, Callable[[], Values]] = {}
        self._inputs: NamedTuple | None = None

    def __call__(self, inputs: NamedTuple, kind: bool) -> Values:
        """Return what `compute(inputs, kind)` returns."""
        self._calls[kind] += 1
        if self._calls[kind] <= UNRECORDED:
            return self._compute(inputs, kind)
        if self._inputs is None:
            self._inputs = inputs._make(map(torch.clone, inputs))
        for ours, given in zip(self._inputs, inputs, strict=True):
            ours.copy_(given)
        if kind not in self._recorded:
            self._recorded[kind] = self._record(partial(self._compute, self._inputs, kind))
        return self._recorded[kind]()
