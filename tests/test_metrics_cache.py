"""The cache of features."""

import numpy as np
import pytest
import torch
from projection import Projection, images

from ganutils.metrics import cache
from ganutils.metrics.cache import FeatureCache


def test_features_are_embedded_once_whatever_the_order(monkeypatch):
    monkeypatch.setattr(cache, "BLOCK", 4)
    network, some = Projection(), images(10)
    expected = network.features(some)
    network.embedded = 0
    kept = FeatureCache(network)
    assert kept.missing(some) == 10
    assert torch.allclose(kept.features(some[[3, 1, 3, 1]]), expected[[3, 1, 3, 1]], atol=1e-3)
    assert network.embedded == 2
    assert torch.allclose(kept.features(some), expected, atol=1e-3)
    assert network.embedded == 10
    other = FeatureCache(network)
    assert other.missing(some) == 0
    assert torch.allclose(other.features(some.flip(0)), expected.flip(0), atol=1e-3)
    assert network.embedded == 10
    assert len(list(kept.folder.glob("*.npz"))) == 3
    assert not list(kept.folder.glob(".*"))


def test_another_network_has_a_cache_of_its_own():
    network = Projection()
    FeatureCache(network).features(images(2))
    network.digest = "another"
    assert FeatureCache(network).missing(images(2)) == 2


def test_an_interrupted_extraction_goes_on(monkeypatch):
    monkeypatch.setattr(cache, "BLOCK", 4)
    network, told = Projection(), []

    def interrupt(count):
        told.append(count)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FeatureCache(network).features(images(12), interrupt)
    assert FeatureCache(network).missing(images(12)) == 4


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "pickle", "shape", "short", "words"])
def test_a_damaged_file_is_made_again(damage):
    network, some = Projection(), images(5)
    kept = FeatureCache(network)
    expected = kept.features(some)
    (file,) = kept.folder.glob("*.npz")
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    file.write_bytes({"cut": content[:-50], "flipped": content, "empty": b""}.get(damage, content))
    others = {
        "pickle": np.array([print] * 5, dtype=object),
        "shape": np.zeros((5, 7), np.float32),
        "short": np.zeros((4, 2048), np.float32),
        "words": np.full((5, 2048), "x"),
    }
    if damage in others:
        with np.load(file) as opened:
            keys = opened["keys"]
        np.savez(file, keys=keys, features=others[damage])
    network.embedded = 0
    assert torch.equal(FeatureCache(network).features(some), expected)
    assert network.embedded == 5
    assert FeatureCache(network).missing(some) == 0


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert FeatureCache(Projection()).features(images(3)).shape == (3, 2048)
