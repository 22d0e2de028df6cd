import pytest
import torch

from ganutils.data import Dataset, to_float, to_uint8
from ganutils.errors import ParameterError


def numbered(labels, classes=("cat", "dog", "Frog"), size=4):
    """Return images filled with their own index."""
    count = len(labels)
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, size, size).contiguous()
    return Dataset(images, torch.tensor(labels), classes, "toy", "train", "made up")


def indices(data):
    return data.images[:, 0, 0, 0].tolist()


def test_uint8_survives_the_way_to_float_and_back():
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(values)), values)
    assert to_float(values)[[0, 255]].tolist() == [-1, 1]


def test_select_classes_relabels_in_the_order_given():
    data = numbered([0, 1, 2, 0, 1, 2])
    chosen = data.select_classes("frog, CAT")
    assert chosen.classes == ("Frog", "cat")
    assert indices(chosen) == [0, 2, 3, 5]
    assert chosen.labels.tolist() == [1, 0, 1, 0]
    assert chosen.fingerprint == data.select_classes("2,0").fingerprint
    assert data.select_classes("") is data


def test_names_that_are_numbers_win_over_positions():
    assert numbered([0, 1], classes=("1", "0")).select_classes("0").labels.tolist() == [0]
    assert indices(numbered([0, 1], classes=("1", "0")).select_classes("0")) == [1]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("cat,dgo", ["classes='cat,dgo'", "'dgo'", "cat, dog, Frog", "did you mean 'dog'?"]),
        ("3", ["'3'", "0 to 2"]),
        ("-1", ["'-1'"]),
        ("²", ["'²'"]),
        ("cat,", ["no class ''"]),
        ("cat,0", ["classes='cat,0'", "0 asked for twice"]),
        (["cat"], ["classes=['cat']", "must be text"]),
    ],
)
def test_select_classes_refuses(spec, words):
    with pytest.raises(ParameterError) as caught:
        numbered([0, 1, 2]).select_classes(spec)
    assert all(word in str(caught.value) for word in words)


def test_first_is_balanced_ordered_and_nested():
    data = numbered([0] * 6 + [1] * 2 + [2] * 4)
    assert indices(data.first(3)) == [0, 6, 8]
    assert indices(data.first(7)) == [0, 1, 2, 6, 7, 8, 9]
    assert indices(data.first(9)) == [0, 1, 2, 3, 6, 7, 8, 9, 10]
    assert data.first(0) is data
    assert data.first(12) is data
    for n in range(1, 12):
        assert set(indices(data.first(n))) < set(indices(data.first(n + 1)))


@pytest.mark.parametrize("n", [-1, 4])
def test_first_refuses(n):
    with pytest.raises(ParameterError, match=rf"n_images={n}: allowed are 0 \(all\) to 3"):
        numbered([0, 1, 2]).first(n)


def test_fingerprint_sees_pixels_labels_and_names():
    data = numbered([0, 1])
    assert data.fingerprint == numbered([0, 1]).fingerprint
    assert len(data.fingerprint) == 64
    changed = numbered([0, 1])
    changed.images[1, 2, 3, 3] += 1
    others = [changed, numbered([1, 0]), numbered([0, 1], ("cat", "cow", "Frog")), numbered([0, 1], size=8)]
    assert len({data.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_resized_keeps_constants_and_matches_the_mean():
    data = numbered([0] * 200, size=4)
    for size in (2, 7, 16):
        bigger = data.resized(size)
        assert bigger.images.shape == (200, 3, size, size)
        assert torch.equal(bigger.images, data.images[:, :, :1, :1].expand(-1, -1, size, size))
    noise = torch.randint(0, 256, (50, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    data = Dataset(noise, torch.zeros(50, dtype=torch.int64), ("a",), "toy", "train", "noise")
    assert abs(data.resized(4).images.float().mean() - noise.float().mean()) < 1  # antialiased


def test_summary():
    assert numbered([0, 0, 1], ("cat", "dog")).summary() == (
        "toy, train split: 3 images of 4x4 in 2 classes (cat 2, dog 1)"
    )
    names = tuple(f"c{index}" for index in range(14))
    assert numbered([0], names).summary().endswith("in 14 classes (" + ", ".join(
        f"c{index} {int(index == 0)}" for index in range(12)
    ) + " and 2 more)")  # fmt: skip


def test_selection_takes_the_factors_along():
    data = numbered([0, 1, 0])
    data = Dataset(
        data.images, data.labels, data.classes, "toy", "train", "x", factors={"r": torch.arange(3)}
    )
    assert data.select_classes("cat").factors["r"].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(2, 4, 4, 3, dtype=torch.uint8).permute(0, 3, 1, 2), torch.zeros(2, dtype=torch.int64)),
    ],
)
def test_dataset_checks_its_tensors(images, labels):
    with pytest.raises(ValueError, match="must be"):
        Dataset(images, labels, ("a",), "toy", "train", "x")
