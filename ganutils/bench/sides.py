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


def prepare(workload: Workload, side: str, device: str, folder: str) -> Callable[[], float]:
    """Return what trains for one slice of time and returns images per second."""
    return _plain(workload, device, folder) if side == "plain" else _kit(workload, side, device, folder)


def _plain(workload: Workload, device: str, folder: str) -> Callable[[], float]:
    params, count = workload.params(f"{folder}/run", "fp32", device), workload.updates_on(device)
    torch.manual_seed(params.seed)
    dataset = load_dataset(params)
    updates = loop(build(params, dataset), params, dataset)

    def train() -> float:
        begun = time.perf_counter()
        for _ in range(count):
            next(updates)
        return count * params.batch_size / (time.perf_counter() - begun)

    return train


def _kit(workload: Workload, precision: str, device: str, folder: str) -> Callable[[], float]:
    update = untrained(workload.params(f"{folder}/run", precision, device))
    hardware, batch, count = choose(update.params), update.params.batch_size, workload.updates_on(device)

    def train() -> float:
        with hardware.algorithms():
            begun = time.perf_counter()
            passes = [torch.randperm(update.params.n_images) for _ in range(count // workload.updates)]
            order = torch.cat(passes).split(batch)
            told = [update(indices).numbers for indices in order]
            torch.cat(told).tolist()  # as the recorder reads them, some updates later
        return count * batch / (time.perf_counter() - begun)

    return train
