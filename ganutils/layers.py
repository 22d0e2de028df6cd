"""Shared layers and weight initialisation; never shared networks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.nn.utils.parametrizations import spectral_norm


def initialise(network: nn.Module) -> nn.Module:
    """Draw all weights as in DCGAN (Radford 2015, arXiv 1511.06434, section 4) and return the network.

    Convolutions and dense layers N(0, 0.02), biases 0. Batch-norm scales N(1, 0.02), as in the
    authors' code; the text does not mention them.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, 0.02)
        if isinstance(getattr(layer, "bias", None), Tensor):
            nn.init.zeros_(layer.bias)
    return network


def spectral(network: nn.Module) -> nn.Module:
    """Divide each weight matrix by its largest singular value (Miyato 2018, arXiv 1802.05957); in place.

    To be called after `initialise`, which sets the weights themselves.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding)):
            spectral_norm(layer)
    return network


class Reshape(nn.Module):
    """(N, ...) -> (N, *shape)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its axes after the first replaced by `shape`."""
        return x.reshape(len(x), *self.shape)

    def extra_repr(self) -> str:
        """Return the shape for printing."""
        return str(self.shape)


class WholeConv2d(nn.Conv2d):
    """A convolution whose kernel is as large as its input: (N, C, k, k) -> (N, channels, 1, 1).

    As one matrix product it takes a fifth of the time, or less.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the products of the features with the kernels."""
        return F.linear(_channels_last(x), _channels_last(self.weight), self.bias)[:, :, None, None]


class WholeConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution of single pixels, without bias: (N, C, 1, 1) -> (N, channels, k, k).

    As one matrix product it takes a seventh of the time, or less.
    """

    def forward(self, x: Tensor, output_size: None = None) -> Tensor:
        """Return the kernels' sum, weighted by the pixel."""
        images = x.flatten(1) @ _channels_last(self.weight)
        return images.unflatten(1, (*self.kernel_size, self.out_channels)).permute(0, 3, 1, 2)


class LeanFlatten(nn.Flatten):
    """(N, C, H, W) -> (N, C * H * W), whose gradient is in channels-last, as the images are.

    Otherwise layers before it get activations and gradients in two layouts, which is slow.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of each image in a row."""
        if x.requires_grad and not torch.compiler.is_compiling():
            x.register_hook(_in_channels_last)
        return super().forward(x)


def _in_channels_last(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.contiguous(memory_format=torch.channels_last)


def _channels_last(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H * W * C): no copy in the layout that training uses."""
    return x.permute(0, 2, 3, 1).flatten(1)


def _random_bytes(count: int, device: torch.device) -> Tensor:
    if device.type != "cpu":  # Apple's GPUs draw no whole words
        return torch.randint(256, (count,), dtype=torch.uint8, device=device)
    words = torch.empty((count + 7) // 8, dtype=torch.int64, device=device)
    return words.random_(torch.iinfo(torch.int64).min, None).view(torch.uint8)[:count]


class CheapDropout(nn.Module):
    """Dropout whose mask takes 8 random bits a number instead of 32 on a CPU, for speed.

    The probability is rounded to a multiple of 1/256; what is kept is scaled so that the mean stays
    exact (Srivastava 2014, JMLR 15).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropped = round(p * 256)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with a share of its numbers set to 0 while training, unchanged otherwise."""
        if not self.training or self.dropped == 0:
            return x
        # On a GPU torch's own is one kernel; the compiler fuses it, and cannot trace these words.
        if x.device.type == "cuda" or torch.compiler.is_compiling():
            return F.dropout(x, self.dropped / 256)
        kept = _random_bytes(x.numel(), x.device).ge_(self.dropped)  # 1 or 0; a bool converts slowly
        mask = kept.to(x.dtype).mul_(256 / (256 - self.dropped))
        return x * mask.as_strided(x.shape, x.stride())

    def extra_repr(self) -> str:
        """Return the probability for printing."""
        return f"p={self.dropped / 256:.4f}"


class _Leaky(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, slope: float) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.mark_dirty(x)
        y = F.leaky_relu_(x, slope)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor | None) -> tuple[Tensor | None, None]:
        if grad is None:
            return None, None
        return _LeakyGradient.apply(grad, *ctx.saved_tensors, ctx.slope), None


class _LeakyGradient(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, grad: Tensor, y: Tensor, slope: float) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return torch.ops.aten.leaky_relu_backward(grad, y, slope, True)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor | None) -> tuple[Tensor | None, None, None]:
        if grad is None:
            return None, None, None
        return _LeakyGradient.apply(grad, *ctx.saved_tensors, ctx.slope), None, None


class LeanLeakyReLU(nn.LeakyReLU):
    """Leaky ReLU in place, whose second derivative is None instead of a tensor of zeros.

    Such zeros would go all the way back through the critic that a gradient penalty was taken of.
    """

    def __init__(self, slope: float) -> None:
        super().__init__(slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its negative numbers times the slope, in x's place."""
        return super().forward(x) if torch.compiler.is_compiling() else _Leaky.apply(x, self.negative_slope)
