"""metrics.json of a run folder: numbers about quality, each with its epoch and its protocol.

A list of objects, one a number: {"name": "FID", "value": 31.2, "epoch": 10, "protocol": {"reference":
"CIFAR-10, train split, all 10 classes, 32x32", "n_real": 50000, "n_fake": 10000, "network": "...",
"resizer": "...", "precision": "fp32", "weights": "faa3...", "images": "0b5c..."}}. Where it is known, "error"
is the standard error. "of" says what was measured, by default the generator; real images in its place give
the floor. {"name": ..., "why": ...} says why a number is missing. Only numbers of one scale, that is of the
same name and protocol, share a ranking or an axis.
"""

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ganutils.errors import RunError
from ganutils.files import write_atomic
from ganutils.runs import RunDir

_RISING = frozenset({"precision", "recall", "density", "coverage", "inception score"})
_FORMS = {"FID": ".1f", "KID": ".4f", "inception": ".2f", **dict.fromkeys(_RISING, ".3f")}  # by first word
_GENERATOR = "generator"
_ROUNDED = 1e-4  # fractions of epochs are rounded by less
_LOCK, _PATIENCE = ".metrics.lock", 60.0  # seconds; writing takes a moment


class Protocol(BaseModel):
    """How a number was measured; an unknown field is refused, as ignoring it would mix protocols."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str  # real images compared with: data set, split, classes, size
    n_real: int = Field(ge=1)
    n_fake: int = Field(ge=1)
    network: str  # what turns images into features
    resizer: str
    precision: str
    weights: str = ""  # beginning of the SHA-256 of the network's weights, empty: not recorded
    images: str = ""  # beginning of the fingerprint of the real images, empty: not recorded

    @property
    def reference_marked(self) -> str:
        """The reference and what identifies its images."""
        return f"{self.reference} (content {self.images})" if self.images else self.reference

    @property
    def network_marked(self) -> str:
        """The network and what identifies its weights."""
        return f"{self.network} (weights {self.weights})" if self.weights else self.network

    def __str__(self) -> str:
        return (
            f"{self.n_fake:,} images against {self.n_real:,} real ones of {self.reference_marked}; "
            f"{self.network_marked}, {self.resizer}, {self.precision}"
        )


Scale = tuple[str, Protocol]  # name of the metric and protocol


class Title(NamedTuple):
    """What a metric and protocol are called where several are compared: "FID (A)"."""

    name: str
    letter: str  # of the protocol

    def __str__(self) -> str:
        return f"{self.name} ({self.letter})"


class Measurement(BaseModel):
    """One number about the generator at one moment, or about real images in its place.

    `epoch` counts what was passed: a fraction if training was stopped within an epoch.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1)
    value: float
    epoch: int | float = Field(gt=0)
    protocol: Protocol
    error: float | None = Field(None, ge=0)  # standard error of the value
    of: str = _GENERATOR  # what was measured; other things than the generator give the floor

    @property
    def scale(self) -> Scale:
        """Name and protocol: what must agree before two numbers are compared."""
        return self.name, self.protocol

    @property
    def is_overall(self) -> bool:
        """Whether the number is about all classes; "FID cat" and "KID cat" are about one."""
        return not self.name.startswith(("FID ", "KID "))

    @property
    def badness(self) -> float:
        """The value, negated where higher is better: of one scale, the smallest is the best."""
        return -self.value if is_rising(self.name) else self.value

    def __str__(self) -> str:
        return self.written()

    def written(self, digits: int = 2, *, with_error: bool = True) -> str:
        """Return the value to as many places as its error has in so many digits, or in its metric's form."""
        if not self.error:
            return f"{self.value:{form(self.name)}}"
        places = max(0, digits - 1 - math.floor(math.log10(self.error)))
        return f"{self.value:.{places}f}" + (f" ± {self.error:.{places}f}" if with_error else "")


def form(name: str) -> str:
    """Return the format of a metric's number where no error is known."""
    return _FORMS.get(name.split()[0], ".4g")


class Absence(BaseModel):
    """Why a number is not there."""

    name: str = Field(min_length=1)
    why: str


def read_measurements(run: RunDir) -> list[Measurement]:
    """Return the generator's numbers in the run's metrics.json by epoch; empty without it: not measured.

    Raises `RunError` if the file is no such list or names an epoch that the run did not reach.
    """
    return [one for one in _numbers(run) if one.of == _GENERATOR]


def read_floors(run: RunDir) -> list[Measurement]:
    """Return what real images score in the generator's place; errors as of `read_measurements`."""
    return [one for one in _numbers(run) if one.of != _GENERATOR]


def floor_of(runs: Iterable[RunDir], scale: Scale) -> Measurement | None:
    """Return what real images score on a scale, from the first run that has it; errors as above."""
    return next((one for run in runs for one in read_floors(run) if one.scale == scale), None)


def read_absences(run: RunDir) -> list[Absence]:
    """Return what was not measured, and why; errors as of `read_measurements`."""
    return _checked(run, list[Absence], [row for row in _rows(run) if _is_absence(row)])


def write_measurements(
    run: RunDir, found: Iterable[Measurement], absent: Iterable[Absence] | None = None
) -> None:
    """Put numbers into the run's metrics.json; those of another epoch, protocol or subject stay there.

    Absences take the place of all that were there, None leaves them; a file that cannot be read gives way.
    Raises `RunError` if the file cannot be written.
    """
    try:
        # Somebody may measure a run that is trained and scored meanwhile.
        with FileLock(run.path / _LOCK, timeout=_PATIENCE):
            _merge(run, found, absent)
    except OSError as error:
        raise RunError(
            f"{run.path / 'metrics.json'}: cannot be written ({error.strerror or error})."
        ) from None


def _merge(run: RunDir, found: Iterable[Measurement], absent: Iterable[Absence] | None) -> None:
    try:
        old, absences = _numbers(run), read_absences(run)
    except RunError:
        old, absences = [], []
    absences = absences if absent is None else absent
    merged = {(one.scale, one.epoch, one.of): one for one in [*old, *found]}
    rows = [one.model_dump(exclude_defaults=True) for one in [*merged.values(), *absences]]
    write_atomic(run.path / "metrics.json", json.dumps(rows, indent=2).encode())


def drop_later(run: RunDir, epoch: float) -> None:
    """Forget numbers from after `epoch`, which may be a fraction: all that will be trained again.

    Raises `RunError` if the file is damaged.
    """
    if not (run.path / "metrics.json").exists():
        return
    with FileLock(run.path / _LOCK, timeout=_PATIENCE):
        rows = _rows(run)
        _checked(run, list[Measurement], [row for row in rows if not _is_absence(row)])
        kept = [row for row in rows if _is_absence(row) or row["epoch"] <= epoch + _ROUNDED]
        if kept != rows:
            write_atomic(run.path / "metrics.json", json.dumps(kept, indent=2).encode())


def _numbers(run: RunDir) -> list[Measurement]:
    found = _checked(run, list[Measurement], [row for row in _rows(run) if not _is_absence(row)])
    done = run.history().passed
    late = next((one for one in found if one.epoch > done + _ROUNDED), None)
    if late is not None:
        raise RunError(
            f"{run.path / 'metrics.json'}: {late.name} of epoch {late.epoch}, but the run passed {done:g} "
            "epochs. Measure the run again, or delete the file."
        )
    return sorted(found, key=lambda one: one.epoch)


def _rows(run: RunDir) -> list[Any]:
    path = run.path / "metrics.json"
    return _checked(run, list[Any], path.read_bytes()) if path.exists() else []


def _is_absence(row: Any) -> bool:
    return isinstance(row, dict) and "why" in row


def _checked(run: RunDir, kind: Any, content: bytes | list[Any]) -> Any:
    adapter = TypeAdapter(kind)
    try:
        is_file = isinstance(content, bytes)
        return adapter.validate_json(content) if is_file else adapter.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        path = run.path / "metrics.json"
        raise RunError(
            f"{path}: {place}: {first['msg']}. Measure the run again, or delete the file."
        ) from None


def is_rising(name: str) -> bool:
    """Say whether a higher value of the metric is better; of all others, a lower one is."""
    return name.lower() in _RISING


def best(measurements: Iterable[Measurement]) -> Measurement:
    """Return the best of measurements of one scale, the earliest of equals; `ValueError` if scales differ."""
    found = list(measurements)
    if len({one.scale for one in found}) != 1:
        raise ValueError("numbers of different metrics or protocols have no common best")
    return min(found, key=lambda one: (one.badness, one.epoch))
