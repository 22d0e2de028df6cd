"""Tables and sentences about several runs: each function returns (rows, header) or text.

Where space is short a run is called by its number; the first table says which run a number is.
"""

from collections.abc import Sequence
from typing import Any

from ganutils.comparison_metrics import NOTHING, Table
from ganutils.diagnosis import diagnose_run
from ganutils.diagnosis.findings import Light
from ganutils.finished import FinishedRun
from ganutils.measurements import Scale, Title, best, floor_of
from ganutils.wording import listed, numbered

_ACROSS = 8  # runs side by side in a table


def overview(runs: Sequence[FinishedRun], scales: dict[Scale, Title]) -> Table:
    """Return one row per run: model, data, length, cost, size, best numbers with protocol and floor."""
    header = ("Run", "Model", "Data, images", "Epochs", "Updates D / G", "Minutes", "Weights G / D")
    floors = _floors(runs, scales)
    return [_row(run, scales, floors) for run in runs], (*header, "Best metric (floor)", "At epoch")


def _floors(runs: Sequence[FinishedRun], scales: dict[Scale, Title]) -> dict[Scale, str]:
    """Return what real images score that were not trained on, for each scale where that was measured."""
    found = {scale: floor_of((run.folder for run in runs), scale) for scale in scales}
    return {scale: floor.written(1, with_error=False) for scale, floor in found.items() if floor is not None}


def _row(run: FinishedRun, scales: dict[Scale, Title], floors: dict[Scale, str]) -> tuple:
    data, history, planned = run.described["data"], run.history, run.params["epochs"]
    tops = {scale: best(found) for scale in scales if (found := run.of_scale(scale))}
    told = [
        f"{scales[scale]}: {top.written(1, with_error=False)}"
        + (f" ({floors[scale]})" if scale in floors else "")
        for scale, top in tops.items()
    ]
    return (
        run.label,
        run.described["variant"],
        f"{data['label']}, {data['count']:,}",
        str(planned) if history.epoch >= planned else history.reached(planned),
        " / ".join(f"{run.spent(history.passed, what):,}" for what in ("step", "g_step")),
        f"{history.minutes:.3g}",
        "unknown" if run.weights is None else " / ".join(_short(count) for count in run.weights),
        "; ".join(told) or run.unmeasured,
        "; ".join(str(top.epoch) for top in tops.values()) or NOTHING,
    )


def _short(count: int) -> str:
    return f"{count / 1e6:.2f}M" if count >= 1e6 else f"{count / 1e3:.3g}k"


def common_ground(runs: Sequence[FinishedRun]) -> Table:
    """Return what must be equal for a fair comparison, whether it is, and the values."""
    facts = {
        "Images": [_images(run) for run in runs],
        "Image size": [run.params["image_size"] for run in runs],
        "Batch size": [run.params["batch_size"] for run in runs],
        "Epochs": [round(run.history.passed, 2) for run in runs],
        "Generator updates": [run.spent(run.history.passed, "g_step") for run in runs],
        "Discriminator updates for one of the generator": [run.params["d_steps"] for run in runs],
        "Seed": [run.params["seed"] for run in runs],
        "Device and precision": [sessions(run, "device") for run in runs],
    }
    rows = [
        (name, "equal" if len(set(values)) == 1 else "**differ**", _by_value(runs, values))
        for name, values in facts.items()
    ]
    return rows, ("What", "In all runs", "Value, or values and their runs")


def _by_value(runs: Sequence[FinishedRun], values: Sequence[Any]) -> str:
    holders: dict[Any, list[str]] = {}
    for run, value in zip(runs, values, strict=True):
        holders.setdefault(value, []).append(str(run.number))
    shown = {value: f"{value:,}" if isinstance(value, int) else value for value in holders}
    if len(holders) == 1:
        return shown[values[0]]
    return "; ".join(f"{shown[value]} ({numbered(numbers)})" for value, numbers in holders.items())


def _images(run: FinishedRun) -> str:
    data = run.described["data"]
    return (
        f"{data['label']}, {data['split']} split, {data['count']:,} images, content {data['fingerprint'][:8]}"
    )


def differing_parameters(runs: Sequence[FinishedRun]) -> list[Table]:
    """Return tables of the parameters that are not the same in all runs, one column per run.

    Those that do not touch the result of training, such as the author, are left out.
    """
    names = dict.fromkeys(
        name for run in runs for name in run.params if run.described["may"].get(name) != "change"
    )
    chosen = [name for name in names if len({_setting(run, name) for run in runs}) > 1]
    parts = [runs[start : start + _ACROSS] for start in range(0, len(runs), _ACROSS)] if chosen else []
    return [
        (
            [(f"`{name}`", *(_setting(run, name) for run in part)) for name in chosen],
            ("Parameter", *(f"Run {run.number}" for run in part)),
        )
        for part in parts
    ]


def _setting(run: FinishedRun, name: str) -> str:
    value = run.params.get(name, NOTHING)
    return "(empty)" if value == "" else str(value)


def latents_in_words(runs: Sequence[FinishedRun], count: int) -> str:
    """Say which rows of the strip of `count` images come from the latents of the first run."""
    shared = {run: run.shared_latents(runs[0], count) for run in runs}
    same = [str(run.number) for run, number in shared.items() if number == count]
    parts = []
    if len(same) > 1:
        who = "All runs" if len(same) == len(runs) else f"Runs {listed(same)}"
        parts.append(f"{who} share exactly the same latents, so a column shows one latent in each.")
    for run, number in shared.items():
        if number is None:
            parts.append(f"The latents of run {run.number} are unknown: the kit cannot rebuild the run.")
        elif number < count:
            parts.append(f"Run {run.number} has {number or 'none'} of the latents of run {runs[0].number}.")
    return " ".join(parts)


def diagnoses(runs: Sequence[FinishedRun]) -> Table:
    """Return a row for each sign of trouble that a run's history and metrics raise; calm runs have one."""
    rows = []
    for run in runs:
        raised = [one for one in diagnose_run(run.folder) if one.is_raised]
        rows += [(run.label, one.sign, f"**{one.light}**", one.evidence) for one in raised]
        if not raised:
            rows.append((run.label, "none raised", str(Light.GREEN), NOTHING))
    return rows, ("Run", "Sign of trouble", "Light", "Evidence")


def environments(runs: Sequence[FinishedRun]) -> Table:
    """Return seed, device, system and versions, those of each session once; a row for all runs alike."""
    alike: dict[tuple, list[str]] = {}
    for run in runs:
        facts = (sessions(run, fact) for fact in ("device", "system", "libraries"))
        alike.setdefault((str(run.params["seed"]), *facts), []).append(str(run.number))
    rows = [(listed(numbers), *facts) for facts, numbers in alike.items()]
    return rows, ("Runs", "Seed", "Device", "System", "Versions")


def sessions(run: FinishedRun, fact: str) -> str:
    """Return a fact of environment.json, of each session that differs."""
    told = dict.fromkeys(session[fact] for session in run.folder.environment() if fact in session)
    return "; ".join(told) or "not recorded"
