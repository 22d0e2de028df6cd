import numpy as np
import pytest
import torch

from ganutils import figures
from ganutils.errors import RunError
from ganutils.history import History
from ganutils.runs import RunDir
from ganutils.sheets import Grid


def history(updates):
    rows = [{"step": i + 1, "epoch": (i + 1) / 10, "loss": float(i % 7)} for i in range(updates)]
    return History(rows, [{"epoch": 1, "step": 10, "seconds": 60.0, "images_per_second": 5.0}])


def test_tiles_keep_every_pixel(toy_data):
    sheet = figures.tiles(toy_data.images[:5], columns=3, gap=2)
    assert sheet.shape == (2 * 34 - 2, 3 * 34 - 2, 3)
    assert np.array_equal(sheet[34:66, 34:66], toy_data.images[4].permute(1, 2, 0).numpy())
    assert (sheet[32:34] == 255).all()


def test_running_mean_by_hand():
    assert figures.running_mean(np.array([3.0, 5.0, 7.0]), share=0.7).tolist() == [4.0, 5.0, 6.0]
    weighted = figures.running_mean(np.array([3.0, 10.0]), np.array([1, 2]), share=1.0)
    assert weighted.tolist() == pytest.approx([13 / 3, 13 / 3])
    constant = figures.running_mean(np.full(1000, 2.5))
    assert constant == pytest.approx(2.5)


def test_long_histories_are_drawn_with_few_points_and_their_true_range():
    figure = figures.curves(history(50_000), figures.Panel("L", {"loss": "loss"}))
    (line,) = figure.axes[0].lines
    assert len(line.get_xdata()) <= 1200
    (band,) = figure.axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0, 6)


@pytest.mark.parametrize("count", [1, 599, 601, 1199, 50_011])
def test_blocks_hold_every_value_once(count):
    y = np.random.default_rng(count).normal(size=count)
    x = np.arange(1.0, count + 1)
    ends, low, high, sums, counts = figures.blocks_of(x, y)
    assert len(ends) == min(count, 600)
    assert counts.sum() == count
    assert counts.max() - counts.min() <= 1
    assert ends[-1] == count
    assert (low.min(), high.max(), sums.sum()) == pytest.approx((y.min(), y.max(), y.sum()))
    first = y[: counts[0]]
    assert (ends[0], low[0], high[0], sums[0]) == pytest.approx(
        (counts[0], first.min(), first.max(), first.sum())
    )


def test_a_fast_wave_shows_as_a_band_and_a_flat_mean():
    """Taking every 83rd of 50,000 values would draw this wave as a slow one."""
    rows = [
        {"step": i, "epoch": i / 1000, "loss": float(np.sin(i * 2 * np.pi / 83.1))} for i in range(50_000)
    ]
    (axis,) = figures.curves(History(rows, []), figures.Panel("A", {"loss": "first"})).axes
    (line,), (band,) = axis.lines, axis.collections
    assert np.abs(line.get_ydata()).max() < 0.02
    heights = band.get_paths()[0].vertices[1:-1, 1]
    assert np.abs(heights).min() > 0.9


def test_curves_have_titles_axes_and_legends():
    figure = figures.curves(
        history(100),
        figures.Panel("A", {"loss": "first"}, 1.0),
        figures.Panel("B", {"loss": "second"}, log=True),
    )
    assert [axis.get_title() for axis in figure.axes] == ["A", "B"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["epoch", "epoch"]
    assert [axis.get_legend().get_texts()[0].get_text() for axis in figure.axes] == ["first", "second"]
    assert [axis.get_yscale() for axis in figure.axes] == ["linear", "log"]
    assert figure.axes[0].lines[-1].get_ydata() == [1.0, 1.0]


def test_a_rare_spike_does_not_flatten_the_axis():
    rows = [{"step": i, "epoch": i / 100, "loss": 1000.0 if i == 500 else i % 2} for i in range(1, 1001)]
    figure = figures.curves(History(rows, []), figures.Panel("A", {"loss": "first"}))
    assert figure.axes[0].get_ylim() == pytest.approx((-0.05, 1.05))


def test_an_empty_history_is_an_empty_figure():
    figure = figures.curves(History([], []), figures.Panel("A", {"loss": "first"}))
    figure.canvas.draw()
    assert not figure.axes[0].lines


def test_epoch_grid_shows_the_saved_pixels_at_a_fixed_range(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    for epoch in (1, 4):
        run.save_grid(f"epoch-{epoch:05d}", Grid(toy_data.images[epoch : epoch + 6], 3))
    figure = figures.epoch_grid(run)
    assert [axis.get_title() for axis in figure.axes] == ["real", "epoch 1", "epoch 4"]
    shown = figure.axes[2].images[0].get_array()
    assert np.array_equal(np.asarray(shown), figures.tiles(toy_data.images[4:10], 3))
    assert figure.axes[2].images[0].get_interpolation() == "nearest"
    assert not figure.axes[2].axison


def test_real_beside_generated(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    run.save_grid("real", Grid(toy_data.images[:4], 2))
    run.save_grid("latest", Grid(toy_data.images[4:8], 2, "epoch 7"))
    assert [axis.get_title() for axis in figures.real_and_generated(run).axes] == [
        "real, toy",
        "generated, epoch 7",
    ]


def test_a_run_that_stopped_early_shows_its_latest_samples(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    with pytest.raises(RunError, match="has no samples yet"):
        figures.epoch_grid(run)
    run.save_grid("latest", Grid(toy_data.images[:6], 3, "epoch 0.40"))
    assert [axis.get_title() for axis in figures.epoch_grid(run).axes] == ["real", "epoch 0.40"]


def test_columns_of_a_history():
    rows = [
        {"step": 1, "epoch": 0.5, "a": 1.0},
        {"step": 2, "epoch": 1.0, "a": 2.0, "b": 9.0},
        {"step": 3, "epoch": 1.5, "a": 4.0},
    ]
    read = History(rows, [])
    assert read.names() == ["a", "b"]
    assert read.column("b")[0].tolist() == [1.0]
    assert read.epoch_mean("a", 1) == pytest.approx(1.5)
    assert read.last_mean("a") == pytest.approx(4.0)
    assert np.isnan(read.last_mean("b"))
    assert read.step == 3
    assert torch.tensor(read.column("c")[0]).numel() == 0


def test_class_grid_has_the_class_names_at_their_rows(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    run.save_grid("latest", Grid(toy_data.images[:8], 4, "epoch 2"))
    (axis,) = figures.class_grid(run).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["cat", "dog"]
    height = axis.images[0].get_array().shape[0]
    assert axis.get_yticks().tolist() == [height / 4, 3 * height / 4]
    assert np.array_equal(axis.images[0].get_array(), figures.tiles(toy_data.images[:8], 4))


def test_levels_are_grey_if_they_are_one_and_else_their_lines():
    columns = {"a": "A", "b": "B"}
    assert figures.Panel("L", columns).levels == {}
    assert figures.Panel("L", columns, 0.5).levels == {0.5: "0.3"}
    assert figures.Panel("L", columns, {"a": 1.0, "b": 1.0, "c": 2.0}).levels == {1.0: "0.3"}
    panel = figures.Panel("L", columns, {"a": 1.0, "b": 40.0})
    assert list(panel.levels) == [1.0, 40.0]
    rows = [{"step": n, "epoch": n / 10, "a": 1.5, "b": 2.0} for n in range(1, 20)]
    (axis,) = figures.curves(History(rows, []), panel).axes
    lines = {line.get_label(): line.get_color() for line in axis.lines if line.get_label() in ("A", "B")}
    assert list(panel.levels.values()) == [lines["A"], lines["B"]]
    assert axis.get_ylim()[1] > 40
