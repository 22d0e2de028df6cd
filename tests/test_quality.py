import pytest
import torch

from ganutils import quality
from ganutils.measurements import Measurement, Protocol, write_measurements
from ganutils.quality import nearest_images, score_curve
from ganutils.runs import RunDir
from ganutils.scores import monitored
from ganutils.sheets import Grid

SCORED = Protocol(reference="toy", n_real=50, n_fake=50, network="n", resizer="r", precision="fp32")
FINAL = SCORED.model_copy(update={"n_fake": 100})


def kid(epoch, value, protocol=SCORED):
    return Measurement(name="KID", value=value, error=0.01, epoch=epoch, protocol=protocol)


@pytest.fixture
def run(toy_params, toy_data):
    found = RunDir.open(toy_params(), toy_data)
    scored = {"seconds": 1.0, "score_seconds": 0.1}
    found.append(epochs=[{"epoch": e, "step": 5 * e, "g_step": 5 * e, **scored} for e in (1, 2, 3, 4)])
    return found


@pytest.fixture
def shown(monkeypatch):
    """What was shown: tables as rows, figures as captions."""
    found = []
    monkeypatch.setattr(quality, "show_table", lambda rows, header, caption: found.append(rows))
    monkeypatch.setattr(quality, "show", lambda figure, caption, **others: found.append(caption))
    monkeypatch.setattr(quality, "display", lambda text: None)
    return found


def test_the_curve_is_of_the_scores_while_training(run):
    write_measurements(run, [kid(1, 0.3), kid(2, 0.1), kid(4, 0.2), kid(4, 0.5, FINAL)])
    scores = monitored(run)
    assert [one.value for one in scores] == [0.3, 0.1, 0.2]
    (axis,) = score_curve(scores).axes
    assert [line.get_label() for line in axis.lines if line.get_marker() == "o"] == ["best: epoch 2"]


def test_two_scores_are_points_and_no_curve(run, toy_data, toy_params, shown):
    run.save_grid("latest", Grid(toy_data.images[:4], 2, "epoch 4"))
    write_measurements(run, [kid(1, 0.3), kid(2, 0.1)])
    (axis,) = score_curve(monitored(run)).axes
    assert not any(line.get_linestyle() == "-" and len(line.get_xdata()) > 1 for line in axis.lines)
    quality.show_metrics(run, toy_data, toy_params(measure_samples=0))
    assert shown[-1].endswith("Two points say nothing of the time before, between and after them.")
    write_measurements(run, [kid(1, 0.3), kid(2, 0.1), kid(4, 0.2)])
    assert any(line.get_linestyle() == "-" for line in score_curve(monitored(run)).axes[0].lines)


def test_what_is_not_measured_says_how_to(run, toy_data, toy_params, shown):
    run.save_grid("latest", Grid(toy_data.images[:4], 2, "epoch 4"))
    quality.show_metrics(run, toy_data, toy_params(measure_samples=0))
    ((row,),) = shown
    assert row[1].startswith("not measured (")


def test_best_and_last_are_shown_where_they_differ(run, toy_data, toy_params, shown):
    run.save_grid("latest", Grid(toy_data.images[:4], 2, "epoch 4"))
    run.save_grid("best", Grid(toy_data.images[4:8], 2, "epoch 2"))
    write_measurements(run, [kid(1, 0.3), kid(2, 0.1)])
    quality.show_metrics(run, toy_data, toy_params(measure_samples=0))
    assert shown[1].startswith("Images of the best scored checkpoint")
    assert "that of epoch 2" in shown[2]


def test_nearest_by_pixels_finds_the_images_themselves(run, toy_data, toy_params):
    run.save_grid("latest", Grid(toy_data.images[:10], 5, "epoch 4"))
    (axis,) = nearest_images(run, toy_data, toy_params(measure_samples=0)).axes
    picture = torch.as_tensor(axis.images[0].get_array().copy())
    size = toy_data.image_size
    assert torch.equal(picture[:size], picture[-size:])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["generated", "by pixels"]


def test_missing_training_images_are_told(run, toy_data, toy_params, shown, capsys):
    run.save_grid("latest", Grid(toy_data.images[:4], 2, "epoch 4"))
    quality.show_metrics(run, toy_data, toy_params(measure_samples=50))
    assert "Not measured: " in capsys.readouterr().out
