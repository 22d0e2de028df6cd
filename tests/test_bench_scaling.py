"""What the benchmark says of updates and of whole runs."""

import pytest

from ganutils.bench import scaling, whole
from ganutils.bench.peak import count_flops
from ganutils.bench.scaling import Point, Run, fit, markdown
from ganutils.bench.workloads import untrained
from ganutils.variants import dcgan


def test_the_line_through_exact_points_is_found():
    points = [Point("width", value, 0.002 + 3e-12 * value * 1e9, value * 1e9) for value in (1, 2, 8)]
    assert fit(points) == pytest.approx((0.002, 3e-12))
    told = markdown(points, [Run(images=1024, epochs=3, updates=48, seconds=0.5, flops=2e9)])
    assert "2.0 ms and 3.00 ms per GFLOP" in told
    assert "| 1,024 | 3 | 48 | 0.5 | 0.4 |" in told


def test_runs_are_timed_by_images_and_epochs(monkeypatch):
    monkeypatch.setattr(scaling, "RUNS", ((2, 1), (1, 3)))
    monkeypatch.setattr(scaling, "seconds_of_a_run", lambda updates, epochs: 10 * updates + epochs)
    found = list(scaling.runs())
    assert [(run.images, run.epochs, run.updates, run.seconds) for run in found] == [
        (128, 1, 2, 21),
        (64, 3, 3, 13),
    ]
    each = count_flops(untrained(dcgan.Params(dataset="shapes", n_images=64, device="cpu")))
    assert {run.flops for run in found} == {each}


def test_a_whole_run_is_trained_without_a_word(monkeypatch, capsys):
    trained = []
    way = whole.train
    monkeypatch.setattr(
        whole, "train", lambda gan, data, params, run: trained.append(way(gan, data, params, run))
    )
    assert whole.seconds_of_a_run(updates=1, epochs=2) > 0
    assert trained[0].updates.column("step").tolist() == [1, 2]
    assert capsys.readouterr().out == ""
