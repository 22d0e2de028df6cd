"""Layer tables as in a paper: layer, output shape, parameters."""

import re

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

Row = tuple[str, str, int]


def layer_table(network: nn.Module, *inputs: Tensor) -> list[Row]:
    """Return (layer, output shape without the batch, parameters) for each layer that `inputs` pass.

    The last row is the total; a layer that is passed twice stands there once. The inputs may lie on another
    device than the network, which training moves. Batch norm counts its four
    numbers per channel: scale, shift and the two running statistics. The network's mode and statistics stay
    as they are.
    """
    rows: dict[nn.Module, Row] = {}

    def note(layer: nn.Module, _: tuple, output: Tensor) -> None:
        shape = "x".join(str(n) for n in output.shape[1:]) or "1"
        rows.setdefault(layer, (_describe(layer), shape, count(layer)))

    leaves = [
        layer
        for name, layer in network.named_modules()
        if "parametrizations" not in name and (is_parametrized(layer) or not list(layer.children()))
    ]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    inputs = tuple(each.to(next(network.parameters()).device) for each in inputs)
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(*inputs)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return [*rows.values(), ("Total", "", count(network))]


def count(network: nn.Module) -> int:
    """Return the trainable parameters, and the running statistics of batch norm."""
    statistics = [b for name, b in network.named_buffers() if name.endswith(("running_mean", "running_var"))]
    return sum(tensor.numel() for tensor in [*network.parameters(), *statistics])


def trainable(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(weight.numel() for weight in network.parameters())


def _describe(layer: nn.Module) -> str:
    name = re.sub("^(Parametrized)?(Whole|Lean|Cheap|Apart)?", "", type(layer).__name__)
    if is_parametrized(layer):
        name = f"Spectral {name}"
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        kernel = "x".join(str(n) for n in layer.kernel_size)
        bias = "" if layer.bias is None else ", bias"
        return f"{name} {kernel}, stride {layer.stride[0]}{bias}"
    if isinstance(layer, nn.LeakyReLU):
        return f"{name} {layer.negative_slope:g}"
    return name
