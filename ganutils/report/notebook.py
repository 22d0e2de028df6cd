"""What a report needs to know about a notebook: title, abstract and table of parameters."""

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

# These parameters are printed below the title, so the table leaves them out.
TITLE_NAMES = ("author", "student_id", "course", "date", "report_title")
# PDF files carry a date; without papermill's it must still be the same every time.
NO_DATE = 946_684_800  # 2000-01-01T00:00:00Z

_HEADING = re.compile(r"^ {0,3}#\s+(.+?)\s*#*\s*$", re.MULTILINE)
_ANY_HEADING = re.compile(r"^ {0,3}#{1,6}\s+[^\n]*\n?")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """One line `name: type = literal  # meaning` of a notebook's parameters cell, as the run saw it."""

    name: str
    value: Any
    default: Any
    meaning: str = ""

    @property
    def changed(self) -> bool:
        """Tell whether the run used another value than the notebook's default."""
        return repr(self.value) != repr(self.default)


@dataclass(frozen=True)
class Front:
    """What stands at the front of a report; `facts` are (name, value) pairs in the order shown."""

    title: str
    facts: list[tuple[str, str]]
    abstract: str | None
    parameters_of: str
    parameters: list[Parameter]
    timestamp: int


def front(notebook: Any, fallback_title: str = "Report") -> Front:
    """Return the front of a notebook node; nothing in the notebook is executed."""
    parameters = read_parameters(notebook)
    given = {p.name: str(p.value).strip() for p in parameters if p.name in TITLE_NAMES and p.value}
    if "author" not in given and (names := _authors(notebook)):
        given["author"] = names
    if "date" not in given and (date := _date(notebook)):
        given["date"] = date
    title = given.pop("report_title", "") or heading(notebook) or fallback_title
    cell = tagged(notebook, "parameters")
    first = cell.source.partition("\n")[0] if cell else ""
    return Front(
        title=title,
        facts=[(name, given[name]) for name in TITLE_NAMES if given.get(name)],
        abstract=_abstract(notebook),
        parameters_of=first.removeprefix("#").strip() if first.startswith("# Parameters of ") else "",
        parameters=[p for p in parameters if p.name not in TITLE_NAMES],
        timestamp=_timestamp(notebook),
    )


def tags(cell: Any) -> set[str]:
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", []))


def is_unwritten(cell: Any) -> bool:
    """Say whether a cell asks its reader to write something, and nobody did."""
    return "findings" in tags(cell) and "*Write here" in cell.source


def shown_outputs(cell: Any) -> list[Any]:
    """Return the outputs of a code cell that belong into a report, by its tags and their roles.

    A figure carries its caption as metadata, and better pictures follow a live one.
    """
    marks = tags(cell)
    if marks & {"hide", "remove_cell", "remove_output"}:
        return []
    hidden = "stream" if "hide-stream" in marks else None
    return [output for output in cell.outputs if output.output_type != hidden and not _is_for_jupyter(output)]


def _is_for_jupyter(output: Any) -> bool:
    return output.get("metadata", {}).get("ganutils", {}).get("role") in ("caption", "live")


def tagged(notebook: Any, tag: str) -> Any | None:
    """Return the first cell with this tag, or None."""
    return next((cell for cell in notebook.cells if tag in tags(cell)), None)


def heading(notebook: Any) -> str | None:
    """Return the text of the notebook's first heading of level 1, or None."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := _HEADING.search(_FENCE.sub("", cell.source))):
            return found[1]
    return None


def read_parameters(notebook: Any) -> list[Parameter]:
    """Return the parameters of a notebook node: papermill's injected values over the cell's defaults.

    A cell that is not plain Python, as in notebooks of other languages, has none.
    """
    defaults, values = (_assigned(tagged(notebook, tag)) for tag in ("parameters", "injected-parameters"))
    known = [
        Parameter(name, _as_typed(values[name][0], default) if name in values else default, default, meaning)
        for name, (default, meaning) in defaults.items()
    ]
    return known + [
        Parameter(name, value, None) for name, (value, _) in values.items() if name not in defaults
    ]


def parse_cell(source: str) -> dict[str, tuple[Any, str]]:
    """Return {name: (value, comment)} of the assignments in a parameters cell, without running it.

    A value that is no literal is returned as its source text. Raises SyntaxError if it is not Python.
    """
    try:
        body = ast.parse(source).body
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise SyntaxError(str(error) or "it is nested too deeply") from None
    comments = {
        token.end[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT and token.line.strip() != token.string.strip()
    }
    found = {}
    for node in body:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            target = node.target
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        else:
            continue
        if isinstance(target, ast.Name):
            found[target.id] = (_literal(node.value, source), comments.get(node.end_lineno, ""))
    return found


def _assigned(cell: Any | None) -> dict[str, tuple[Any, str]]:
    try:
        return parse_cell(cell.source) if cell else {}
    except SyntaxError:
        return {}


def _literal(node: ast.expr, source: str) -> Any:
    try:
        value = ast.literal_eval(node)
        repr(value)  # numbers of thousands of digits cannot be shown
        return value
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.get_source_segment(source, node)


def _as_typed(value: Any, default: Any) -> Any:
    """Return a value from a command line, such as "10", as the literal it stands for."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    words = {"true": True, "false": False, "none": None, "null": None}
    if value.lower() in words:
        return words[value.lower()]
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return value


def _abstract(notebook: Any) -> str | None:
    cell = tagged(notebook, "abstract")
    if cell is None or cell.cell_type != "markdown":
        return None
    return _ANY_HEADING.sub("", cell.source.lstrip(), count=1).strip() or None


def _authors(notebook: Any) -> str:
    authors = notebook.metadata.get("authors", [])
    names = (
        [a.get("name", "") if isinstance(a, dict) else a for a in authors]
        if isinstance(authors, list)
        else []
    )
    return ", ".join(name for name in names if isinstance(name, str) and name)


def _date(notebook: Any) -> str | None:
    """Return the notebook's own date, or the day on which papermill ran it."""
    own, ended = notebook.metadata.get("date"), notebook.metadata.get("papermill", {}).get("end_time")
    if isinstance(own, str):
        return own
    try:
        return datetime.fromisoformat(ended).date().isoformat()
    except (TypeError, ValueError):
        return None


def _timestamp(notebook: Any) -> int:
    ended = notebook.metadata.get("papermill", {}).get("end_time")
    try:
        return int(datetime.fromisoformat(ended).timestamp())
    except (TypeError, ValueError, OverflowError):
        return NO_DATE


def run_folder(notebook: Any) -> Path | None:
    """Return the run folder that an output of the notebook names, or None."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            run = output.get("metadata", {}).get("ganutils", {}).get("run")
            if isinstance(run, str) and run:
                return Path(run)
    return None
