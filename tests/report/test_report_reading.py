import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from report_cells import INJECTED, PARAMETERS, code

from ganutils.report.notebook import NO_DATE, front, parse_cell
from ganutils.report.pictures import TEXT_WIDTH, Picture, size
from ganutils.report.printed import plain_lines, shortened


def notebook(*cells, **metadata):
    return new_notebook(cells=list(cells), metadata=metadata)


def test_front_of_a_run():
    head = front(
        notebook(
            new_markdown_cell("```\n# no title\n```\n# A *title*"),
            code(PARAMETERS, tags=["parameters"]),
            code(INJECTED, tags=["injected-parameters"]),
            papermill={"end_time": "2026-03-01T12:00:00+00:00"},
        )
    )
    assert head.title == "A *title*"
    assert head.facts == [
        ("author", "Ada Example"),
        ("student_id", "s1234567"),
        ("course", "Generative models"),
        ("date", "2026-03-01"),
    ]
    assert head.parameters_of == "Parameters of DCGAN"
    assert [p.name for p in head.parameters if p.changed] == ["epochs", "classes", "run"]
    assert head.parameters[0].meaning == "passes over the training images"
    assert head.timestamp == 1772366400


def test_front_of_an_empty_notebook():
    head = front(notebook(authors=[{"name": "A"}, {"name": "B"}]), "fallback")
    assert (head.title, head.facts, head.timestamp) == ("fallback", [("author", "A, B")], NO_DATE)


def test_title_parameter_wins():
    cell = code('report_title: str = "Mine"\ndate: str = "1 May 2026"', tags=["parameters"])
    head = front(notebook(new_markdown_cell("# Other"), cell))
    assert (head.title, head.facts, head.parameters) == ("Mine", [("date", "1 May 2026")], [])


@pytest.mark.parametrize(
    ("given", "value"), [("'10'", 10), ("'none'", None), ("'[1, 2]'", [1, 2]), ("'x y'", "x y")]
)
def test_words_from_the_command_line_become_values(given, value):
    cells = [
        code("epochs: int = 3", tags=["parameters"]),
        code(f"epochs = {given}", tags=["injected-parameters"]),
    ]
    assert front(notebook(*cells)).parameters[0].value == value


def test_cell_is_read_but_never_run():
    source = "a: int = 1  # one, with # and = in it\nb = __import__('os').getpid()\n"
    source += "c: list = [\n    1,\n]  # many\nd: int"
    assert parse_cell(source) == {
        "a": (1, "one, with # and = in it"),
        "b": ("__import__('os').getpid()", ""),
        "c": ([1], "many"),
    }


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\r\nb", ["a", "b"]),
        ("50%\r100%\n", ["100%"]),
        ("\r 10%|#  | 1/10 [00:01<00:09]\r100%|###| 10/10 [00:10<00:00]\nepoch 1\n", ["epoch 1"]),
        ("\x1b[31mred\x1b[0m", ["red"]),
        ("a\n\nb\n\n\n", ["a", "", "b"]),
        ("accuracy 10% | 20%", ["accuracy 10% | 20%"]),
    ],
)
def test_plain_lines(text, lines):
    assert plain_lines(text) == lines


def test_long_output_is_shortened_in_the_middle():
    lines = [str(number) for number in range(100)]
    assert shortened(lines, 4) == ["0", "1", "... 96 lines left out ...", "98", "99"]
    assert shortened(lines, 100) == lines


@pytest.mark.parametrize(
    ("own", "wish", "expected"),
    [
        ((5, 5), "full", (TEXT_WIDTH, TEXT_WIDTH)),
        ((5, 5), 0.5, (TEXT_WIDTH / 2, TEXT_WIDTH / 2)),
        ((5, 4), None, (5, 4)),
        ((5, 4), "nonsense", (5, 4)),
        ((50, 10), None, (TEXT_WIDTH, TEXT_WIDTH / 5)),
        ((10, 21), None, (5, 10.5)),
        ((10, 38), "full", (5, 19)),
    ],
)
def test_size_in_print(own, wish, expected):
    assert size(Picture(b"", "png", *own), wish) == pytest.approx(expected, abs=1e-3)
