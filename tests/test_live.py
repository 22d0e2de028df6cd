import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ganutils import live, places, progress
from ganutils.history import History
from ganutils.live import MOST_POINTS, SHARE, LiveFigure
from ganutils.places import Place, is_open_notebook
from ganutils.runs import RunDir
from ganutils.sheets import Grid, tiles
from ganutils.training import train
from ganutils.variants import build


class Handle:
    """Stands for one place in a notebook; `shown` keeps what was there, one after the other."""

    def __init__(self):
        self.shown = []

    def update(self, content, *, raw, metadata):
        assert raw
        assert metadata["ganutils"] == {"role": "live"}
        self.shown.append(content)


@pytest.fixture
def shown(monkeypatch):
    """Return the places of a notebook, in the order in which they appeared."""
    handles = []

    def display(content, *, raw, metadata, display_id):
        assert display_id
        handles.append(Handle())
        handles[-1].update(content, raw=raw, metadata=metadata)
        return handles[-1]

    monkeypatch.setattr(places, "display", display)
    return handles


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
    monkeypatch.setattr(progress, "time", found)
    return found


@pytest.fixture
def open_notebook(monkeypatch):
    monkeypatch.setattr(progress, "is_open_notebook", lambda: True)


def images():
    random = torch.Generator().manual_seed(0)
    return Grid(torch.randint(0, 256, (5, 3, 8, 8), generator=random).to(torch.uint8), 3, "epoch 1")


def row(epoch, value):
    return {"step": 1, "epoch": epoch, "d_real": value, "g_fake": 2 * value, "d_grad": 9.0, "D(x)": 0.5}


def pixels(content):
    return np.array(Image.open(io.BytesIO(content)).convert("RGB"))


def lines(figure):
    figure.png()
    axes = figure._picture.losses
    return {line.get_label(): np.transpose(line.get_data()) for line in axes.lines}


def test_losses_are_drawn_and_nothing_else():
    drawn = lines(LiveFigure(History([row(0.5, 1.0), row(1.0, 3.0)], []), images))
    assert {name: points.tolist() for name, points in drawn.items()} == {
        "d_real": [[0.5, 1], [1, 3]],
        "g_fake": [[0.5, 2], [1, 6]],
    }


@pytest.mark.parametrize(("count", "size", "columns"), [(64, 32, 8), (10, 64, 1), (9, 8, 3)])
def test_every_pixel_of_the_images_becomes_a_square_of_equal_dots(count, size, columns):
    grid = Grid(torch.randint(0, 256, (count, 3, size, size)).to(torch.uint8), columns, "epoch 1")
    picture = pixels(LiveFigure(History([], []), lambda: grid).png())
    sheet = tiles(grid.images, columns)
    dots = max(1, round(600 / max(sheet.shape[:2])))
    assert picture.shape[1] == 2 * live.WIDTH
    large = sheet.repeat(dots, axis=0).repeat(dots, axis=1)
    left = picture.shape[1] - 4 - large.shape[1]
    assert np.array_equal(picture[90 : 90 + large.shape[0], left:-4], large)


def test_more_images_than_fit_are_shrunk():
    grid = Grid(torch.zeros(1600, 3, 32, 32, dtype=torch.uint8), 40)
    assert pixels(LiveFigure(History([], []), lambda: grid).png()).shape == (90 + 900 + 110, 1600, 3)


def test_long_lines_are_averaged_and_lose_nothing():
    figure = LiveFigure(History([], []), images)
    for value in range(1, MOST_POINTS + 2):
        figure.add({"epoch": value, "d_real": value})
    points = lines(figure)["d_real"]
    assert points[[0, 1, -2, -1], 1].tolist() == [1.5, 3.5, MOST_POINTS - 0.5, MOST_POINTS + 1]
    assert len(points) == MOST_POINTS // 2 + 1


def test_a_resumed_run_begins_with_means_of_what_was_recorded():
    count = 3 * MOST_POINTS
    history = History([row(i / 100, float(i % 3)) for i in range(1, count + 1)], [])
    points = lines(LiveFigure(history, images))["d_real"]
    assert len(points) == MOST_POINTS // 2
    assert points[:, 1] == pytest.approx(1.0)  # blocks of six hold every value twice
    assert points[-1, 0] == count / 100


def test_a_line_goes_back_with_the_training():
    figure = LiveFigure(History([row(0.5, 1.0), row(1.0, 3.0), row(1.5, 99.0)], []), images)
    figure.add(row(1.0, 2.0))
    assert lines(figure)["d_real"].tolist() == [[0.5, 1], [1, 2]]


def test_drawing_takes_its_share_of_the_time_and_no_more(shown, clock):
    """A picture that takes 0.3 s is followed by a pause of 0.3 s / share; the first is not of training."""
    figure = LiveFigure(History([], []), images)
    clock.steps = [1.0, 2.0]
    figure.redraw()
    clock.now += 1.0
    clock.steps = [0.0, 0.0, 0.3]
    figure.refresh()
    (place,) = shown
    assert len(place.shown) == 2
    clock.now += 0.3 / SHARE - 0.01
    figure.refresh()
    assert len(place.shown) == 2
    clock.now += 0.02
    figure.refresh()
    assert len(place.shown) == 3


def test_the_bar_tells_epoch_speed_time_left_and_score(shown, clock, open_notebook):
    made = progress.Progress(100, 20, 5, 64, lambda: LiveFigure(History([], []), images))
    picture, bar = shown
    assert bar.shown[0]["text/plain"] == " 20%  epoch 2/5"
    clock.now += 10.0
    made.advance(30, row(1.5, 1.0))
    assert bar.shown[-1]["text/plain"] == " 30%  epoch 2/5 · 64 images/s · 1:10 left"
    assert '<progress value="0.3000" max="1"' in bar.shown[-1]["text/html"]
    made.wait("scoring")
    assert bar.shown[-1]["text/plain"] == " 30%  epoch 2/5 · 64 images/s · 1:10 left · scoring"
    made.score = "KID 0.031 ± 0.002"
    clock.now += 10.0
    made.advance(60, row(3.0, 1.0))
    assert bar.shown[-1]["text/plain"] == " 60%  epoch 4/5 · 128 images/s · 0:20 left · KID 0.031 ± 0.002"
    made.close()
    assert bar.shown[-1]["text/plain"] == "3 of 5 epochs · 128 images/s · 0:20 · KID 0.031 ± 0.002"
    assert "<progress" not in bar.shown[-1]["text/html"]
    assert len(picture.shown) == 4


def run_of(name, params, data):
    params = params(run=name, ema=0.9)
    run = RunDir.open(params, data)
    return train(build(params, data), data, params, run), run


def test_an_open_notebook_shows_a_picture_and_a_bar_and_training_does_not_notice(
    toy_params, toy_data, monkeypatch, shown, capsys
):
    plain, plain_run = run_of("plain", toy_params, toy_data)
    capsys.readouterr()
    monkeypatch.setattr(progress, "is_open_notebook", lambda: True)
    watched, watched_run = run_of("watched", toy_params, toy_data)
    assert watched.updates == plain.updates
    assert torch.equal(watched_run.latest().images, plain_run.latest().images)
    picture, bar = (place.shown for place in shown)
    assert picture[0]["image/png"] != picture[-1]["image/png"]
    assert bar[-1]["text/plain"].startswith("2 of 2 epochs · ")
    assert len(capsys.readouterr().out.splitlines()) == 1  # where the run is, and no line an epoch


def test_a_stopped_run_leaves_what_it_reached(toy_params, toy_data, shown, capsys, open_notebook):
    params = toy_params(max_minutes=1e-9)
    run = RunDir.open(params, toy_data)
    train(build(params, toy_data), toy_data, params, run)
    picture, bar = (place.shown for place in shown)
    assert bar[-1]["text/plain"].startswith("0.2 of 2 epochs · ")
    assert "after 0.20 of 2 epochs" in capsys.readouterr().out
    assert len(picture) >= 2


@pytest.mark.parametrize("terminal", [False, True])
def test_elsewhere_each_epoch_is_one_plain_line(toy_params, toy_data, monkeypatch, shown, capsys, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    run_of("plain", toy_params, toy_data)
    told, errors = capsys.readouterr()
    assert shown == []
    assert errors == ""
    assert len(told.splitlines()) == 3
    for number, line in enumerate(told.splitlines()[1:], start=1):
        assert re.fullmatch(
            rf"epoch {number}/2  d_real \d+\.\d{{3}}  d_fake .*  \d+ images/s  \d+:\d\d left", line
        )


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        (None, False),  # plain Python
        (SimpleNamespace(), False),  # IPython in a terminal
        (SimpleNamespace(get_parent=dict), False),
        (SimpleNamespace(get_parent=lambda: {"metadata": {}}), False),  # papermill, nbval
        (SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "train"}}), True),
    ],
)
def test_only_front_ends_with_cells_are_open_notebooks(monkeypatch, shell, expected):
    monkeypatch.setattr(places, "get_ipython", lambda: shell)
    assert is_open_notebook() is expected


def test_a_place_shows_its_content_once(shown):
    place = Place()
    place.show({"text/plain": "first"})
    place.show({"text/plain": "second"})
    assert [handle.shown for handle in shown] == [[{"text/plain": "first"}, {"text/plain": "second"}]]
