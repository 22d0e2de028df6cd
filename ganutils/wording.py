"""Words for lists of runs."""

from collections.abc import Sequence


def numbered(numbers: Sequence[str]) -> str:
    """Return "run 1", or "runs 1 and 2"."""
    return f"run{'s' if len(numbers) > 1 else ''} {listed(numbers)}"


def listed(words: Sequence[str]) -> str:
    """Return "a, b and c", each word once."""
    words = list(dict.fromkeys(words))
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
