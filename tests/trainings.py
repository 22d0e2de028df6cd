"""Trainings at toy size, and whether two of them are the same."""

import torch

from ganutils.runs import RunDir
from ganutils.training import train
from ganutils.variants import build


def run_of(params, data):
    gan, run = build(params, data), RunDir.open(params, data)
    return train(gan, data, params, run), run, gan


def weights(run):
    return run.checkpoints.load()


def assert_same(first, second):
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            if key != "epoch_seconds":
                assert_same(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second
