"""Running a notebook with parameters: names are checked first, and a failure is told on one screen."""

import difflib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganutils.errors import ParameterError, ReportError
from ganutils.report.notebook import parse_cell, tagged
from ganutils.report.streams import plain_lines, without_ansi

_TRACEBACK_LINES = 8
_BEFORE_TRAINING = ("ParameterError", "DataError")  # told before anything worth keeping was computed


def execute(
    notebook: str | Path,
    output: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    kernel_name: str = "python3",
    cell_timeout: int | None = None,
    progress: Callable[[str], None] | None = print,
) -> Path:
    """Run `notebook` with `parameters` and write it, with its outputs, to `output`; returns that path.

    `cell_timeout` is in seconds for each cell; None waits for ever. `progress` is called with each plain
    line that the notebook prints. The kernel works in the current folder, as with plain papermill.

    Raises ParameterError for a name that the cell tagged `parameters` does not have, before anything
    runs, and ReportError if the notebook cannot be read, a cell fails or takes too long, or the kernel
    dies; the notebook as far as it came is then at `output`, and also after Ctrl-C (KeyboardInterrupt).
    Nothing is left there if the kit refused a parameter or the data.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    source, target, parameters = Path(notebook), Path(output), dict(parameters or {})
    check_names(read(source), parameters, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    echo = _Echo(progress)
    try:
        with _kernel_settings() as settings:
            papermill.execute_notebook(
                str(source),
                str(target),
                parameters,
                kernel_name=kernel_name,
                progress_bar=False,
                execution_timeout=cell_timeout,
                stdout_file=echo,
                **settings,
            )
    except PapermillExecutionError as error:
        if error.ename in _BEFORE_TRAINING:
            target.unlink(missing_ok=True)
            raise ReportError(error.evalue) from None
        raise ReportError(_failed_cell(error, target)) from error
    except CellTimeoutError as error:
        limit = (
            f"a cell took longer than the limit of {cell_timeout} s; raise cell_timeout or shorten the run"
        )
        raise ReportError(_stopped(limit, target)) from error
    except DeadKernelError as error:
        cause = "the kernel died, most often because the memory was used up; try a smaller batch_size"
        raise ReportError(_stopped(cause, target)) from error
    except KeyboardInterrupt:
        echo.line(f"Interrupted. The notebook as far as it came: {target}")
        raise
    except (OSError, RuntimeError, LookupError, ValueError) as error:
        raise ReportError(f"{source} cannot be run: {type(error).__name__}: {error}") from error
    finally:
        echo.close()
    return target


def read(path: Path) -> Any:
    """Return the notebook at `path`; raises ReportError if there is none or it cannot be read."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise ReportError(f"There is no notebook {path}; name an .ipynb file.") from None
    except Exception as error:  # nbformat raises many types for a damaged file
        raise ReportError(f"{path} cannot be read as a notebook: {error}") from error


def check_names(notebook: Any, parameters: Mapping[str, Any], path: Path) -> None:
    """Raise ParameterError for names that the notebook's parameters cell does not set."""
    cell = tagged(notebook, "parameters")
    try:
        known = list(parse_cell(cell.source)) if cell else []
    except SyntaxError as error:
        raise ReportError(f"The parameters cell of {path} is no valid Python: {error}.") from error
    unknown = [name for name in parameters if name not in known]
    if not unknown:
        return
    if cell is None:
        raise ParameterError(f"{path} takes no parameters: none of its cells has the tag `parameters`.")
    lines = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        lines.append(f"{path} has no parameter {name!r}" + (f"; did you mean {near[0]!r}?" if near else "."))
    raise ParameterError("\n".join([*lines, f"Its parameters are: {', '.join(known)}."]))


@contextmanager
def _kernel_settings() -> Iterator[dict[str, Any]]:
    """Talk to the kernel through files where the system can, and keep papermill's log to real errors."""
    from traitlets.config import Config

    logger = logging.getLogger("papermill")
    level = logger.level
    # Its own check of names misses valid ones and would warn about them; ours has already run.
    logger.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="ganutils-kernel-") as folder:
            manager = {"transport": "ipc", "connection_file": str(Path(folder) / "kernel.json")}
            yield {"config": Config(KernelManager=manager if os.name == "posix" else {})}
    finally:
        logger.setLevel(level)


class _Echo:
    """A file for the kernel's printed text that hands on whole lines, without progress bars."""

    def __init__(self, progress: Callable[[str], None] | None) -> None:
        self.line = progress or (lambda line: None)
        self._begun = ""

    def write(self, text: str) -> None:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            for plain in plain_lines(line):
                self.line(plain)

    def flush(self) -> None:
        """Nothing is kept back but an unfinished line."""

    def close(self) -> None:
        if self._begun:
            self.write("\n")


def _failed_cell(error: Any, target: Path) -> str:
    cause = without_ansi(f"{error.ename}: {error.evalue}")
    trace = without_ansi("\n".join(error.traceback)).rstrip().removesuffix(cause).rstrip().splitlines()
    trace = trace[-_TRACEBACK_LINES:]
    number = f"[{error.exec_count}]" if error.exec_count else f"at position {error.cell_index + 1}"
    shown = [] if len(trace) < 2 else ["", *trace]
    return "\n".join(
        [
            f"Cell {number} failed: {_first_line(error.source)}",
            cause,
            *shown,
            "",
            f"The notebook as far as it came: {target}",
        ]
    )


def _stopped(cause: str, target: Path) -> str:
    where = ""
    if target.exists():
        for cell in read(target).cells:
            if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time"):
                where = f"\nIt happened in the cell that begins: {_first_line(cell.source)}"
    return f"The notebook stopped: {cause}.{where}\nThe notebook as far as it came: {target}"


def _first_line(source: str) -> str:
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")
