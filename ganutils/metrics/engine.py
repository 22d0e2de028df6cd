"""What carries images through the Inception network: OpenVINO on a CPU where it is installed, or plain torch.

OpenVINO is optional, `pip install ganutils[fast]`. In fp32 both give the same features up to the rounding of
sums (below 1e-5, as between two batch sizes of torch), so that a protocol names neither; bf16 and int8 are
named.
"""

import functools
import importlib.util
import sys
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ganutils.errors import MetricError
from ganutils.metrics.network import FEATURES, Branches

Precision = Literal["fp32", "bf16", "int8"]

_PART = 4  # images that an OpenVINO stream takes at a time; the last part of a batch is filled up


class Engine(Protocol):
    """A network that is ready to run."""

    name: str
    batch: int  # images at a time that suit it

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 2048) fp32, on the CPU, of fp32 images (N, 3, 299, 299) in [-1, 1]."""


def has_openvino() -> bool:
    """Say whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def choose(network: nn.Sequential, device: torch.device, precision: Precision) -> Engine:
    """Return the fastest engine that there is for a network, a device and a precision.

    Raises `MetricError` for int8 without OpenVINO or on another device than a CPU.
    """
    if device.type == "cpu" and has_openvino():
        return OpenVino(network, precision)
    if precision == "int8":
        raise MetricError(
            "precision='int8': needs device='cpu' and OpenVINO (pip install -e '.[fast]'). Use fp32."
        )
    return Torch(network, device, precision)


class Torch:
    """The network as it is, in memory order channels last."""

    name = "torch"

    def __init__(self, network: nn.Sequential, device: torch.device, precision: Precision) -> None:
        self.batch = {"cpu": 16, "cuda": 128}.get(device.type, 32)  # on a CPU a few use its caches best
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._network = network.to(device, self._dtype, memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 2048) of resized images (N, 3, 299, 299)."""
        images = images.to(self._dtype, memory_format=torch.channels_last)
        # cuDNN would round to TF32, and a caller's autocast to bf16: both move FID.
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with exact, torch.autocast(images.device.type, enabled=False):
            return self._network(images).float().cpu()


class OpenVino:
    """The network compiled for this CPU by OpenVINO, one stream of images for each of torch's threads."""

    name = "OpenVINO"
    batch = 64  # all streams wait for the last part of it

    def __init__(self, network: nn.Sequential, precision: Precision) -> None:
        core = _core()
        import openvino

        model = _model(network)
        if precision == "int8":
            from ganutils.metrics.int8 import quantize

            quantize(model)
        threads = torch.get_num_threads()
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            "ENABLE_CPU_PINNING": False,  # other programs use the cores too
        }
        compiled = core.compile_model(model, "CPU", settings)
        self._queue = openvino.AsyncInferQueue(compiled, threads)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 2048) of resized images (N, 3, 299, 299)."""
        found = np.empty((len(images), FEATURES), np.float32)

        def keep(request, start: int) -> None:
            rows = found[start : start + _PART]
            rows[:] = request.get_output_tensor().data[: len(rows)]

        self._queue.set_callback(keep)
        for start in range(0, len(images), _PART):
            part = np.zeros((_PART, *images.shape[1:]), np.float32)
            some = images[start : start + _PART]
            part[: len(some)] = some.numpy()
            self._queue.start_async([part], start)
        self._queue.wait_all()
        return torch.from_numpy(found)


@functools.cache
def _core():
    """Return the process's only core.

    Each core replaces the stack that signals are handled on; of several, one frees the stack of another,
    and the next Ctrl-C kills the process.
    """
    # OpenVINO would tell its makers of its use unless the user opted out; without this module it does not.
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino.Core()


def _model(network: nn.Sequential):
    """Return the network as an OpenVINO model for parts of images; tracing it would take 14 s."""
    import openvino
    from openvino import opset13

    images = opset13.parameter([_PART, 3, 299, 299], np.float32)
    return openvino.Model([_node(network, images)], [images])


def _node(module: nn.Module, x):
    """Return what a module makes of an OpenVINO node x."""
    from openvino import opset13 as ops

    match module:
        case nn.Sequential():
            for each in module:
                x = _node(each, x)
            return x
        case Branches():
            return ops.concat([_node(branch, x) for branch in module.branches], 1)
        case nn.Conv2d():
            weight, bias = (some.detach().contiguous().numpy() for some in (module.weight, module.bias))
            pad = list(module.padding)
            made = ops.convolution(x, ops.constant(weight), list(module.stride), pad, pad, [1, 1])
            return ops.add(made, ops.constant(bias.reshape(1, -1, 1, 1)))
        case nn.ReLU():
            return ops.relu(x)
        case nn.MaxPool2d(kernel_size=side, stride=stride, padding=pad):
            return ops.max_pool(x, [stride] * 2, [1, 1], [pad] * 2, [pad] * 2, [side] * 2).output(0)
        case nn.AvgPool2d(kernel_size=side, stride=stride, padding=pad):
            return ops.avg_pool(x, [stride] * 2, [pad] * 2, [pad] * 2, [side] * 2, exclude_pad=True)
        case nn.AdaptiveAvgPool2d():
            return ops.reduce_mean(x, ops.constant([2, 3]), keep_dims=True)
        case nn.Flatten():
            return ops.reshape(x, ops.constant([0, -1]), special_zero=True)
    raise TypeError(f"no OpenVINO node stands for {type(module).__name__}")
