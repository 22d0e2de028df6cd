"""RunDir: a run is a folder that explains itself.

params.json        the parameters, the variant and the data's fingerprint; guards a resumed run
environment.json   versions, device and precision; a new entry when a session has others than the last one
rollbacks.json     what was not finite, where training went back to a checkpoint (`on_nan`)
history.jsonl      a line of losses, scores and gradient norms for each logged update
epochs.jsonl       a line of counts and times for each epoch
metrics.json       numbers about quality, each with its epoch and protocol
samples/           real.png, epoch-00010.png, latest.png, best.png (of the best score): tiles of image_size
                   without gaps, row by row
checkpoints/       last.pt, the one before it, and best.pt by score: networks, optimisers, random streams and
                   counters
"""

import json
import math
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from ganutils.checkpoints import Checkpoints
from ganutils.data import Dataset
from ganutils.errors import RunError
from ganutils.files import make_folder, write_atomic
from ganutils.history import History, append_rows, cut_rows
from ganutils.identity import describe, differences
from ganutils.locking import locked
from ganutils.params import RunParams
from ganutils.paths import resolve, shown
from ganutils.rows import Row, Rows
from ganutils.run_folders import is_own, usual_folder
from ganutils.sheets import Grid, decode, encode
from ganutils.streams import stream

_GRID = re.compile(r"epoch-(\d+)\.png")
_MOMENT = 2.0  # seconds to wait while another process prepares the folder


def epoch_sheet(epoch: int) -> str:
    """Return the name of the sample grid of an epoch, without its ending."""
    return f"epoch-{epoch:05d}"


class RunDir:
    """The folder of one run; `open` makes or finds it, `RunDir(path)` reads a finished one.

    `described` is the content of params.json: variant, params, data.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = resolve(path)
        if not (self.path / "params.json").is_file():
            raise RunError(f"{self.path} is not a run folder: it has no params.json.")
        try:
            self.described = json.loads((self.path / "params.json").read_text())
            complete = {"variant", "params", "data"} <= self.described.keys()
        except (OSError, ValueError, AttributeError):
            complete = False
        if not complete:
            raise RunError(f"{self.path} is not a run folder of this kit: its params.json is something else.")
        self.checkpoints = Checkpoints(self.path / "checkpoints")

    @classmethod
    def open(cls, params: RunParams, dataset: Dataset) -> "RunDir":
        """Find the run folder of these parameters and data, or create it.

        The same parameters find the same folder, so that a run goes on where it stopped. Raises
        `RunError` if the folder cannot be written or holds a run of other parameters; the message
        lists the differences.
        """
        described = describe(params, dataset)
        path = resolve(params.run) if params.run else usual_folder(described)
        if (path / "params.json").is_file():
            cls(path)._guard(described)
        try:
            if path.is_file() or (path.is_dir() and not is_own(path)):
                raise RunError(f"run={str(path)!r}: exists but is not a run folder. Choose a new name.")
            make_folder(path)
            if not cls._is_ready(path, described):
                with locked(path, str(path), _MOMENT):
                    return cls._make(path, described, dataset, params)
        except OSError as error:
            raise RunError(
                f"run={str(path)!r}: cannot be written ({error.strerror}). Choose a folder of your own."
            ) from None
        return cls(path)

    @classmethod
    def _is_ready(cls, path: Path, described: dict[str, Any]) -> bool:
        complete = (path / "params.json").is_file() and (path / "checkpoints").is_dir()
        return complete and cls(path).described == _as_read(described) and cls(path).has_grid("real")

    @classmethod
    def _make(cls, path: Path, described: dict[str, Any], dataset: Dataset, params: RunParams) -> "RunDir":
        if (path / "params.json").is_file():
            cls(path)._guard(described)  # another process may have been faster
        for folder in (path / "samples", path / "checkpoints"):
            make_folder(folder)
        write_atomic(path / "params.json", json.dumps(described, indent=2).encode())
        run = cls(path)
        if not run.has_grid("real"):
            run._keep_real_images(dataset, params)
        return run

    def __str__(self) -> str:
        return shown(self.path)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def steps_per_epoch(self) -> int:
        """Discriminator updates in an epoch; images that fill no batch are left out."""
        return self.described["data"]["count"] // self.described["params"]["batch_size"]

    @property
    def is_copy(self) -> bool:
        """Whether it is a copy without checkpoints, for reading only (see `sharing`)."""
        return "copy" in self.described

    def missing_checkpoint(self) -> RunError:
        """Return the error that says why there is no checkpoint, and what to do."""
        if self.is_copy:
            return RunError(f"run={str(self)!r}: is a copy without checkpoints. Name the run that it is of.")
        return RunError(f"run={str(self)!r}: has no checkpoint yet. Train it first.")

    def _guard(self, new: dict[str, Any]) -> None:
        if self.is_copy:
            raise RunError(
                f"run={str(self)!r}: is a copy without checkpoints, for reading only. Choose a new name."
            )
        found = differences(self.described, new)
        if found:
            raise RunError(
                f"run={str(self.path)!r}: holds another run. The differences:\n  "
                + "\n  ".join(found)
                + "\nChoose a new run folder, or the same parameters."
            )

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from training in this folder; `RunError` if one already does."""
        return locked(self.path, str(self))

    def history(self) -> History:
        """Read what was recorded."""
        return History(Rows.read(self.path / "history.jsonl"), Rows.read(self.path / "epochs.jsonl"))

    def append(self, updates: Iterable[Row] = (), epochs: Iterable[Row] = ()) -> None:
        """Append rows to the history; `RunError` if the disk does not take them."""
        try:
            append_rows(self.path / "history.jsonl", updates)
            append_rows(self.path / "epochs.jsonl", epochs)
        except OSError as error:
            raise RunError(
                f"{self.path}: the history cannot be written ({error.strerror}). The last checkpoint is "
                "kept; make room and start the same command again."
            ) from None

    def cut_history(self, step: int) -> None:
        """Drop all rows after `step`: what was recorded after the checkpoint is recorded again."""
        for file in ("history.jsonl", "epochs.jsonl"):
            cut_rows(self.path / file, step)

    def _keep_real_images(self, dataset: Dataset, params: RunParams) -> None:
        order = torch.randperm(len(dataset), generator=stream(params.seed, "real"))[: params.n_samples]
        self.save_grid("real", Grid(dataset.images[order], math.ceil(math.sqrt(len(order))), "real"))

    def save_grid(self, name: str, grid: Grid) -> None:
        """Write a grid as samples/NAME.png."""
        write_atomic(self.path / "samples" / f"{name}.png", encode(grid))

    def has_grid(self, name: str) -> bool:
        """Say whether samples/NAME.png is there and whole."""
        try:
            self.load_grid(name)
        except Exception:  # Pillow's readers raise nearly every type on damaged files
            return False
        return True

    def load_grid(self, name: str) -> Grid:
        """Read samples/NAME.png."""
        content = (self.path / "samples" / f"{name}.png").read_bytes()
        return decode(content, self.described["params"]["image_size"])

    def sample_epochs(self, at_most: int | None = None) -> list[int]:
        """Return the epochs with a sample grid; of many, `at_most` spread evenly, the last one always."""
        names = (path.name for path in (self.path / "samples").glob("epoch-*.png"))
        epochs = sorted(int(found[1]) for name in names if (found := _GRID.fullmatch(name)))
        if at_most is None or len(epochs) <= at_most:
            return epochs
        step = (len(epochs) - 1) / max(1, at_most - 1)
        return [epochs[len(epochs) - 1 - round(i * step)] for i in reversed(range(at_most))]

    def samples(self, epoch: int) -> Grid:
        """Return the sample grid of an epoch; the same latents at every epoch."""
        return self.load_grid(epoch_sheet(epoch))

    def latest(self) -> Grid:
        """Return the newest samples: of the last grid, or of the moment when training stopped.

        Raises `RunError` if nothing was drawn yet.
        """
        if not (self.path / "samples" / "latest.png").exists():
            raise RunError(f"run={str(self)!r}: has no samples yet. Train it first.")
        return self.load_grid("latest")

    def real(self) -> Grid:
        """Return some of the real images that the run was trained on."""
        return self.load_grid("real")

    def note_rollbacks(self, rollbacks: list[str]) -> None:
        """Keep what was not finite, once for each return to a checkpoint."""
        write_atomic(self.path / "rollbacks.json", json.dumps(rollbacks, indent=2).encode())

    def rollbacks(self) -> list[str]:
        """Return what was not finite, once for each return to a checkpoint."""
        return _read_list(self.path / "rollbacks.json")

    def note_environment(self, facts: dict[str, str]) -> None:
        """Add one session's facts to environment.json, unless the last session was on the same machine."""
        sessions = self.environment()
        if not sessions or {**sessions[-1], "started": ""} != {**facts, "started": ""}:
            text = json.dumps([*sessions, facts], indent=2)
            write_atomic(self.path / "environment.json", text.encode())

    def environment(self) -> list[dict[str, str]]:
        """Return the facts of the sessions that trained here, one entry for those in a row that agree."""
        return _read_list(self.path / "environment.json")


def _as_read(described: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(described))


def _read_list(path: Path) -> list[Any]:
    """Return a list in a JSON file, which is empty if the file is missing or, loudly, if it is damaged."""
    try:
        found = json.loads(path.read_bytes()) if path.exists() else []
        if isinstance(found, list):
            return found
    except ValueError:
        pass
    print(f"WARNING: {path} is damaged and left out.")
    return []
