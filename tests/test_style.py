"""Lines must stay apart for readers who see no colour, print in grey, or do not tell red from green."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest

from ganutils.style import COLOURS, DASHES, STYLE, look

# Full deficiency, in linear RGB: Machado, Oliveira and Fernandes (2009), table of severity 1.0.
SIGHT = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ @ np.ones(3)


def lab(colour, sight="full"):
    """Return CIE L*a*b* (1976) of a colour as seen by an eye."""
    srgb = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    share = TO_XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / WHITE
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_lightness_by_hand():
    assert lab("white")[0] == pytest.approx(100)
    assert lab("black")[0] == pytest.approx(0, abs=1e-9)
    assert lab("#777777")[0] == pytest.approx(50, abs=0.1)


def test_eight_lines_differ_without_colour():
    assert len({str(look(number)["linestyle"]) for number in range(8)}) == 8
    assert [look(number)["color"] for number in range(8)] == list(COLOURS)
    assert look(0)["linestyle"] == DASHES[0] == "-"
    assert len({str(look(number)) for number in range(64)}) == 64


@pytest.mark.parametrize("sight", SIGHT)
def test_the_first_colours_differ_for_every_eye(sight):
    """A difference of 2.3 is just noticed; thin lines need about ten times that."""
    for first, second in combinations(COLOURS[:4], 2):
        assert np.linalg.norm(lab(first, sight) - lab(second, sight)) > 20, (first, second)


def test_all_colours_stand_out_from_paper():
    assert all(lab(colour)[0] < 75 for colour in COLOURS)


def test_plots_cycle_through_the_same_colours():
    assert STYLE["axes.prop_cycle"].by_key()["color"] == list(COLOURS)
