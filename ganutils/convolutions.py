"""Convolutions that take one of three faster ways on CPUs, and one on GPUs.

With many channels, in fp32, that of `winograd`. With small outputs, in bf16, the weights' gradient is one
matrix product; and so is, in fp32, a transposed convolution to few channels, as to an image. For these two
ways: a convolution, its gradient with respect to the input and that with respect to the weights are three
products of two tensors each; the gradients of each are the other two. So they are written once and serve
forward, backward and, for a gradient penalty, the backward of the backward. There a GPU takes them too:
torch's own second derivative of a convolution convolves with kernels as large as its images.
"""

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx

from ganutils import winograd
from ganutils.hardware import has_amx
from ganutils.switch import Switch

# Positions an image up to which the matrix product is faster than torch's gradient of the weights: half its
# time or less at 16; at 64 with AMX 0.4 to 0.8 of it, without it loses.
_FEW_POSITIONS, _FEW_WITH_AMX = 16, 64
_FEW_CHANNELS = 4  # as images have; more were not tried
_TWICE_ON = ("cuda",)  # kinds of devices where the gradient of a gradient is faster by the three products
_is_differentiated_twice = Switch(False)


def differentiated_twice() -> AbstractContextManager:
    """Tell convolutions that the gradients of what they return will be differentiated too."""
    return _is_differentiated_twice.set(True)


class _Geometry(NamedTuple):
    stride: tuple[int, int]
    padding: tuple[int, int]
    kernel: tuple[int, int]
    output_padding: tuple[int, int]  # of the transposed convolution that gives the input its size back


class _Forward(Function):
    """(N, C, H, W), (D, C, k, k) -> (N, D, h, w)."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None, how: _Geometry) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, weight)
        ctx.how = how
        return F.conv2d(x, weight, bias, how.stride, how.padding)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        if grad is None:
            return None, None, None, None
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias, _ = ctx.needs_input_grad
        return (
            _ToInput.apply(grad, weight, ctx.how) if of_x else None,
            _ToWeight.apply(grad, x, ctx.how) if of_weight else None,
            grad.sum((0, 2, 3)) if of_bias else None,
            None,
        )


class _ToInput(Function):
    """(N, D, h, w), (D, C, k, k) -> (N, C, H, W): the transposed convolution."""

    @staticmethod
    def forward(ctx: FunctionCtx, grad: Tensor, weight: Tensor, how: _Geometry) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grad, weight)
        ctx.how = how
        if _is_thin(grad, weight.shape[1], how):
            return _input_by_product(grad, weight, how)
        return F.conv_transpose2d(grad, weight, None, how.stride, how.padding, how.output_padding)

    @staticmethod
    def backward(ctx: FunctionCtx, x: Tensor | None) -> tuple[Tensor | None, ...]:
        if x is None:
            return None, None, None
        grad, weight = ctx.saved_tensors
        of_grad, of_weight, _ = ctx.needs_input_grad
        return (
            _Forward.apply(x, weight, None, ctx.how) if of_grad else None,
            _ToWeight.apply(grad, x, ctx.how) if of_weight else None,
            None,
        )


class _ToWeight(Function):
    """(N, D, h, w), (N, C, H, W) -> (D, C, k, k)."""

    @staticmethod
    def forward(ctx: FunctionCtx, grad: Tensor, x: Tensor, how: _Geometry) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(grad, x)
        ctx.how = how
        if x.dtype == torch.bfloat16 and x.device.type == "cpu":
            return _weight_by_patches(grad, x, how)
        shape = (grad.shape[1], x.shape[1], *how.kernel)
        return torch.nn.grad.conv2d_weight(x, shape, grad, how.stride, how.padding)

    @staticmethod
    def backward(ctx: FunctionCtx, weight: Tensor | None) -> tuple[Tensor | None, ...]:
        if weight is None:
            return None, None, None
        grad, x = ctx.saved_tensors
        of_grad, of_x, _ = ctx.needs_input_grad
        return (
            _Forward.apply(x, weight, None, ctx.how) if of_grad else None,
            _ToInput.apply(grad, weight, ctx.how) if of_x else None,
            None,
        )


def _weight_by_patches(grad: Tensor, x: Tensor, how: _Geometry) -> Tensor:
    (rows, columns), channels = how.padding, x.shape[1]
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, columns, columns, rows, rows))
    patches = padded.unfold(1, how.kernel[0], how.stride[0]).unfold(2, how.kernel[1], how.stride[1])
    patches = patches.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)  # (N h w, k k C)
    weight = grad.permute(0, 2, 3, 1).flatten(0, 2).t() @ patches
    return weight.unflatten(1, (*how.kernel, channels)).permute(0, 3, 1, 2)


def _input_by_product(grad: Tensor, weight: Tensor, how: _Geometry) -> Tensor:
    """Return what each position adds to each pixel by one product, summed up where it overlaps.

    The kernel is taken apart by taps of one stride's pixels; pixels are last, so that sums run over them.
    """
    count, _, height, width = grad.shape
    step, taps = how.stride[0], how.kernel[0] // how.stride[0]
    pixels = step * step * weight.shape[1]  # numbers of one stride's pixels
    kernel = weight.permute(0, 2, 3, 1).unflatten(2, (taps, step)).unflatten(1, (taps, step))
    kernel = kernel.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1)  # (D, taps taps pixels)
    parts = (grad.permute(0, 2, 3, 1).flatten(0, 2) @ kernel).view(count, height, width, taps, taps, pixels)
    summed = grad.new_zeros(count, height + taps - 1, width + taps - 1, pixels)
    for row in range(taps):
        for column in range(taps):
            summed[:, row : row + height, column : column + width] += parts[:, :, :, row, column]
    padded = summed.unflatten(3, (step, step, -1)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    inside = slice(how.padding[0], -how.padding[0] or None)
    return padded[:, inside, inside].permute(0, 3, 1, 2).clone(memory_format=torch.channels_last)


class LeanConv2d(nn.Conv2d):
    """A convolution with zeros around the image."""

    def __init__(
        self, inner: int, outer: int, kernel: int, stride: int = 1, padding: int = 0, *, bias: bool = True
    ) -> None:
        super().__init__(inner, outer, kernel, stride, padding, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inner, H, W) -> (N, outer, h, w)."""
        if winograd.is_worth_it(self, x):
            y = winograd.convolve(x, self.weight)
            return y if self.bias is None else y + self.bias[:, None, None]
        (kernel, _), (stride, _), (padding, _) = self.kernel_size, self.stride, self.padding
        lost = tuple((size + 2 * padding - kernel) % stride for size in x.shape[2:])
        how = _Geometry(self.stride, self.padding, self.kernel_size, lost)
        if _is_small(x, x.shape[2:].numel() // stride**2) or _is_better_twice(x):
            return _Forward.apply(*_as_autocast(x, self.weight, self.bias), how)
        # Only the gradient with respect to the input gains.
        if x.requires_grad and torch.is_grad_enabled() and _is_thin(x, self.in_channels, how):
            return _Forward.apply(x, self.weight, self.bias, how)
        return super().forward(x)


class LeanConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution without bias."""

    def __init__(
        self, inner: int, outer: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0
    ) -> None:
        super().__init__(inner, outer, kernel, stride, padding, output_padding, bias=False)

    def forward(self, x: Tensor, output_size: None = None) -> Tensor:
        """(N, inner, h, w) -> (N, outer, H, W)."""
        if winograd.is_worth_it(self, x):
            return winograd.convolve_transposed(x, self.weight)
        how = _Geometry(self.stride, self.padding, self.kernel_size, self.output_padding)
        if _is_small(x, x.shape[2:].numel()):
            return _ToInput.apply(*_as_autocast(x, self.weight), how)
        if _is_thin(x, self.out_channels, how):
            return _ToInput.apply(x, self.weight, how)
        return super().forward(x)


def _is_small(x: Tensor, positions: int) -> bool:
    """Say whether the small side of a convolution has few positions, in autocast's bf16 on a CPU."""
    if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
        return False
    return positions <= (_FEW_WITH_AMX if has_amx() else _FEW_POSITIONS)


def _is_thin(x: Tensor, channels: int, how: _Geometry) -> bool:
    """Say whether the large side has few channels, in fp32 on a CPU, and the kernel is whole strides wide."""
    in_fp32 = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    is_whole = how.kernel[0] % how.stride[0] == 0 and how.output_padding == (0, 0)
    return in_fp32 and is_whole and channels <= _FEW_CHANNELS and not torch.compiler.is_compiling()


def _is_better_twice(x: Tensor) -> bool:
    return _is_differentiated_twice.value and x.device.type in _TWICE_ON and not torch.compiler.is_compiling()


def _as_autocast(x: Tensor, *others: Tensor | None) -> list[Tensor | None]:
    """Convert tensors as autocast, if it is on, does for torch's own functions."""
    if not torch.is_autocast_enabled(x.device.type):
        return [x, *others]
    dtype = torch.get_autocast_dtype(x.device.type)
    return [tensor if tensor is None else tensor.to(dtype) for tensor in (x, *others)]
