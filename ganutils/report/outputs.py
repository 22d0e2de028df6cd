"""Outputs of a code cell to blocks of the report: figures, tables, notices, text and errors."""

import re
from dataclasses import dataclass, field
from typing import Any

from ganutils.report import pictures, tables
from ganutils.report.markdown import one_line, to_typst
from ganutils.report.markup import call, code, code_expression, content, escape, string
from ganutils.report.pictures import Picture
from ganutils.report.printed import plain_lines, shortened, without_ansi

_FIGURE_REPR = re.compile(r"<(?:Figure size|Axes:|AxesSubplot|matplotlib\.|IPython\.|seaborn\.)[^>]*>")
_QUOTE_MARK = re.compile(r"^> ?", re.MULTILINE)
_SHOWN = ("text/markdown", "text/latex", "text/plain")


@dataclass
class Block:
    """A piece of the report's body.

    An "image" and a "table" may move, and take a `share` of the text's width; a "long" table stays.
    """

    markup: str
    kind: str = "text"
    share: float = 1.0


@dataclass
class Collected:
    """What outputs contribute: `body` in place, the rest at the front and at the end of the report."""

    body: list[Block] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    environment: list[str] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    body_begun: bool = False

    def add(self, markup: str) -> None:
        """Append markup to the body."""
        if markup:
            self.body.append(Block(markup))


def collect(outputs: list[Any], number: Any, into: Collected, *, stream_lines: int) -> None:
    """Add the outputs of cell `number` to `into`; at most `stream_lines` lines of a printed text."""
    printed = ""
    for output in [*outputs, None]:
        if output is not None and output.output_type == "stream":
            # Progress bars and warnings go to stderr: nothing that belongs into a report.
            printed += output.text if output.name == "stdout" else ""
            continue
        if printed:
            _add_text(plain_lines(printed), into, stream_lines)
            printed = ""
        if output is not None and output.output_type == "error":
            _add_error(output, number, into)
        elif output is not None:
            _add_display(output, number, into, stream_lines)


def _add_display(output: Any, number: Any, into: Collected, stream_lines: int) -> None:
    about = output.metadata.get("ganutils", {})
    about = about if isinstance(about, dict) else {}
    role, data = about.get("role"), output.data
    if role == "notice":
        _add_notice(_text(data.get("text/markdown", data.get("text/plain", ""))), into)
    elif role == "environment":
        into.environment.append(to_typst(_text(data.get("text/markdown", ""))))
    elif role == "table":
        _add_table(_text(data.get("text/markdown", "")), _text(about.get("caption", "")), into)
    elif picture := pictures.choose(data, _known_width(output)):
        _add_figure(picture, about, number, into)
    elif kind := next((kind for kind in _SHOWN if kind in data and not _is_widget(data)), None):
        text = _text(data[kind])
        if kind == "text/plain":
            _add_text(
                text.split("\n") if not _FIGURE_REPR.fullmatch(text.strip()) else [], into, stream_lines
            )
        else:
            into.add(to_typst(text))


def _add_figure(picture: Picture, about: dict[str, Any], number: Any, into: Collected) -> None:
    into.pictures[picture.name] = picture.data
    caption = _text(about.get("caption", "")) or f"Output of cell {number}."
    alt = _text(about.get("alt", "")) or caption
    wish = about.get("width")
    share = pictures.size(picture, wish)[0] / pictures.TEXT_WIDTH
    body = pictures.image(picture, alt, wish)
    markup = call("captioned", content(body), content(one_line(caption)), string(alt))
    into.body.append(Block(markup, "image", share))


def _add_table(text: str, caption: str, into: Collected) -> None:
    markup, table = to_typst(text, caption=caption), tables.shape(text)
    if table and table.whole:
        into.body.append(Block(markup, "table", table.share))
    elif markup:
        into.body.append(Block(markup, "long" if table else "text"))


def _add_notice(text: str, into: Collected) -> None:
    markup = to_typst(_QUOTE_MARK.sub("", text).strip())
    if markup not in into.notices:
        into.notices.append(markup)
    if into.body_begun:  # before the first section it would stand right below the one at the front
        into.add(call("notice", content(markup)))


def _add_error(output: Any, number: Any, into: Collected) -> None:
    cause = without_ansi(f"{output.ename}: {output.evalue}".strip(": \n"))
    lines = shortened(cause.split("\n"), 12)
    cell = escape(f"cell {number}")
    into.notices.append(f"*The notebook stopped with an error in {cell}.* What follows it is missing.")
    markup = f"*Stopped here:* {cell} failed.\n\n" + code("\n".join(lines), block=True)
    into.add(call("notice", content(markup)))


def _add_text(lines: list[str], into: Collected, most: int) -> None:
    if any(line.strip() for line in lines):
        into.add(
            call("printed", code_expression(without_ansi("\n".join(shortened(lines, most))), block=True))
        )


def _known_width(output: Any) -> Any:
    size = output.metadata.get("image/png", {})
    return size.get("width") if isinstance(size, dict) else None


def _is_widget(data: dict[str, Any]) -> bool:
    return any("widget-view" in kind for kind in data)


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)
