import errno
import os
import re

import pytest
import torch

from ganutils.classifier import confusion, network, predict, train_classifier
from ganutils.data import load
from ganutils.figures import confusion_matrix
from ganutils.variants import dcgan
from ganutils.variety import nearest_distances, repeated_rate


def test_learns_easy_classes_and_knows_how_well():
    data = load("shapes", classes="circle,cross", n_images=1200)
    judge = train_classifier(data, dcgan.Params(device="cpu", precision="fp32"), epochs=5)
    assert judge.held_out == 120
    assert judge.accuracy > 0.9
    fresh = load("shapes", classes="circle,cross", n_images=400, split="test")
    right = (predict(judge.network, fresh.images) == fresh.labels).float().mean().item()
    assert right == pytest.approx(judge.accuracy, abs=0.1)


def test_larger_images_are_read_at_32_pixels():
    torch.manual_seed(0)
    small = network(3).eval()
    large = network(3, 64).eval()
    large[1:].load_state_dict(dict(zip(large[1:].state_dict(), small.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 32, 32)
    doubled = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(large(doubled), small(images))


def test_a_long_training_tells_the_time_that_is_left(toy_data, monkeypatch, capsys):
    monkeypatch.setattr("ganutils.classifier._TIMED", 1)
    train_classifier(toy_data, dcgan.Params(device="cpu", seed=11), epochs=3)
    assert re.search(r"learns what \d+ real images show: 0:0\d left\.", capsys.readouterr().out)


def test_the_second_time_it_is_read_from_the_cache(toy_data, tmp_path, monkeypatch):
    params = dcgan.Params(device="cpu")
    first = train_classifier(toy_data, params, epochs=1)
    monkeypatch.setattr("ganutils.classifier._fit", None)
    second = train_classifier(toy_data, params, epochs=1)
    assert first.accuracy == second.accuracy
    assert torch.equal(first.network[0].weight, second.network[0].weight)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_cache_that_takes_nothing_costs_nothing_else(toy_data, tmp_path, monkeypatch, number):
    def refuse(source, target):
        raise OSError(number, os.strerror(number))

    params = dcgan.Params(device="cpu")
    kept = train_classifier(toy_data, params, epochs=1)
    monkeypatch.setenv("GANUTILS_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr("ganutils.files.move", refuse)
    again = train_classifier(toy_data, params, epochs=1)
    assert again.accuracy == kept.accuracy
    assert not list((tmp_path / "other" / "classifiers").iterdir())


def test_a_cache_in_a_place_of_something_else_costs_nothing_else(toy_data, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANUTILS_CACHE", str(tmp_path / "file"))
    assert train_classifier(toy_data, dcgan.Params(device="cpu"), epochs=1).held_out == 4


def test_confusion_by_hand():
    asked, seen = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 0, 2])
    assert confusion(asked, seen, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
    figure = confusion_matrix(confusion(asked, seen, 3), ["a", "b", "c"], rows="asked", columns="seen")
    assert [text.get_text() for text in figure.axes[0].texts[:3]] == ["50%", "50%", "0%"]


def test_distances_by_hand():
    images = torch.zeros(3, 3, 2, 2, dtype=torch.uint8)
    images[1] = 51  # 0.4 away in [-1, 1]
    images[2] = 255
    torch.testing.assert_close(nearest_distances(images), torch.tensor([0.4, 0.4, 1.6]))


def test_repeated_images_are_found():
    real = torch.randint(0, 256, (200, 3, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert repeated_rate(real, real) == pytest.approx(0.01)
    half = real.clone()
    half[:100] = half[0]
    assert repeated_rate(half, real) == pytest.approx(0.5, abs=0.02)
    assert repeated_rate(real[:1].expand(200, -1, -1, -1), real) == 1
    doubled = torch.cat([real[:-10], real[:10]])
    assert repeated_rate(real[:1].expand(200, -1, -1, -1), doubled) == 1
    assert repeated_rate(real, doubled) <= 0.02
