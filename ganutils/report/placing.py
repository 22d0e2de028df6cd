"""Where figures stand: in their text if they can, and nothing on top of something else."""

from collections.abc import Callable, Iterator
from typing import Any

# Centimetres from the top of a page: a headed figure that begins above the first did not fit on the page
# before; the text ends at the second.
PAGE_TOP, PAGE_BOTTOM = 5.0, 27.4
MOST_GAP = 3.0  # cm that may stay empty
# Each try typesets the report. Those after the careful ones choose all figures that stand badly at once:
# with hundreds of figures it would else take minutes.
CAREFUL_TRIES, TRIES = 12, 20

Spots = list[dict[str, Any]]


def floating(spots_of: Callable[[set[int]], Spots]) -> set[int]:
    """Return the numbers of the figures that shall float.

    `spots_of` typesets the report with a set of floating figures and returns, in their order, where each
    figure stands: {"figure": number, "kind": "image" or "table", "fixed": it must not float, "headed": a
    heading precedes it, "page": page, "after": [page, cm from the top] where the text before it ends,
    "height": cm}.
    """
    chosen: set[int] = set()
    for number in range(TRIES):
        found = list(_misplaced(spots_of(chosen), chosen))
        if not found:
            break
        chosen.update(found[:1] if number < CAREFUL_TRIES else found)
    return chosen


def waiting(spots_of: Callable[[set[int]], Spots]) -> set[int]:
    """Return the numbers of the figures before which all that floats must have found its place.

    Typst lets a small float take room that a larger one before it did not fit into, so that numbers get
    out of order. `spots_of` typesets the report with figures that wait and returns where each stands:
    {"figure": number, "kind": "image" or "table", "landed": page}.
    """
    chosen: set[int] = set()
    for _ in range(TRIES):
        late = _overtaking(spots_of(chosen))
        if late is None or late in chosen:
            break
        chosen.add(late)
    return chosen


def _overtaking(spots: Spots) -> int | None:
    furthest: dict[str, int] = {}
    for spot in spots:
        kind, page = spot["kind"], spot["landed"]
        if page < furthest.get(kind, 0):
            return spot["figure"]
        furthest[kind] = page
    return None


def spanning(spots_of: Callable[[set[int]], Spots]) -> set[int]:
    """Return the numbers of the narrow figures of a paper that shall span both columns.

    Typst lets what spans both columns cover a figure in one of them that is too tall for the rest of the
    page. `spots_of` typesets the paper and returns where its figures stand: {"figure": number, "spans": it
    does already, "page": page, "y": cm from the top, "height": cm}.
    """
    chosen: set[int] = set()
    for _ in range(TRIES):
        spots = spots_of(chosen)
        covered = {spot["figure"] for spot in spots if not spot["spans"] and _is_covered(spot, spots)}
        if not covered:
            break
        chosen |= covered
    return chosen


def _is_covered(spot: dict[str, Any], spots: Spots) -> bool:
    end = spot["y"] + spot["height"]
    return end > PAGE_BOTTOM or any(
        other["spans"]
        and other["page"] == spot["page"]
        and other["y"] < end
        and spot["y"] < other["y"] + other["height"]
        for other in spots
    )


def _misplaced(spots: Spots, chosen: set[int]) -> Iterator[int]:
    floats: Spots = []
    last: dict[str, dict[str, Any]] = {}  # of each kind, which are numbered apart
    for spot in spots:
        before, last[spot["kind"]] = last.get(spot["kind"]), spot
        if spot["figure"] in chosen:
            floats.append(spot)
            continue
        # A float may stand a page further down: the next figure of its kind must not overtake it.
        overtakes = before in floats and before["page"] == spot["page"]
        if not spot["fixed"] and (overtakes or _gap(spot, floats) > MOST_GAP):
            yield spot["figure"]


def _gap(spot: dict[str, Any], floats: Spots) -> float:
    """Return the height in cm that a figure left empty because it did not fit there."""
    page, y = spot["after"]
    if page < spot["page"]:
        return PAGE_BOTTOM * (spot["page"] - page) - y  # pages between have floats alone
    # A heading before it went with it, and where the text ends is not known; floats came to the page's top.
    pushed = sum(other["height"] for other in floats if page - other["page"] in (0, 1))
    return PAGE_BOTTOM if page > 1 and spot["headed"] and y < PAGE_TOP + pushed else 0.0
