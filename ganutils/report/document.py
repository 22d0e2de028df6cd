"""An executed notebook to one Typst document: title block, body, environment and parameters."""

import re
from pathlib import Path
from typing import Any

from ganutils.report import citations, pictures
from ganutils.report.markdown import Outline, to_typst
from ganutils.report.markup import array, call, code, code_expression, content, escape, expression, string
from ganutils.report.notebook import Front, Parameter, front, is_unwritten, run_folder, shown_outputs, tags
from ganutils.report.outputs import Block, Collected, collect
from ganutils.report.tables import WIDEST
from ganutils.report.typesetting import Source

LEFT_OUT = {
    "hide",
    "remove_cell",
    "abstract",
    "parameters",
    "injected-parameters",
    "papermill-error-cell-tag",
}
_LABELS = {"author": "Author", "student_id": "Student ID", "course": "Course", "date": "Date"}
_HEADING = re.compile(r"(?:#flush\(\);\s*)?#heading\(.*?, level: (?P<level>\d)")
_TEXT = 9  # the level of what is no heading
_CONTENTS_FROM = 3  # shorter reports need no table of contents
_BESIDE = {"image": 0.97, "table": 1.06}  # of the text's width; tables in a pair are set smaller


def build(
    notebook: Any,
    *,
    name: str = "Report",
    show_code: bool = False,
    stream_lines: int = 40,
    layout: str = "report",
    animation: str = "",
) -> tuple[Source, Front]:
    """Return the Typst document of a notebook node, and what stands at its front.

    `name` is the title if the notebook has none; `layout` is "report" or "paper", in two columns;
    `animation` names a file that lies beside the report. Nothing of the notebook is executed, and no file
    is read.
    """
    head = front(notebook, name)
    collected = Collected()
    outline = Outline(citations.listed(notebook), citations.are_numbered(notebook))
    table = _parameters(head)
    for cell in notebook.cells:
        before = len(outline.titles)
        _add_cell(cell, collected, outline, show_code, stream_lines)
        if table and "parameters" in {title.lower() for title in outline.titles[before:]}:
            collected.add(table)
            table = ""
    parts = [
        '#import "template.typ": *',
        _opening(head, collected, len(outline.titles), animation, run_folder(notebook)),
        *_arranged(collected.body),
        _section("Environment", collected.environment),
        _section("Parameters", [table] if table else []),  # which may break, so that no page is left empty
    ]
    return Source("\n\n".join(part for part in parts if part) + "\n", collected.pictures, layout), head


def _add_cell(cell: Any, collected: Collected, outline: Outline, show_code: bool, stream_lines: int) -> None:
    marks = tags(cell)
    if cell.cell_type == "code":
        shown = (
            show_code and not marks & (LEFT_OUT | {"hide-input", "remove_input"})
        ) or "show-code" in marks
        if shown and cell.source.strip():
            collected.add(call("listing", code_expression(cell.source, block=True, lang="python")))
        number = cell.get("execution_count") or "without a number"
        collect(shown_outputs(cell), number, collected, stream_lines=stream_lines)
        return
    if cell.cell_type == "markdown" and not marks & LEFT_OUT and not is_unwritten(cell):
        attachments = cell.get("attachments", {})

        def picture(address: str, alt: str) -> str | None:
            found = pictures.from_address(address, attachments)
            if found is None:
                return None
            collected.pictures[found.name] = found.data
            return pictures.image(found, alt or "picture")

        collected.add(to_typst(cell.source, outline=outline, picture=picture))
        collected.body_begun = bool(outline.titles)


def _opening(head: Front, collected: Collected, headings: int, animation: str, run: Path | None) -> str:
    facts = [f"({string(_LABELS[name])}, {string(value)})" for name, value in head.facts]
    options = {
        "title": string(head.title),
        "facts": array(facts),
        "run": string(run.name if run else ""),
        "abstract": content(to_typst(head.abstract)) if head.abstract else "none",
        "notices": array(content(notice) for notice in collected.notices),
        "animation": code_expression(animation) if animation else "none",
        "contents": str(headings >= _CONTENTS_FROM).lower(),
    }
    shown = ", ".join(f"{key}: {value}" for key, value in options.items())
    return f"#show: report.with({shown})"


def _arranged(blocks: list[Block]) -> list[str]:
    """Return the markup of blocks; two narrow figures or tables in a row stand side by side."""
    parts, rest = [], list(blocks)
    while rest:
        block = rest.pop(0)
        if block.kind == "text":
            parts.append(block.markup)
            continue
        if block.kind == "long":
            parts.append(call("staying", str(len(parts)), string("table"), content(block.markup)))
            continue
        heading = parts[-1].rpartition("\n")[2] if parts else ""
        share, body = block.share, content(block.markup)
        paired = bool(rest) and rest[0].kind == block.kind and share + rest[0].share <= _BESIDE[block.kind]
        if paired:
            other = rest.pop(0)
            body = expression("pair", body, content(other.markup), f"{share / other.share:.3f}")
        # A heading with nothing but figures below it would stand empty if they floated.
        text = next((other.markup for other in rest if other.kind in ("text", "long")), "")
        headed = _level(heading) < _TEXT
        fixed = headed and (not text or _level(text) <= _level(heading))
        known = {"fixed": fixed, "headed": headed, "wide": paired or share > WIDEST}
        about = {name: str(value).lower() for name, value in known.items()}
        parts.append(call("placed", str(len(parts)), string(block.kind), body, **about))
    return parts


def _level(markup: str) -> int:
    """Return the level of the heading that markup begins with, or `_TEXT`."""
    found = _HEADING.match(markup)
    return int(found["level"]) if found else _TEXT


def _section(title: str, parts: list[str]) -> str:
    if not parts:
        return ""
    return "\n\n".join([call("heading", content(escape(title)), level="1", numbering="none"), *parts])


def _parameters(head: Front) -> str:
    if not head.parameters:
        return ""
    caption = head.parameters_of or "Parameters"
    changed = sum(p.changed for p in head.parameters)
    caption += (
        f" ({len(head.parameters)}; {changed} changed for this run, in bold)."
        if changed
        else ", as the first cell has them."
    )
    rows = [f"({_row(parameter)})" for parameter in head.parameters]
    return call("parameters-table", array(rows), content(escape(caption)))


def _row(parameter: Parameter) -> str:
    def shown(value: Any) -> str:
        if isinstance(value, str):
            return value or '""'
        return "—" if value is None else repr(value)

    default = shown(parameter.default)
    cells = [code(parameter.name), code(shown(parameter.value)), code(default), escape(parameter.meaning)]
    return ", ".join([str(parameter.changed).lower(), *(content(cell) for cell in cells)])
