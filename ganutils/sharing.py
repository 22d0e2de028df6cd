"""A copy of a run without its checkpoints: to hand in, to collect from a class, or to publish."""

import json
import shutil
from pathlib import Path

from ganutils.errors import ParameterError, RunError
from ganutils.files import make_folder, write_atomic
from ganutils.history import append_rows, averaged
from ganutils.runs import RunDir

EVERY = 10  # updates in a row of a copy's history
_WHOLE = ("environment.json", "epochs.jsonl", "metrics.json", "rollbacks.json")


def share(run: RunDir, folder: Path, every: int = EVERY) -> Path:
    """Copy a run into `folder`, under its own name; returns the copy.

    The copy has everything that a comparison reads: parameters, history, metrics and samples. Of the
    history, the means of `every` updates are kept. An older copy of the same run is replaced;
    `ParameterError` for `every` below 1, `RunError` if the copy's place is taken by anything else, such as
    another student's run of the same parameters, or cannot be written.
    """
    if every < 1:
        raise ParameterError(f"every={every}: must be at least 1.")
    target = folder / run.name
    if target.exists() and not _is_copy_of(run, target):
        raise RunError(f"{target} exists and is not a copy of {run}. Choose another folder.")
    unfinished, older = (target.with_name(f".{target.name}.{ending}") for ending in ("tmp", "old"))
    try:
        for rest in (unfinished, older):
            shutil.rmtree(rest, ignore_errors=True)
        _write(run, unfinished, every)
        if target.exists():
            target.rename(older)
        unfinished.rename(target)
    except OSError as error:
        if older.exists() and not target.exists():
            older.rename(target)
        raise RunError(f"{target} cannot be written ({error.strerror}). Choose another folder.") from None
    finally:
        for rest in (unfinished, older):
            shutil.rmtree(rest, ignore_errors=True)
    return target


def _write(run: RunDir, folder: Path, every: int) -> None:
    make_folder(folder)
    shutil.copytree(run.path / "samples", folder / "samples")
    for name in _WHOLE:
        if (run.path / name).exists():
            shutil.copy(run.path / name, folder)
    append_rows(folder / "history.jsonl", averaged(run.history().updates, every, run.steps_per_epoch))
    described = {**run.described, "copy": {"every": every}}
    write_atomic(folder / "params.json", json.dumps(described, indent=2).encode())


def _is_copy_of(run: RunDir, path: Path) -> bool:
    try:
        there = RunDir(path)
    except RunError:
        return False
    # Runs of equal parameters have equal names, but did not begin together on the same machine.
    return there.is_copy and there.environment()[:1] == run.environment()[:1]
