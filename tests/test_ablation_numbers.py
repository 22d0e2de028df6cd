import json
from functools import partial

import pytest
import torch
from ablations import BASE, finished

from ganutils import ablation_numbers, ablation_tables
from ganutils.history import History
from ganutils.studies import compare
from ganutils.variants import dcgan


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
    return partial(finished, toy_data)


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
    assert "d_penalty" in runs[1].history.losses("d")
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
    assert rows[1][2:] == ("7.0", "2")
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
    assert rows[-1] == ("real images", "3.2")
