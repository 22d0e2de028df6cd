"""Places in an open notebook: what is shown there is replaced, never appended."""

from typing import Any

from IPython import get_ipython
from IPython.display import display


def is_open_notebook() -> bool:
    """Say whether this code runs in a cell of a notebook that a person has open.

    Front ends with cells, such as JupyterLab, name the cell in each request; papermill, nbclient, nbval
    and terminals do not.
    """
    parent = getattr(get_ipython(), "get_parent", dict)()
    return "cellId" in parent.get("metadata", {})


class Place:
    """A place below the running cell; the first content appears there, each further one replaces it.

    It needs no widgets, and leaves its last content in the saved notebook.
    """

    def __init__(self) -> None:
        self._handle = None

    def show(self, content: dict[str, Any], **about: Any) -> None:
        """Show content by MIME type; `about` joins its metadata. Reports leave it out."""
        metadata = {"ganutils": {"role": "live"}, **about}
        if self._handle is None:
            self._handle = display(content, raw=True, metadata=metadata, display_id=True)
        else:
            self._handle.update(content, raw=True, metadata=metadata)
