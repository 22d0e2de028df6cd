"""The web page that stands in for a PDF which cannot be made; nothing of the notebook runs in it."""

import base64
import html
from typing import Any

import mistune

from ganutils.report.document import LEFT_OUT
from ganutils.report.foreign import tidied
from ganutils.report.notebook import heading, is_unwritten, shown_outputs, tags
from ganutils.report.printed import plain_lines, without_ansi

# A second fence: no scripts, and nothing from other places, whatever a notebook smuggles in.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = (
    "body{max-width:45em;margin:2em auto;font-family:serif;line-height:1.5}img{max-width:100%}"
    "pre{background:#f5f6f7;padding:.6em;overflow:auto}table{border-collapse:collapse}"
    "td,th{border-bottom:1px solid #ccc;padding:.2em .6em}.problem{border-left:3px solid #c0392b;padding:1em}"
)
_PICTURES = ("image/png", "image/jpeg")


def to_html(notebook: Any, name: str, problem: str) -> bytes:
    """Return a page of a notebook node without its code, and why there is no PDF.

    Formulas stay LaTeX and drawings are left out: the page needs no scripts.
    """
    notebook = tidied(notebook)
    title = html.escape(heading(notebook) or name)
    parts = [part for cell in notebook.cells for part in _parts(cell)]
    why = f"<strong>The PDF of this report could not be made.</strong> {html.escape(problem)}"
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_STYLE}</style></head>'
        f"<body><main><p class='problem'>{why}</p>{''.join(parts)}</main></body></html>"
    )
    return page.encode(errors="xmlcharrefreplace")


def _parts(cell: Any) -> list[str]:
    if cell.cell_type == "code":
        return [_output(output) for output in shown_outputs(cell)]
    is_left_out = tags(cell) & (LEFT_OUT - {"abstract"}) or is_unwritten(cell)
    return [_markdown(cell.source)] if cell.cell_type == "markdown" and not is_left_out else []


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return _text(plain_lines(output.text)) if output.name == "stdout" else ""
    if output.output_type == "error":
        return _text(without_ansi(f"{output.ename}: {output.evalue}").split("\n"))
    about, data = output.metadata.ganutils, output.data
    if any("widget-view" in kind for kind in data):
        return ""
    for kind in _PICTURES:
        if kind in data and (picture := _picture(kind, data[kind], str(about.get("alt", "")))):
            return picture + _markdown(str(about.get("caption", "")))
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return _text(data["text/plain"].split("\n")) if "text/plain" in data else ""


def _picture(kind: str, encoded: str, alt: str) -> str:
    try:
        content = base64.b64encode(base64.b64decode(encoded)).decode()
    except ValueError:
        return ""
    return f'<p><img src="data:{kind};base64,{content}" alt="{html.escape(alt)}"></p>'


def _text(lines: list[str]) -> str:
    text = "\n".join(lines)
    return f"<pre>{html.escape(text)}</pre>" if text.strip() else ""


def _markdown(text: str) -> str:
    try:
        return mistune.create_markdown(renderer=_Renderer(escape=True), plugins=["table", "strikethrough"])(
            text
        )
    except RecursionError:
        return _text(text.split("\n"))


class _Renderer(mistune.HTMLRenderer):
    """mistune's own, without pictures of other places; it escapes all HTML and refuses odd links."""

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return f"<em>[Picture: {html.escape(text)}]</em>"
