"""papermill's engine, which here does not write the whole notebook at both ends of each cell."""

from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

NAME = "ganutils"
_SECONDS = 2.0  # between two writings, of which each takes the longer the more figures there are


class SeldomSaving(NBClientEngine):
    """Saves no more often than every two seconds, and at the end, however that comes."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, *args: Any, **kwargs: Any) -> Any:
        """Run the notebook."""
        write = nb_man.save

        def save(**changed: Any) -> None:
            if nb_man.end_time or (nb_man.now() - nb_man.last_save_time).total_seconds() >= _SECONDS:
                write(**changed)

        nb_man.save = save
        return super().execute_managed_notebook(nb_man, *args, **kwargs)


papermill_engines.register(NAME, SeldomSaving)
