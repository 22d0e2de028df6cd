"""What only a CUDA GPU can show; the rest of its path is tested without one."""

import pytest
import torch
from test_update import CASES
from trainings import assert_same, weights

from ganutils import variants
from ganutils.errors import RunError
from ganutils.estimate import estimate
from ganutils.objective import Terms
from ganutils.runs import RunDir
from ganutils.training import train
from ganutils.variants import dcgan

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
CHOSEN = {"device": "cuda", "deterministic": True, "epochs": 3, "batch_size": 4, "width": 4, "classes": ""}


def trained(data, name, **values):
    params = variants.get(name).Params(**{**CHOSEN, "run": "run", **values})
    run = RunDir.open(params, data)
    return train(variants.build(params, data), data, params, run), weights(run)


@pytest.mark.parametrize(("name", "values"), CASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_graph_makes_the_updates_of_plain_launches(toy_data, name, values, precision):
    found = [
        trained(toy_data, name, run=f"{graph}", cuda_graph=graph, precision=precision, **values)
        for graph in (False, True)
    ]
    assert found[0][0].updates == found[1][0].updates
    assert_same(found[0][1], found[1][1])


@pytest.mark.parametrize(("name", "values"), CASES)
def test_a_run_that_was_stopped_goes_on_bit_by_bit(toy_data, name, values):
    values = {"schedule": "constant", "ema": 0.9, **values}
    whole = trained(toy_data, name, run="whole", **values)
    trained(toy_data, name, run="parts", **{**values, "epochs": 1})
    parts = trained(toy_data, name, run="parts", **values)
    assert whole[0].updates == parts[0].updates
    assert_same(whole[1], parts[1])


def test_the_learning_rate_of_a_recorded_update_falls(toy_data):
    (found, state), (other, _) = (
        trained(toy_data, "dcgan", run=schedule, schedule=schedule) for schedule in ("linear", "constant")
    )
    assert float(state["g_optimizer"]["param_groups"][0]["lr"]) == pytest.approx(2e-4 / 30)
    assert found.updates[0]["d_real"] == other.updates[0]["d_real"]
    assert found.updates[-1] != other.updates[-1]


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
@pytest.mark.parametrize("devices", [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_run_moves_between_gpu_and_cpu(toy_data, optimizer, devices):
    for epochs, device in zip((1, 2), devices, strict=True):
        history, state = trained(
            toy_data, "dcgan", device=device, epochs=epochs, optimizer=optimizer, precision="fp32"
        )
    assert history.step == 20
    assert state["d_optimizer"]["param_groups"][0]["capturable"] == (devices[1] == "cuda")


def test_a_cpu_and_a_gpu_agree_in_fp32(toy_data):
    rows = [
        trained(toy_data, "dcgan", run=device, device=device, precision="fp32")[0]
        for device in ("cpu", "cuda")
    ]
    for name in ("d_real", "d_fake", "g_fake", "d_grad", "g_grad"):
        ours, theirs = (history.updates[0][name] for history in rows)
        assert ours == pytest.approx(theirs, rel=1e-4)


class Sick(dcgan.NonSaturating):
    calls = 0

    def generator_terms(self, discriminator, real, fake):
        Sick.calls += 1
        terms = super().generator_terms(discriminator, real, fake)
        return Terms({"g_fake": terms.losses["g_fake"] * (torch.nan if Sick.calls == 2 else 1.0)})


def test_a_nan_sends_a_replayed_run_back_to_its_checkpoint(toy_data):
    params = dcgan.Params(**CHOSEN, on_nan="rollback", run="run")
    gan, run = variants.build(params, toy_data), RunDir.open(params, toy_data)
    history = train(gan._replace(objective=Sick()), toy_data, params, run)
    assert len(run.rollbacks()) == 1
    assert [row["step"] for row in history.updates] == list(range(1, 31))
    assert float(weights(run)["g_optimizer"]["param_groups"][0]["lr"]) == pytest.approx(1e-4)


class Reading(dcgan.NonSaturating):
    def discriminator_terms(self, discriminator, real, fake):
        terms = super().discriminator_terms(discriminator, real, fake)
        assert terms.losses["d_real"].item() > 0
        return terms


def test_an_objective_that_reads_numbers_is_told_to_go_without_a_graph(toy_data):
    for graph in (True, False):
        params = dcgan.Params(**CHOSEN, cuda_graph=graph, run=f"{graph}")
        gan, run = variants.build(params, toy_data), RunDir.open(params, toy_data)
        gan = gan._replace(objective=Reading())
        if graph:
            with pytest.raises(RunError, match="needs cuda_graph=False"):
                train(gan, toy_data, params, run)
        else:
            assert train(gan, toy_data, params, run).step == 30


@pytest.mark.parametrize("graph", [True, False])
def test_compiled_networks_train(toy_data, graph):
    history, _ = trained(
        toy_data, "dcgan", compile=True, cuda_graph=graph, deterministic=False, precision="bf16"
    )
    assert history.step == 30


def test_an_estimate_counts_recorded_updates(toy_data, monkeypatch):
    monkeypatch.setattr("ganutils.estimate.PROBE_SECONDS", 0.2)
    params = dcgan.Params(**CHOSEN)
    found = estimate(variants.build(params, toy_data), toy_data, params)
    assert "CUDA graph" in str(found)
    assert 0 < found.parts[0].seconds < 0.1
