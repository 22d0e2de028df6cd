import pytest
import torch

from ganutils import variants
from ganutils.data import load_dataset
from ganutils.errors import MetricError
from ganutils.measurements import Measurement, Protocol, read_measurements, write_measurements
from ganutils.metrics import quick
from ganutils.metrics.drawing import draw
from ganutils.metrics.inception import Inception
from ganutils.metrics.kid import kid
from ganutils.monitor import Monitor
from ganutils.runs import RunDir
from ganutils.training import train
from ganutils.variants import build

PROTOCOL = Protocol(reference="toy", n_real=50, n_fake=50, network="none", resizer="none", precision="fp32")
VALUES = {1: 0.3, 2: 0.1, 3: 0.2}


class Known:
    """Stands for the network: scores by the epoch, at a cost that is told."""

    price = 0.0

    def __init__(self, dataset, params, sampler, bits="fp32"):
        self.protocol = PROTOCOL.model_copy(update={"precision": bits})

    def cost(self):
        return self.price

    def measure(self, sampler, gan, epoch):
        return Measurement(name="KID", value=VALUES[epoch], error=0.01, epoch=epoch, protocol=self.protocol)


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(quick, "QuickScore", Known)
    monkeypatch.setattr(Known, "price", 0.0)
    return Known


def run_of(params, data):
    run = RunDir.open(params, data)
    return train(build(params, data), data, params, run), run


def scored(toy_params, **values):
    return toy_params(**{"metric_every": 1, "metric_samples": 50, "epochs": 3, **values})


def test_a_number_of_a_report_keeps_no_checkpoint(toy_params, toy_data, known):
    """By the protocol of the scores, but measured after a training without any."""
    _, run = run_of(scored(toy_params, metric_every=0, run="mine"), toy_data)
    write_measurements(run, [Known(None, None, None).measure(None, None, 3)])
    _, run = run_of(scored(toy_params, metric_every=0, run="mine", epochs=4), toy_data)
    assert not run.checkpoints.best.exists()
    assert not run.has_grid("best")


def test_scores_are_kept_and_the_best_state_with_its_samples(toy_params, toy_data, known, capsys):
    history, run = run_of(scored(toy_params), toy_data)
    assert {one.epoch: one.value for one in read_measurements(run)} == VALUES
    assert all(row["score_seconds"] >= 0 for row in history.epochs)
    assert "KID 0.100 ± 0.010" in capsys.readouterr().out
    assert run.checkpoints.load_best()["step"] == 10
    assert run.load_grid("best").title == "epoch 2"
    assert torch.equal(run.load_grid("best").images, run.samples(2).images)
    best, last = variants.load(run, state=run.checkpoints.load_best()).generator, variants.load(run).generator
    assert not torch.equal(best.layers[1].weight, last.layers[1].weight)


def test_scoring_does_not_change_training(toy_params, toy_data, known):
    plain, _ = run_of(toy_params(epochs=3, run="plain"), toy_data)
    watched, _ = run_of(scored(toy_params, run="watched"), toy_data)
    assert plain.updates == watched.updates


def test_every_second_epoch(toy_params, toy_data, known):
    _, run = run_of(scored(toy_params, metric_every=2), toy_data)
    assert [one.epoch for one in read_measurements(run)] == [2]


def test_a_score_that_is_too_dear_is_left_out_and_told_once(toy_params, toy_data, known, capsys):
    known.price = 1e6
    _, run = run_of(scored(toy_params), toy_data)
    assert read_measurements(run) == []
    assert not run.checkpoints.best.exists()
    assert capsys.readouterr().out.count("goes without a score") == 1


def test_the_share_counts_what_was_spent_before(toy_params, toy_data, known):
    """At 2 seconds a score and half of the time for scoring, every fourth second of training pays one."""
    params = scored(toy_params, metric_share=0.5)
    run = RunDir.open(params, toy_data)
    run.append(epochs=[{"epoch": 1, "step": 5, "g_step": 5, "seconds": 6.0, "score_seconds": 2.0}])
    known.price = 2.0
    monitor = Monitor(run, toy_data, build(params, toy_data), params)
    assert monitor.score(2, lambda: None, 1.9) is None
    assert monitor.score(3, lambda: None, 0.2).measurement.value == VALUES[3]


def test_missing_weights_are_told_once_and_training_goes_on(toy_params, toy_data, monkeypatch, capsys):
    def missing(*arguments):
        raise MetricError("the weights are not there.")

    monkeypatch.setattr(quick, "QuickScore", missing)
    history, run = run_of(scored(toy_params), toy_data)
    assert history.epoch == 3
    assert read_measurements(run) == []
    assert capsys.readouterr().out.count("No scores while training: the weights are not there.") == 1


def test_too_little_memory_for_a_score_is_told_once_and_training_goes_on(
    toy_params, toy_data, known, monkeypatch, capsys
):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory.\nmore")

    monkeypatch.setattr(known, "measure", full)
    history, run = run_of(scored(toy_params), toy_data)
    assert history.epoch == 3
    assert read_measurements(run) == []
    told = capsys.readouterr().out
    assert told.count("No scores while training: too little memory beside the training (CUDA out of mem") == 1


def test_scores_of_epochs_that_are_trained_again_are_measured_again(toy_params, toy_data, known):
    """As after a kill between the best score and its checkpoint: the newest checkpoint is one epoch back."""
    _, run = run_of(scored(toy_params, epochs=2), toy_data)
    run.checkpoints.last.unlink()
    run.checkpoints.best.unlink()
    _, run = run_of(scored(toy_params, epochs=3), toy_data)
    assert {one.epoch: one.value for one in read_measurements(run)} == VALUES
    assert run.checkpoints.load_best()["step"] == 10


def test_a_best_state_that_was_scored_but_not_kept_is_kept_at_resume(toy_params, toy_data, known):
    _, run = run_of(scored(toy_params, epochs=2), toy_data)
    run.checkpoints.best.unlink()
    _, run = run_of(scored(toy_params), toy_data)
    assert run.checkpoints.load_best()["step"] == 10


@pytest.mark.parametrize(
    ("asked", "trained", "vnni", "openvino", "expected"),
    [
        ("auto", "fp32", True, True, "int8"),
        ("auto", "fp32", False, True, "fp32"),
        ("auto", "fp32", True, False, "fp32"),
        ("auto", "bf16", True, True, "bf16"),
        ("fp32", "fp32", True, True, "fp32"),
        ("bf16", "bf16", True, True, "bf16"),
    ],
)
def test_scores_take_the_fastest_precision_unless_one_is_asked_for(
    toy_params, monkeypatch, asked, trained, vnni, openvino, expected
):
    monkeypatch.setattr("ganutils.hardware.has_fast_bf16", lambda device: trained == "bf16")
    monkeypatch.setattr(quick, "has_vnni", lambda: vnni)
    monkeypatch.setattr(quick, "has_openvino", lambda: openvino)
    assert quick.precision(toy_params(precision=asked, device="cpu")) == expected


@pytest.mark.parametrize(
    ("before", "openvino", "expected"),
    [
        ("fp32", True, "fp32"),
        ("int8", True, "int8"),
        ("int8", False, "fp32"),
        ("bf16", True, "int8"),
    ],
)
def test_a_run_keeps_the_precision_of_its_scores_where_it_can(
    toy_params, monkeypatch, before, openvino, expected
):
    monkeypatch.setattr("ganutils.hardware.has_fast_bf16", lambda device: False)
    monkeypatch.setattr(quick, "has_vnni", lambda: True)
    monkeypatch.setattr(quick, "has_openvino", lambda: openvino)
    assert quick.precision(toy_params(precision="auto", device="cpu"), before) == expected


@pytest.mark.parametrize("keeps", [True, False])
def test_scores_of_a_longer_run_stay_comparable_or_say_so(
    toy_params, toy_data, known, monkeypatch, capsys, keeps
):
    usual = ["int8"]
    monkeypatch.setattr(quick, "precision", lambda params, before="": (keeps and before) or usual[0])
    run_of(scored(toy_params, epochs=2), toy_data)
    usual[0] = "fp32"
    _, run = run_of(scored(toy_params), toy_data)
    assert [one.protocol.precision for one in read_measurements(run)] == [
        "int8",
        "int8",
        "int8" if keeps else "fp32",
    ]
    assert run.load_grid("best").title == ("epoch 2" if keeps else "epoch 3")
    assert ("go on in fp32: the best is chosen among new ones" in capsys.readouterr().out) != keeps


def test_scores_in_int8_say_so(toy_params, monkeypatch):
    monkeypatch.setattr(quick, "has_vnni", lambda: True)
    params = toy_params(dataset="shapes", n_images=50, metric_samples=50, device="cpu", precision="auto")
    data = load_dataset(params)
    gan = build(params, data)
    found = quick.QuickScore(data, params, gan.generator).measure(gan.generator, gan, 1)
    assert found.protocol.precision == "int8"
    network = Inception(precision="int8")
    real, fake = (network.features(images) for images in (data.images, draw(gan, 50, params.seed)[0]))
    assert found.value == pytest.approx(kid(fake, real).value)
