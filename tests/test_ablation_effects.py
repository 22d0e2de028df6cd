"""Tables and figures of what changes do."""

from functools import partial

import numpy as np
import pytest
from ablations import BASE, finished

from ganutils import ablation_figures, ablation_tables
from ganutils.ablation_numbers import Quantity
from ganutils.ablation_plan import plan
from ganutils.studies.ablation import AblationRun
from ganutils.variants import dcgan


@pytest.fixture
def made(toy_data):
    return partial(finished, toy_data)


def test_differences_name_the_parameters_with_both_values():
    base, ema, _, together = plan(dcgan.Params, BASE, [{"ema": "0.5"}, {"augment": "color"}])
    told = [ablation_tables.differences(base.params, row.params) for row in (base, ema, together)]
    assert told == ["", "`ema`: 0.0 → 0.5", "`augment`: (empty) → color; `ema`: 0.0 → 0.5"]
    moved = base.params.model_copy(update={"run": "runs/x"})
    assert ablation_tables.differences(base.params, moved) == ""


REPEATED = Quantity("repeated", ".1%", {1: 0.8, 2: 0.75, 3: 0.7, 4: 0.3, 5: 0.1}, real=0.01)


def test_the_table_of_numbers_ends_with_real_images(made):
    runs = made(repeats=1)
    rows, header = ablation_tables.numbers(runs, [REPEATED, Quantity("other", ".0f", {1: 2.0})])
    assert header == ("Run", "repeated", "other")
    assert rows[0] == ("1: base", "80.0%", "2")
    assert rows[1] == ("2: base, seed 1", "75.0%", "–")
    assert rows[-1] == ("real images", "1.0%", "–")


def test_effects_name_the_farthest_change_and_what_effects_would_add_up_to(made):
    rows, header = ablation_tables.effects(made(repeats=1), [REPEATED, Quantity("none", ".0f", {3: 1.0})])
    assert header[4:] == ("All changes", "Single moves added up", "Seeds of the base")
    assert rows == [("repeated", "80.0%", "beta1=0.0", "30.0%", "10.0%", "20.0%", "75.0% to 80.0%")]
    still = Quantity("still", ".0f", dict.fromkeys(range(1, 5), 7.0))
    rows, header = ablation_tables.effects(made(together=False), [still])
    assert header == ("Number", "Base", "Moved farthest by", "To")
    assert rows == [("still", "7", "none", "7")]


THREE = [{"ema": "0.5"}, {"beta1": "0"}, {"flip": "false"}]
LEFT_OUT = Quantity("repeated", ".1%", {1: 0.8, 2: 0.7, 3: 0.3, 4: 0.8, 5: 0.2, 6: 0.6, 7: 0.1, 8: 0.1})


def test_effects_name_the_change_that_is_missed_most(made):
    runs = made(without="all", changes=THREE)
    rows, header = ablation_tables.effects(runs, [LEFT_OUT])
    assert header[6:] == ("Missed most", "Without it")
    assert rows == [("repeated", "80.0%", "beta1=0.0", "30.0%", "10.0%", "20.0%", "beta1=0.0", "60.0%")]
    still = Quantity("still", ".0f", dict.fromkeys(range(1, 9), 7.0))
    ((*_, missed, without),), _ = ablation_tables.effects(runs, [still])
    assert (missed, without) == ("none", "7")
    lost = AblationRun(6, runs[5].name, runs[5].folder, row=runs[5].row, diverged=True)
    for some, quantity in (
        (runs, Quantity("unknown", ".0f", {1: 1.0, 2: 2.0, 5: 3.0})),
        ([*runs[:5], lost, *runs[6:]], LEFT_OUT),
    ):
        ((*_, missed, without),), _ = ablation_tables.effects(some, [quantity])
        assert (missed, without) == ("–", "–")


def test_a_change_has_one_colour_and_rows_differ_in_their_lines(made):
    names = ["ema=0.5", "beta1=0", "flip=false", "d_steps=2", "d_norm=spectral", "batch_size=10", "width=8"]
    changes = [dict([name.split("=")]) for name in names]
    runs = made(without="all", changes=changes, repeats=1)
    assert len({str(ablation_figures._line(run)) for run in runs}) == 17
    colours = [line.get_color() for line in ablation_figures.curves(runs).axes[0].lines]
    assert colours[2:9] == colours[9:16]
    assert len(set(colours[2:9])) == 7


def test_the_legend_names_real_images_where_they_are_drawn(made):
    for real, named in ((None, False), (0.01, True)):
        figure = ablation_figures.effects(made(), [Quantity("some", ".2f", REPEATED.values, real=real)])
        (legend,) = figure.legends
        assert ("real images" in [text.get_text() for text in legend.get_texts()]) == named


def test_dots_of_what_leaves_a_change_out_are_hollow(made):
    figure = ablation_figures.effects(made(without="all", changes=THREE), [LEFT_OUT])
    hollow = [
        line.get_ydata()[0]
        for line in figure.axes[0].lines
        if line.get_marker() == "o" and line.get_markerfacecolor() == "white"
    ]
    assert hollow == [5, 6, 7]
    (legend,) = figure.legends
    assert "all changes but one" in [text.get_text() for text in legend.get_texts()]


def test_moves_are_not_added_up_if_a_single_change_diverged(made):
    base, first, *others = made()
    lost = AblationRun(first.number, first.name, first.folder, row=first.row, diverged=True)
    ((*_, together, added),), _ = ablation_tables.effects([base, lost, *others], [REPEATED])
    assert (together, added) == ("30.0%", "–")


def test_no_effects_without_a_base(made):
    runs = made()
    assert ablation_tables.effects(runs[1:], [REPEATED])[0] == []
    assert ablation_tables.effects(runs[:1], [REPEATED])[0] == []
    lost = AblationRun(1, "base", runs[0].folder, row=runs[0].row, diverged=True)
    assert ablation_tables.effects([lost, *runs[1:]], [REPEATED])[0] == []


def test_curves_have_a_panel_a_term_and_a_line_a_run(made):
    runs = made()
    figure = ablation_figures.curves(runs)
    assert [axis.get_title() for axis in figure.axes] == ["d_real", "d_fake", "g_fake"]
    for axis in figure.axes:
        assert [line.get_label() for line in axis.lines] == [run.label for run in runs]
    assert figure.axes[2].lines[1].get_xydata().tolist() == [[1, 2], [2, 4], [3, 6], [4, 8]]
    looks = {(line.get_color(), str(line.get_linestyle())) for line in figure.axes[0].lines}
    assert len(looks) == len(runs)


def test_long_histories_are_drawn_as_means_of_stretches():
    x = np.arange(1, 1001) / 250
    ends, means = ablation_figures._smooth(x, np.full(1000, 3.0))
    assert len(ends) == 200
    assert means.tolist() == [3.0] * 200
    assert ends[-1] == x[-1]


def test_effects_are_drawn_from_the_base(made):
    runs = made(repeats=1)
    figure = ablation_figures.effects(runs, [REPEATED, Quantity("unmeasured", ".0f", {})])
    (axis,) = figure.axes
    assert axis.get_title() == "repeated"
    dots = [line.get_xydata().tolist() for line in axis.lines if line.get_marker() == "o"]
    assert dots == [[[REPEATED.values[n], n]] for n in range(1, 6)]
    stems = [
        line.get_xydata().tolist()
        for line in axis.lines
        if len(line.get_xdata()) == 2 and line.get_marker() != "o"
    ]
    assert [[0.8, 4], [0.3, 4]] in stems
    assert [text.get_text() for text in axis.get_yticklabels()] == [run.label for run in runs]
    assert axis.yaxis_inverted()
    (band,) = axis.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.75, 0.8))
