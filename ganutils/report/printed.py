"""What a cell printed, as a reader wants it: no colours, no progress bars, no endless lists."""

import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_BAR = re.compile(
    r"\d+%\|.*\||\b\d+(?:\.\d+)?k?(?:it|s|img|images|batch|step|epoch)/(?:it|s)\b.*\]|\[\d\d:\d\d<"
)


def without_ansi(text: str) -> str:
    """Return `text` without terminal colours and cursor movements."""
    return _ANSI.sub("", text)


def plain_lines(text: str) -> list[str]:
    """Return the lines that stay on a terminal: overwritten ones and progress bars are dropped."""
    lines = []
    for line in without_ansi(text).replace("\r\n", "\n").split("\n"):
        # After a carriage return the line was written again; what remains is the last writing.
        last = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        if not (line.strip() and (not last or _BAR.search(last))):
            lines.append(last.rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines


def shortened(lines: list[str], most: int) -> list[str]:
    """Return at most about `most` lines: the first and the last, with a note of how many are left out."""
    if len(lines) <= most:
        return lines
    kept = max(1, most // 2)
    return [*lines[:kept], f"... {len(lines) - 2 * kept} lines left out ...", *lines[-kept:]]
