"""Tables and sentences about the metrics of several runs, protocols kept apart."""

from collections.abc import Sequence

from ganutils.finished import FinishedRun
from ganutils.measurements import Measurement, Scale, Title, best, floor_of
from ganutils.wording import listed, numbered

Table = tuple[list[tuple], tuple[str, ...]]

NOTHING = "–"
_FLOOR = "real, not trained on"


def scores(runs: Sequence[FinishedRun], scales: dict[Scale, Title]) -> list[tuple[str, Table]]:
    """Return for each protocol its letter and a table: rows of runs, columns of metrics, then the floor.

    All numbers of a row are those of one epoch, the one with the lowest KID: precision and recall of
    different epochs say nothing together.
    """
    found = []
    for letter in sorted({title.letter for title in scales.values()}):
        columns = [scale for scale, title in scales.items() if title.letter == letter]
        measured = [run for run in runs if any(run.of_scale(one) for one in columns)]
        rows = [_row(run, columns) for run in measured]
        floors = [floor_of((run.folder for run in runs), one) for one in columns]
        if any(floors):
            rows.append((_FLOOR, NOTHING, *(_short(one) for one in floors)))
        found.append((letter, (rows, ("Run", "Epoch", *(name for name, _ in columns)))))
    return found


def about_floor(rows: Sequence[tuple]) -> str:
    """Say in a sentence what the last row of such a table is, if it is the floor."""
    return "The last row is the floor: real images that were not trained on." if rows[-1][0] == _FLOOR else ""


def _row(run: FinishedRun, columns: Sequence[Scale]) -> tuple:
    found = {scale: run.of_scale(scale) for scale in columns}
    leading = next((some for scale, some in found.items() if some and scale[0] == "KID"), None)
    epoch = best(leading).epoch if leading else max(one.epoch for some in found.values() for one in some)
    at = [next((one for one in some if one.epoch == epoch), None) for some in found.values()]
    return run.label, epoch, *(_short(one) for one in at)


def _short(one: Measurement | None) -> str:
    return one.written(1) if one else NOTHING


def ranking(runs: Sequence[FinishedRun], scales: dict[Scale, Title]) -> Table:
    """Return a row for each run that was measured by a scale after several epochs, the best run first.

    The last value is that of the last epoch that was measured; the best one is that of the best checkpoint,
    where that was measured too.
    """
    rows = []
    for scale, title in scales.items():
        measured = [(best(some), run) for run in runs if len(some := run.of_scale(scale)) > 1]
        for top, run in sorted(measured, key=lambda pair: pair[0].badness):
            last = run.of_scale(scale)[-1]
            cost = f"{run.spent(top.epoch, 'minutes'):.3g}", run.spent(top.epoch, "g_step")
            rows.append((str(title), run.label, str(top), top.epoch, *cost, str(last), last.epoch))
    return rows, ("Metric", "Run", "Best", "at epoch", "after minutes", "G updates", "Last", "at epoch")


def protocols(scales: dict[Scale, Title]) -> Table:
    """Return one row per protocol: its letter and what it says."""
    lettered = {title.letter: protocol for (_, protocol), title in scales.items()}
    rows = [
        (letter, p.reference_marked, p.n_real, p.n_fake, p.network_marked, p.resizer, p.precision)
        for letter, p in sorted(lettered.items())
    ]
    return rows, ("Protocol", "Reference", "Real", "Generated", "Network", "Resizer", "Precision")


def absences(runs: Sequence[FinishedRun], scales: dict[Scale, Title]) -> str:
    """Say in words why a run is missing from a ranking and its figures; empty if none is."""
    if not scales:
        when = f" up to epoch {runs[0].until}" if runs[0].until else ""
        return (
            f"Of these runs nothing was measured{when}, so there is no ranking, and no figure of a metric "
            "against minutes or updates."
        )
    titles: dict[str, list[str]] = {}  # of the scales from which the same runs are missing
    for scale, title in scales.items():
        missing: dict[str, list[str]] = {}
        for run in runs:
            if not run.of_scale(scale):
                others = [scales[one.scale] for one in run.measurements if one.name == scale[0]]
                letters = [other.letter for other in others]
                why = f"measured by another protocol, {listed(letters)}" if letters else run.unmeasured
                missing.setdefault(why, []).append(str(run.number))
        if missing:
            told = "; ".join(f"{numbered(numbers)}, {why}" for why, numbers in missing.items())
            titles.setdefault(told, []).append(str(title))
    return "\n".join(f"- Missing from {listed(names)}: {told}." for told, names in titles.items())
