"""The whole benchmark, as Markdown. It measures the CPU, or the trainings on a GPU."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec

from ganutils.bench.rows import HEADER, Row
from ganutils.bench.workloads import WORKLOADS
from ganutils.environment import facts
from ganutils.errors import MetricError, ParameterError
from ganutils.hardware import choose
from ganutils.names import unknown
from ganutils.progress import clock
from ganutils.variants import get

_STEADY = 3  # rounds at most of all but trainings, which take long


def bench(names: Sequence[str], rounds: int, device: str = "cpu") -> None:
    """Measure and print the named workloads, all of them that a device has if none is named.

    Raises `ParameterError` for an unknown name, for fewer than one round and for a device that is not there,
    `MetricError` without the baseline of the metrics.
    """
    others_here = OTHERS if device == "cpu" else {"profile": OTHERS["profile"]}
    known = (*WORKLOADS, *others_here)
    for name in names:
        if name not in known:
            raise unknown("workload", name, known)
    if rounds < 1:
        raise ParameterError(f"--rounds {rounds}: must be at least 1.")
    if "metrics" in (names or others_here) and find_spec("torch_fidelity") is None:
        raise MetricError(
            "torch-fidelity, which the metrics are timed beside, is not installed. Install it with "
            "pip install -e '.[dev]', or name workloads other than metrics."
        )
    begun = time.perf_counter()
    _print_conditions(rounds, device)
    trainings = [name for name in WORKLOADS if name in names or not names]
    others = [name for name in others_here if name in names or not names]
    if trainings:
        from ganutils.bench.training import rows

        _print_table(rows(trainings, rounds, device))
    for name in others:
        OTHERS[name](rounds, device)
    print(f"\nAll this took {clock(time.perf_counter() - begun)}.")


def _metrics(rounds: int, device: str) -> None:
    from ganutils.bench.metrics import rows

    _print_table(rows(min(rounds, _STEADY)))


def _reports(rounds: int, device: str) -> None:
    from ganutils.bench.reports import rows

    _print_table(rows(min(rounds, _STEADY)))


def _surroundings(rounds: int, device: str) -> None:
    from ganutils.bench.surroundings import rows

    _print_table(rows())


def _scaling(rounds: int, device: str) -> None:
    from ganutils.bench.scaling import markdown, points, runs

    print(f"\n{markdown(list(points(min(rounds, _STEADY))), list(runs()))}", flush=True)


def _profile(rounds: int, device: str) -> None:
    from ganutils.bench.profile import markdown, profiles

    print("\nWhere the time of an update goes, as shares of it, by torch's profiler.\n")
    for line in markdown(profiles(WORKLOADS, device)):
        print(line, flush=True)


EXPLANATION = """# Speed

Baseline of training: a plain loop as public example scripts write it (eager fp32, default memory layout, PIL
data loader with two workers, `.item()` on each loss), with the same networks and losses. Baseline of the
metrics: torch-fidelity as it comes, in a process of its own, 64 images at a time. Sides take turns; numbers
are medians over the rounds, a ratio the median of those of the rounds. Shares are of the fastest matrix
product here.
"""

OTHERS: dict[str, Callable[[int, str], None]] = {
    "metrics": _metrics,
    "reports": _reports,
    "surroundings": _surroundings,
    "scaling": _scaling,
    "profile": _profile,
}


def _print_conditions(rounds: int, device: str) -> None:
    machine = facts(choose(get("dcgan").Params(device=device)))
    told = f"{machine['device']}; {machine['system']}; {machine['libraries']}"
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    print(EXPLANATION)
    print(f"{now}, {told}. Rounds: {rounds}, of all but trainings at most {_STEADY}.")


def _print_table(rows: Iterable[Row]) -> None:
    """Print each row as soon as it is measured."""
    print()
    for cells in (HEADER, ["---"] * len(HEADER)):
        print(_line(cells))
    for row in rows:
        print(_line(row.cells()), flush=True)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
