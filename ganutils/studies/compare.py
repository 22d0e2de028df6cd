"""Comparison of finished runs; reads their folders and trains nothing."""

import glob
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic import field_validator

from ganutils.errors import ParameterError
from ganutils.finished import FinishedRun
from ganutils.measurements import Scale, Title
from ganutils.names import nearest
from ganutils.params import NotebookParams, knob
from ganutils.paths import project_root, resolve
from ganutils.run_folders import known_runs
from ganutils.runs import RunDir, epoch_sheet

_OWN = "reports/runs/*"  # copies of the runs behind the kit's reports


class Params(NotebookParams):
    """Parameters of the comparison."""

    runs: str = knob("", "run folders or patterns such as runs/dcgan*, comma separated; empty: all in runs")
    epochs: int = knob(0, "compare the runs as they were after so many epochs, 0: as they are", ge=0)
    unfinished: bool = knob(False, "accept runs that have epochs left")
    columns: int = knob(8, "images of each run in the strip of samples", ge=1, le=16)

    @field_validator("runs", mode="before")
    @classmethod
    def _list_as_text(cls, value: Any) -> Any:
        return ",".join(str(item) for item in value) if isinstance(value, (list, tuple)) else value


def read(params: Params) -> list[FinishedRun]:
    """Return the runs that `params.runs` names, in its order, each once; a pattern's in order of names.

    A named folder must be a finished run with samples; a pattern stands for the run folders among its
    matches. Raises `ParameterError` about the first that is not so, `RunError` for a broken metrics.json.

    If nothing is named, the project's finished runs are returned, and the kit's own as long as there are
    none; what is left out is printed.
    """
    parts = [part.strip() for part in params.runs.split(",") if part.strip()]
    if not parts:
        return _all(params)
    folders = {str(folder.path): folder for part in parts for folder in _folders(part, params)}
    runs = _numbered(folders.values(), params)
    for run in runs:
        problem = _problem(run, params)
        params.require(not problem, "runs", problem)
    return runs


def _all(params: Params) -> list[FinishedRun]:
    for pattern in ("runs/*", _OWN):
        runs = _numbered(_matches(pattern), params)
        problems = [_problem(run, params) for run in runs]
        whole = [run.folder for run, problem in zip(runs, problems, strict=True) if not problem]
        if not whole:
            continue
        if pattern == _OWN:
            print(f"No run in runs is finished yet: these are the kit's own, {_OWN}.")
        for problem in filter(None, problems):
            print(f"Left out: {problem}.")
        return _numbered(whole, params)
    raise ParameterError(f"runs='': names no run; {_advice()}.")


def _numbered(folders: Iterable[RunDir], params: Params) -> list[FinishedRun]:
    folders = list(folders)
    times = Counter(folder.name for folder in folders)
    names = [folder.name if times[folder.name] == 1 else str(folder) for folder in folders]
    return [
        FinishedRun(number, name, folder, until=params.epochs)
        for number, (name, folder) in enumerate(zip(names, folders, strict=True), 1)
    ]


def scales(runs: list[FinishedRun]) -> dict[Scale, Title]:
    """Return each metric and protocol that occurs, with a title such as "FID (A)": protocols are lettered.

    Numbers about single classes are left out.
    """
    overall = (one.scale for run in runs for one in run.measurements if one.is_overall)
    found = sorted(dict.fromkeys(overall), key=lambda scale: scale[0])
    letters: dict[Any, str] = {}
    for _, protocol in found:
        letters.setdefault(protocol, _letter(len(letters)))
    return {(name, protocol): Title(name, letters[protocol]) for name, protocol in found}


def headline(scales: dict[Scale, Title]) -> dict[Scale, Title]:
    """Return FID and KID alone, which have room in an overview; everything if neither was measured."""
    found = {scale: title for scale, title in scales.items() if scale[0] in ("FID", "KID")}
    return found or scales


def _letter(index: int) -> str:
    first, last = divmod(index, 26)
    return (_letter(first - 1) if first else "") + chr(ord("A") + last)


def _folders(part: str, params: Params) -> list[RunDir]:
    path = resolve(part)
    if not path.exists() and glob.has_magic(part):
        folders = _matches(part)
        params.require(bool(folders), "runs", f"no run folder matches {part!r}; {_advice(part)}")
        return folders
    params.require(path.is_dir(), "runs", f"there is no folder {part!r}; {_advice(part)}")
    is_run = (path / "params.json").is_file()
    params.require(is_run, "runs", f"{part!r} is no run folder, as it has no params.json; {_advice(part)}")
    return [RunDir(path)]


def _matches(pattern: str) -> list[RunDir]:
    matches = sorted(glob.glob(pattern, root_dir=project_root()))
    return [RunDir(match) for match in matches if (resolve(match) / "params.json").is_file()]


def _problem(run: FinishedRun, params: Params) -> str:
    """Say why a run cannot be compared, "" if it can; `RunError` for a broken metrics.json."""
    where, done, epochs = str(run.folder), run.history.epoch, run.params["epochs"]
    if done < min(epochs, params.epochs or epochs) and not params.unfinished:
        return (
            f"{where!r} has finished {done} of {epochs} epochs; finish it with the command that began it, "
            "leave it out, or set unfinished to true"
        )
    if not (done and run.sample_epochs):
        within = f" up to epoch {params.epochs}" if params.epochs else ""
        return f"{where!r} has no sample grid{within}; train it for an epoch, or leave it out"
    last = epoch_sheet(run.sample_epochs[-1])
    if damaged := [name for name in (last, "real") if not run.folder.has_grid(name)]:
        return f"{where!r} has a damaged samples/{damaged[0]}.png; leave it out"
    run.measurements  # noqa: B018  read here, to be told here
    return ""


def _advice(part: str = "") -> str:
    there = known_runs()
    if not there:
        return "there is none in runs yet: train one with `ganutils run dcgan`"
    near = nearest(part, there) if part else ""
    return f"name at least one run folder{near or '.'} There are {', '.join(there)}"
