"""Checkpoints of a run: `last.pt`, and `previous.pt` for the case that the last one is damaged."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from ganutils.errors import RunError
from ganutils.files import replacing

State = dict[str, Any]


class Checkpoints:
    """The folder `checkpoints` of a run; its files hold tensors and plain data."""

    def __init__(self, folder: Path) -> None:
        self.last, self.previous = folder / "last.pt", folder / "previous.pt"
        self._is_damaged = False  # the last one, found by `load`

    def save(self, state: State) -> None:
        """Write a state to last.pt; what was there becomes previous.pt."""
        try:
            with replacing(self.last) as temporary:
                torch.save(state, temporary)
                if self.last.exists() and not self._is_damaged:
                    copy(self.last, self.previous)
            self._is_damaged = False
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"{self.last} cannot be written ({_reason(error)}). The checkpoint before it is kept; make "
                "room and start the same command again."
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
                state = torch.load(path, map_location=device, weights_only=True)
            except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
                damaged.append(f"{path} cannot be read ({_reason(error)}).")
                self._is_damaged = True
                continue
            if damaged:
                print(f"WARNING: {damaged[0]} Going on from {path.name}, the checkpoint before it.")
            return state
        if damaged:
            raise RunError(f"{damaged[0]} Delete it to train this run from the start.")
        return None


def copy(source: Path, target: Path) -> None:
    """Give a file that is never changed in place a second name, or copy it where the disk has no links."""
    with replacing(target) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
