import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganutils.animation import animation
from ganutils.runs import RunDir
from ganutils.sheets import Grid


@pytest.fixture
def run(toy_params, toy_data):
    return RunDir.open(toy_params(), toy_data)


def flat(grey, count=6):
    return torch.full((count, 3, 32, 32), grey, dtype=torch.uint8)


def save(run, epochs, columns=3, count=6):
    for place, epoch in enumerate(epochs):
        run.save_grid(f"epoch-{epoch:05d}", Grid(flat(40 + 30 * (place % 7), count), columns))


def frames(content):
    with Image.open(io.BytesIO(content)) as film:
        for number in range(film.n_frames):
            film.seek(number)
            yield film.info["duration"], np.asarray(film.convert("RGB")).astype(int)


def test_a_frame_for_each_grid_in_the_order_of_epochs(run):
    save(run, (10, 2, 1))
    shown = list(frames(animation(run)))
    assert [duration for duration, _ in shown] == [700, 700, 2500]
    assert [picture[-2, 2, 0] for _, picture in shown] == pytest.approx([100, 70, 40], abs=6)
    assert Image.open(io.BytesIO(animation(run))).info["loop"] == 0


def test_the_bar_grows_with_the_epochs(run):
    save(run, (1, 5, 10))
    lengths = []
    for _, picture in frames(animation(run)):
        blue = (picture[:, :, 2] - picture[:, :, 0] > 80).any(axis=0)
        lengths.append(blue.mean())
    assert lengths == pytest.approx([0.1, 0.5, 1.0], abs=0.02)


def test_the_same_samples_give_the_same_bytes(run):
    save(run, (1, 2, 3))
    assert animation(run) == animation(RunDir(run.path))


@pytest.mark.parametrize("epochs", [(), (1,), (1, 2)])
def test_no_animation_of_fewer_than_three_grids(run, epochs):
    save(run, epochs)
    assert animation(run) is None


def test_many_and_large_grids_make_a_small_file(run):
    save(run, range(1, 41), columns=10, count=100)
    shown = [picture for _, picture in frames(animation(run))]
    assert 1 < len(shown) <= 16
    height, width = shown[0].shape[:2]
    assert 350 <= width < 700
    assert height < 700
    assert len(animation(run)) < 200_000
