"""One side of a pair, in a process of its own: its memory allocator and threads are not the other's."""

import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from ganutils.bench.workloads import Workload

SIDES = ("plain", "fp32", "bf16")


class Worker:
    """A process that trains for a slice of time when it is told to, and waits otherwise."""

    def __init__(self, workload: Workload, side: str) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # Not a daemon: the plain side has loader processes of its own.
        self._process = context.Process(target=_serve, args=(theirs, workload, side))
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(timeout=20)
        self._process.kill()

    def slice(self) -> float:
        """Train for one slice and return images per second."""
        self._pipe.send(True)
        return self._pipe.recv()


def _serve(pipe: Connection, workload: Workload, side: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        train = _plain(workload, folder) if side == "plain" else _kit(workload, folder, side)
        try:
            while pipe.recv():
                pipe.send(train())
        except EOFError:
            pass


def _plain(workload: Workload, folder: str) -> Callable[[], float]:
    import torch

    from ganutils.bench.plain import loop
    from ganutils.data import load_dataset
    from ganutils.variants import build

    params = workload.params(f"{folder}/run", "fp32")
    torch.manual_seed(params.seed)
    dataset = load_dataset(params)
    updates = loop(build(params, dataset), params, dataset)

    def train() -> float:
        begun = time.perf_counter()
        for _ in range(workload.updates):
            next(updates)
        return workload.updates * params.batch_size / (time.perf_counter() - begun)

    return train


def _kit(workload: Workload, folder: str, precision: str) -> Callable[[], float]:
    import torch

    from ganutils.bench.workloads import untrained
    from ganutils.hardware import choose

    update = untrained(workload.params(f"{folder}/run", precision))
    batch, hardware = update.params.batch_size, choose(update.params)

    def train() -> float:
        with hardware.algorithms():
            begun = time.perf_counter()
            order = torch.randperm(workload.updates * batch).split(batch)
            told = [value for indices in order for value in update(indices).values()]
            torch.stack(told).tolist()  # as the recorder reads them, some updates later
        return workload.updates * batch / (time.perf_counter() - begun)

    return train
