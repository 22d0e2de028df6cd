"""Which figures float: those that would leave a gap, and no others, so that most stay in their text."""

from collections.abc import Callable, Iterator
from typing import Any

# A figure that begins so high on a page (cm) did not fit on the page before.
PAGE_TOP = 5.0
# Each try typesets the report. Those after the careful ones choose all figures that stand badly at once:
# with hundreds of figures it would else take minutes.
CAREFUL_TRIES, TRIES = 12, 20

Spots = list[dict[str, Any]]


def floating(spots_of: Callable[[set[int]], Spots]) -> set[int]:
    """Return the numbers of the figures that shall float.

    `spots_of` typesets the report with a set of floating figures and returns, in their order, where each
    figure stands: {"figure": number, "kind": "image" or "table", "fixed": it must not float, "page": page,
    "y": cm from the top, "height": cm}.
    """
    chosen: set[int] = set()
    for number in range(TRIES):
        found = list(_misplaced(spots_of(chosen), chosen))
        if not found:
            break
        chosen.update(found[:1] if number < CAREFUL_TRIES else found)
    return chosen


def _misplaced(spots: Spots, chosen: set[int]) -> Iterator[int]:
    floats: Spots = []
    last: dict[str, dict[str, Any]] = {}  # of each kind, which are numbered apart
    for spot in spots:
        before, last[spot["kind"]] = last.get(spot["kind"]), spot
        if spot["figure"] in chosen:
            floats.append(spot)
            continue
        # What floats may have come to the top of this page and push this figure down.
        pushed = sum(other["height"] for other in floats if spot["page"] - other["page"] in (0, 1))
        jumped = spot["page"] > 1 and spot["y"] < PAGE_TOP + pushed
        # It may also stand further down: the next figure of its kind must not overtake it.
        overtakes = before in floats and before["page"] == spot["page"]
        if not spot["fixed"] and (jumped or overtakes):
            yield spot["figure"]
