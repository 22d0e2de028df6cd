"""The web page that stands in for a PDF: nothing of a notebook runs in it, or fetches anything."""

from html.parser import HTMLParser

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from report_cells import code, markdown_output, shown

from ganutils.report.html import to_html

OWN = {"html", "head", "meta", "title", "style", "body", "main"}
TEXT = {"p", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "br", "a", "img"}
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
HEADINGS = {f"h{level}" for level in range(1, 7)}
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "class",
    "href",
    "src",
    "alt",
    "title",
    "style",
    "start",
}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title></style></pre></main><script src=//example.org/x.js></script>",
    "[click](javascript:alert(1))",
    "[click](  JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "![far](https://example.org/a.png)",
    '![up](../../secret.png "t" onload=alert(1))',
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "| a |\n|---|\n| <iframe src=//example.org> |",
    "<meta http-equiv=refresh content=0;url=//example.org>",
    "`</code><script>1</script>`",
    "$</script><script>1</script>$",
]


class Page(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes = set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attributes]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_runs_and_nothing_is_fetched(hostile):
    error = new_output("error", ename=hostile, evalue=hostile, traceback=[hostile])
    picture = {"image/png": hostile, "text/html": hostile, "image/svg+xml": hostile, "text/plain": hostile}
    outputs = [
        new_output("stream", name="stdout", text=hostile),
        error,
        markdown_output(hostile),
        shown(picture, caption=hostile, alt=hostile),
        shown({"image/png": "AAAA"}, caption=hostile, alt=hostile),
    ]
    notebook = new_notebook(
        cells=[new_markdown_cell(f"# {hostile}"), new_markdown_cell(hostile), code("1", *outputs)]
    )
    page = Page(to_html(notebook, hostile, hostile).decode())
    assert page.tags <= OWN | TEXT | TABLE | HEADINGS
    names, values = zip(*page.attributes, strict=True)
    assert set(names) <= ATTRIBUTES
    assert all(value.startswith("data:image/") for name, value in page.attributes if name == "src")
    links = [value.strip().lower() for name, value in page.attributes if name == "href"]
    assert all(link.startswith(("http:", "https:", "#")) for link in links)
    assert sum(name == "http-equiv" for name in names) == 1
    assert "default-src 'none'" in next(value for value in values if "default-src" in value)


def test_what_a_report_leaves_out_is_left_out_here_too():
    printed = new_output("stream", name="stdout", text="downloaded 3 files")
    live = shown({"text/plain": "moving picture"}, role="live")
    caption = markdown_output("said twice", role="caption")
    cells = [
        code("1", printed, live, caption, markdown_output("a table"), tags=["hide-stream"]),
        code("2", new_output("stream", name="stdout", text="printed text")),
        code("3", markdown_output("hidden text"), tags=["remove_output"]),
    ]
    page = to_html(new_notebook(cells=cells), "n", "why").decode()
    assert [text in page for text in ("a table", "printed text")] == [True, True]
    assert not [text for text in ("downloaded", "moving", "said twice", "hidden") if text in page]
