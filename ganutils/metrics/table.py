"""What a run's metrics.json says, as a table and sentences for a terminal or a report."""

from collections.abc import Sequence

from ganutils.errors import MetricError
from ganutils.measurements import Measurement, Protocol, read_absences, read_floors, read_measurements
from ganutils.metrics import weights
from ganutils.runs import RunDir

Table = tuple[list[tuple[str, ...]], tuple[str, ...]]
HEADER = ("Metric", "Value", "Floor")


def together(run: RunDir, epoch: int, protocol: Protocol) -> list[Measurement]:
    """Return what was measured with an FID of this epoch and protocol, that of single classes included.

    Without such an FID the list is empty. Raises `RunError` for a broken metrics.json.
    """
    there = [one for one in read_measurements(run) if one.epoch == epoch]
    if not any(one.scale == ("FID", protocol) for one in there):
        return []
    each = protocol.n_fake // len(run.described["data"]["classes"])
    of_class = {"n_fake": {each, each + 1}, "weights": {protocol.weights}, "images": {protocol.images}}
    return [
        one
        for one in there
        if one.protocol == protocol
        or all(getattr(one.protocol, name) in values for name, values in of_class.items())
    ]


def last(run: RunDir) -> list[Measurement]:
    """Return what was measured with the FID of the last epoch that has one; see `together`."""
    fids = [one for one in read_measurements(run) if one.name == "FID"]
    return together(run, fids[-1].epoch, fids[-1].protocol) if fids else []


def table(run: RunDir, measured: Sequence[Measurement] | None = None) -> Table:
    """Return rows of `HEADER`: numbers with standard errors, by default the `last` ones.

    The floor is what real images score that were not trained on. Without any number a row says why.
    """
    floors = read_floors(run)
    measured = last(run) if measured is None else measured
    rows = [(one.name, str(one), _floor(one, floors)) for one in measured]
    return rows or [("FID, KID and others", f"not measured ({_why(run)})", "")], HEADER


def protocols(run: RunDir, measured: Sequence[Measurement] | None = None) -> list[str]:
    """Return sentences: protocols of the numbers, their floor and single classes, and what is missing."""
    measured = last(run) if measured is None else measured
    if not measured:
        return []
    epoch, protocol = measured[0].epoch, measured[0].protocol
    floors = [one for one in read_floors(run) if one.epoch == epoch]
    others = dict.fromkeys(
        (one.of, "the same" if one.protocol == protocol else one.protocol) for one in floors
    )
    counts = [(one.protocol.n_fake, one.protocol.n_real) for one in measured if one.protocol != protocol]
    each = [f"Single classes: {min(counts)[0]:,} images against {min(counts)[1]:,}."] if counts else []
    return [
        f"Protocol after epoch {epoch:g}: {protocol}.",
        *(f"Protocol of the floor, images of the {of}: {other}." for of, other in others),
        *each,
        *(f"Not measured: {one.name} ({one.why})." for one in read_absences(run)),
    ]


def _floor(one: Measurement, floors: Sequence[Measurement]) -> str:
    of_metric = [floor for floor in floors if floor.name == one.name and floor.epoch == one.epoch]
    same = [floor for floor in of_metric if floor.protocol == one.protocol]
    if same:
        return str(same[0])
    return "; ".join(f"{floor} ({floor.protocol.n_fake:,} images)" for floor in of_metric)


def _why(run: RunDir) -> str:
    try:
        weights.find()
    except MetricError as error:
        return str(error)
    return f"`ganutils metrics {run}` measures it"
