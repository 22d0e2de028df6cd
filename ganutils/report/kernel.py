"""The kernel that runs one notebook: how it starts, is interrupted and ends."""

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from ganutils.errors import DataError, ParameterError, RunError
from ganutils.stopping import handling_requests

KERNEL = "python3"

# A training that is interrupted finishes its update and writes a checkpoint.
SECONDS_TO_SAVE = 30.0

# What the kit's notebooks import first, while the parameters are still being checked here.
_IMPORT = "try: __import__('ganutils.notebook')\nexcept ImportError: pass\n"
# A kernel that ends looks for cycles among all objects but frozen ones: with torch it takes a second longer.
_FREEZE = "__import__('gc').freeze()"


class Kernel:
    """A running kernel; Ctrl-C, and each other request to stop, works as the stop button of a notebook.

    The first one interrupts the running cell: a training saves, and the cells after it still run. The second
    one raises KeyboardInterrupt; on Windows, where no signal can be sent to the kernel, the first one does.
    """

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        self.interrupted_at: datetime | None = None
        self.is_urgent = False  # a second request came

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle a request to stop."""
        process = getattr(self.manager.provisioner, "pid", None)
        self.is_urgent = self.interrupted_at is not None
        if self.interrupted_at or os.name != "posix" or not process:
            raise KeyboardInterrupt
        self.interrupted_at = datetime.now(UTC)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGINT)
        # The terminal may be closed, or another text half written.
        with contextlib.suppress(OSError, RuntimeError):
            print("Interrupting the running cell. Press Ctrl-C again to stop at once.", flush=True)


@contextmanager
def running(*, with_kit: bool) -> Iterator[Kernel]:
    """Start a Python kernel, talking through files where the system can; end it afterwards.

    `with_kit` lets it import at once what the kit's notebooks do.
    What the kernel's process writes to its error stream goes to this process's, until the kernel ends.
    """
    from jupyter_client import AsyncKernelManager
    from jupyter_core.utils import run_sync

    with tempfile.TemporaryDirectory(prefix="ganutils-kernel-") as folder:
        ipc = {"transport": "ipc", "connection_file": str(Path(folder) / "kernel.json")}
        manager = AsyncKernelManager(kernel_name=KERNEL, **(ipc if os.name == "posix" else {}))
        manager.shutdown_wait_time = SECONDS_TO_SAVE
        clients = _note_clients(manager)
        kernel, errors = Kernel(manager), _Errors()
        first = _IMPORT + _FREEZE if with_kit else _FREEZE
        options = ["--HistoryManager.hist_file=:memory:", f"--IPKernelApp.exec_lines={first}"]
        try:
            with handling_requests(kernel.interrupt):
                run_sync(manager.start_kernel)(extra_arguments=options, stderr=errors.end)
                errors.follow()
                yield kernel
        finally:
            errors.are_told = False  # of a kernel that ends in the middle of a cell
            refusals = (KeyboardInterrupt, ParameterError, DataError, RunError)
            at_once = kernel.is_urgent or isinstance(sys.exception(), refusals)
            if manager.has_kernel:
                try:
                    run_sync(manager.shutdown_kernel)(now=at_once)
                except KeyboardInterrupt:
                    run_sync(manager.shutdown_kernel)(now=True)
            for client in clients:
                client.stop_channels()
            errors.close()


def _note_clients(manager: Any) -> list[Any]:
    """Return a list that will hold the manager's clients: papermill leaves those of a given kernel open."""
    clients, make = [], manager.client

    def client(**options: Any) -> Any:
        clients.append(make(**options))
        return clients[-1]

    manager.client = client
    return clients


class _Errors:
    """Hands on what a process writes to its error stream, while `are_told`."""

    def __init__(self) -> None:
        self._read, self.end = os.pipe()
        self.are_told = True
        self._thread: threading.Thread | None = None

    def follow(self) -> None:
        """Close this process's copy of the pipe's end, and begin."""
        os.close(self.end)
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        with open(self._read, "rb", buffering=0) as source:
            while some := source.read(1 << 16):
                if self.are_told and sys.__stderr__ is not None:
                    sys.__stderr__.write(some.decode(errors="replace"))
                    sys.__stderr__.flush()

    def close(self) -> None:
        """Wait for the last of it; a grandchild may hold the pipe open."""
        if self._thread is None:
            os.close(self.end)
            os.close(self._read)
        else:
            self._thread.join(timeout=1)
