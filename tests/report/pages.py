"""Reading a report back from its PDF: where its words, figures and pictures stand."""

import io
from copy import deepcopy

import pypdf
from nbformat.v4 import new_notebook

from ganutils.report.exporter import ReportExporter

LAYOUTS = ("report", "paper")
PAGE = 595.3  # points, the width of A4


def export(notebook, **options):
    pdf, _ = ReportExporter(**options).from_notebook_node(deepcopy(notebook))
    return pypdf.PdfReader(io.BytesIO(pdf))


def report_of(*cells, **options):
    """Export cells, or one notebook."""
    return export(cells[0] if hasattr(cells[0], "cells") else new_notebook(cells=list(cells)), **options)


def text_of(reader):
    # Lines and hyphens depend on the page's width.
    pages = "\n".join(page.extract_text() for page in reader.pages)
    return " ".join(pages.replace("\u00ad", "").split())


def words(page):
    """Return (x, y, size, text) of the lines on a page, without header, footer and spaces in the text."""
    found = []

    def keep(text, matrix, text_matrix, font, size):
        x, y = (
            text_matrix[4] * matrix[0] + matrix[4],
            text_matrix[5] * matrix[3] + matrix[5],
        )
        size = round(size * abs(matrix[0] * text_matrix[0]), 1)
        piece = "".join(text.split())
        if found and piece and found[-1][1:3] == [y, size]:
            found[-1][3] += piece
        elif piece and 60 < y < 780:
            found.append([x, y, size, piece])

    page.extract_text(visitor_text=keep)
    return found


def widths_of_pictures(page):
    """Return the widths in points of the pixel pictures on a page."""
    found = []

    def keep(operator, operands, matrix, text_matrix):
        if (
            operator == b"Do"
            and page["/Resources"]["/XObject"][operands[0]].get_object()["/Subtype"] == "/Image"
        ):
            found.append(matrix[0])

    page.extract_text(visitor_operand_before=keep)
    return found


def place(reader, text):
    """Return page, x and y of the only line that begins with a text."""
    (found,) = [
        (number, x, y)
        for number, page in enumerate(reader.pages)
        for x, y, _, line in words(page)
        if line.startswith(text.replace(" ", ""))
    ]
    return found
