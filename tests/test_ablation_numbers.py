import json

import numpy as np
import pytest
import torch

from ganutils import ablation_figures, ablation_numbers, ablation_tables
from ganutils.ablation_numbers import Quantity
from ganutils.ablation_plan import plan
from ganutils.history import History
from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.studies import compare
from ganutils.studies.ablation import AblationRun
from ganutils.variants import dcgan

BASE = {"width": 4, "latent_size": 6, "batch_size": 20, "n_samples": 12, "epochs": 4, "precision": "fp32"}
CHANGES = [{"ema": "0.5"}, {"beta1": "0"}]


def history(g=(), **columns):
    """Return a history with a row at the end of each epoch."""
    columns = {"g_fake": g, **columns} if len(g) else columns
    length = max((len(values) for values in columns.values()), default=0)
    updates = [
        {"step": 2 * i + 2, "epoch": i + 1, **{name: values[i] for name, values in columns.items()}}
        for i in range(length)
    ]
    return History(updates, [])


@pytest.fixture
def made(toy_data):
    """Return a function that writes the finished runs of a plan; what run n recorded grows with n."""

    def make(**ways):
        found = plan(dcgan.Params, BASE, CHANGES, **ways)
        return [written(number, row) for number, row in enumerate(found, 1)]

    def written(number, row):
        params = row.params.model_copy(update={"run": f"runs/{row.folder}"})
        run = RunDir.open(params, toy_data)
        for epoch in range(1, 5):
            loss = {"d_real": 0.1 * number, "d_fake": 0.2, "g_fake": float(number * epoch), "g_grad": 99.0}
            answers = {"D(x)": 0.5 + 0.1 * number, "D(G(z))": 0.5}
            count = {
                "epoch": epoch,
                "step": 2 * epoch,
                "g_step": 2 * epoch,
                "seconds": 30.0,
                "images_per_second": 1.0,
            }
            run.append([{"step": 2 * epoch, "epoch": epoch, **loss, **answers}], [count])
        run.save_grid("epoch-00004", Grid(toy_data.images[:12], 4, "epoch 4"))
        return AblationRun(number, row.label, run, row=row, diverged=False)

    return make


def by_name(quantities):
    return {one.name: one for one in quantities}


def test_the_largest_mean_of_an_epoch():
    assert ablation_numbers.largest(history([1.0, 5.0, 2.0])) == 5
    rows = [(0.5, 9.0), (1.0, 1.0), (1.5, 4.0), (2.0, 8.0)]  # epochs of mean 5 and 6
    updates = [{"step": i, "epoch": epoch, "g_fake": value} for i, (epoch, value) in enumerate(rows)]
    assert ablation_numbers.largest(History(updates, [])) == 6
    assert ablation_numbers.largest(history([1.0, 2.0], g_class=[3.0, 1.0], g_grad=[50.0, 50.0])) == 4
    assert ablation_numbers.largest(history(d_real=[1.0])) is None


def test_the_trend_is_the_slope_over_the_last_half():
    falling_then_rising = [9.0, 7.0, 5.0, 3.0, 3.5, 4.0, 4.5, 5.0]
    assert ablation_numbers.trend(history(falling_then_rising)) == pytest.approx(0.5)
    assert ablation_numbers.trend(
        history([2.0, 2.0, 2.0, 2.0], g_class=[0.0, 0.0, 3.0, 1.0])
    ) == pytest.approx(-2)
    assert ablation_numbers.trend(history([1.0])) is None
    assert ablation_numbers.trend(history()) is None


def test_confidence_is_the_last_mean_answer_to_real_minus_generated_images():
    answers = {"D(x,x')": [0.5, 0.9], "D(x,G(z))": [0.5, 0.2]}
    assert ablation_numbers.confidence(history(**answers)) == pytest.approx(0.7)
    assert ablation_numbers.confidence(history(distance=[1.0])) is None
    assert ablation_numbers.confidence(history(**{"D(G(z))": [0.5]})) is None


def test_quantities_of_the_losses(made):
    runs = made()
    found = by_name([*ablation_numbers.losses(runs), *ablation_numbers.course(runs)])
    assert list(found) == ["d_real", "d_fake", "g_fake", "largest G", "trend of G", "confidence of D"]
    assert found["d_real"].values == pytest.approx({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4})
    assert found["g_fake"].values == {1: 4, 2: 8, 3: 12, 4: 16}
    assert found["trend of G"].values == pytest.approx({1: 1, 2: 2, 3: 3, 4: 4})
    assert found["confidence of D"].values == pytest.approx({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4})


def test_only_terms_that_all_runs_have_are_compared(made):
    runs = made()
    runs[1].folder.append([{"step": 9, "epoch": 4.0, "d_penalty": 1.0}])
    assert "d_penalty" in runs[1].terms("d")
    assert ablation_numbers.shared_terms(runs, "d") == ["d_real", "d_fake"]
    assert ablation_numbers.shared_terms(runs, "g") == ["g_fake"]


def test_variety_of_a_collapsed_generator_beside_real_images(made, toy_data, monkeypatch):
    runs = made()[:2]
    same = toy_data.images[:1].expand(30, -1, -1, -1)
    drawn = {1: same, 2: toy_data.images[:30]}
    monkeypatch.setattr(ablation_numbers, "_draw", lambda run, count, seed: drawn[run.number])
    repeated, nearest = ablation_numbers.variety(runs, toy_data, 30, seed=0)
    assert repeated.values[1] == 1
    assert repeated.values[2] <= 0.1
    assert nearest.values[1] == pytest.approx(0, abs=1e-3)
    assert nearest.values[2] == pytest.approx(nearest.real, rel=0.05)  # random pixels are equally far apart


def test_every_run_draws_from_the_same_latents(toy_data, made, monkeypatch):
    seen = []
    monkeypatch.setattr(
        ablation_numbers.variants, "load", lambda folder: dcgan.build(dcgan.Params(**BASE), 2)
    )
    monkeypatch.setattr(
        ablation_numbers, "generate", lambda net, z, labels: seen.append(z) or torch.rand(len(z), 3, 4, 4)
    )
    ablation_numbers.variety(made()[:2], toy_data, 50, seed=3)
    assert len(seen[0]) == len(toy_data)
    assert torch.equal(*seen)


def test_metrics_are_the_last_of_their_protocol(made):
    runs = made()
    protocol = {
        "reference": "toy",
        "n_real": 4,
        "n_fake": 4,
        "network": "toy",
        "resizer": "-",
        "precision": "fp32",
    }
    found = [{"name": "FID", "value": v, "epoch": e, "protocol": protocol} for v, e in ((9.5, 4), (7.0, 2))]
    (runs[1].folder.path / "metrics.json").write_text(json.dumps(found))
    quantities = ablation_numbers.metrics(runs, compare.scales(runs))
    assert {one.name: one.values for one in quantities} == {
        "FID (A)": {2: 9.5},
        "best FID (A)": {2: 7.0},
        "epoch of best FID (A)": {2: 2},
    }
    rows, header = ablation_tables.numbers(runs, quantities)
    assert [row[1] for row in rows] == ["not measured", "9.5", "not measured", "not measured"]
    assert rows[1][2:] == ("7", "2")
    assert header == ("Run", "FID (A)", "best FID (A)", "epoch of best FID (A)")


def test_the_floor_of_a_metric_is_the_number_of_real_images(made):
    runs = made()
    protocol = dict.fromkeys(("reference", "network", "resizer", "precision"), "-")
    protocol |= {"n_real": 4, "n_fake": 4}
    found = [
        {"name": "FID", "value": 9.5, "epoch": 4, "protocol": protocol},
        {"name": "FID", "value": 3.25, "epoch": 4, "protocol": protocol, "of": "test split"},
        {"name": "FID", "value": 1.0, "epoch": 4, "protocol": {**protocol, "n_real": 2}, "of": "test split"},
    ]
    (runs[2].folder.path / "metrics.json").write_text(json.dumps(found))
    (fid,) = ablation_numbers.metrics(runs, compare.scales(runs))
    assert fid.real == 3.25
    rows, _ = ablation_tables.numbers(runs, [fid])
    assert rows[-1] == ("real images", "3.25")


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
