"""Pictures of images for print: each of their pixels becomes a square of whole dots, all of one size."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_LEAST = 300  # dots per inch of a print that looks sharp
_FINE = 200  # a dot for each pixel loses nothing, if pixels lie as close as this
_PLAIN = 220  # dots per inch of a figure without images


def sharpen(figure: Figure) -> float:
    """Fix the layout so that all images fall on whole dots; return the dots per inch to save the figure at.

    The largest images keep their size; others shrink by less than a dot for each of their pixels.
    """
    axes = [axis for axis in figure.axes if _has_pixels(axis)]
    if not axes:
        return _PLAIN
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    largest = max(_inches(axis) for axis in axes)
    dots = 1 if 1 / largest >= _FINE else math.ceil(_LEAST * largest)
    dpi = dots / largest
    across, down = (math.ceil(length * dpi) for length in figure.get_size_inches())
    boxes = [axis.get_position() for axis in axes]
    sizes = [_inches(axis) for axis in axes]
    for axis, box, inches in zip(axes, boxes, sizes, strict=True):
        dots = max(1, math.floor(inches * dpi + 1e-6))
        rows, columns = axis.images[0].get_array().shape[:2]
        width, height = dots * columns, dots * rows
        left, top = round(box.x0 * across), round(box.y1 * down)
        axis.set_aspect("auto")
        axis.set_position((left / across, (top - height) / down, width / across, height / down))
    figure.set_size_inches(across / dpi, down / dpi)
    return dpi


def _has_pixels(axis: Axes) -> bool:
    return any(image.get_array().ndim == 3 for image in axis.images)


def _inches(axis: Axes) -> float:
    """Return the length of a pixel of the image on an axis in inches."""
    box = axis.get_position()  # the image's own box: the axis keeps the image's proportions
    return box.width * axis.figure.get_figwidth() / axis.images[0].get_array().shape[1]
