import io
import time

import numpy as np
import pytest
import torch
from PIL import Image

from ganutils import sliders
from ganutils.data import to_uint8
from ganutils.sampling import generate
from ganutils.variants import acgan, dcgan


@pytest.fixture
def gan():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = dcgan.build(dcgan.Params(width=64, latent_size=100), 2)
    built.generator.eval()
    return built


def pixels(content):
    return np.array(Image.open(io.BytesIO(content)))


def test_png_keeps_each_pixel_as_a_square():
    image = torch.randint(0, 256, (3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    shown = pixels(sliders.png(image, side=64))
    assert shown.shape == (64, 64, 3)
    for corner in (shown[::2, ::2], shown[1::2, 1::2]):
        assert np.array_equal(corner, image.permute(1, 2, 0).numpy())


def test_the_drawn_value_shows_the_drawn_latent(gan):
    explorer = sliders.Explorer(gan, dimensions=[7, 3], seed=5)
    assert explorer.dimension.value == 7
    z = explorer.drawn()[None]
    expected = to_uint8(generate(gan.generator, z, torch.zeros(1, dtype=torch.int64)))[0]
    difference = pixels(explorer.picture.value).astype(int) - pixels(sliders.png(expected))
    assert np.abs(difference).max() <= 6  # the slider moves in steps


@pytest.mark.parametrize(
    ("control", "value"), [("value", 2.5), ("seed", 9), ("kind", "laplace"), ("dimension", 3)]
)
def test_every_control_redraws(gan, control, value):
    explorer = sliders.Explorer(gan)
    explorer.value.value = -2
    before = explorer.picture.value
    getattr(explorer, control).value = value
    assert explorer.picture.value != before


def test_the_button_brings_the_drawn_value_back(gan):
    explorer = sliders.Explorer(gan)
    before = explorer.picture.value
    explorer.value.value = 2.5
    explorer.reset.click()
    assert explorer.picture.value == before


def test_conditional_generators_have_a_class_slider(gan):
    conditional = acgan.build(acgan.Params(width=4, latent_size=6), 5)
    explorer = sliders.Explorer(conditional)
    assert explorer.label in explorer.controls
    assert explorer.label.max == 4
    assert explorer.label not in sliders.Explorer(gan).controls


def test_a_redraw_takes_well_under_a_fifth_of_a_second(gan):
    explorer = sliders.Explorer(gan)
    seconds = []
    for value in np.linspace(-2, 2, 15):
        start = time.perf_counter()
        explorer.value.value = float(value)
        seconds.append(time.perf_counter() - start)
    assert np.median(seconds) < 0.1


def test_without_a_reader_there_is_one_line_and_no_widget(gan, capsys, monkeypatch):
    monkeypatch.setattr(sliders, "is_open_notebook", lambda: False)
    monkeypatch.setattr(sliders, "display", pytest.fail)
    assert sliders.show_sliders(gan) is None
    assert capsys.readouterr().out == "Sliders appear here when the notebook runs in JupyterLab.\n"


def test_with_a_reader_the_widget_is_shown(gan, monkeypatch):
    shown = []
    monkeypatch.setattr(sliders, "is_open_notebook", lambda: True)
    monkeypatch.setattr(sliders, "display", lambda content, raw, metadata: shown.append(content))
    explorer = sliders.show_sliders(gan, seed=3)
    assert explorer.seed.value == 3
    assert shown[0]["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert "PNG" not in shown[0]["text/plain"]
