"""The benchmark's arithmetic and its plain side; the rest at toy size, where times mean nothing."""

import io
import os
import shutil
import subprocess
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from ganutils import cli
from ganutils.bench import scaling, sides, surroundings, training
from ganutils.bench.peak import count_flops
from ganutils.bench.plain import as_published, loop
from ganutils.bench.rows import Row
from ganutils.bench.run import bench
from ganutils.bench.worker import Worker
from ganutils.bench.workloads import WORKLOADS, Workload, untrained
from ganutils.data import load_dataset
from ganutils.live import LiveFigure
from ganutils.variants import build, dcgan, siamese

TINY = Workload("tiny", "dcgan", 2, {"width": 4, "batch_size": 8})


def test_a_row_shows_medians_and_the_extremes_of_paired_ratios():
    row = Row("DCGAN", "images/s", base=[100, 200, 100], ours=[250, 300, 200], note="here")
    assert row.ratios == [2.5, 1.5, 2.0]
    assert row.cells() == ["DCGAN", "images/s", "100", "250", "2.00x (1.50 to 2.50)", "here"]
    assert Row("start", "s", ours=[3.0]).cells() == ["start", "s", "", "3", "", ""]


@pytest.mark.parametrize("width", [4, 6])
def test_the_arithmetic_of_dcgan_is_counted_as_by_hand(width):
    update = untrained(dcgan.Params(dataset="shapes", n_images=16, batch_size=8, width=width, device="cpu"))
    first = 2 * 16 * 16 * 3 * 16 * width
    middle = 2 * (8 * 8 * 2 + 4 * 4 * 8) * 16 * width**2
    seed = 2 * 100 * 16 * 4 * width
    discriminator, generator = first + middle + 2 * 16 * 4 * width, seed + middle + first
    # Forwards: G once, D three times. Backwards: D's weights twice, G's once, and D's input in G's turn;
    # nobody asks for gradients of real or detached images and of latents.
    each = 3 * generator + 8 * discriminator - 2 * first - seed
    assert count_flops(update) == 8 * each


@pytest.mark.parametrize("head", ["difference", "concat"])
def test_pairs_judged_one_after_the_other_have_the_same_logits(toy_data, head):
    gan = build(siamese.Params(classes="", width=4, hidden=8, head=head), toy_data)
    images = torch.randn(2, 8, 3, 32, 32)
    with torch.no_grad():
        ours = gan.discriminator(*images)
        plain = as_published(gan).discriminator(*images)
    for logits, others in zip(ours, plain, strict=True):
        torch.testing.assert_close(logits, others)


def test_the_plain_side_has_plain_layers_and_learns():
    params = dcgan.Params(dataset="shapes", n_images=32, batch_size=8, width=4, network="dense", device="cpu")
    dataset = load_dataset(params)
    gan = build(params, dataset)
    before = [weight.clone() for weight in (*gan.generator.parameters(), *gan.discriminator.parameters())]
    told = next(loop(gan, params, dataset))
    after = [*gan.generator.parameters(), *gan.discriminator.parameters()]
    assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert {"d_real", "d_fake", "g_fake"} <= told.keys()
    assert sum(isinstance(layer, nn.Dropout) for layer in gan.discriminator.modules()) == 2
    assert not any(type(layer).__name__.startswith("Lean") for layer in gan.discriminator.modules())


def test_every_workload_has_valid_parameters_and_fills_its_slices():
    for workload in WORKLOADS.values():
        params = workload.params("here", "fp32")
        assert params.n_images == workload.updates * params.batch_size
        assert workload.updates % params.d_steps == 0
        assert params.device == "cpu"


@pytest.mark.parametrize(("speed", "updates"), [(1e15, 40), (700e9, 40), (230e9, 15), (1e9, 5)])
def test_a_slow_machine_makes_fewer_updates_in_whole_cycles(speed, updates):
    workload = WORKLOADS["wgan-clip"].fitted(speed)
    assert workload.updates == updates
    assert workload.params("here", "fp32").n_images == 64 * updates


def test_the_live_picture_of_a_notebook_is_not_in_the_terminals_share(monkeypatch, cpu_alone):
    drawn, png = [], LiveFigure.png

    def seen(figure):
        drawn.append(Image.open(io.BytesIO(png(figure))))
        return b""

    monkeypatch.setattr(surroundings, "_UPDATES", 2)
    monkeypatch.setattr(LiveFigure, "png", seen)
    terminal, notebook = surroundings.rows()
    assert ("a terminal" in terminal.name, "an open notebook" in notebook.name) == (True, True)
    assert 0 < terminal.ours[0] < notebook.ours[0] < 100
    assert drawn
    assert all(picture.width == 1600 for picture in drawn)


def test_what_a_timed_method_calls_is_in_its_own_time_alone(monkeypatch):
    moments = iter([0.0, 1.0, 4.0, 10.0])  # outer begins, inner begins and ends, outer ends
    monkeypatch.setattr(surroundings.time, "perf_counter", lambda: next(moments))
    spent = {int: 0.0, str: 0.0}
    inner = surroundings._timed(str, lambda: "seen", spent)
    assert surroundings._timed(int, inner, spent)() == "seen"
    assert spent == {int: 7.0, str: 3.0}


def test_speeds_are_those_after_the_first_round_and_shares_of_the_peak_before_or_after(monkeypatch):
    slices = {"plain": [1, 100, 200, 100], "fp32": [1, 200, 100, 300]}
    updates = []

    class Told(AbstractContextManager):
        def __init__(self, prepare):
            workload, side, device = prepare.args
            updates.append(workload.updates)
            assert (workload, device) == (replace(TINY, updates=updates[-1]), "cpu")
            self.slices = iter(slices[side])

        def __call__(self):
            return next(self.slices)

        def __exit__(self, *error):
            pass

    monkeypatch.setitem(WORKLOADS, "tiny", TINY)
    each = count_flops(untrained(TINY.params("", "fp32"))) / 8
    monkeypatch.setattr(training, "Worker", Told)
    monkeypatch.setattr(training, "has_fast_bf16", lambda device: False)
    peaks = iter([400 * each, 800 * each, 400 * each, 300 * each])
    monkeypatch.setattr(training, "flops_per_second", lambda dtype, device: next(peaks))
    monkeypatch.setattr("ganutils.bench.workloads._USUAL", 800 * each)
    rows = list(training.rows(["tiny"] * 3, rounds=3))
    for row in rows:
        assert (row.name, row.base, row.ours) == ("tiny, fp32", slices["plain"][1:], slices["fp32"][1:])
    assert [row.note[:3] for row in rows] == ["25%", "25%", "50%"]
    assert updates[::2] == [1, 2, 1]


def test_each_side_trains_and_the_kit_with_its_algorithms(entered):
    assert sides.prepare(TINY, "plain", "cpu", "")() > 0
    assert not entered
    assert sides.prepare(TINY, "fp32", "cpu", "")() > 0
    assert len(entered) == 1


def test_a_worker_trains_when_it_is_told_to_and_ends():
    with Worker(partial(sides.prepare, TINY, "fp32", "cpu")) as kit:
        assert min(kit(), kit()) > 0
    assert kit._process.exitcode == 0


def test_scaling_times_each_point_with_the_algorithms_of_training(monkeypatch, entered, cpu_alone):
    monkeypatch.setattr(scaling, "VARIED", {"width": (4, 8)})
    monkeypatch.setattr(scaling, "_SECONDS", 0.0)
    monkeypatch.setattr(scaling, "_IMAGES", 64)
    points = list(scaling.points(2))
    assert [(point.name, point.value) for point in points] == [("width", 4), ("width", 8)]
    assert all(point.seconds > 0 for point in points)
    assert points[0].flops < points[1].flops
    assert len(entered) == 4


def test_its_conditions_are_those_of_the_cpu(monkeypatch, capsys, cpu_alone):
    monkeypatch.setitem(WORKLOADS, "tiny", TINY)
    monkeypatch.setattr(
        training,
        "rows",
        lambda names, rounds, device: iter([Row(f"{names[0]}, {device}", "s", ours=[rounds])]),
    )
    bench(["tiny"], 3)
    told = capsys.readouterr().out
    assert ", cpu (" in told
    assert "| tiny, cpu | s |  | 3 |  |  |\n" in told
    assert told.endswith("All this took 0:00.\n")


@pytest.mark.skipif(os.name == "nt", reason="there is no make on Windows")
@pytest.mark.parametrize(("status", "kept"), [(0, "new\n"), (3, "old\n")])
def test_make_bench_keeps_the_numbers_of_before_if_it_fails(tmp_path, status, kept):
    for folder in ("bin", ".venv", "reports"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".venv" / "installed").touch()
    shutil.copy(Path(__file__).parents[1] / "Makefile", tmp_path)
    command = tmp_path / "bin" / "ganutils"
    command.write_text(f"#!/bin/sh\necho new\nexit {status}\n")
    command.chmod(0o755)
    (tmp_path / "reports" / "speed-here.md").write_text("old\n")
    ended = subprocess.run(["make", "bench", "BIN=bin"], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode == 0) == (status == 0)
    assert "new" in ended.stdout.splitlines()
    assert (tmp_path / "reports" / "speed-here.md").read_text() == kept


def test_an_unknown_workload_is_refused(capsys):
    assert cli.main(["bench", "dcgan-65"]) == 1
    assert "no workload 'dcgan-65', did you mean 'dcgan-64'?" in capsys.readouterr().err


def test_what_measures_the_cpu_is_refused_for_a_gpu(capsys):
    assert cli.main(["bench", "metrics", "--device", "cuda"]) == 1
    assert "no workload 'metrics'" in capsys.readouterr().err


@pytest.mark.parametrize("names", [["metrics"], []])
def test_metrics_are_refused_at_once_where_their_baseline_is_missing(monkeypatch, capsys, names):
    monkeypatch.setattr("ganutils.bench.run.find_spec", lambda name: None)
    assert cli.main(["bench", *names]) == 1
    told = capsys.readouterr()
    assert "pip install -e '.[dev]'" in told.err
    assert told.out == ""
