"""How fast the kit trains, beside the plain loop."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median

import torch

from ganutils.bench.peak import count_flops, flops_per_second
from ganutils.bench.rows import Row
from ganutils.bench.sides import SIDES, prepare
from ganutils.bench.worker import Worker
from ganutils.bench.workloads import WORKLOADS, Workload, untrained
from ganutils.hardware import exact, has_fast_bf16


def rows(names: Iterable[str], rounds: int, device: str = "cpu") -> Iterator[Row]:
    """Time the named workloads: the plain loop, then the kit in each precision, round after round."""
    kit = SIDES[1:] if has_fast_bf16(torch.device(device)) else SIDES[1:2]
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}

    def peaks() -> dict[str, float]:
        with exact():
            return {side: flops_per_second(dtypes[side], device) for side in kit}

    before = peaks()
    for name in names:
        workload = WORKLOADS[name].fitted(before["fp32"])
        speeds = _speeds(workload, ("plain", *kit), rounds, device)
        after = peaks()  # a machine is faster at times than at others
        peak = {side: max(before[side], after[side]) for side in kit}
        before = after
        update = untrained(workload.params("", "fp32"))
        flops = count_flops(update) / update.params.batch_size  # for a real image
        for side in kit:
            share = median(speeds[side]) * flops / peak[side]
            note = f"{share:.0%} of the {peak[side] / 1e9:.0f} GFLOP/s of a matrix product"
            yield Row(f"{workload.name}, {side}", "images/s", speeds["plain"], speeds[side], note)


def _speeds(workload: Workload, sides: Iterable[str], rounds: int, device: str) -> dict[str, list[float]]:
    """Return images per second of each side in each round, after one round to warm up."""
    speeds: dict[str, list[float]] = {side: [] for side in sides}
    with ExitStack() as stack:
        workers = {
            side: stack.enter_context(Worker(partial(prepare, workload, side, device))) for side in speeds
        }
        for turn in range(rounds + 1):
            for side, worker in workers.items():
                speed = worker()
                if turn:
                    speeds[side].append(speed)
    return speeds
