"""A setting of a module that a `with` changes for a while."""

import contextlib
from collections.abc import Iterator
from typing import Any


class Switch:
    """Holds `value`; trainings in several threads would share it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @contextlib.contextmanager
    def set(self, value: Any) -> Iterator[None]:
        """Hold another value inside a `with`."""
        before, self.value = self.value, value
        try:
            yield
        finally:
            self.value = before
