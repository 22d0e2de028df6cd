import numpy as np
import pytest
import torch

from ganutils import live, progress
from ganutils.history import History
from ganutils.live import MOST_POINTS, SHARE, LiveFigure
from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.training import train
from ganutils.variants import build


class Handle:
    """Stands for the place in a notebook where the picture is."""

    def __init__(self):
        self.shown = []

    def display(self, picture, **options):
        assert options.pop("display_id")
        self.update(picture, **options)
        return self

    def update(self, picture, *, raw, metadata):
        assert raw
        assert metadata["ganutils"] == {"role": "live"}
        self.shown.append(picture["image/png"])


@pytest.fixture
def place(monkeypatch):
    handle = Handle()
    monkeypatch.setattr(live, "display", handle.display)
    return handle


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by the seconds in the list, once for each look at it."""

    class Clock:
        now, steps = 0.0, []

        def monotonic(self):
            self.now += self.steps.pop(0) if self.steps else 0.0
            return self.now

    found = Clock()
    monkeypatch.setattr(live, "time", found)
    return found


def images():
    return Grid(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), 2, "epoch 1")


def row(epoch, value):
    return {"step": 1, "epoch": epoch, "d_real": value, "g_fake": 2 * value, "d_grad": 9.0, "D(x)": 0.5}


def test_losses_and_images_are_drawn():
    figure = LiveFigure(History([row(0.5, 1.0), row(1.0, 3.0)], []), images).figure()
    losses, pictures = figure.axes
    drawn = {line.get_label(): line.get_ydata() for line in losses.lines}
    assert {name: list(values) for name, values in drawn.items()} == {"d_real": [1, 3], "g_fake": [2, 6]}
    assert pictures.get_title() == "epoch 1"
    assert pictures.images[0].get_interpolation() == "nearest"


def test_long_lines_are_averaged_and_keep_their_mean():
    figure = LiveFigure(History([], []), images)
    values = np.arange(MOST_POINTS + 1.0)
    for value in values:
        figure.add({"epoch": value, "d_real": value})
    (line,) = figure.figure().axes[0].lines
    assert len(line.get_ydata()) == MOST_POINTS // 2
    assert line.get_ydata()[0] == 0.5
    assert np.mean(line.get_ydata()) == pytest.approx(values[:-1].mean())


def test_drawing_takes_its_share_of_the_time_and_no_more(place, clock):
    """A picture that takes 0.3 s is followed by a pause of 0.3 s / share."""
    figure = LiveFigure(History([], []), images)
    clock.steps = [0.0, 0.3]
    figure.redraw()
    pause = 0.3 / SHARE
    clock.now += pause - 0.01
    figure.refresh()
    assert len(place.shown) == 1
    clock.now += 0.02
    figure.refresh()
    assert len(place.shown) == 2


def test_an_open_notebook_shows_one_picture_and_training_does_not_notice(
    toy_params, toy_data, monkeypatch, place
):
    def run_of(name):
        params = toy_params(run=name, ema=0.9)
        run = RunDir.open(params, toy_data)
        return train(build(params, toy_data), toy_data, params, run), run

    plain, plain_run = run_of("plain")
    monkeypatch.setattr(progress, "is_open_notebook", lambda: True)
    watched, watched_run = run_of("watched")
    assert watched.updates == plain.updates
    assert torch.equal(watched_run.latest().images, plain_run.latest().images)
    assert len(place.shown) >= 2  # at the start and at the end
    assert place.shown[0] != place.shown[-1]
