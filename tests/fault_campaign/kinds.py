"""The faults: each is a function that strikes in a trial and returns whether it did."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from torch.optim import Optimizer

from fault_campaign.compare import steps
from fault_campaign.disk import PowerCut, fill_disk_at, kill_at, press_stop_at, tear_at
from fault_campaign.sessions import command, notebook
from fault_campaign.trials import KINDS, MOST_SESSIONS, Trial
from ganutils import update
from ganutils.locking import LOCK


def kill_in_update(trial: Trial) -> bool:
    """Die after one of the two networks was changed."""
    steps = count(trial.random.randrange(10), -1)

    def run() -> int:
        change = update.step

        def change_and_die(optimizer: Optimizer) -> None:
            change(optimizer)
            if next(steps) == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        update.step = change_and_die
        return trial.command()

    return trial.end(trial.session(run))


def between(kind: str) -> Callable[[Trial], bool]:
    """Die between two file operations."""
    return lambda trial: trial.strike(kind, kill_at)


def within(kind: str, verbs: str, most: int) -> Callable[[Trial], bool]:
    """Die while a file is written, after up to `most` bytes."""
    return lambda trial: trial.strike(kind, lambda n: tear_at(n, trial.random.randrange(1, most)), verbs)


def kill_again(trial: Trial) -> bool:
    """Die three times in a row."""
    numbers = [trial.random.randrange(40) for _ in range(3)]
    ends = [trial.end(trial.session(strike=lambda n=number: kill_at(n))) for number in numbers]
    return all(ends)


def cut_power(trial: Trial, *, lies: bool = False) -> bool:
    """Lose what was never synced; the checkpoint before the newest, at least, must be there."""
    number = trial.random.randrange(len(trial.reference.operations))
    after, here = trial.folder.with_suffix(".after"), trial.folder
    struck = trial.end(trial.session(strike=lambda: PowerCut(here, after, number, trial.seed, lies=lies)))
    if struck:
        before = steps(trial.run)
        shutil.rmtree(trial.folder)
        after.rename(trial.folder)
        if len(before) > 1 and max(steps(trial.run), default=-1) < before[-1]:
            trial.lost.append(f"of the checkpoints {before} there are {steps(trial.run)}")
    return struck


def damage(pattern: str) -> Callable[[Trial], bool]:
    """Die, and find the newest file of a pattern damaged or gone, whatever was synced."""

    def fault(trial: Trial) -> bool:
        if not trial.strike("checkpoint", kill_at):
            return False
        found = sorted(trial.run.glob(pattern), key=lambda path: path.stat().st_mtime_ns)
        if not found:
            return False
        content = found[-1].read_bytes()
        cut = trial.random.randrange(len(content))
        flipped = bytes([content[cut] ^ 1])
        kept = [
            content[:cut],
            content[:cut] + bytes(len(content) - cut),
            content[:cut] + flipped + content[cut + 1 :],
            b"",
            None,
        ]
        kept = trial.random.choice(kept)
        if kept is not None and trial.random.random() < 0.5:
            found[-1].write_bytes(kept)  # best.pt may be the same file by another name
        else:
            _overwrite(found[-1], kept)
        trial.resumes_at_newest = pattern.startswith("checkpoints/")  # a grid is drawn again by going back
        return True

    return fault


def damage_history(trial: Trial) -> bool:
    """Die, and find the history torn somewhere after the older checkpoint, whatever was synced."""
    if not trial.strike("checkpoint", kill_at) or not (trial.run / "history.jsonl").exists():
        return False
    path = trial.run / "history.jsonl"
    content, older = path.read_bytes(), min(steps(trial.run), default=0)
    lines = content.splitlines(keepends=True)
    first = sum(len(line) for line in lines if json.loads(line)["step"] <= older)
    cut = trial.random.randint(first, len(content))
    _overwrite(path, content[:cut] + trial.random.choice([b"", bytes(len(content) - cut)]))
    trial.resumes_at_newest = False  # the checkpoint before it knows the lines that are missing
    return True


def _overwrite(path: Path, content: bytes | None) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def fill_disk(trial: Trial) -> bool:
    """Write to a disk that is full from some moment on; run the cell again when there is room."""
    number = trial.random.choice(trial.reference.numbers(trial.random.choice([*KINDS, ""])))
    size = trial.random.randrange(2000)
    run = trial.random.choice([trial.command, notebook(trial.reference.variant, trial.reference.values)])
    session = trial.session(run, lambda: fill_disk_at(number, size))
    trial.end(session)
    return "cannot be written" in session.output


def stop_button(times: int) -> Callable[[Trial], bool]:
    """Press the stop button in a notebook, once or twice, and run the cell again in the same kernel."""

    def fault(trial: Trial) -> bool:
        number = trial.random.choice(trial.reference.numbers(trial.random.choice(list(KINDS))))
        run = notebook(trial.reference.variant, trial.reference.values)
        session = trial.session(run, lambda: press_stop_at(number, times))
        trial.end(session)
        return "Stopped by the user" in session.output or "KeyboardInterrupt" in session.output

    return fault


def interrupt(trial: Trial) -> bool:
    """Press Ctrl-C at any moment."""
    session = trial.session()
    time.sleep(trial.random.uniform(0, trial.reference.seconds))
    session.send(signal.SIGINT)
    trial.end(session)
    return "interrupted" in session.output


def pause(trial: Trial) -> bool:
    """Pause by `max_minutes` after each row of the history."""
    values = {**trial.reference.values, "max_minutes": 1e-9}
    for sessions in range(1, 3 * MOST_SESSIONS):
        session = trial.session(command(trial.reference.variant, values))
        trial.end(session)
        if "Stopped by max_minutes" not in session.output:
            return sessions > 1
    return False


def stale_lock(trial: Trial) -> bool:
    """Die, and leave the lock file that a training holds, with the number of the process that is gone."""
    session = trial.session()
    time.sleep(trial.random.uniform(0, trial.reference.seconds))
    session.send(signal.SIGKILL)
    is_dead = trial.end(session)
    if is_dead and trial.run.exists():
        (trial.run / LOCK).write_text(str(session.number))
    return is_dead and trial.run.exists()


def second_process(trial: Trial) -> bool:
    """Start the same command twice at once."""
    sessions = [trial.session(), trial.session()]
    for session in sessions:
        trial.end(session)
    return any("another process" in session.output for session in sessions)


FAULTS: dict[str, Callable[[Trial], bool]] = {
    "kill at any moment": Trial.kill_later,
    "kill between the updates of the two networks": kill_in_update,
    "kill between two file operations of a checkpoint": between("checkpoint"),
    "kill in the middle of writing a checkpoint": within("checkpoint", "save", 300_000),
    "kill between two file operations of a sample grid": between("grid"),
    "kill in the middle of writing a sample grid": within("grid", "open", 2000),
    "kill between two file operations of the history": between("history"),
    "kill in the middle of a line of the history": within("history", "open", 150),
    "kill while the run folder is made": between(""),
    "kill three times in a row": kill_again,
    "power cut: what was not synced is torn, zeroed or gone": cut_power,
    "newest checkpoint cut, zeroed, changed, empty or gone": damage("checkpoints/last.pt"),
    "newest sample grid cut, zeroed, changed, empty or gone": damage("samples/[el]*.png"),
    "end of the history cut or zeroed": damage_history,
    "disk full": fill_disk,
    "Ctrl-C at any moment": interrupt,
    "stop button, cell run again": stop_button(1),
    "stop button twice, cell run again": stop_button(2),
    "max_minutes after every line of the history": pause,
    "lock file of a dead process": stale_lock,
    "the same command twice at once": second_process,
}
