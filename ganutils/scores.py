"""Which of a run's numbers are its scores while it trained."""

from ganutils.measurements import Measurement, read_measurements
from ganutils.runs import RunDir


def monitored(run: RunDir) -> list[Measurement]:
    """Return the scores that were taken while the run was trained, of the protocol with the most of them."""
    scored = {row["epoch"] for row in run.history().epochs if "score_seconds" in row}
    found: dict[object, list[Measurement]] = {}
    for one in read_measurements(run):
        if one.name == "KID" and one.epoch in scored:
            found.setdefault(one.scale, []).append(one)
    return max(found.values(), key=len, default=[])
