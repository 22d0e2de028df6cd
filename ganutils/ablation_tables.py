"""Tables and sentences about an ablation: each function returns (rows, header) or text."""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from ganutils.ablation_numbers import Quantity
from ganutils.ablation_plan import ALL_BUT, Kind
from ganutils.comparison_metrics import Table
from ganutils.params import RunParams
from ganutils.studies.ablation import AblationRun, Study


def overview(study: Study, runs: Sequence[AblationRun]) -> Table:
    """Return one row per run: what differs from the base, and what it cost."""
    rows = [
        (
            run.label,
            differences(study.rows[0].params, run.row.params) or "–",
            _length(run),
            "{step:,} / {g_step:,}".format(**run.history.epochs[-1]),
            f"{run.history.minutes:.3g}",
        )
        for run in runs
    ]
    return rows, ("Run", "What differs: base → here", "Epochs", "Updates D / G", "Minutes")


def differences(base: RunParams, params: RunParams) -> str:
    """Return the parameters that are not those of the base, with both values."""
    names = [name for name in type(base).model_fields if name != "run"]
    values = {name: (getattr(base, name), getattr(params, name)) for name in names}
    told = [
        f"`{name}`: {_shown(before)} → {_shown(after)}"
        for name, (before, after) in values.items()
        if before != after
    ]
    return "; ".join(told)


def _shown(value: object) -> str:
    return "(empty)" if value == "" else str(value)


def _length(run: AblationRun) -> str:
    planned, rollbacks = run.row.params.epochs, len(run.folder.rollbacks())
    if run.diverged:
        return f"{run.history.epoch} of {planned}, then not finite"
    return f"{planned}, learning rate halved {rollbacks}x" if rollbacks else str(planned)


def numbers(runs: Sequence[AblationRun], quantities: Sequence[Quantity]) -> Table:
    """Return one row per run with its quantities, and one for real images where they have any."""
    rows = [(run.label, *(one.write(one.values.get(run.number)) for one in quantities)) for run in runs]
    if any(one.real is not None for one in quantities):
        rows.append(("real images", *(Quantity.write(one, one.real) for one in quantities)))
    return rows, ("Run", *(one.name for one in quantities))


def effects(runs: Sequence[AblationRun], quantities: Sequence[Quantity]) -> Table:
    """Return one row per quantity: the base, the change that moved it farthest, and what may relate them.

    That is the value with all changes, beside the sum of the single moves; of the changes that were left
    out, the one without which it is farthest from that value; and the range over the seeds of the base. No
    row where the base, or every single change, did not come to its end, no sum where any single change did
    not, and no change that is missed most where any row without one did not.
    """
    ended = [run for run in runs if not run.diverged]
    of_kind = {kind: [run for run in ended if run.row.kind == kind] for kind in get_args(Kind)}
    header = ["Number", "Base", "Moved farthest by", "To"]
    header += ["All changes", "Single moves added up"] if of_kind["all"] else []
    header += ["Missed most", "Without it"] if of_kind["all"] and of_kind["without"] else []
    header += ["Seeds of the base"] if of_kind["repeat"] else []
    if not of_kind["base"] or not of_kind["single"]:
        return [], tuple(header)
    measured = [one for one in quantities if of_kind["base"][0].number in one.values]
    planned = Counter(run.row.kind for run in runs)
    rows = [_effect(of_kind, one, planned) for one in measured if _values(of_kind["single"], one)]
    return rows, tuple(header)


def _effect(
    of_kind: dict[str, list[AblationRun]], quantity: Quantity, planned: Counter[str]
) -> tuple[str, ...]:
    write, base = quantity.write, quantity.values[of_kind["base"][0].number]
    singles = _values(of_kind["single"], quantity)
    told = [quantity.name, write(base), *_farthest(singles, base, quantity)]
    if of_kind["all"]:
        every = quantity.values.get(of_kind["all"][0].number)
        added = base + sum(value - base for value in singles.values())
        told += [write(every), write(added if len(singles) == planned["single"] else None)]
        if of_kind["without"]:
            left_out = _values(of_kind["without"], quantity)
            told += _farthest(left_out if len(left_out) == planned["without"] else {}, every, quantity)
    if of_kind["repeat"]:
        seeds = [base, *_values(of_kind["repeat"], quantity).values()]
        told.append(f"{write(min(seeds))} to {write(max(seeds))}")
    return tuple(told)


def _farthest(values: dict[AblationRun, float], start: float | None, quantity: Quantity) -> tuple[str, str]:
    """Return the change of the run whose value is farthest from `start`, and that value."""
    if start is None or not values:
        return quantity.write(None), quantity.write(None)
    run = max(values, key=lambda run: abs(values[run] - start))
    change = run.name.removeprefix(ALL_BUT) if values[run] != start else "none"
    return change, quantity.write(values[run])


def _values(runs: Sequence[AblationRun], quantity: Quantity) -> dict[AblationRun, float]:
    return {run: quantity.values[run.number] for run in runs if run.number in quantity.values}
