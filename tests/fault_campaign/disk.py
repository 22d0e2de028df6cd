"""Strikes at chosen file operations of a process that trains; for Linux.

`Watch` calls a strike before each operation below a folder: opening for writing, saving, syncing, moving,
linking, removing, cutting and making folders. A strike may kill the process, tear the write that begins,
fill the disk, press the stop button or cut the power.
"""

import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

Strike = Callable[[int, str, str], None]  # number of the operation from 0, its verb, its path
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """Calls a strike before each file operation below a folder; cannot be taken back."""

    def __init__(self, folder: Path, strike: Strike) -> None:
        self._folder, self._strike = os.path.realpath(folder) + os.sep, strike
        self._count, self._is_busy = 0, False
        sys.addaudithook(self._on_event)
        os.fsync = self._before(os.fsync, "sync", lambda fd: os.readlink(f"/proc/self/fd/{fd}"))
        # It writes its file in C++, which no audit event tells.
        torch.save = self._before(torch.save, "save", lambda state, path: path)

    def _before(self, function: Callable, verb: str, path_of: Callable[..., str]) -> Callable:
        def watched(*arguments: object) -> object:
            self._tell(verb, path_of(*arguments))
            return function(*arguments)

        return watched

    def _on_event(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags & _WRITES and isinstance(path, (str, os.PathLike)):
                self._tell("open", path)
        elif event in ("os.rename", "os.link"):
            self._tell(event[3:], arguments[1])
        elif event in ("os.remove", "os.mkdir", "os.truncate"):
            self._tell(event[3:], arguments[0])

    def _tell(self, verb: str, path: str | os.PathLike) -> None:
        path = os.path.abspath(path)
        if self._is_busy or not (path + os.sep).startswith(self._folder):
            return
        number, self._count = self._count, self._count + 1
        self._is_busy = True  # what the strike itself does with files does not count
        try:
            self._strike(number, verb, path)
        finally:
            self._is_busy = False


def kill_at(number: int) -> Strike:
    """Die before an operation."""

    def strike(count: int, verb: str, path: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike


def tear_at(number: int, size: int) -> Strike:
    """Die in the middle of a write: the system kills the process after `size` new bytes."""

    def strike(count: int, verb: str, path: str) -> None:
        if count == number:
            before = os.path.getsize(path) if path.endswith(".jsonl") and os.path.exists(path) else 0
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            limit_files(before + size)

    return strike


def fill_disk_at(number: int, size: int) -> Strike:
    """From this operation on no file can grow beyond `size` bytes."""

    def strike(count: int, verb: str, path: str) -> None:
        if count == number:
            limit_files(size)

    return strike


def limit_files(size: int) -> None:
    """Let writing beyond `size` bytes of a file fail; -1 lifts the limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def press_stop_at(number: int, times: int) -> Strike:
    """Press the notebook's stop button once or twice."""

    def strike(count: int, verb: str, path: str) -> None:
        if count == number:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    return strike


class PowerCut:
    """Cuts the power before an operation: what was never synced is lost, all or part of it.

    Leaves at `after` what a disk might then hold of `folder`. Of a file it holds what was last synced, or
    that and a torn, zeroed or empty rest. The names in a folder are those after its last sync, or after
    some of the operations since, in their order, as journaling file systems keep it. A disk that `lies`
    takes no notice of syncs.
    """

    def __init__(self, folder: Path, after: Path, number: int, seed: str, *, lies: bool = False) -> None:
        self._folder, self._after, self._number, self._lies = str(folder), after, number, lies
        self._random = random.Random(seed)
        self._tokens: dict[int, int] = {}  # inode -> file; a freed inode is given to another file
        self._names: dict[str, list[dict[str, int]]] = {}  # folder -> its names since the last sync
        self._synced: dict[int, bytes] = {}  # file -> content
        self._newest: dict[int, bytes] = {}
        self._look()
        for folder_names in self._names.values():
            del folder_names[:-1]

    def __call__(self, number: int, verb: str, path: str) -> None:
        """Take note of the folder before an operation, and strike before the chosen one."""
        self._look()
        if number == self._number:
            self._write(self._folder, self._after)
            os.kill(os.getpid(), signal.SIGKILL)
        if verb == "sync" and self._lies:
            return
        if verb == "sync" and os.path.isdir(path):
            del self._names[path][:-1]
        elif verb == "sync":
            self._synced[self._tokens[os.stat(path).st_ino]] = Path(path).read_bytes()

    def _look(self) -> None:
        live = {}
        for path, _, files in os.walk(self._folder):
            names = {}
            for entry in os.scandir(path):
                inode = entry.inode()
                names[entry.name] = live[inode] = self._tokens.get(inode, self._new_token(live))
                if entry.name in files:
                    self._newest[live[inode]] = Path(entry.path).read_bytes()
            history = self._names.setdefault(path, [{}])
            if history[-1] != names:
                history.append(names)
        self._tokens = live

    def _new_token(self, live: dict[int, int]) -> int:
        return max([-1, *self._newest, *live.values(), *self._tokens.values()]) + 1

    def _write(self, source: str, target: Path) -> None:
        target.mkdir()
        for name, token in self._random.choice(self._names.get(source, [{}])).items():
            inner = os.path.join(source, name)
            if inner in self._names:
                self._write(inner, target / name)
            elif token in self._newest:
                (target / name).write_bytes(self._survives(token))

    def _survives(self, token: int) -> bytes:
        synced, newest = self._synced.get(token, b""), self._newest[token]
        if synced == newest:
            return synced
        torn = newest[: self._random.randint(0, len(newest))]
        kept = len(synced) if newest.startswith(synced) else 0
        zeroed = newest[:kept] + bytes(len(newest) - kept)
        return self._random.choice([synced, max(torn, newest[:kept], key=len), zeroed])
