"""4x4 convolutions of stride 2 with 9 multiplications where 16 are written: in fp32, on CPUs of Intel.

Taken apart by even and odd rows and columns, such a convolution is a sum of four 2x2 convolutions of stride
1. Two outputs of two taps g on three numbers d need three products instead of four:

    m = ((d0 - d1) g0,  d1 (g0 + g1),  (d1 - d2) g1)      y = (m0 + m1,  m1 - m2)

and as much along the columns (Winograd 1980; Lavin and Gray 2015, arXiv 1509.09308, with three taps). All
factors are 1 and -1, so that rounding stays of the order of a plain convolution's. What transforms images,
kernels and products is linear and costs passes over memory: it pays with many channels only.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx

from ganutils.hardware import device_name
from ganutils.switch import Switch

_FEWEST_CHANNELS = 128  # on both sides; with 64 the transforms cost what the products save
_POINTS = 9  # products for a tile of 2x2 outputs, each of four times the channels


def _in_both_directions(*rows: tuple[int, ...]) -> Tensor:
    matrix = torch.tensor(rows, dtype=torch.float32)
    return torch.kron(matrix, matrix)


_OF_IMAGE = _in_both_directions((1, -1, 0), (0, 1, 0), (0, 1, -1))  # (9, 9)
_OF_KERNEL = _in_both_directions((1, 0), (1, 1), (0, 1))  # (9, 4)
_OF_PRODUCTS = _in_both_directions((1, 1, 0), (0, 1, -1))  # (4, 9)
_is_wanted = Switch(True)


def plainly() -> AbstractContextManager:
    """Leave all convolutions as they are written, so that their arithmetic can be counted."""
    return _is_wanted.set(False)


def is_worth_it(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> bool:
    """Say whether a layer can take this way with such an input, and is faster so."""
    size = 2 if layer.transposed else 4  # of a tile
    return (
        _is_wanted.value
        and (x.device.type, x.dtype) == ("cpu", torch.float32)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))
        and layer.output_padding == (0, 0)
        and x.shape[2] % size == x.shape[3] % size == 0
        and min(layer.in_channels, layer.out_channels) >= _FEWEST_CHANNELS
        and _has_fast_products()
    )


@functools.cache
def _has_fast_products() -> bool:
    # On AMD's with AVX-512 torch's products have half of the convolutions' speed; old torch names none.
    return "Intel" in device_name(torch.device("cpu"))


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """(N, C, H, W), (D, C, 4, 4) -> (N, D, H / 2, W / 2): stride 2, one row of zeros around the image."""
    tiles = _Linear.apply(x.permute(0, 2, 3, 1), _take_apart, _put_together)
    points = _OF_IMAGE @ tiles.flatten(0, 1).flatten(1)
    products = _Products.apply(points.view(_POINTS, -1, 4 * x.shape[1]), _kernel_points(weight))
    pairs = (_OF_PRODUCTS @ products.flatten(1)).view(2, 2, *tiles.shape[2:5], len(weight))
    return pairs.permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def convolve_transposed(y: Tensor, weight: Tensor) -> Tensor:
    """(N, D, h, w), (D, C, 4, 4) -> (N, C, 2 h, 2 w): the gradient of `convolve` by its images."""
    pairs = _halved(y).permute(2, 4, 0, 1, 3, 5)
    products = _OF_PRODUCTS.t() @ pairs.reshape(4, -1)
    points = torch.bmm(products.view(_POINTS, -1, y.shape[1]), _kernel_points(weight))
    tiles = (_OF_IMAGE.t() @ points.flatten(1)).view(3, 3, *pairs.shape[2:5], 2, 2, weight.shape[1])
    return _Linear.apply(tiles, _put_together, _take_apart).permute(0, 3, 1, 2)


def _kernel_points(weight: Tensor) -> Tensor:
    """(D, C, 4, 4) -> (9, D, 4 C): the channels of even and odd rows and columns side by side."""
    taps = _halved(weight).permute(1, 3, 0, 2, 4, 5)
    return (_OF_KERNEL @ taps.reshape(4, -1)).view(_POINTS, len(weight), -1)


def _halved(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H / 2, 2, W / 2, 2, C), as a view that keeps channels last."""
    return x.permute(0, 2, 3, 1).unflatten(2, (-1, 2)).unflatten(1, (-1, 2))


def _take_apart(images: Tensor) -> Tensor:
    """(N, H, W, C) -> (3, 3, N, H / 4, W / 4, 2, 2, C): the 6x6 pixels below each tile of 2x2 outputs.

    Three even and three odd rows, and columns likewise.
    """
    return _tiles_of(F.pad(images, (0, 0, 1, 1, 1, 1))).contiguous()


def _put_together(tiles: Tensor) -> Tensor:
    """Add up what tiles have in common: the adjoint of `_take_apart`."""
    _, _, count, rows, columns, _, _, channels = tiles.shape
    padded = tiles.new_zeros(count, 4 * rows + 2, 4 * columns + 2, channels)
    target = _tiles_of(padded)
    parts = (slice(2), slice(2, 3))  # within each, tiles have nothing in common
    for part in product(parts, parts):
        target[part] += tiles[part]
    return padded[:, 1:-1, 1:-1].contiguous()  # batch norm is slow on what has gaps


def _tiles_of(padded: Tensor) -> Tensor:
    """Return a view of overlapping tiles."""
    tiles = padded.unfold(1, 6, 4).unfold(2, 6, 4)  # (N, H / 4, W / 4, C, 6, 6)
    return tiles.unflatten(5, (3, 2)).unflatten(4, (3, 2)).permute(4, 6, 0, 1, 2, 5, 7, 3)


class _Linear(Function):
    """A linear map with its adjoint, which is its gradient; and the map is the adjoint's."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, apply: Callable, adjoint: Callable) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.maps = apply, adjoint
        return apply(x)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor | None) -> tuple[Tensor | None, None, None]:
        apply, adjoint = ctx.maps
        return None if grad is None else _Linear.apply(grad, adjoint, apply), None, None


class _Products(Function):
    """(9, M, K), (9, D, K) -> (9, M, D), with gradients that lie in memory as the kernels do."""

    @staticmethod
    def forward(ctx: FunctionCtx, points: Tensor, kernels: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(points, kernels)
        return torch.bmm(points, kernels.transpose(1, 2))

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        if grad is None:
            return None, None
        points, kernels = ctx.saved_tensors
        of_points, of_kernels = ctx.needs_input_grad
        return (
            torch.bmm(grad, kernels) if of_points else None,
            torch.bmm(grad.transpose(1, 2), points) if of_kernels else None,
        )
