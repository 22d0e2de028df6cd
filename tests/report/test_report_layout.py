"""Where things stand on the page, in one column and in a paper's two."""

import io
from copy import deepcopy

import pdf_checks
import pypdf
import pytest
import typst
from nbformat.v4 import new_markdown_cell, new_notebook
from report_cells import code, grid, markdown_output, shown

from ganutils.errors import ReportError
from ganutils.report.exporter import ReportExporter
from ganutils.report.placing import MOST_GAP, spanning

LAYOUTS = ("report", "paper")
PAGE = 595.3  # points, the width of A4
HEADING_SIZES = {"report": (14, 11.5), "paper": (11.5, 10.2)}


def export(notebook, **options):
    pdf, _ = ReportExporter(**options).from_notebook_node(deepcopy(notebook))
    return pypdf.PdfReader(io.BytesIO(pdf))


@pytest.fixture(scope="module")
def both(rich):
    return {layout: export(rich, layout=layout) for layout in LAYOUTS}


@pytest.fixture(params=LAYOUTS)
def made(request, both):
    return request.param, both[request.param]


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


def place(reader, text):
    """Return page, x and y of the only line that begins with a text."""
    (found,) = [
        (number, x, y)
        for number, page in enumerate(reader.pages)
        for x, y, _, line in words(page)
        if line.startswith(text.replace(" ", ""))
    ]
    return found


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


def test_a_narrow_picture_of_a_paper_stands_in_a_column_with_its_caption():
    before, after = (new_markdown_cell("# T\n\n## S\n\n" + "Words again. " * 500) for _ in range(2))
    figure = code("1", shown(grid(0, (6, 6)), caption="In a column.", width="column"))
    reader = export(new_notebook(cells=[before, figure, after]), layout="paper")
    page, x, _ = place(reader, "Figure 1. In a column.")
    assert 51 <= x < PAGE / 2 - 10 or x > PAGE / 2
    (width,) = widths_of_pictures(reader.pages[page])
    assert width < (PAGE - 2 * 51 - 20) / 2


def test_what_spans_both_columns_covers_no_narrow_picture():
    tops = {1: 3.0, 2: 10.0, 3: 20.0, 4: 23.0}  # cm; all are 5 cm high, the first page ends at 27.4
    asked = []

    def spots(chosen):
        asked.append(chosen)
        return [
            {"figure": number, "page": 1, "y": y, "height": 5.0, "spans": number == 3 or number in chosen}
            for number, y in tops.items()
        ] + [{"figure": 5, "page": 2, "y": 10.0, "height": 5.0, "spans": False}]

    assert spanning(spots) == {4}
    tops[2] = 16.0
    assert spanning(spots) == {2, 4}
    assert asked[-1] == {2, 4}


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


def two_figures(height):
    """Return a figure that leaves the first page's lower part, one of 3 inches, and a section of text."""
    figures = [
        shown(grid(0, (6.4, height)), caption="First.", width="full"),
        shown(grid(1, (6.4, 3)), caption="Second.", width="full"),
    ]
    cells = [new_markdown_cell("# T\n\n## S\n\nText."), code("1", *figures)]
    return new_notebook(cells=[*cells, new_markdown_cell("## After\n\n" + "Words again. " * 300)])


def test_a_figure_that_leaves_little_room_stays_before_the_next_section():
    reader = export(two_figures(7.4))
    first, second = place(reader, "Figure 1. First."), place(reader, "Figure 2. Second.")
    after = place(reader, "2 After")
    assert 28.35 * 2.3 < first[2] < 28.35 * (2.3 + MOST_GAP)  # points above the page's lower edge
    assert (first[0], second[0], after[0]) == (0, 1, 1)
    assert after[2] < second[2]


def test_a_figure_that_would_leave_a_gap_goes_to_the_top_of_the_next_page():
    reader = export(two_figures(5.5))
    first, second = place(reader, "Figure 1. First."), place(reader, "Figure 2. Second.")
    after = place(reader, "2 After")
    assert (first[0], second[0], after[0]) == (0, 1, 0)
    assert second[2] == max(y for _, y, *_ in words(reader.pages[1]))


def test_figures_come_before_the_references():
    cells = [new_markdown_cell("# T\n\n## S\n\n" + "Text before figures. " * 90)]
    cells += [
        code("1", shown(grid(seed, (6.4, 6)), caption=f"Number {seed}.", width="full")) for seed in range(3)
    ]
    cells.append(new_markdown_cell("## Limits\n\nShort.\n\n## References\n\n1. A. Author. Title. 2015."))
    for layout in LAYOUTS:
        reader = export(new_notebook(cells=cells), layout=layout)
        page, _, y = place(reader, "A. Author")
        last = [place(reader, f"Figure {number}.") for number in (1, 2, 3)][-1]
        assert (last[0], -last[2]) < (page, -y)


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
