"""Stopping a run between two lines of its history."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Self

Handler = Callable[[int, FrameType | None], None]
# Ctrl-C and the stop button, a batch system's or an administrator's request, a terminal that is closed.
_REQUESTS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def handling_requests(handler: Handler) -> Iterator[None]:
    """Call `handler` when the process is asked to stop; what it ignores, as under nohup, stays ignored.

    Only the main thread can handle signals; elsewhere this does nothing.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        known = {number: signal.getsignal(number) for number in _REQUESTS}
        before = {n: old for n, old in known.items() if old is not signal.SIG_IGN or n == signal.SIGINT}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)


class StopSignal:
    """Asks to stop: at the first request, such as Ctrl-C, or when the time is up.

    Training looks at it when a line of the history is complete, after `log_every` updates. A second
    request raises `KeyboardInterrupt` at once.
    """

    def __init__(self, max_minutes: float) -> None:
        self._deadline = time.monotonic() + 60 * max_minutes if max_minutes else math.inf
        self._request = 0
        self._stack = ExitStack()

    def is_requested(self) -> bool:
        """Say whether to stop now."""
        return bool(self._request) or time.monotonic() > self._deadline

    @property
    def reason(self) -> str:
        """Say who asked: "by the user", "by max_minutes" or by which signal."""
        if self._request in (0, signal.SIGINT):
            return "by the user" if self._request else "by max_minutes"
        return f"by {signal.Signals(self._request).name}"

    def __enter__(self) -> Self:
        self._stack.enter_context(handling_requests(self._handle))
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._request:
            raise KeyboardInterrupt
        self._request = number

    def __exit__(self, *error: object) -> None:
        self._stack.close()
