"""Measuring runs: the numbers, their protocol and the floor."""

import json

import pytest
import torch
from measuring import NAMES, trained
from PIL import Image
from projection import Projection, images

from ganutils import variants
from ganutils.data import load
from ganutils.errors import DataError
from ganutils.finished import FinishedRun
from ganutils.measurements import (
    read_absences,
    read_floors,
    read_measurements,
)
from ganutils.metrics.drawing import draw
from ganutils.metrics.measure import measure
from ganutils.metrics.nearest import by_features, by_pixels
from ganutils.metrics.numbers import numbers
from ganutils.metrics.table import last, protocols, table
from ganutils.runs import RunDir
from ganutils.studies import compare


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


def test_copies_of_training_images_are_found(projected):
    dataset, network = load("shapes", n_images=200), Projection()
    copies = dataset.images[[5, 17, 100]]
    for found in (by_features(copies, dataset, network, 2), by_pixels(copies, dataset, 2)):
        assert found.indices[:, 0].tolist() == [5, 17, 100]
        assert (100 * found.distances[:, 0] < found.distances[:, 1]).all()
    change = (dataset.images[:1].float() - dataset.images[1:2].float()) / 127.5
    (distance,) = by_pixels(dataset.images[:1], dataset.at(torch.tensor([1]))).distances.flatten()
    assert distance == pytest.approx(change.square().mean().sqrt().item(), rel=1e-6)
