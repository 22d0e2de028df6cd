"""Updates that are recorded and replayed: what can be checked without a GPU.

Calling what was recorded again stands for a replay: like one, it reads and writes the same memory each time.
"""

import gc
import weakref
from typing import NamedTuple

import pytest
import torch
from test_update import CASES
from torch import Tensor

from ganutils import replay, variants
from ganutils.errors import RunError
from ganutils.hardware import Hardware, choose
from ganutils.replay import UNRECORDED, Replay
from ganutils.scalars import Scalars
from ganutils.state import TrainState
from ganutils.update import Update

CPU = torch.device("cpu")


class Numbers(NamedTuple):
    first: Tensor
    second: Tensor


class Notes:
    """Records by keeping the call; notes what was recorded and how often it was replayed."""

    def __init__(self):
        self.recorded, self.replayed = 0, 0

    def __call__(self, launch, device):
        assert device == CPU
        self.recorded += 1

        def again():
            self.replayed += 1
            return launch()

        return again


def test_a_function_is_recorded_once_for_each_kind_and_reads_new_numbers_each_time():
    notes = Notes()

    def total(numbers, negative):
        return Scalars.of({"sum": (numbers.first + numbers.second) * (-1 if negative else 1)})

    called = Replay(CPU, notes)
    for count in range(1, 8):
        for kind in (False, True):
            given = Numbers(torch.tensor(float(count)), torch.tensor(0.5))
            assert called(total, given, kind)["sum"] == (-1 if kind else 1) * (count + 0.5)
            assert given.first == count
    assert notes.recorded == 2
    assert notes.replayed == 2 * (7 - UNRECORDED)


def test_what_is_given_is_never_written_over():
    order = torch.arange(20.0)
    called = Replay(CPU, Notes())
    for part in order.split(2):
        called(lambda numbers, kind: Scalars.of({"sum": numbers.first.sum()}), Numbers(part, part), False)
    assert torch.equal(order, torch.arange(20.0))


def test_inputs_of_all_types_lie_in_one_piece_of_memory():
    given = Numbers(torch.arange(3), torch.tensor([[True, False]]))
    inputs = replay._Inputs(given, CPU)
    for _ in range(2):
        inputs.fill(given)
        assert torch.equal(inputs.tensors.first, given.first)
        assert torch.equal(inputs.tensors.second, given.second)
        given = Numbers(given.first + 5, ~given.second)
    assert len({tensor.untyped_storage().data_ptr() for tensor in inputs.tensors}) == 1


@pytest.mark.parametrize(("name", "values"), CASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_replayed_updates_are_those_of_plain_calls(toy_data, monkeypatch, name, values, precision):
    notes = Notes()
    monkeypatch.setattr(replay.Replay.__init__, "__defaults__", (notes,))
    chosen = {"width": 4, "batch_size": 8, "d_steps": 2, "device": "cpu", "ema": 0.9, "schedule": "linear"}
    params = variants.get(name).Params(**{**chosen, "precision": precision, **values})
    told, states = [], []
    for replayed in (False, True):
        gan, plain = variants.build(params, toy_data), choose(params)
        hardware = Hardware(plain.device, plain.precision, plain.name, False, replayed)
        state = TrainState(gan, params, hardware.device)
        update = Update(gan, state, toy_data, params, hardware)
        torch.manual_seed(0)
        values = []
        for step in range(12):
            state.scale_learning_rate(1 - step / 12)
            values.append(update(torch.arange(step, step + 8)))
        told.append(values)
        states.append(state.capture())
    assert notes.recorded == 2
    assert notes.replayed == 12 - 2 * UNRECORDED
    for ours, theirs in zip(*told, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=0)
    assert (state.step, state.g_step, int(state.average.n_averaged)) == (12, 6, 6)


def test_after_a_return_to_a_checkpoint_it_is_recorded_anew(toy_params, toy_data, monkeypatch):
    notes = Notes()
    monkeypatch.setattr(replay.Replay.__init__, "__defaults__", (notes,))
    params = toy_params()
    gan = variants.build(params, toy_data)
    state = TrainState(gan, params, CPU)
    update = Update(gan, state, toy_data, params, Hardware(CPU, "fp32", "", False, is_replayed=True))
    kept = state.capture()
    for _ in range(UNRECORDED + 2):
        update(torch.arange(8))
    state.restore(kept)
    update.begin_anew()
    for _ in range(UNRECORDED + 1):
        update(torch.arange(8))
    assert notes.recorded == 2


class Refusing:
    """Stands for a capture; what fails in it fails after it."""

    def __enter__(self):
        pass

    def __exit__(self, *error):
        pass


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (
            RuntimeError("CUDA error: operation not permitted when stream is capturing\nDetails"),
            RunError,
            r"cannot be recorded \(CUDA error: .* capturing\)\. .* cuda_graph=False",
        ),
        (torch.OutOfMemoryError("CUDA out of memory."), torch.OutOfMemoryError, "out of memory"),
    ],
)
def test_what_cannot_be_recorded_is_told_with_its_remedy(monkeypatch, error, raised, message):
    def fails():
        raise error

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, stream: Refusing())
    monkeypatch.setattr(torch.cuda, "Stream", str)
    with pytest.raises(raised, match=message):
        replay.as_cuda_graph(fails, torch.device("cuda:1"))


@pytest.mark.parametrize("replayed", [False, True])
def test_an_update_goes_when_nobody_holds_it(toy_params, toy_data, monkeypatch, replayed):
    """Without waiting for Python's search for cycles: it holds a GPU's memory."""
    monkeypatch.setattr(replay.Replay.__init__, "__defaults__", (Notes(),))
    params = toy_params()
    gan = variants.build(params, toy_data)
    state = TrainState(gan, params, CPU)
    update = Update(gan, state, toy_data, params, Hardware(CPU, "fp32", "", False, replayed))
    for _ in range(UNRECORDED):
        update(torch.arange(8))
    gc.disable()
    try:
        gone = weakref.ref(update)
        del update
        assert gone() is None
    finally:
        gc.enable()


def test_a_cpu_replays_nothing(toy_params):
    assert not choose(toy_params()).is_replayed
    assert str(Hardware(torch.device("cuda"), "bf16", "toy", True, True)) == (
        "cuda (toy), bf16, channels last, CUDA graph, deterministic"
    )
