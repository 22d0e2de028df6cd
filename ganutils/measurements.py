"""metrics.json of a run folder: numbers about quality, each with its epoch and its protocol.

A list of objects, one a number: {"name": "FID", "value": 31.2, "epoch": 10, "protocol": {"reference":
"CIFAR-10 train", "n_real": 50000, "n_fake": 10000, "network": "...", "resizer": "...", "precision":
"fp32"}}. Only numbers of one scale, that is of the same name and protocol, share a ranking or an axis.
"""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ganutils.errors import RunError
from ganutils.runs import RunDir

_RISING = frozenset({"precision", "recall", "density", "coverage", "inception score"})


class Protocol(BaseModel):
    """How a number was measured; an unknown field is refused, as ignoring it would mix protocols."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str  # real images compared with, such as "CIFAR-10 train"
    n_real: int = Field(ge=1)
    n_fake: int = Field(ge=1)
    network: str  # what turns images into features
    resizer: str
    precision: str


Scale = tuple[str, Protocol]  # name of the metric and protocol


class Measurement(BaseModel):
    """One number about the generator after one epoch."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1)
    value: float
    epoch: int = Field(ge=1)
    protocol: Protocol

    @property
    def scale(self) -> Scale:
        """Name and protocol: what must agree before two numbers are compared."""
        return self.name, self.protocol


def read_measurements(run: RunDir) -> list[Measurement]:
    """Return the content of the run's metrics.json by epoch; empty without the file: not measured.

    Raises `RunError` if the file is no such list or names an epoch that the run did not finish.
    """
    path = run.path / "metrics.json"
    if not path.exists():
        return []
    try:
        found = TypeAdapter(list[Measurement]).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RunError(
            f"{path}: {place}: {first['msg']}. Measure the run again, or delete the file."
        ) from None
    done = run.history().epoch
    late = next((one for one in found if one.epoch > done), None)
    if late is not None:
        raise RunError(
            f"{path}: {late.name} of epoch {late.epoch}, but the run finished {done} epochs. "
            "Measure the run again, or delete the file."
        )
    return sorted(found, key=lambda one: one.epoch)


def is_rising(name: str) -> bool:
    """Say whether a higher value of the metric is better; of all others, a lower one is."""
    return name.lower() in _RISING


def best(measurements: Iterable[Measurement]) -> Measurement:
    """Return the best of measurements of one scale, the earliest of equals; `ValueError` if scales differ."""
    found = list(measurements)
    if len({one.scale for one in found}) != 1:
        raise ValueError("numbers of different metrics or protocols have no common best")
    sign = -1 if is_rising(found[0].name) else 1
    return min(found, key=lambda one: (sign * one.value, one.epoch))
