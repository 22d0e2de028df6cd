"""A run that nothing disturbs, and trials that are compared with it."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from fault_campaign.compare import differences, steps
from fault_campaign.disk import Strike, Watch
from fault_campaign.sessions import RUN, Run, Session, Values, command

MOST_SESSIONS = 12
KILLED = (-signal.SIGKILL, -signal.SIGXFSZ)
KINDS = {"checkpoint": "/checkpoints/", "grid": "/samples/", "history": ".jsonl"}


class Reference:
    """A run that nothing disturbs: its folder, its seconds and its file operations."""

    def __init__(self, variant: str, values: Values, folder: Path) -> None:
        self.variant, self.values, self.folder = variant, values, folder / RUN
        folder.mkdir()
        started = time.monotonic()
        _succeed(Session(folder, command(variant, values)))
        self.seconds = time.monotonic() - started
        (folder / "again").mkdir()
        log = folder / "operations"
        _succeed(Session(folder / "again", watched(command(variant, values), lambda: _note_in(log))))
        self.operations = [tuple(line.split("\t")) for line in log.read_text().splitlines()]

    def numbers(self, kind: str, verbs: str = "") -> list[int]:
        """Return the numbers of the operations on files of a kind; "" is what is in no other kind."""
        return [
            number
            for number, (verb, path) in enumerate(self.operations)
            if (KINDS[kind] in path if kind else not any(part in path for part in KINDS.values()))
            and (not verbs or verb in verbs.split())
        ]


def _succeed(session: Session) -> None:
    if session.wait() != 0:
        raise SystemExit(f"A run without faults failed:\n{session.output}")


def _note_in(log: Path) -> Strike:
    return lambda number, verb, path: log.open("a").write(f"{verb}\t{path}\n")


def watched(run: Run, strike: Callable[[], Strike]) -> Run:
    """Return `run` with a strike on the files of the folder that it works in; made in the child."""

    def function() -> int:
        Watch(Path.cwd(), strike())
        return run()

    return function


class Trial:
    """One folder in which a fault strikes; `lost` says what is wrong in the end."""

    def __init__(self, reference: Reference, folder: Path, seed: str) -> None:
        self.reference, self.folder, self.seed = reference, folder, seed
        self.random = random.Random(seed)
        self.command = command(reference.variant, reference.values)
        self.kills, self.resumes_at_newest = 0, True
        self.lost: list[str] = []
        folder.mkdir()

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.folder / RUN

    def session(self, run: Run | None = None, strike: Callable[[], Strike] | None = None) -> Session:
        """Start a session."""
        run = run or self.command
        return Session(self.folder, watched(run, strike) if strike else run)

    def end(self, session: Session) -> bool:
        """Wait for the end of a session; return whether it was killed."""
        code = session.wait()
        self.kills += code in KILLED
        if "Traceback" in session.output:
            self.lost.append(session.output)
        return code in KILLED

    def strike(self, kind: str, strike: Callable[[int], Strike], verbs: str = "") -> bool:
        """Run a session with a strike at one of the operations of a kind."""
        number = self.random.choice(self.reference.numbers(kind, verbs))
        return self.end(self.session(strike=lambda: strike(number)))

    def kill_later(self) -> bool:
        """Run a session that is killed at a moment drawn from its whole duration."""
        session = self.session()
        time.sleep(self.random.uniform(0, self.reference.seconds))
        session.send(signal.SIGKILL)
        return self.end(session)

    def finish(self) -> None:
        """Start the same command until it is done, and compare."""
        newest = max(steps(self.run), default=0)
        for number in range(MOST_SESSIONS):
            session = self.session()
            if session.wait() == 0:
                break
            if "Traceback" in session.output or number == MOST_SESSIONS - 1:
                self.lost.append(f"The same command does not finish:\n{session.output}")
                return
        finished = "nothing trained" in session.output
        if number == 0 and self.resumes_at_newest and not finished and session.resumed_at != newest:
            self.lost.append(f"resumed at update {session.resumed_at} instead of {newest}")
        self.lost += differences(self.reference.folder, self.run)
