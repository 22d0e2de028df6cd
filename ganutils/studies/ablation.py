"""Ablation: runs that differ from a base in one change each, at equal data, seed and length."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import field_validator

from ganutils import variants
from ganutils.ablation_plan import Row, plan
from ganutils.changes import parse
from ganutils.data import Dataset, load_dataset
from ganutils.errors import DivergedError, ParameterError
from ganutils.finished import FinishedRun
from ganutils.identity import describe, name_of
from ganutils.params import NotebookParams, RunParams, knob
from ganutils.paths import resolve, shown
from ganutils.presets import read_preset
from ganutils.runs import RunDir
from ganutils.training import train


class Params(NotebookParams):
    """Parameters of the ablation; those of the runs come from `base`, and what is set here goes before."""

    gan: str = knob("siamese", "variant that is trained, such as siamese")
    base: str = knob(
        "notebooks/presets/siamese-difference.yaml",
        "preset of the base, empty: the variant's defaults",
    )
    common: str = knob(
        "", "settings of every run, before those of the base, such as width: 16; batch_size: 32"
    )
    changes: str = knob(
        "ema: 0.999; augment: color, translation; d_norm: spectral",
        "changes to try, each by itself; + joins what one change sets",
    )
    together: bool = knob(True, "a row with all changes at once")
    without: str = knob("", "parameters whose change is left out of all changes, a row each; or all")
    repeats: int = knob(0, "further runs of the base with the next seeds: how much is chance", ge=0, le=9)

    epochs: int = knob(20, "passes over the real images, in every run", ge=1)
    max_minutes: float = knob(0.0, "pause the whole study after so many minutes, 0: no limit", ge=0)
    seed: int = knob(0, "seed of every run", ge=0, lt=2**31 - 9)
    dataset: str = knob("", "auto, cifar10, image_folder or shapes, empty: the base's, or auto")
    data_dir: str = knob("", "folder or archive of the images, empty: the base's")
    data_label: str = knob("", "name of the data in titles, empty: the base's")
    classes: str = knob("", "class names or indices, comma separated, empty: the base's")
    n_images: int = knob(0, "use only so many images, 0: the base's", ge=0)

    runs: str = knob("", "folder of the runs, empty: runs/ and a name made from the base")
    study_samples: int = knob(1000, "images of each run for the numbers of variety", ge=50, le=5000)
    columns: int = knob(8, "images of each run in the strip of samples", ge=1, le=16)

    @field_validator("changes", "common", "classes", mode="before")
    @classmethod
    def _list_as_text(cls, value: Any, info: Any) -> Any:
        between = "," if info.field_name == "classes" else "; "
        return between.join(str(item) for item in value) if isinstance(value, (list, tuple)) else value

    @field_validator("without", mode="before")
    @classmethod
    def _all_or_nothing(cls, value: Any) -> Any:
        named = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        return ("all" if named else "") if isinstance(named, bool) else named

    @field_validator("changes", "common")
    @classmethod
    def _readable(cls, value: str, info: Any) -> str:
        if not parse(value) and info.field_name == "changes":
            raise ValueError('must hold at least one change, such as "d_norm=spectral"')
        return value

    def plan(self) -> list[Row]:
        """Return the rows, whose runs have no folder yet.

        Raises `ParameterError` for a variant that is not there, for a preset that cannot be read or is
        another variant's, and for whatever `ganutils.ablation_plan.plan` refuses.
        """
        return plan(
            variants.get(self.gan).Params,
            self._base(),
            parse(self.changes),
            together=self.together,
            without=self.without,
            repeats=self.repeats,
        )

    def _base(self) -> dict[str, Any]:
        values = self._preset() if self.base else {}
        for settings in parse(self.common):
            own = [name for name in settings if name in Params.model_fields or name == "run"]
            self.require(not own, "common", f"cannot set {', '.join(own)}: the study has its own parameter")
            values |= settings
        data = ("dataset", "data_dir", "data_label", "classes", "n_images")
        if values.get("dataset") == "cifar10":
            values["dataset"] = "auto"  # the same where CIFAR-10 can be had; elsewhere shapes, with a notice
        values |= {name: getattr(self, name) for name in data if getattr(self, name)}
        return {**values, "epochs": self.epochs, "seed": self.seed, "max_minutes": 0, "run": ""}

    def _preset(self) -> dict[str, Any]:
        path = resolve(self.base)
        there = sorted(shown(file) for file in path.parent.glob(f"{self.gan}-*.yaml"))
        advice = f"name one of {', '.join(there)}, or leave it empty" if there else "leave it empty"
        self.require(path.is_file(), "base", f"there is no such file; {advice}")
        other = path.stem.split("-")[0]
        is_other = other in variants.names() and other != self.gan
        self.require(not is_other, "base", f"is a preset of {other}, not of {self.gan}; {advice}")
        return read_preset(path, f"base={self.base!r}")


@dataclass(frozen=True)
class AblationRun(FinishedRun):
    """A run of the study that came to its end: the last epoch, or a loss that is not finite any more."""

    row: Row
    diverged: bool

    @property
    def label(self) -> str:
        """Number and change."""
        return f"{super().label}{' (diverged)' if self.diverged else ''}"


@dataclass(frozen=True)
class Study:
    """The rows of an ablation with their images and run folders."""

    params: Params
    rows: list[Row]
    dataset: Dataset
    folders: list[RunDir]

    def train(self) -> list[AblationRun]:
        """Train what is not finished yet, row by row, and return the runs that came to their end.

        Stopping (Ctrl-C, the notebook's stop button, `max_minutes`) saves the running row; the same
        study goes on there. A row whose loss is not finite any more has diverged, which is a result.
        """
        diverged = set()
        for number, params in self._in_time():
            print(f"Row {number} of {len(self.rows)}: {self.rows[number - 1].label}")
            gan, folder = variants.build(params, self.dataset), self.folders[number - 1]
            try:
                history = train(gan, self.dataset, params, folder)
            except DivergedError as error:
                diverged.add(number)
                print(error)
            else:
                if history.epoch < params.epochs:
                    break
        return list(self._ended(diverged))

    def _in_time(self) -> Iterator[tuple[int, RunParams]]:
        limit = self.params.max_minutes
        end = time.monotonic() + 60 * limit
        for number, row in enumerate(self.rows, 1):
            left = (end - time.monotonic()) / 60 if limit else 0.0
            if limit and left <= 0:
                print("Paused by max_minutes. The same command goes on from here.")
                return
            yield number, row.params.model_copy(update={"max_minutes": left})

    def _ended(self, diverged: set[int]) -> Iterator[AblationRun]:
        for number, (row, folder) in enumerate(zip(self.rows, self.folders, strict=True), 1):
            done = folder.history().epoch
            # A run that diverged within its first epoch has neither samples nor a mean to show.
            shown = number in diverged and done and folder.sample_epochs()
            if done >= row.params.epochs or shown:
                yield AblationRun(number, row.label, folder, row=row, diverged=number in diverged)

    def standing(self, runs: list[AblationRun]) -> str:
        """Say in Markdown which rows have not come to their end; empty if all have."""
        missing = [
            row.label for number, row in enumerate(self.rows, 1) if number not in {r.number for r in runs}
        ]
        if not missing:
            return ""
        return (
            f"> **Notice.** {len(runs)} of {len(self.rows)} rows are shown. Not finished, or diverged before "
            f"their first samples: {', '.join(missing)}. The same parameters go on from here."
        )


def open_study(params: Params) -> Study:
    """Plan the rows, load their images and open their run folders; whatever is wrong is told here.

    Raises `ParameterError` for a base or change that the variant refuses, `DataError` for images that
    cannot be had, `RunError` where a folder holds another run.
    """
    rows = params.plan()
    # Rows share their images; the largest batch must fit them.
    dataset = load_dataset(max(rows, key=lambda row: row.params.batch_size).params)
    name = params.runs or f"runs/ablation-{name_of(describe(rows[0].params, dataset))}"
    rows = [
        replace(row, params=row.params.model_copy(update={"run": f"{name}/{row.folder}"})) for row in rows
    ]
    for row in rows:
        try:
            variants.build(row.params, dataset)
        except ParameterError as error:
            raise ParameterError(f"Row {row.label!r}: {error}") from None
    # Folders that are there come first: where one is refused, no other has been made.
    order = sorted(rows, key=lambda row: not resolve(row.params.run).exists())
    folders = {row.folder: RunDir.open(row.params, dataset) for row in order}
    return Study(params, rows, dataset, [folders[row.folder] for row in rows])
