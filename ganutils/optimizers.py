"""Optimisers of the networks, without torch's compiler, which they would import: that takes seconds."""

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.profiler import record_function

from ganutils.params import RunParams


def make(
    weights: Iterable[nn.Parameter], params: RunParams, learning_rate: float, device: torch.device
) -> torch.optim.Optimizer:
    """Return an optimiser as `params` want it; on a GPU a CUDA graph can record its steps.

    Adam (Kingma and Ba 2014, arXiv 1412.6980) or RMSprop (Hinton 2012). `learning_rate` above 0 is kept as
    "initial_lr" of each group.
    """
    _spare_the_compiler()
    on_gpu = device.type == "cuda"  # what a CUDA graph is to read has to lie on it
    rate = torch.tensor(learning_rate, device=device) if on_gpu else learning_rate
    if params.optimizer == "adam":
        betas = (params.beta1, params.beta2)
        optimizer = torch.optim.Adam(weights, lr=rate, betas=betas, fused=True, capturable=on_gpu)
    else:
        optimizer = torch.optim.RMSprop(weights, lr=rate, alpha=params.beta2, capturable=on_gpu)
    for group in optimizer.param_groups:
        group["initial_lr"] = learning_rate
    return optimizer


def step(optimizer: torch.optim.Optimizer) -> None:
    """Make one step and drop the gradients; hooks of the optimiser are not called."""
    kind = type(optimizer)
    with torch.no_grad(), record_function(f"Optimizer.step#{kind.__name__}.step"):
        inspect.unwrap(kind.step)(optimizer)  # what wraps it calls the compiler
    optimizer.zero_grad(set_to_none=True)


def load(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Take over a saved state, also one of a GPU on a CPU."""
    pairs = list(zip(saved["param_groups"], optimizer.param_groups, strict=True))
    groups = [{**theirs, "lr": ours["lr"], "capturable": ours["capturable"]} for theirs, ours in pairs]
    optimizer.load_state_dict({**saved, "param_groups": groups})
    for group, (theirs, _) in zip(optimizer.param_groups, pairs, strict=True):
        set_rate(group, float(theirs["lr"]))


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a group of weights, where it lies."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _spare_the_compiler() -> None:
    """Leave with some methods what their first call would look up in the compiler: not to compile them.

    A torch that keeps it elsewhere imports the compiler, and all is as slow as it was.
    """
    for name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None:
            vars(method).setdefault("__dynamo_disable", method)
