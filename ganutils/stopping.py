"""Stopping a run between two updates."""

import math
import signal
import threading
import time
from types import FrameType
from typing import Self


class StopSignal:
    """Asks to stop after the running update: at the first Ctrl-C or when the time is up.

    A second Ctrl-C raises `KeyboardInterrupt` at once.
    """

    def __init__(self, max_minutes: float) -> None:
        self._deadline = time.monotonic() + 60 * max_minutes if max_minutes else math.inf
        self._interrupted = False
        self._in_main_thread = threading.current_thread() is threading.main_thread()

    def is_requested(self) -> bool:
        """Say whether to stop now."""
        return self._interrupted or time.monotonic() > self._deadline

    @property
    def reason(self) -> str:
        """Say who asked: "by the user" or "by max_minutes"."""
        return "by the user" if self._interrupted else "by max_minutes"

    def __enter__(self) -> Self:
        if self._in_main_thread:
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True

    def __exit__(self, *error: object) -> None:
        if self._in_main_thread:
            signal.signal(signal.SIGINT, self._before)
