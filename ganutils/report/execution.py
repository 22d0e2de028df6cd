"""Running a notebook with parameters: names are checked first, and a failure is told on one screen."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ganutils.errors import GanutilsError, ParameterError, ReportError
from ganutils.report.foreign import tidied
from ganutils.report.kernel import KERNEL, running
from ganutils.report.notebook import parse_cell, tagged
from ganutils.report.printed import plain_lines, without_ansi

_TRACEBACK_LINES = 8
_REFUSALS = ("ParameterError", "DataError")  # nothing is kept if one comes before a cell has shown anything


class StoppedError(ReportError):
    """A notebook did not run to its end; `notebook` is what there is of it."""

    def __init__(self, message: str, notebook: Path, *, was_interrupted: bool = False) -> None:
        super().__init__(message)
        self.notebook, self.was_interrupted = notebook, was_interrupted


def execute(
    notebook: str | Path,
    output: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    cell_timeout: int | None = None,
    progress: Callable[[str], None] | None = print,
    check: Callable[[], object] | None = None,
) -> Path:
    """Run `notebook` with `parameters` and write it, with its outputs, to `output`; returns that path.

    `cell_timeout` is in seconds for each cell; None waits for ever. `progress` is called with each plain
    line that the notebook prints; `check` once, while the kernel starts: what it raises ends everything
    before a cell runs. The kernel works in the current folder, as with plain papermill. Ctrl-C is the
    notebook's stop button: a training saves, and the cells after it still run; a second one stops at once,
    and one before the first cell leaves nothing.

    Raises ParameterError for a name that the cell tagged `parameters` does not have, before anything
    runs; ReportError if the notebook cannot be read, or if the kit refused a parameter or the data before
    a cell showed anything, which leaves nothing; and StoppedError if a cell fails or takes too long, the
    kernel dies or the run is interrupted: the notebook as far as it came is then at `output`.
    """
    import papermill

    from ganutils.report import engine

    source, target, parameters = Path(notebook), Path(output), dict(parameters or {})
    content = tidied(read(source))
    check_names(content, parameters, source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(
            f"{target.parent} cannot be a folder of reports ({error.strerror}). Name another one."
        ) from None
    echo = _Echo(progress)
    try:
        with (
            _told(source, target, cell_timeout),
            _quiet_log(),
            running(with_kit=_uses_kit(content)) as kernel,
        ):
            if check is not None:
                check()
            if kernel.interrupted_at is not None:
                raise KeyboardInterrupt
            target.unlink(missing_ok=True)
            try:
                papermill.execute_notebook(
                    str(source),
                    str(target),
                    parameters,
                    engine_name=engine.NAME,
                    kernel_name=KERNEL,
                    progress_bar=False,
                    execution_timeout=cell_timeout,
                    stdout_file=echo,
                    km=kernel.manager,
                )
            except KeyboardInterrupt:
                if not target.exists():
                    raise
                raise _interrupted(target) from None
            if kernel.interrupted_at is not None:
                raise _interrupted(target, _cell_at(target, kernel.interrupted_at))
    finally:
        echo.close()
    return target


@contextmanager
def _told(source: Path, target: Path, cell_timeout: int | None) -> Iterator[None]:
    """Turn what papermill raises into the kit's errors."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        yield
    except PapermillExecutionError as error:
        if error.ename in _REFUSALS and not _has_shown(target):
            target.unlink(missing_ok=True)
            raise ReportError(error.evalue) from None
        if error.ename == "KeyboardInterrupt":
            raise _interrupted(target) from None
        raise StoppedError(_failed_cell(error, target), target) from error
    except CellTimeoutError as error:
        limit = f"a cell took longer than the limit of {cell_timeout} s; raise the limit or shorten the run"
        raise StoppedError(_stopped(limit, _last_begun(target), target), target) from error
    except DeadKernelError as error:
        cause = "the kernel died, most often because the memory was used up; try a smaller batch_size"
        raise StoppedError(_stopped(cause, _last_begun(target), target), target) from error
    except GanutilsError:
        raise
    except Exception as error:  # papermill and nbformat raise many types for a notebook that is not in order
        reason = (str(error) or "no reason given").splitlines()[0]
        raise ReportError(f"{source} cannot be run: {type(error).__name__}: {reason}") from error


def _uses_kit(notebook: Any) -> bool:
    return any("ganutils" in cell.source for cell in notebook.cells if cell.cell_type == "code")


def _has_shown(target: Path) -> bool:
    """Say whether a cell before the one that failed has shown anything."""
    shown = [cell.outputs for cell in read(target).cells if cell.cell_type == "code" and cell.outputs]
    return any(all(output.output_type != "error" for output in outputs) for outputs in shown)


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
    from ganutils.hints import hint  # reads all notebooks' parameters

    lines = [f"{path} has no parameter {name!r}{hint(name, known)}" for name in unknown]
    raise ParameterError("\n".join([*lines, f"Its parameters are: {', '.join(known)}."]))


@contextmanager
def _quiet_log() -> Iterator[None]:
    """Silence papermill's log: its check of names warns about valid ones, and its errors are told here."""
    logger = logging.getLogger("papermill")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
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


def _interrupted(target: Path, cell: Any | None = None) -> StoppedError:
    text = _stopped("it was interrupted", cell or _last_begun(target), target)
    return StoppedError(text, target, was_interrupted=True)


def _stopped(cause: str, cell: Any | None, target: Path) -> str:
    where = f"\nIt happened in the cell that begins: {_first_line(cell.source)}" if cell else ""
    return f"The notebook stopped: {cause}.{where}\nThe notebook as far as it came: {target}"


def _last_begun(target: Path) -> Any | None:
    return next((cell for cell, _, _ in reversed(_times(target))), None)


def _cell_at(target: Path, moment: datetime) -> Any | None:
    """Return the cell that ran at a moment."""
    return next((cell for cell, _, end in _times(target) if end and end >= moment), None)


def _times(target: Path) -> list[tuple[Any, datetime, datetime | None]]:
    """Return the code cells that began to run, when, and when they ended."""
    cells = read(target).cells if target.exists() else []
    found = []
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        start, end = (cell.metadata.get("papermill", {}).get(name) for name in ("start_time", "end_time"))
        if start:
            found.append((cell, datetime.fromisoformat(start), datetime.fromisoformat(end) if end else None))
    return found


def _first_line(source: str) -> str:
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")
