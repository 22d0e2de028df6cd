import io

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from ganutils import figures
from ganutils.pixels import sharpen
from ganutils.sheets import Grid


def printed(figure):
    """Return what a saved figure shows: pixels (height, width, 3) and their dots per inch."""
    content = io.BytesIO()
    dpi = sharpen(figure)
    figure.savefig(content, format="png", dpi=dpi)
    return np.asarray(Image.open(content).convert("RGB")), dpi


def noise(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 32, 32), generator=random).to(torch.uint8)


def sheets():
    return {
        "square": Grid(noise(9), 3),
        "a row less": Grid(noise(6, 1), 3),
        "wide": Grid(noise(14, 2), 7),
        "a single one": Grid(noise(1, 3), 1),
    }


def drawn(page, axis):
    """Return the dots of the page that an axis covers, which must be whole ones."""
    height, width = page.shape[:2]
    box = axis.get_position()
    sides = box.x0 * width, box.x1 * width, (1 - box.y1) * height, (1 - box.y0) * height
    assert sides == pytest.approx([round(side) for side in sides], abs=1e-6)
    left, right, top, bottom = (round(side) for side in sides)
    return page[top:bottom, left:right]


@pytest.mark.parametrize("width", [6.4, 2.0])
@pytest.mark.parametrize("across", [2, 3])
def test_every_pixel_is_a_square_of_the_same_whole_number_of_dots(width, across):
    figure = figures.grids(sheets(), across=across, width=width)
    page, dpi = printed(figure)
    assert dpi >= 200
    for axis in figure.axes[: len(sheets())]:
        source = axis.images[0].get_array()
        dots = drawn(page, axis)
        scale = dots.shape[0] // source.shape[0]
        assert scale == 1 or dpi >= 300
        assert np.array_equal(dots, source.repeat(scale, axis=0).repeat(scale, axis=1))


def test_pixels_that_lie_close_take_one_dot_each():
    random = torch.Generator().manual_seed(0)
    fine = Grid(torch.randint(0, 256, (64, 3, 64, 64), generator=random).to(torch.uint8), 8)
    figure = figures.grids({"a": fine, "b": fine, "c": fine})
    page, dpi = printed(figure)
    assert 200 <= dpi < 300
    source = figure.axes[0].images[0].get_array()
    assert np.array_equal(drawn(page, figure.axes[0]), source)


def test_named_rows_are_sharp_too():
    figure = figures.labelled_rows(Grid(noise(6), 3), ["first", "a much longer name"], "title")
    page, _ = printed(figure)
    dots, source = drawn(page, figure.axes[0]), figures.tiles(noise(6), 3)
    scale = dots.shape[0] // source.shape[0]
    assert np.array_equal(dots, source.repeat(scale, axis=0).repeat(scale, axis=1))


def test_grids_of_one_figure_show_pixels_of_one_size():
    figure = figures.grids(sheets(), across=2)
    page, _ = printed(figure)
    scales = {drawn(page, axis).shape[0] / axis.images[0].get_array().shape[0] for axis in figure.axes}
    assert len(scales) == 1
    for axis, grid in zip(figure.axes, sheets().values(), strict=True):
        picture = figures.tiles(grid.images, grid.columns)
        sheet = np.asarray(axis.images[0].get_array())
        left = (sheet.shape[1] - picture.shape[1]) // 2
        assert np.array_equal(sheet[: picture.shape[0], left : left + picture.shape[1]], picture)
    tops = [axis.get_position().y1 for axis in figure.axes[:2]]
    assert tops[0] == tops[1]


def test_tall_grids_leave_room_on_the_page():
    figure = figures.grids({"tall": Grid(noise(40), 4)}, width=6.4)
    width, height = figure.get_size_inches()
    assert height < 5.5
    assert width < 3


def test_a_figure_without_images_keeps_its_layout():
    figure = Figure(layout="constrained")
    figure.subplots().plot([1, 2])
    assert sharpen(figure) == 220
    assert figure.get_layout_engine() is not None
