"""Checkpoints of a run: `last.pt`, `previous.pt` for the case that it is damaged, and the best scored one."""

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from ganutils.errors import RunError
from ganutils.files import flush, move, replacing

State = dict[str, Any]
SAVING_SHARE = 0.02  # of the time, which those at the ends of short epochs take at most

_DAMAGE = Exception  # torch raises nearly every type for a file that is damaged or something else


class Checkpoints:
    """The folder `checkpoints` of a run; its files hold tensors and plain data."""

    def __init__(self, folder: Path) -> None:
        self.last, self.previous = folder / "last.pt", folder / "previous.pt"
        self.best = folder / "best.pt"
        self._is_good = True  # last.pt: it may become previous.pt

    @property
    def stamp(self) -> int | None:
        """When last.pt was written, in nanoseconds; None without one."""
        return self.last.stat().st_mtime_ns if self.last.exists() else None

    def save(self, state: State, *, is_best: bool = False) -> None:
        """Write a state to last.pt, and first to best.pt if it is; what was there becomes previous.pt."""
        try:
            with replacing(self.last) as temporary:
                torch.save(state, temporary)
                flush(temporary)  # before the last one gives up its name
                if is_best:
                    copy(temporary, self.best)
                if self.last.exists() and self._is_good:
                    move(self.last, self.previous)
            self._is_good = True
        except torch.AcceleratorError:
            raise  # the GPU failed, not the disk
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"{self.last} cannot be written ({_reason(error)}). The checkpoint before it is kept; make "
                "room and start the same command again."
            ) from None

    def load_best(self, device: torch.device | str = "cpu") -> State:
        """Read best.pt as `load` reads last.pt; `RunError` if it is damaged or not there."""
        try:
            return _read(self.best, device)
        except _DAMAGE as error:
            raise RunError(
                f"{self.best} cannot be read ({_reason(error)}). It is kept by runs with metric_every."
            ) from None

    def load(self, device: torch.device | str = "cpu") -> State | None:
        """Read the last checkpoint without executing anything in it; None if there is none.

        A damaged one is told, and the one before it is read. Raises `RunError` if that is damaged too or
        not there.
        """
        damaged = []
        for path in (self.last, self.previous):
            if not path.exists():
                continue
            try:
                state = _read(path, device)
            except _DAMAGE as error:
                damaged.append(f"{path} cannot be read ({_reason(error)}).")
                self._is_good = False
                continue
            if damaged:
                print(f"WARNING: {damaged[0]} Going on from {path.name}, the checkpoint before it.")
            return state
        if damaged:
            raise RunError(f"{damaged[0]} Delete the run folder to train from the start.")
        return None

    def load_previous(self, device: torch.device | str = "cpu") -> State | None:
        """Read the checkpoint before the last one, to go on from there; None if there is no whole one."""
        try:
            state = _read(self.previous, device)
        except _DAMAGE:
            return None
        self._is_good = False
        return state


def _read(path: Path, device: torch.device | str) -> State:
    with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
        if (broken := archive.testzip()) is not None:
            raise ValueError(f"{broken} in it is damaged")
    state = torch.load(path, map_location=device, weights_only=True)
    if not isinstance(state, dict) or not isinstance(state.get("step"), int):
        raise ValueError("it is no checkpoint")
    return state


def copy(source: Path, target: Path) -> None:
    """Give a file that is never changed in place a second name, or copy it where the disk has no links."""
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
