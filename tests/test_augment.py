import pytest
import torch

from ganutils.augment import augment, colour, translation


def test_nothing_is_nothing():
    images = torch.rand(3, 3, 8, 8)
    assert augment(images, "") is images


def test_translation_moves_whole_images_and_fills_with_zero():
    torch.manual_seed(0)
    images = torch.rand(200, 3, 16, 16) + 0.1
    moved = translation(images)
    seen = set()
    for image, result in zip(images, moved, strict=True):
        inside = result.abs().sum(0) > 0
        rows, columns = inside.any(1).nonzero().flatten(), inside.any(0).nonzero().flatten()
        part = result[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        down = -int(16 - len(rows)) if rows[0] == 0 else int(rows[0])
        right = -int(16 - len(columns)) if columns[0] == 0 else int(columns[0])
        seen.add((down, right))
        top, left = max(0, -down), max(0, -right)
        assert torch.equal(part, image[:, top : top + len(rows), left : left + len(columns)])
    assert {down for down, _ in seen} == {-2, -1, 0, 1, 2}
    assert {right for _, right in seen} == {-2, -1, 0, 1, 2}


def test_colour_keeps_the_pattern_of_a_grey_image():
    torch.manual_seed(0)
    grey = torch.rand(5, 1, 8, 8).expand(-1, 3, -1, -1)
    changed = colour(grey)
    torch.testing.assert_close(changed[:, 0], changed[:, 2])
    ratio = (changed - changed.mean((1, 2, 3), keepdim=True)) / (grey - grey.mean((1, 2, 3), keepdim=True))
    for image in ratio:
        assert image.std().item() == pytest.approx(0, abs=1e-3)
        assert 0.5 <= image.mean().item() <= 1.5


def test_gradients_reach_the_images():
    images = torch.rand(4, 3, 8, 8, requires_grad=True)
    augment(images, "color,translation").sum().backward()
    assert images.grad.abs().sum() > 0
