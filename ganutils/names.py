"""Names that somebody mistyped, and those that were meant."""

import difflib
from collections.abc import Sequence
from typing import Any

from ganutils.errors import ParameterError


def nearest(name: str, names: Any) -> str:
    """Return ", did you mean 'x'?" for the most similar of `names`, or an empty text."""
    found = difflib.get_close_matches(str(name), [str(other) for other in names], n=1)
    return f", did you mean {found[0]!r}?" if found else ""


def unknown(kind: str, name: str, names: Sequence[str]) -> ParameterError:
    """Return the error that no `kind` is called `name`, with the nearest of `names` and all of them."""
    near = nearest(name, names) or "."
    return ParameterError(f"There is no {kind} {name!r}{near} There are {', '.join(names)}.")
