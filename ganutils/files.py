"""Writing files so that a crash never leaves half of one."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

_PATIENCE = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2) if os.name == "nt" else ()  # seconds between tries
_NO_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # of folders, on some network disks


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never half of it."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def keep(path: Path, write: Callable[[Path], object]) -> bool:
    """Let `write` make a file of the cache, all of it or nothing; say whether it is there now.

    The cache saves time and nothing else: a full or read-only disk stops nothing. Several processes may
    keep the same file at once.
    """
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            write(Path(folder) / path.name)
            move(Path(folder) / path.name, path)
            return True
    return False


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there; their names are then on the disk."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            flush(folder.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file that takes the place of `path` at the end.

    It is on the disk before it is moved, so that not even a power cut leaves half of a file. After an
    error the temporary file is removed, and `path` is what it was.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # a crash left it, perhaps with a second name
    try:
        yield temporary
        flush(temporary)
        move(temporary, path)
        flush(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def move(source: Path, target: Path) -> None:
    """Give a file the name of another; on Windows again and again while a virus scanner has that open."""
    for seconds in _PATIENCE:
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    os.replace(source, target)


def flush(path: Path) -> None:
    """Wait until a file, or where that can be done the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
