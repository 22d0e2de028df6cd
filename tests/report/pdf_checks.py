"""What PDF/UA-1 (ISO 14289-1) asks of a file and a program can see, without taking Typst's word for it."""

from collections.abc import Iterator
from typing import Any

HEADINGS = {f"/H{level}": level for level in range(1, 7)}


def problems(reader: Any) -> list[str]:
    """Return what is missing in the PDF of a pypdf reader, by clause of the standard."""
    root = reader.trailer["/Root"]
    elements = list(structure(root["/StructTreeRoot"]))
    found = [
        *_document(reader, root),
        *_headings([kind for kind, _ in elements if kind in HEADINGS]),
        *_elements(elements),
        *_tables(elements),
        *_pages(reader),
    ]
    return sorted(set(found))


def structure(node: Any) -> Iterator[tuple[str, Any]]:
    """Return kind and dictionary of all elements of a structure tree, in reading order."""
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        for child in node:
            yield from structure(child)
    elif isinstance(node, dict):
        if "/S" in node:
            yield str(node["/S"]), node
        yield from structure(node.get("/K", []))


def _document(reader: Any, root: Any) -> Iterator[str]:
    xmp = root["/Metadata"].get_data().decode()
    if "<pdfuaid:part>1</pdfuaid:part>" not in xmp:
        yield "5: no PDF/UA identifier"
    if not root["/MarkInfo"]["/Marked"].value:
        yield "6.2: not marked"
    if not (root.get("/Lang") and reader.metadata.title and "dc:title" in xmp):
        yield "7.1 and 7.2: no language or title"
    if not root.get("/ViewerPreferences", {}).get("/DisplayDocTitle", False):
        yield "7.1: the title is not displayed"


def _headings(kinds: list[str]) -> Iterator[str]:
    level = 0
    for kind in kinds:
        if HEADINGS[kind] > level + 1:
            yield f"7.4.2: {kind} follows level {level}"
        level = HEADINGS[kind]


def _elements(elements: list[tuple[str, Any]]) -> Iterator[str]:
    for kind, element in elements:
        if kind in ("/Figure", "/Formula") and not str(element.get("/Alt", "")).strip():
            yield f"7.3 and 7.7: {kind} without an alternative"
        if kind == "/Link" and "/OBJR" not in str(element.get("/K")):
            yield "7.18.5: a link without its annotation"


def _tables(elements: list[tuple[str, Any]]) -> Iterator[str]:
    for _, table in [pair for pair in elements if pair[0] == "/Table"]:
        rows = [row for kind, row in structure(table["/K"]) if kind == "/TR"]
        cells = [[kind for kind, _ in structure(row["/K"]) if kind in ("/TH", "/TD")] for row in rows]
        if len({len(row) for row in cells}) != 1:
            yield "7.5: rows of a table differ in length"
        heads = [cell for kind, cell in structure(table["/K"]) if kind == "/TH"]
        if not heads or any("/Scope" not in str(cell.get("/A")) for cell in heads):
            yield "7.5: header cells without a scope"


def _pages(reader: Any) -> Iterator[str]:
    for page in reader.pages:
        for annotation in page.get("/Annots", []):
            if not annotation.get_object().get("/Contents"):
                yield "7.18.1: an annotation without a description"
        if page.get("/Annots") and page.get("/Tabs") != "/S":
            yield "7.18.3: tab order is not that of the structure"
        for font in page["/Resources"].get("/Font", {}).values():
            (descendant,) = font.get_object()["/DescendantFonts"]
            if not {"/FontFile2", "/FontFile3"} & set(descendant.get_object()["/FontDescriptor"]):
                yield "7.21.4: a font is not embedded"
            if "/ToUnicode" not in font.get_object():
                yield "7.21.7: a font does not tell its characters"
