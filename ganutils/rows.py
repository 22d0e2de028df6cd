"""JSON lines as columns of numbers: half a million rows take some megabytes and a second to read."""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice, takewhile
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, float | int]
Block = dict[str, np.ndarray]  # columns of some rows, NaN where a row lacks one

_LINES = 4096  # lines that are held as Python objects at a time
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Rows(Sequence[Row]):
    """Rows of numbers, held as columns; a row lacks what it does not record."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._keep([_columns(list(rows))])

    @classmethod
    def read(cls, path: Path) -> "Rows":
        """Read JSON lines; a last line torn by a crash is left out.

        A damaged line is left out with all that follow, and told.
        """
        rows = cls()
        if path.exists():
            rows._keep(list(_read_blocks(path)))
        return rows

    def _keep(self, blocks: list[Block]) -> None:
        self._length = sum(_length(block) for block in blocks)
        self._columns = {
            name: np.concatenate([_column(block, name) for block in blocks])
            for name in dict.fromkeys(name for block in blocks for name in block)
        }

    def names(self) -> list[str]:
        """Return the names of the columns, in order of first appearance."""
        return list(self._columns)

    def column(self, name: str) -> np.ndarray:
        """Return a column (N,), NaN where a row lacks it."""
        return self._columns.get(name, np.full(self._length, np.nan))

    def first(self, count: int) -> "Rows":
        """Return the first rows."""
        rows = Rows()
        rows._keep([{name: column[:count] for name, column in self._columns.items()}])
        return rows

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._length))]
        place = range(self._length)[index]
        values = {name: column[place].item() for name, column in self._columns.items()}
        return {name: value for name, value in values.items() if value == value}

    def __iter__(self) -> Iterator[Row]:
        names = self.names()
        for start in range(0, self._length, _LINES):
            lists = [column[start : start + _LINES].tolist() for column in self._columns.values()]
            for values in zip(*lists, strict=True):
                yield {name: value for name, value in zip(names, values, strict=True) if value == value}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None


def _read_blocks(path: Path) -> Iterator[Block]:
    number = 0  # of the lines that are good
    with path.open("rb") as file:
        while lines := list(islice(file, _LINES)):
            if not lines[-1].endswith(b"\n"):
                lines.pop()
            try:
                block = _parse(lines)
            except _DAMAGE:
                good = list(takewhile(_is_good, lines))
                _warn(path, number + len(good) + 1)
                yield _parse(good)
                return
            number += len(lines)
            yield block


def _is_good(line: bytes) -> bool:
    try:
        return _length(_parse([line])) == 1
    except _DAMAGE:
        return False


def _parse(lines: list[bytes]) -> Block:
    block = _columns(json.loads(b"[" + b",".join(lines) + b"]"))
    if lines and (_length(block) != len(lines) or block["step"].dtype.kind != "i"):
        raise ValueError("a line is no row")
    return block


def _columns(rows: list[Row]) -> Block:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _array([row.get(name, np.nan) for row in rows]) for name in names}


def _array(values: list[Any]) -> np.ndarray:
    array = np.array(values)
    return array if array.dtype.kind in "if" else np.array(values, dtype=object)


@cache  # a file is read more than once
def _warn(path: Path, line: int) -> None:
    print(f"WARNING: {path}: line {line} is damaged; it and what follows are left out.")


def _column(block: Block, name: str) -> np.ndarray:
    return block[name] if name in block else np.full(_length(block), np.nan)


def _length(block: Block) -> int:
    return len(next(iter(block.values()), ()))
