"""One process at a time in a run folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ganutils.errors import RunError

LOCK = ".lock"


@contextmanager
def locked(folder: Path, shown: str, seconds: float = 0.0) -> Iterator[None]:
    """Keep other processes out of a folder; the system frees the lock of a process that dies.

    Raises `RunError`, which calls the folder `shown`, if another process is there for longer than `seconds`.
    """
    lock = FileLock(folder / LOCK, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(
            f"run={shown!r}: another process is training in this folder. Wait, or choose another."
        ) from None
    try:
        yield
    finally:
        lock.release()
