"""Which figures float: those that would leave a gap, and no others, so that most stay in their text."""

from collections.abc import Callable
from typing import Any

# A figure that begins so high on a page (cm) did not fit on the page before.
PAGE_TOP = 5.0

Spots = list[dict[str, Any]]


def floating(spots_of: Callable[[set[int]], Spots]) -> set[int]:
    """Return the numbers of the figures that shall float.

    `spots_of` typesets the report with a set of floating figures and returns, in their order, where each
    figure stands: {"figure": number, "fixed": it must not float, "page": page, "y": cm from the top,
    "height": cm}.
    """
    chosen: set[int] = set()
    while (found := _first_misplaced(spots_of(chosen), chosen)) is not None:
        chosen.add(found)
    return chosen


def _first_misplaced(spots: Spots, chosen: set[int]) -> int | None:
    for before, spot in zip([None, *spots], spots, strict=False):
        if spot["figure"] in chosen or spot["fixed"]:
            continue
        follows = before if before is not None and before["figure"] in chosen else None
        # The figure before may float at the top of the page and push this one down.
        pushed = follows["height"] if follows and follows["page"] == spot["page"] - 1 else 0
        jumped = spot["page"] > 1 and spot["y"] < PAGE_TOP + pushed
        # A floating figure may stand further down the page: the next one must not overtake it.
        overtakes = follows is not None and follows["page"] == spot["page"]
        if jumped or overtakes:
            return spot["figure"]
    return None
