"""RunParams: every knob that all runs share, with its unit, bounds and default; strict reading."""

import datetime
import re
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from ganutils.errors import ParameterError
from ganutils.names import nearest

FEWEST = 10  # images that metrics need: parts of the Inception score, more than neighbours in coverage
PriorKind = Literal["normal", "uniform", "laplace", "truncated", "sphere"]


def knob(
    default: Any, meaning: str, *, may: Literal["stay", "grow", "change"] = "stay", **bounds: Any
) -> Any:
    """Declare a parameter.

    `may` says what a resumed run allows: the value must `stay`, may only `grow`, or may `change` because
    the training stays the same one, though another device, for one, rounds otherwise.
    """
    return Field(default, description=meaning, json_schema_extra={"may": may}, **bounds)


class NotebookParams(BaseModel):
    """The parameters that every notebook has, read strictly.

    Raises `ParameterError`, with one line for each wrong name or value.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        validate_default=True,
        coerce_numbers_to_str=True,
    )
    variant: ClassVar[str] = ""  # the notebook's and the module's name

    author: str = knob("", "who hands in the report", may="change")
    student_id: str = knob("", "printed under the author", may="change")
    course: str = knob("", "printed under the author", may="change")
    date: str = knob("", "printed under the author", may="change")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.variant = cls.__module__.rsplit(".", 1)[-1]

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**{name: self._plain(name, value) for name, value in values.items()})
        except ValidationError as error:
            lines = [_explain(type(self), detail) for detail in error.errors()]
            raise ParameterError("\n".join(lines)) from None

    @classmethod
    def _plain(cls, name: str, value: Any) -> Any:
        # papermill's -p leaves none as text; YAML reads 2026-11-22 as a date
        if isinstance(value, datetime.date):
            return value.isoformat()
        is_text = name in cls.model_fields and cls.model_fields[name].annotation is str
        return "" if is_text and (value is None or str(value).lower() in ("none", "null")) else value

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any, info: Any) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation in (int, float):
            raise ValueError("must be a number")
        return value

    def require(self, condition: bool, name: str, rule: str) -> None:
        """Raise `ParameterError` about the parameter `name` unless `condition` holds."""
        if not condition:
            raise ParameterError(_sentence(type(self), name, getattr(self, name), rule))


class RunParams(NotebookParams):
    """The parameters of a run; each variant's `Params` adds its own."""

    image_sizes: ClassVar[tuple[int, ...]] = (32, 64)

    dataset: Literal["auto", "cifar10", "image_folder", "shapes"] = knob(
        "auto", "auto (CIFAR-10 or else shapes), cifar10, image_folder or shapes"
    )
    data_dir: str = knob("", "folder or archive of the images, empty: data/", may="change")
    data_label: str = knob("", "name of the data in titles, empty: the data set's own", may="change")
    classes: str = knob("", "class names or indices, comma separated, empty: all")
    split: Literal["train", "test"] = knob("train", "train or test images")
    n_images: int = knob(0, "use only this many images, 0: all", ge=0)
    image_size: int = knob(32, "height and width, pixels")
    flip: bool = knob(True, "mirror half of the real images left to right")

    latent_size: int = knob(100, "numbers in a latent", ge=1, le=4096)
    prior: PriorKind = knob("normal", f"where latents come from: {', '.join(get_args(PriorKind))}")

    epochs: int = knob(10, "passes over the real images", may="grow", ge=1)
    max_minutes: float = knob(0.0, "pause after this many minutes, 0: no limit", may="change", ge=0)
    batch_size: int = knob(64, "real images in an update", ge=2)
    optimizer: Literal["adam", "rmsprop"] = knob("adam", "adam or rmsprop")
    learning_rate: float = knob(2e-4, "learning rate of both networks", gt=0, lt=1)
    d_learning_rate: float = knob(1.0, "the discriminator's learning rate as a multiple of it", gt=0, le=100)
    beta1: float = knob(0.5, "Adam's decay of the mean gradient", ge=0, lt=1)
    beta2: float = knob(0.999, "Adam's decay of the squared gradient; RMSprop's too", ge=0, lt=1)
    schedule: Literal["constant", "linear"] = knob(
        "constant", "learning rate: constant, or linear to 0 at the end"
    )
    d_steps: int = knob(1, "discriminator updates for one generator update", ge=1, le=100)
    augment: str = knob("", "random changes to real and generated images: color, translation, or both")
    ema: float = knob(0.0, "decay of the generator's moving average used for samples, 0: off", ge=0, lt=1)

    sample_epochs: str = knob("1,5,10", 'epochs with a sample grid: "1,5,10" or "every 200"', may="change")
    n_samples: int = knob(64, "images in a sample grid", ge=1, le=4096)
    log_every: int = knob(1, "updates averaged in a line of the history", ge=1, le=1000)
    metric_every: int = knob(0, "epochs between two scores (KID) while training, 0: none", may="change", ge=0)
    metric_samples: int = knob(1000, "generated and real images of such a score", may="change", ge=50)
    metric_share: float = knob(
        0.2, "largest share of the training time that scores may take", may="change", gt=0, le=1
    )
    measure_samples: int = knob(
        1000,
        "generated, and as many real, images for the report's metrics, 0: none",
        may="change",
        ge=0,
        le=1_000_000,
    )
    on_nan: Literal["stop", "rollback"] = knob(
        "stop",
        "at a NaN: stop, or rollback to the last checkpoint at half the learning rate",
        may="change",
    )
    checkpoint_minutes: float = knob(5.0, "time between checkpoints within an epoch", may="change", gt=0)

    run: str = knob("", "run folder, empty: runs/ and a name made from the parameters", may="change")
    seed: int = knob(0, "seed of every random stream", ge=0, lt=2**31)
    device: str = knob(
        "auto", "auto, cpu, cuda or mps", may="change", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$"
    )
    precision: Literal["auto", "fp32", "bf16"] = knob(
        "auto", "auto, fp32 or bf16 arithmetic in training; fp32: also in its scores"
    )
    deterministic: bool = knob(False, "on a GPU: slower, and the same numbers each time", may="change")
    cuda_graph: bool = knob(
        True, "on a CUDA GPU: record an update once and replay it as a whole", may="change"
    )
    compile: bool = knob(
        False, "compile the networks: minutes at first, for long runs on a GPU", may="change"
    )

    @field_validator("classes", "sample_epochs", "augment", mode="before")
    @classmethod
    def _list_as_text(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return ",".join(str(item) for item in value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value.strip("[] ") if isinstance(value, str) else value

    @field_validator("augment")
    @classmethod
    def _known_augmentation(cls, value: str) -> str:
        kinds = [kind.strip() for kind in value.split(",") if kind.strip()]
        if not set(kinds) <= {"color", "translation"}:
            raise ValueError('must be "color", "translation", "color,translation" or empty')
        return ",".join(kinds)

    @field_validator("sample_epochs")
    @classmethod
    def _readable_epochs(cls, value: str) -> str:
        is_sampled(1, value)
        return value

    @model_validator(mode="after")
    def _enough_to_measure(self) -> Self:
        self.require(
            not 0 < self.measure_samples < FEWEST, "measure_samples", f"must be 0, or {FEWEST} or more"
        )
        return self

    @model_validator(mode="after")
    def _known_image_size(self) -> Self:
        self.require(
            self.image_size in self.image_sizes,
            "image_size",
            f"must be {' or '.join(str(size) for size in self.image_sizes)}",
        )
        return self

    def may(self, name: str) -> str:
        """Say what a resumed run allows for a parameter: stay, grow or change."""
        if name == "epochs" and self.schedule == "linear":
            return "stay"  # the learning rate of every update depends on the length
        return type(self).model_fields[name].json_schema_extra["may"]


def is_sampled(epoch: int, sample_epochs: str) -> bool:
    """Say whether `epoch` (from 1) gets a sample grid; the text is "1,5,10", "every 200", or both mixed.

    Raises `ValueError` if the text is neither.
    """
    chosen = False
    for part in filter(None, (part.strip() for part in sample_epochs.split(","))):
        match = re.fullmatch(r"(every\s+)?([1-9]\d*)", part)
        if not match:
            raise ValueError('must be epochs like "1,5,10", or "every 200"')
        number = int(match[2])
        chosen |= epoch % number == 0 if match[1] else epoch == number
    return chosen


def _explain(cls: type[NotebookParams], detail: ErrorDetails) -> str:
    value = detail["input"]
    name = str(detail["loc"][0] if detail["loc"] else value)  # a name that is no text has none
    if name not in cls.model_fields:
        from ganutils.hints import hint  # reads all notebooks' parameters

        told = hint(name, cls.model_fields)
        return f"There is no parameter {name!r}{told} `ganutils params {cls.variant}` lists them all."
    rule = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    allowed = get_args(cls.model_fields[name].annotation)
    if detail["type"] == "literal_error":
        rule += nearest(value, allowed)
    if detail["type"] == "string_pattern_mismatch":
        rule = f"must be {cls.model_fields[name].description}"
    return _sentence(cls, name, value, rule.split(", unable to parse")[0])


def _sentence(cls: type[NotebookParams], name: str, value: Any, rule: str) -> str:
    field = cls.model_fields[name]
    told = bool(get_args(field.annotation)) or field.description in rule  # literals name themselves
    meaning = "" if told else f" ({field.description})"
    end = "" if rule.endswith("?") else "."
    return f"{name}={value!r}: {rule}{meaning}{end} The default is {field.default!r}."


def parameters_cell(cls: type[NotebookParams]) -> str:
    """Return the source of a notebook's parameters cell: `name: type = literal  # meaning` a line."""
    lines = [f"# Parameters of {cls.variant}"]
    for name, field in cls.model_fields.items():
        kind = type(field.default).__name__
        lines.append(f"{name}: {kind} = {_literal(field.default)}  # {field.description}")
    return "\n".join(lines)


def _literal(value: Any) -> str:
    return '"' + value.replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)
