"""papermill's engine, which here does not write the whole notebook at both ends of each cell."""

import time
from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

NAME = "ganutils"
_SPACING = 20  # a writing that took a second is followed by none for 20


class SeldomSaving(NBClientEngine):
    """Spends a twentieth of the time at most on writing the notebook, which grows with its figures.

    What had to wait is written with the kernel's next message, and at the end, if the process lives so long.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, *args: Any, **kwargs: Any) -> Any:
        """Run the notebook."""
        _space_out(nb_man)
        return super().execute_managed_notebook(nb_man, *args, **kwargs)


def _space_out(manager: NotebookExecutionManager) -> None:
    write, autosave = manager.save, manager.autosave_cell
    due, is_waiting = time.monotonic(), False

    def save(**changed: Any) -> None:
        nonlocal due, is_waiting
        begun = time.monotonic()
        is_waiting = begun < due and manager.end_time is None
        if not is_waiting:
            write(**changed)
            due = time.monotonic() + _SPACING * (time.monotonic() - begun)

    def autosave_cell() -> None:
        if is_waiting:
            save()
        else:
            autosave()

    manager.save, manager.autosave_cell = save, autosave_cell


papermill_engines.register(NAME, SeldomSaving)
