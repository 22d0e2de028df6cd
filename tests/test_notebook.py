import re

import pytest
from trainings import run_of

from ganutils import notebook
from ganutils.errors import GanutilsError, ParameterError
from ganutils.figures import grids
from ganutils.notebook import assigned_names, read_parameters, show, show_table
from ganutils.sheets import Grid
from ganutils.style import WIDTH

OWN = "# Parameters of dcgan\nepochs: int = 10  # passes\nseed: int = 0  # seed"


def test_names_of_the_parameters_cell_and_of_the_injected_one():
    cells = ["", OWN, "# Parameters\nepochs = 3\nepoch = 4\n", "n = 5"]
    assert assigned_names(cells) == ["epochs", "seed", "epoch"]


def test_names_that_are_set_together_or_under_a_condition_count():
    lines = ("epochs, (seed, width) = 5, (1, 2)", "if True:", "    d_step = 2", "classes = [n for n in 'ab']")
    cell = "\n".join(("# Parameters of dcgan", *lines))
    assert assigned_names([cell]) == ["epochs", "seed", "width", "d_step", "classes"]


def test_a_corrected_cell_forgets_the_mistake():
    assert assigned_names(["# Parameters of dcgan\nepoch: int = 3", OWN]) == ["epochs", "seed"]


@pytest.mark.parametrize("mistake", ["epochs: 5", "epochs = (", "epochs == == 5"])
def test_a_corrected_cell_forgets_what_was_no_assignment(mistake):
    wrong = f"# Parameters of dcgan\n{mistake}"
    with pytest.raises(ParameterError):
        assigned_names(["import this", wrong])
    assert assigned_names([wrong, OWN]) == ["epochs", "seed"]


def test_a_cell_that_is_no_python_is_told_in_a_line():
    with pytest.raises(ParameterError, match=r"no Python: .* in 'epochs = 5 6'\. Correct it and run it"):
        assigned_names(["# Parameters of dcgan\nepochs = 5 6"])


def test_outside_a_notebook():
    with pytest.raises(ParameterError, match="in a notebook only"):
        read_parameters("dcgan")


def test_errors_show_as_one_line():
    assert GanutilsError("x = 1: is wrong.")._render_traceback_() == ["GanutilsError: x = 1: is wrong."]


@pytest.fixture
def shown(monkeypatch):
    outputs = []
    monkeypatch.setattr(notebook, "display", lambda data, raw, metadata: outputs.append((data, metadata)))
    return outputs


def test_a_grid_is_shown_as_png_with_caption_and_alt(shown, toy_data):
    figure = grids({"": Grid(toy_data.images[:4], 2)})
    show(figure, caption="What to see.", alt="Four images.")
    (picture, about), (caption, role) = shown
    assert picture.keys() == {"image/png"}
    assert picture["image/png"].startswith(b"\x89PNG")
    share = about["ganutils"].pop("width")
    assert share == pytest.approx(figure.get_figwidth() / WIDTH, abs=1e-3)
    assert about["ganutils"] == {"caption": "What to see.", "alt": "Four images."}
    assert caption["text/markdown"] == "*What to see.*"
    assert role["ganutils"] == {"role": "caption"}


def test_a_line_plot_is_also_shown_as_reproducible_svg(shown):
    from matplotlib.figure import Figure

    for _ in range(2):
        figure = Figure()
        figure.subplots().plot([1, 2])
        show(figure, caption="Line.", alt="A line.")
    assert shown[0][0]["image/svg+xml"] == shown[2][0]["image/svg+xml"]


def test_a_figure_that_changes_after_it_was_shown_is_laid_out_anew(shown):
    from matplotlib.figure import Figure

    figure, fresh = Figure(layout="constrained"), Figure(layout="constrained")
    for one in (figure, fresh):
        one.subplots().plot([1, 2])
    show(figure, caption="Before.", alt="A line.")
    for one in (figure, fresh):
        one.axes[0].set_ylabel("a label\nof two lines", fontsize=20)
        show(one, caption="After.", alt="A line.")
    before, after, expected = (shown[place][0] for place in (0, 2, 4))
    assert before["image/png"] != after["image/png"] == expected["image/png"]
    frame = re.compile(r'<g id="patch_2">\s*<path d="([^"]*)')
    frames = [frame.search(picture["image/svg+xml"])[1] for picture in (before, after, expected)]
    assert frames[0] != frames[1] == frames[2]


def test_the_environment_counts_what_a_paused_run_has_done(shown, toy_params, toy_data):
    for d_steps, updates in ((1, "discriminator 1, generator 1"), (2, "discriminator 1, generator 0")):
        paused, run, _ = run_of(
            toy_params(run=f"paused-{d_steps}", d_steps=d_steps, max_minutes=1e-9), toy_data
        )
        notebook.show_environment(run)
        table = shown[-1][0]["text/markdown"]
        assert paused.step == 1
        assert "| Epochs | 0.2 of 2 |" in table
        assert f"| Updates | {updates} |" in table
        assert "| Training time | 0.0 minutes in finished epochs, " in table


def test_tables_format_numbers_and_escape_bars(shown):
    show_table([("a|b", 3576704, 0.123456)], ("Layer", "Parameters", "Loss"), "Caption.")
    ((data, about),) = shown
    lines = data["text/markdown"].splitlines()
    assert lines == [
        "| Layer | Parameters | Loss |",
        "| --- | ---: | ---: |",
        "| a\\|b | 3,576,704 | 0.1235 |",
    ]
    assert about["ganutils"] == {"role": "table", "caption": "Caption."}


@pytest.mark.parametrize("line", ["epochs: 5", "classes: 'cat'"])
def test_a_line_of_a_preset_that_sets_nothing_is_refused(line):
    name, value = line.split(": ")
    with pytest.raises(ParameterError, match=f"sets nothing in a notebook. Write {name} = {value}"):
        assigned_names([f"{OWN}\n{line}"])
