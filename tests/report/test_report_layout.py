"""Where things stand on the page, in one column and in a paper's two."""

import io

import pdf_checks
import pypdf
import pytest
import typst
from nbformat.v4 import new_markdown_cell, new_notebook
from pages import LAYOUTS, PAGE, export, place, widths_of_pictures, words
from report_cells import code, markdown_output

from ganutils.errors import ReportError

HEADING_SIZES = {"report": (14, 11.5), "paper": (11.5, 10.2)}


@pytest.fixture(scope="module")
def both(rich):
    return {layout: export(rich, layout=layout) for layout in LAYOUTS}


@pytest.fixture(params=LAYOUTS)
def made(request, both):
    return request.param, both[request.param]


def table(rows, *widths):
    lines = ["|".join("x" * width for width in widths)] * rows
    header, rule = "|".join("h" for _ in widths), "|".join("---" for _ in widths)
    return "\n".join(f"|{line}|" for line in (header, rule, *lines))


def tables(*sizes):
    outputs = [
        markdown_output(table(*size), role="table", caption=f"Number {number}.")
        for number, size in enumerate(sizes)
    ]
    return new_notebook(cells=[new_markdown_cell("# T\n\n## S\n\nText."), code("1", *outputs)])


def test_both_layouts_say_the_same(both):
    texts = ["\n".join(page.extract_text() for page in both[layout].pages) for layout in LAYOUTS]
    report, paper = (" ".join(text.replace("\u00ad", "").split()) for text in texts)
    for expected in (
        "A DCGAN on CIFAR-10",
        "Figure 10.",
        "Table 1.",
        "Ada Example",
        "It works, within limits.",
    ):
        assert expected in report
        assert expected in paper
    assert "Contents" in report
    assert "Contents" not in paper


def test_a_paper_has_two_columns_and_fewer_pages(both):
    report, paper = both.values()
    assert len(paper.pages) < len(report.pages)
    starts = [x for page in paper.pages for x, *_ in words(page)]
    middle = PAGE / 2
    assert sum(x < 60 for x in starts) > 20
    assert sum(middle < x < middle + 20 for x in starts) > 20
    assert not [x for page in report.pages for x, *_ in words(page) if x < 60]


def test_wide_pictures_span_both_columns_and_two_narrow_ones_share_them(both):
    found = [round(width) for page in both["paper"].pages for width in widths_of_pictures(page)]
    column = (PAGE - 2 * 51 - 20) / 2
    assert sorted(found)[-6:] == [461] * 6
    assert all(width <= column for width in sorted(found)[:-6])


def test_no_heading_stands_last_on_a_page_or_column(made):
    layout, reader = made
    for number, page in enumerate(reader.pages):
        found = words(page)
        sides = (
            [found]
            if layout == "report"
            else [[word for word in found if (word[0] < PAGE / 2) == left] for left in (True, False)]
        )
        for side in filter(None, sides):
            *_, size, text = min(side, key=lambda word: word[1])
            assert size not in HEADING_SIZES[layout], (number, text)


def test_pages_are_full(made):
    """But for the last one: a page whose text ends in its upper half has lost a fight with a figure."""
    _, reader = made
    for page in reader.pages[:-1]:
        assert min(y for _, y, *_ in words(page)) < 300


def test_it_is_accessible(made):
    _, reader = made
    assert pdf_checks.problems(reader) == []


def test_the_check_of_accessibility_sees_what_is_missing(tmp_path):
    source = '= One\n=== Three\n$ x $\n#link("https://example.org")[there]'
    (tmp_path / "a.typ").write_text(source)
    tagged = pypdf.PdfReader(io.BytesIO(typst.compile(tmp_path / "a.typ", format="pdf")))
    assert [line.split(":")[0] for line in pdf_checks.problems(tagged)] == [
        "5",
        "7.1 and 7.2",
        "7.1",
        "7.3 and 7.7",
        "7.4.2",
    ]


def test_two_narrow_tables_stand_side_by_side_in_a_report():
    reader = export(tables((5, 20, 8), (8, 25, 6), (5, 40, 40)), layout="report")
    first, second, third = (place(reader, f"Table {number}") for number in (1, 2, 3))
    assert first[2] == pytest.approx(second[2], abs=1)
    assert first[1] + 100 < second[1]
    assert third[2] < second[2]


def test_a_table_of_many_words_breaks_between_rows_and_stays_in_its_section():
    rows = "".join(f"|Row {number}|{'word ' * 90}|\n" for number in range(12))
    output = markdown_output(f"|a|b|\n|---|---|\n{rows}", role="table", caption="Words.")
    cells = [new_markdown_cell("# T\n\n## S\n\n" + "Words again. " * 250), code("1", output)]
    cells.append(new_markdown_cell("## After\n\nShort."))
    reader = export(new_notebook(cells=cells), layout="report")
    caption, first, last = (place(reader, text) for text in ("Table 1. Words.", "Row 0", "Row 11"))
    assert (caption[0], first[0], last[0]) == (0, 0, 1)
    assert place(reader, "2 After")[0] == 1
    assert place(reader, "2 After")[2] < last[2]


def test_a_long_wide_table_is_cut_in_a_paper():
    reader = export(tables((90, 40, 20, 20)), layout="paper")
    rows = [sum(text.startswith("x" * 20) for *_, text in words(page)) for page in reader.pages]
    assert [count for count in rows if count] == [40, 50]
    assert place(reader, "Table 1. Number 0.")[0] == 0
    assert all("Table1,continued" in line[3] for line in words(reader.pages[1]) if "Table" in line[3])
    assert pdf_checks.problems(reader) == []


def test_tables_fit_between_the_margins(made):
    _, reader = made
    for page in reader.pages:
        assert all(x < PAGE - 51 for x, *_ in words(page))


@pytest.mark.parametrize(
    ("own", "asked", "columns"), [("paper", "", 2), ("paper", "report", 1), (None, "paper", 2)]
)
def test_the_notebook_chooses_a_layout_and_the_exporter_has_the_last_word(own, asked, columns):
    notebook = new_notebook(cells=[new_markdown_cell("# T\n\n" + "Words and words again. " * 200)])
    if own:
        notebook.metadata["ganutils"] = {"layout": own}
    starts = [x for x, *_ in words(export(notebook, layout=asked).pages[0])]
    assert any(x > PAGE / 2 for x in starts) == (columns == 2)


def test_an_unknown_layout_is_refused():
    notebook = new_notebook(metadata={"ganutils": {"layout": "poster"}})
    with pytest.raises(ReportError, match=r"'poster'.*report, paper"):
        export(notebook)


def test_cited_works_are_listed_by_name_and_linked():
    text = (
        "# T\n\n## S\n\nSee Metz and others (2016), not Arjovsky; (Goodfellow 2014). Nobody 2014.\n\n"
        "## References\n\n1. L. Metz, B. Poole. Unrolled. 2016.\n2. I. Goodfellow. Nets. 2014."
    )
    reader = export(new_notebook(cells=[new_markdown_cell(text)]))
    page = reader.pages[0]
    assert len(page["/Annots"]) == 2
    shown_text = " ".join(page.extract_text().split())
    assert "References I. Goodfellow. Nets. 2014. L. Metz" in shown_text


def test_works_cited_by_number_keep_their_numbers():
    text = "# T\n\nSee [2].\n\n## References\n\n1. L. Metz. Unrolled. 2016.\n2. I. Goodfellow. Nets. 2014."
    shown_text = " ".join(
        export(new_notebook(cells=[new_markdown_cell(text)])).pages[0].extract_text().split()
    )
    assert "1. L. Metz. Unrolled. 2016. 2. I. Goodfellow" in shown_text


def test_code_with_an_index_cites_nothing_by_number():
    works = "1. L. Metz. Unrolled. 2016.\n2. I. Goodfellow. Nets. 2014."
    cell = new_markdown_cell(f"# T\n\nTry `scores[2]`.\n\n## References\n\n{works}")
    shown_text = " ".join(export(new_notebook(cells=[cell])).pages[0].extract_text().split())
    assert "References I. Goodfellow. Nets. 2014. L. Metz" in shown_text
