"""What is timed of a workload: the plain loop, and the kit in a precision."""

import time
from collections.abc import Callable

import torch

from ganutils.bench.plain import loop
from ganutils.bench.workloads import Workload, untrained
from ganutils.data import load_dataset
from ganutils.hardware import choose
from ganutils.variants import build

SIDES = ("plain", "fp32", "bf16")


def prepare(workload: Workload, side: str, folder: str) -> Callable[[], float]:
    """Return what trains for one slice of time and returns images per second."""
    return _plain(workload, folder) if side == "plain" else _kit(workload, folder, side)


def _plain(workload: Workload, folder: str) -> Callable[[], float]:
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
