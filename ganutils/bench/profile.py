"""Where the time of an update goes: its operators in groups, by torch's profiler."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from ganutils.bench.peak import count_flops, flops_per_second
from ganutils.bench.workloads import WORKLOADS, untrained
from ganutils.hardware import choose, exact, has_fast_bf16
from ganutils.update import Update

# The first pattern that is found in an operator's name gives its group.
GROUPS = {
    "convolutions and products": r"conv|mm\b|linear$",
    "batch norm": r"batch_?norm",
    "activations": r"relu|leaky|threshold|clamp_min|tanh|sigmoid|softplus|dropout",
    "copies and conversions": r"copy|::(to|clone|contiguous|cat|index|fill_|zero_)$",
    "optimiser": r"adam|rmsprop|optimizer|foreach_(?!norm)",
}
REST = "all else"
_WARM, _COUNTED = 2, 3  # generator updates, each with those of its discriminator


@dataclass(frozen=True)
class Profile:
    """One workload in one precision."""

    name: str
    shares: dict[str, float]  # of the time of an update, by group
    of_peak: float  # speed of convolutions and products, as a share of that of a large product


def profiles(names: Iterable[str], device: str = "cpu") -> Iterator[Profile]:
    """Profile the named workloads in each precision that is fast on a device.

    On a GPU the time is that of its kernels, launched one by one, since a replayed graph does not tell whose
    they are.
    """
    products, dtypes = next(iter(GROUPS)), {"fp32": torch.float32, "bf16": torch.bfloat16}
    for precision in ("fp32", "bf16") if has_fast_bf16(torch.device(device)) else ("fp32",):
        peak, found = 0.0, []
        for name in names:
            # Every time: a machine is faster at times than at others.
            with exact():
                peak = max(peak, flops_per_second(dtypes[precision], device))
            update = untrained(WORKLOADS[name].params("", precision, device, cuda_graph=False))
            with choose(update.params).algorithms():
                groups = grouped(operator_seconds(update))
            speed = count_flops(update) * update.params.d_steps * _COUNTED / groups[products]
            whole = sum(groups.values())
            shares = {group: part / whole for group, part in groups.items()}
            found.append((f"{WORKLOADS[name].name}, {precision}", shares, speed))
        for name, shares, speed in found:
            yield Profile(name, shares, speed / peak)


def operator_seconds(update: Update) -> dict[str, float]:
    """Return the seconds that each operator took by itself in some updates of both networks."""
    indices = torch.arange(update.params.batch_size)
    for _ in range(_WARM * update.params.d_steps):
        update(indices)
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # the profiler writes of its own start and stop
    is_gpu = update.params.device == "cuda"
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * is_gpu]
    with profile(activities=activities) as found:
        for _ in range(_COUNTED * update.params.d_steps):
            update(indices)
    operators = [event for event in found.key_averages() if event.device_type == DeviceType.CPU]
    spent = "self_device_time_total" if is_gpu else "self_cpu_time_total"
    return {event.key: getattr(event, spent) / 1e6 for event in operators}


def grouped(seconds: dict[str, float]) -> dict[str, float]:
    """Add up seconds of operators by `GROUPS`."""
    found = dict.fromkeys((*GROUPS, REST), 0.0)
    for name, spent in seconds.items():
        matching = (group for group, pattern in GROUPS.items() if re.search(pattern, name, re.IGNORECASE))
        found[next(matching, REST)] += spent
    return found


def markdown(found: Iterable[Profile]) -> Iterator[str]:
    """Return the lines of a table."""
    products, *others = (*GROUPS, REST)
    header = ("Workload", products, "their speed, of the peak", *others)
    yield f"| {' | '.join(header)} |"
    yield f"| {' | '.join(['---'] * len(header))} |"
    for one in found:
        products, *others = (f"{share:.0%}" for share in one.shares.values())
        yield f"| {one.name} | {' | '.join((products, f'{one.of_peak:.0%}', *others))} |"
