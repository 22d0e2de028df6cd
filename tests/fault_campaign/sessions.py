"""Trainings of toy size in forked processes, and what their run folders hold in the end.

The parent imports everything once and never computes, so that a child starts in milliseconds.
"""

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from fault_campaign.disk import limit_files
from fault_campaign.stand_ins import put_in
from ganutils import RunDir, build, cli, load_dataset, train, variants
from ganutils.errors import GanutilsError, ParameterError
from ganutils.params import RunParams
from ganutils.state import TrainState

Values = dict[str, Any]
Run = Callable[[], int]  # returns an exit status
RUN = "run"  # the run folder, in the folder of its trial
LONGEST = 120.0  # seconds until a session counts as hanging

TOY = {
    "dataset": "shapes",
    "classes": "circle,cross",
    "n_images": 32,
    "batch_size": 8,
    "width": 4,
    "epochs": 2,
    "n_samples": 4,
    "sample_epochs": "every 1",
    "precision": "fp32",
    "device": "cpu",
    "checkpoint_minutes": 1e-9,
    "run": RUN,
}
OTHER = {
    "epochs": 3,
    "ema": 0.9,
    "log_every": 3,
    "schedule": "linear",
    "augment": "color,translation",
    "d_steps": 2,
    "metric_every": 1,
    "on_nan": "rollback",
}


def settings() -> list[tuple[str, Values]]:
    """Return (variant, parameters): each variant with its defaults, and with the second of each choice."""
    found = []
    for name in variants.names():
        kind = variants.get(name).Params
        plain = {name: value for name, value in TOY.items() if name in kind.model_fields}
        found += [(name, plain), (name, _second_choices(kind, {**plain, **OTHER}))]
    return found


def _second_choices(kind: type[RunParams], values: Values) -> Values:
    for name in kind.model_fields.keys() - RunParams.model_fields.keys():
        annotation = kind.model_fields[name].annotation
        if get_origin(annotation) is Literal:
            chosen = {**values, name: get_args(annotation)[1]}
            try:
                kind(**chosen)
            except ParameterError:  # two choices that exclude each other
                continue
            values = chosen
    return values


class Session:
    """A child that runs a function in a folder; `number` is the process's, `output` all that it prints."""

    def __init__(self, folder: Path, function: Run) -> None:
        self._pipe, written = os.pipe()
        sys.stdout.flush()
        self.number = os.fork()
        if self.number:
            os.close(written)
            return
        os.dup2(written, 1)
        os.dup2(written, 2)
        code = 70
        try:
            os.chdir(folder)
            put_in()
            _tell_where_it_resumes()
            code = function()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.number, number)

    def wait(self) -> int:
        """Return the exit status, negative after a signal; a session that hangs is killed."""
        chunks, deadline = [], time.monotonic() + LONGEST
        while select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(self._pipe, 1 << 16)
            if not chunk:
                break
            chunks.append(chunk)
        else:
            self.send(signal.SIGKILL)
            chunks.append(b"\nIt hangs.")
        os.close(self._pipe)
        self.output = b"".join(chunks).decode(errors="replace")
        return os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])

    @property
    def resumed_at(self) -> int:
        """The update from which the session went on."""
        begin, _, _ = self.output.partition("Training on")  # later, it may go back after a NaN
        marks = [line for line in begin.splitlines() if line.startswith("@resumes ")]
        return int(marks[0].split()[1]) if marks else 0


def _tell_where_it_resumes() -> None:
    restore = TrainState.restore

    def told(state: TrainState, saved: dict[str, Any]) -> None:
        print("@resumes", saved["step"])
        restore(state, saved)

    TrainState.restore = told


def command(variant: str, values: Values) -> Run:
    """Return the shell command `ganutils run VARIANT -p ...` as a function."""
    pairs = [text for name, value in values.items() for text in ("-p", name, str(value))]
    return lambda: cli.main(["run", variant, *pairs])


def notebook(variant: str, values: Values) -> Run:
    """Return a notebook whose cell of training is run again in the same kernel until it succeeds."""

    def cells() -> int:
        params = variants.get(variant).Params(**values)
        dataset = load_dataset(params)
        gan = build(params, dataset)
        for _ in range(10):
            try:
                run = RunDir.open(params, dataset)
                if train(gan, dataset, params, run).epoch == params.epochs:
                    return 0
            except (KeyboardInterrupt, GanutilsError) as error:
                print(f"{type(error).__name__}: {error}")
                limit_files(-1)  # room was made
        return 1

    return cells
