"""The rows of an ablation: a base, its repetitions, each change by itself, all but one, all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ganutils.changes import file_name, written
from ganutils.errors import ParameterError
from ganutils.names import nearest
from ganutils.params import RunParams

Values = Mapping[str, Any]
ALL_BUT = "all but "  # begins the label of a row that leaves one change out
Kind = Literal["base", "repeat", "single", "without", "all"]

# Without these, rows would have no common images, length or sample grids.
_HELD = {"dataset", "split", "classes", "n_images", "image_size", "epochs", "seed", "n_samples", "log_every"}


@dataclass(frozen=True)
class Row:
    """One run of an ablation."""

    kind: Kind
    label: str  # in tables and figures: "d_norm=spectral"
    folder: str  # of its run: "d_norm-spectral"
    params: RunParams
    change: int | None = None  # number, from 0, of the change that it makes or lacks; of all: their count


def plan(
    variant: type[RunParams],
    base: Values,
    changes: Sequence[Values],
    *,
    together: bool = True,
    without: str = "",
    repeats: int = 0,
) -> list[Row]:
    """Return the rows for the `changes` of a base run with the parameters `base`.

    `without` names parameters, separated by commas: each change that sets one of them gets a row with all
    the others; for "all", each change does. A row that would repeat an earlier one is left out: one change
    alone is also all of them. Raises `ParameterError` for a name or value that the variant refuses, for a
    change that changes nothing, comes twice or touches what all rows share, for changes that cannot be put
    together, and for a name in `without` that no change sets.
    """
    rows = [Row("base", "base", "base", variant(**base))]
    for seed in range(rows[0].params.seed + 1, rows[0].params.seed + 1 + repeats):
        rows.append(
            Row("repeat", f"base, seed {seed}", f"base-seed-{seed}", variant(**{**base, "seed": seed}))
        )
    singles = _singles(rows[0], base, changes)
    rows += singles
    ways: list[tuple[Kind, str, str, int, Sequence[Values]]] = []
    for number in _left_out(changes, without):
        label, folder = f"{ALL_BUT}{singles[number].label}", f"without-{singles[number].folder}"
        ways.append(("without", label, folder, number, [*changes[:number], *changes[number + 1 :]]))
    if together:
        ways.append(("all", "all changes", "all", len(changes), changes))
    for kind, label, folder, number, chosen in ways:
        params = _made(rows[0], base, _merged(chosen))
        if all(params != row.params for row in rows):
            rows.append(Row(kind, label, folder, params, number))
    return rows


def _left_out(changes: Sequence[Values], without: str) -> list[int]:
    """Return the numbers of the changes that get a row without them."""
    names = {name.strip() for name in without.split(",")} - {""}
    known = list(dict.fromkeys(name for change in changes for name in change))
    if "all" in names:
        return list(range(len(changes)))
    for name in sorted(names):
        if name not in known:
            raise ParameterError(
                f"without={without!r}: no change sets {name!r}{nearest(name, known) or '.'} Name some of "
                f"{', '.join(known)}, or all."
            )
    return [number for number, change in enumerate(changes) if names & change.keys()]


def _singles(base_row: Row, base: Values, changes: Sequence[Values]) -> list[Row]:
    rows = [base_row]
    for number, change in enumerate(changes):
        params = _made(base_row, base, change)
        same = next((row for row in rows if row.params == params), None)
        if same is base_row:
            raise _wrong(change, "is what the base has already; leave it out")
        if same is not None:
            raise _wrong(change, f"is the same as {same.label}; leave one of them out")
        settings = {name: getattr(params, name) for name in change}  # 2e-4 and 0.0002 are one folder
        rows.append(Row("single", written(settings), file_name(settings), params, number))
    return rows[1:]


def _made(base_row: Row, base: Values, values: Values) -> RunParams:
    try:
        params = type(base_row.params)(**{**base, **values})
    except ParameterError as error:
        raise _wrong(values, " ".join(str(error).splitlines())) from None
    held = [name for name in values if name in _HELD or base_row.params.may(name) == "change"]
    if held:
        raise _wrong(values, f"{held[0]} is the same in all rows; set it for the study, or in common")
    return params


def _merged(changes: Sequence[Values]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for change in changes:
        for name, value in change.items():
            if merged.setdefault(name, value) != value:
                raise _wrong(
                    {name: merged[name]},
                    f"cannot go together with {name}={value}; leave one of them out, or set `together` "
                    "to false and leave `without` empty to try each by itself",
                )
    return merged


def _wrong(change: Values, rule: str) -> ParameterError:
    return ParameterError(f"changes, {written(change)!r}: {rule.removesuffix('.')}.")
