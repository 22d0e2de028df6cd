import json
import socket
import time

import pytest
import torch
from PIL import Image

from ganutils.data import cifar, load, load_dataset, loading
from ganutils.data.download import FetchError
from ganutils.errors import DataError, ParameterError
from ganutils.params import RunParams


@pytest.fixture
def dead_network(monkeypatch):
    """Point the download to a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv(cifar.URL_VARIABLE, f"http://127.0.0.1:{port}/cifar-10-python.tar.gz")
    monkeypatch.setattr(loading, "_printed", set())


def pets(root):
    for label, name in enumerate(("ant", "bee", "cow")):
        (root / name).mkdir(parents=True)
        for index in range(4):
            Image.new("RGB", (8, 8), (label, index, 0)).save(root / name / f"{index}.png")
    return root


def test_auto_falls_back_to_shapes_loudly_and_within_seconds(dead_network, capfd, tmp_path):
    start = time.monotonic()
    data = load(n_images=100, data_label="CIFAR-10", seed=1)
    assert time.monotonic() - start < 5
    assert data.label == "shapes"  # never under a name that promises CIFAR-10
    assert torch.equal(data.images, load("shapes", n_images=100, seed=1).images)
    (notice,) = data.notices
    assert "NOT CIFAR-10" in notice
    assert "Connection refused" in notice
    assert str(tmp_path) not in notice
    printed = capfd.readouterr().err
    assert printed.count("# NOT CIFAR-10") == 1
    assert len({len(line) for line in printed.splitlines()}) == 1  # a closed box
    assert not (tmp_path / "data").exists()


def test_auto_says_it_once_and_does_not_try_again_for_a_while(dead_network, capfd, monkeypatch, tmp_path):
    first = load(n_images=10)
    tries = []

    def fail(*args, **kwargs):
        tries.append(1)
        raise FetchError("down")

    monkeypatch.setattr(cifar, "fetch", fail)
    second = load(n_images=10, split="test")
    assert second.notices == first.notices
    assert tries == []
    assert capfd.readouterr().err.count("# NOT CIFAR-10") == 1
    marker = tmp_path / "cache" / "cifar10-download-failed.json"
    facts = json.loads(marker.read_text())
    for changed in (facts | {"time": facts["time"] - 601}, facts | {"url": "http://other"}, [], {}):
        marker.write_text(json.dumps(changed))
        assert "down" in load(n_images=10).notices[0]
    assert len(tries) == 4


def test_auto_maps_class_names_to_the_shapes_of_the_same_number(dead_network):
    data = load(classes="dog,cat", n_images=10)
    shapes = load("shapes", n_images=50)
    assert data.classes == (shapes.classes[5], shapes.classes[3])
    assert data.labels.bincount().tolist() == [5, 5]
    assert f"{shapes.classes[5]} for dog" in data.notices[0]
    with pytest.raises(ParameterError, match="did you mean 'dog'"):
        load(classes="dgo")


def test_auto_refuses_a_folder_of_other_pictures(dead_network, tmp_path):
    pets(tmp_path / "pets")
    with pytest.raises(
        ParameterError, match="data_dir='pets' has folders of pictures; set dataset=\"image_f"
    ):
        load(data_dir="pets")
    (tmp_path / "pets.zip").write_bytes(b"x")
    with pytest.raises(DataError, match=r'is a file; .* set dataset="image_folder"'):
        load(data_dir="pets.zip")


def test_cifar10_reports_a_dead_network(dead_network):
    with pytest.raises(DataError, match=f"Connection refused.*data_dir.*{cifar.URL_VARIABLE}.*shapes"):
        load("cifar10")


def test_image_folder_with_classes_and_count(tmp_path):
    pets(tmp_path / "pets")
    data = load(
        "image_folder", data_dir="pets", classes="cow,ant", n_images=5, image_size=16, data_label="Zoo"
    )
    assert data.summary() == "Zoo, train split: 5 images of 16x16 in 2 classes (cow 3, ant 2)"
    assert data.images[:, 0, 0, 0].tolist() == [0, 0, 2, 2, 2]
    assert data.images[:, 1, 0, 0].tolist() == [0, 1, 0, 1, 2]
    with pytest.raises(ParameterError, match=r"n_images=9: allowed are 0 \(all\) to 8"):
        load("image_folder", data_dir="pets", classes="cow,ant", n_images=9)


def test_shapes_counts():
    assert len(load("shapes", split="test", image_size=4)) == 2000
    assert len(load("shapes", image_size=4)) == 10_000
    assert load("shapes", classes="star,ring", n_images=40, image_size=4).labels.bincount().tolist() == [
        20,
        20,
    ]


def test_load_dataset_reads_the_run_parameters():
    values = {"dataset": "shapes", "classes": "ring,heart", "n_images": 30, "split": "test"}
    params = RunParams(**values, data_label="toy", batch_size=6, seed=5)
    data = load_dataset(params)
    assert (data.fingerprint, data.label) == (load(**values).fingerprint, "toy")
    with pytest.raises(ParameterError, match="batch_size=31: is larger than the data, 30 images"):
        load_dataset(RunParams(**values, batch_size=31))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dataset": "cifar"}, "dataset='cifar': allowed are auto, .*, did you mean 'cifar10'"),
        ({"split": "val"}, "split='val': allowed are train, test"),
        ({"image_size": 2}, "image_size=2: allowed are 4 to 1024"),
        ({"n_images": -1}, "n_images=-1: must be 0"),
        ({"dataset": "shapes", "classes": "cat"}, "no class 'cat'. Allowed are circle"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ParameterError, match=message):
        load(**values)
