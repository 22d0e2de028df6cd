import pytest
import torch

from ganutils import cli, estimate, variants
from ganutils.errors import RunError
from ganutils.estimate import Estimate, Part
from ganutils.update import Update


def test_an_estimate_is_the_sum_of_its_parts():
    found = Estimate([Part("updates", 1000, 0.05), Part("sample grids", 3, 2.0)], "a machine")
    assert found.seconds == 56
    assert str(found).splitlines() == [
        "About 0:56 on a machine:",
        "  updates: 1,000 at 50 ms, 0:50",
        "  sample grids: 3 at 2000 ms, 0:06",
    ]


def test_too_little_memory_for_the_probe_is_told(toy_params, toy_data, monkeypatch):
    def greedy(update, indices):
        raise torch.OutOfMemoryError("CUDA out of memory.\nDetails")

    monkeypatch.setattr(Update, "__call__", greedy)
    gan = variants.build(toy_params(), toy_data)
    with pytest.raises(RunError, match=r"cpu has too little memory \(CUDA out of memory\.\)\. Lower"):
        estimate.estimate(gan, toy_data, toy_params())


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({"epochs": 10, "sample_epochs": "1,5,10"}, {"updates": 50, "sample grids": 3, "checkpoints": 11}),
        ({"epochs": 7, "sample_epochs": "every 2"}, {"updates": 35, "sample grids": 4, "checkpoints": 8}),
    ],
)
def test_counts_are_those_of_the_run(toy_params, toy_data, monkeypatch, values, counts):
    monkeypatch.setattr(estimate, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(estimate, "SAVING_SHARE", float("inf"))
    params = toy_params(**values)
    found = estimate.estimate(variants.build(params, toy_data), toy_data, params)
    assert {part.name: part.count for part in found.parts} == counts
    assert all(part.seconds > 0 for part in found.parts)


@pytest.mark.parametrize(("on_nan", "count"), [("stop", 2), ("rollback", 11)])
def test_short_epochs_share_checkpoints(toy_params, toy_data, monkeypatch, on_nan, count):
    monkeypatch.setattr(estimate, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(estimate, "SAVING_SHARE", 0.0)
    params = toy_params(epochs=10, on_nan=on_nan)
    found = estimate.estimate(variants.build(params, toy_data), toy_data, params)
    assert {part.name: part.count for part in found.parts}["checkpoints"] == count


def test_time_of_an_update_is_the_mean_over_whole_cycles(toy_params, monkeypatch):
    """The first two cycles warm up; an update with a generator's turn costs more than one without."""
    now = 0.0

    class Clocked:
        params = toy_params(d_steps=2)
        cycles_to_warm_up = 2
        calls = 0

        def __call__(self, indices):
            nonlocal now
            self.calls += 1
            now += 100 if self.calls <= 4 else 1 + 2 * (self.calls % 2)
            return {"d_grad": torch.tensor(0.0)}

    monkeypatch.setattr(estimate.time, "perf_counter", lambda: now)
    clocked = Clocked()
    assert estimate.seconds_per_update(clocked, 40, 10.0) == 2
    assert clocked.calls == 4 + 2 * 3


def test_what_is_timed_runs_as_in_training(toy_params, toy_data, monkeypatch):
    monkeypatch.setattr(estimate, "PROBE_SECONDS", 0.0)
    seen = []

    def noted(original):
        def call(*arguments):
            seen.append((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark))
            return original(*arguments)

        return call

    for name in ("seconds_per_update", "fixed_samples"):
        monkeypatch.setattr(estimate, name, noted(getattr(estimate, name)))
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    for deterministic in (True, False):
        params = toy_params(deterministic=deterministic)
        estimate.estimate(variants.build(params, toy_data), toy_data, params)
    assert seen == [(True, False)] * 2 + [(False, True)] * 2
    assert before == (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark)


def test_the_command_estimates_and_makes_no_run(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(estimate, "PROBE_SECONDS", 0.0)
    pairs = {"dataset": "shapes", "n_images": 64, "batch_size": 16, "width": 4, "epochs": 2}
    arguments = [part for name, value in pairs.items() for part in ("-p", name, str(value))]
    assert cli.main(["run", "dcgan", "--estimate", *arguments]) == 0
    assert "updates: 8 at" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
