"""Where figures stand: in their text, at the top of a page, in a column or across both."""

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from pages import LAYOUTS, PAGE, export, place, widths_of_pictures, words
from report_cells import code, grid, markdown_output, shown

from ganutils.report.placing import MOST_GAP, PAGE_BOTTOM, PAGE_TOP, TRIES, floating, spanning, waiting


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


def spot(figure, page, after, height=9.0, headed=False):
    """A figure on a page; the text before it ends at `after`, page and cm from the top."""
    about = {"figure": figure, "kind": "image", "fixed": figure == 0, "headed": headed}
    return {**about, "page": page, "after": after, "height": height}


def test_only_figures_that_would_leave_a_gap_float():
    # The second figure does not fit on page 1; once it floats, the third is pushed below it.
    before = [spot(1, 1, (1, 10)), spot(2, 2, (1, 19)), spot(3, 2, (2, 16))]
    after = [spot(1, 1, (1, 10)), spot(2, 1, (1, 19)), spot(3, 2, (2, 15))]
    assert floating(lambda chosen: after if chosen else before) == {2}


@pytest.mark.parametrize(
    ("after", "page", "headed", "floats"),
    [
        ((1, PAGE_BOTTOM - MOST_GAP + 0.1), 2, False, False),
        ((1, PAGE_BOTTOM - MOST_GAP - 0.1), 2, False, True),
        ((1, PAGE_BOTTOM), 3, False, True),  # a page between them
        ((2, 2.4), 2, False, False),  # two lines of text above it
        ((2, PAGE_TOP - 0.1), 2, True, True),  # its heading came with it
        ((2, PAGE_TOP + 0.1), 2, True, False),
        ((1, PAGE_TOP - 0.1), 1, True, False),
    ],
)
def test_what_counts_as_a_gap(after, page, headed, floats):
    assert floating(lambda chosen: [spot(1, page, after, headed=headed)]) == ({1} if floats else set())


def test_hundreds_of_figures_are_placed_in_few_tries():
    tries = []

    def spots_of(chosen):
        tries.append(set(chosen))
        pages = range(2, 400)
        return [spot(page, page, (page, 20) if page in chosen else (page - 1, 20)) for page in pages]

    assert floating(spots_of) == set(range(2, 400))
    assert len(tries) <= TRIES


def test_figure_that_is_all_below_its_heading_stays():
    assert floating(lambda chosen: [spot(0, 2, (1, 3))]) == set()


def test_no_figure_overtakes_a_floating_one():
    def spots_of(chosen):
        first = spot(1, 1, (1, 22)) if chosen else spot(1, 2, (1, 22))
        return [first, spot(2, 1, (1, 24), 2.0)]

    assert floating(spots_of) == {1, 2}


def test_what_overtook_waits_until_its_order_is_right():
    """The third takes the room that the second, which is larger, did not fit into."""
    kinds = {1: "table", 2: "table", 3: "table", 4: "image"}

    def spots(waits):
        pages = {1: 1, 2: 2, 3: 2 if 3 in waits else 1, 4: 1}
        return [{"figure": number, "kind": kind, "landed": pages[number]} for number, kind in kinds.items()]

    assert waiting(spots) == {3}
    kinds[3] = "image"
    assert waiting(spots) == set()


def test_a_table_that_stays_does_not_overtake_one_that_floats():
    def table(rows, width):
        lines = [f"| {'x ' * width} | y |"] * rows
        return "\n".join(("| h | k |", "| --- | --- |", *lines))

    outputs = [
        markdown_output(table(20, 3), role="table", caption="Long."),
        markdown_output(table(1, 120), role="table", caption="Wide."),
    ]
    text = new_markdown_cell("# T\n\n## S\n\n" + "Text before tables. " * 160)
    cells = [text, *(code("1", output) for output in outputs), new_markdown_cell("Words again. " * 300)]
    reader = export(new_notebook(cells=cells))
    first, second = place(reader, "Table 1. Long."), place(reader, "Table 2. Wide.")
    assert (first[0], -first[2]) < (second[0], -second[2])
    assert first[0] == 1
