"""The Inception network with convolutions of bytes, for scores while training on a CPU without fast bf16.

What goes into a convolution, and each of its channels' weights, is rounded to 8 bits at even steps (Jacob
2017, arXiv 1712.05877, equation 1; without training, and with one range for all layers).
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import openvino

VERSION = 1  # of the numbers below: change it with them, so that cached features are not mixed
# Inputs are never negative. Those of photographs reach 5 to 15, those of noise more: 7 as the largest moved
# features of noise by a quarter of their norm, 9 by a tenth; 12 is no better, and coarser for photographs.
_LARGEST = 9.0
_EXACT = 2  # convolutions at the start that keep fp32: they take little time, and their errors go through all


def quantize(model: "openvino.Model") -> None:
    """Mark in an OpenVINO model what may be rounded; compiling it then takes integer arithmetic."""
    convolutions = [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]
    for node in convolutions[_EXACT:]:
        images, weight = node.input(0), node.input(1)
        images.replace_source_output(_rounded(images.get_source_output(), 0.0, _LARGEST, 256))
        largest = np.abs(weight.get_source_output().get_node().data).max((1, 2, 3), keepdims=True)
        weight.replace_source_output(_rounded(weight.get_source_output(), -largest, largest, 255))


def _rounded(values, low, high, levels: int):
    from openvino import opset13 as ops  # after the engine saw to it that OpenVINO tells nobody

    ends = [ops.constant(np.float32(end)) for end in (low, high)]
    return ops.fake_quantize(values, *ends, *ends, levels).output(0)
