"""What a report shows on request only, and what it leaves out."""

from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from pages import report_of, text_of
from report_cells import code, shown

from ganutils.report.html import to_html


def test_code_is_shown_when_asked_for():
    cell = code("answer = 42")
    assert "answer" not in text_of(report_of(cell))
    assert "answer = 42" in text_of(report_of(cell, show_code=True))
    assert "answer = 42" in text_of(report_of(code("answer = 42", tags=["show-code"])))
    assert "answer" not in text_of(report_of(code("answer = 42", tags=["hide-input"]), show_code=True))


def test_printed_text_can_be_hidden_alone():
    outputs = [new_output("stream", name="stdout", text="printed"), shown({"text/plain": "displayed"})]
    text = text_of(report_of(code("1", *outputs, tags=["hide-stream"])))
    assert "displayed" in text
    assert "printed" not in text


def test_hidden_cells_are_left_out():
    printed = new_output("stream", name="stdout", text="hidden output")
    cells = [code("1", printed, tags=[tag]) for tag in ("hide", "remove_cell", "remove_output")]
    text = text_of(report_of(new_markdown_cell("hidden too", metadata={"tags": ["hide"]}), *cells))
    assert "hidden" not in text


def test_a_section_that_asks_for_findings_is_shown_once_somebody_wrote_them():
    notebook = nbformat.read(Path(__file__).parents[2] / "notebooks" / "dcgan.ipynb", as_version=4)
    (asked,) = [cell for cell in notebook.cells if cell.id == "findings"]
    page = to_html(new_notebook(cells=[asked]), "x", "why").decode()
    for text in (text_of(report_of(new_markdown_cell("before"), asked)), page):
        assert "What this shows" not in text
    written = deepcopy(asked)
    written.source = asked.source.partition("*Write here")[0] + "Twice the epochs halved KID."
    page = to_html(new_notebook(cells=[written]), "x", "why").decode()
    for text in (text_of(report_of(new_markdown_cell("before"), written)), page):
        assert "What this shows" in text
        assert "Twice the epochs halved KID." in text
