"""One side of a pair, in a process of its own: its memory allocator and threads are not the other's."""

import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

Prepare = Callable[[str], Callable[[], Any]]  # from an empty folder to what is called again and again


class Worker:
    """A process that prepares something and calls it when it is told to; `prepare` must be picklable."""

    def __init__(self, prepare: Prepare) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # Not a daemon: the plain loop has loader processes of its own.
        self._process = context.Process(target=_serve, args=(theirs, prepare))
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(timeout=20)
        self._process.kill()

    def __call__(self) -> Any:
        """Call once what was prepared, wait for it, and return what it returns."""
        self._pipe.send(True)
        return self._pipe.recv()


def _serve(pipe: Connection, prepare: Prepare) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(folder)
        try:
            while pipe.recv():
                pipe.send(prepared())
        except EOFError:
            pass
