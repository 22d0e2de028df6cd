"""DCGAN: deep convolutional GAN (Radford, Metz, Chintala 2015, arXiv 1511.06434).

Two shapes: `conv`, the paper's layout (Fig. 1) with the 4x4 kernels and half the channels of the authors'
later code in Torch, and `dense`, after the TensorFlow tutorial's small network, whose generator starts from
a dense layer, at 32x32 in colour. Departures from the paper: latents are normal, not uniform (`prior`),
images are mirrored at random (`flip`), and a batch has 64 of them (`batch_size`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ganutils.convolutions import LeanConv2d, LeanConvTranspose2d
from ganutils.data.batches import Batch
from ganutils.layers import (
    CheapDropout,
    LeanFlatten,
    LeanLeakyReLU,
    Reshape,
    WholeConv2d,
    WholeConvTranspose2d,
    initialise,
    spectral,
)
from ganutils.objective import Gan, Objective, Terms, bce_fake, bce_real, probability
from ganutils.params import RunParams, knob
from ganutils.prior import Prior
from ganutils.together import ApartBatchNorm2d, both


class Params(RunParams):
    """DCGAN's parameters beside those that all runs share."""

    network: Literal["conv", "dense"] = knob("conv", "conv (32 or 64 pixels) or dense (32 pixels)")
    width: int = knob(
        64, "channels of the layer next to the image; each deeper layer doubles them", ge=1, le=512
    )
    d_norm: Literal["batch", "spectral", "none"] = knob(
        "batch", "normalisation of the conv discriminator: batch, spectral or none"
    )
    label_smoothing: float = knob(0.0, "real images get the target 1 minus this", ge=0, lt=0.5)

    def model_post_init(self, context: object, /) -> None:
        """Check what two parameters forbid together."""
        if self.network == "dense":
            self.require(self.image_size == 32, "image_size", "must be 32 with network='dense'")
            self.require(self.d_norm == "batch", "d_norm", "is for network='conv', the dense one has dropout")


class Generator(nn.Module):
    """Latents z (N, latent_size) -> images (N, 3, S, S) in [-1, 1]; labels are ignored."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the images of the latents."""
        return self.layers(z)


def conv_generator(latent_size: int, image_size: int, width: int) -> nn.Sequential:
    """100-512-256-128-64-3 at 64x64; the widest stage is left out at 32x32."""
    channels = [width * 2**i for i in reversed(range(image_size.bit_length() - 3))]
    layers: list[nn.Module] = [
        Reshape(latent_size, 1, 1),
        WholeConvTranspose2d(latent_size, channels[0], 4, bias=False),
    ]
    for inner, outer in zip(channels, [*channels[1:], 3], strict=True):
        layers += [nn.BatchNorm2d(inner), nn.ReLU(inplace=True)]
        layers += [LeanConvTranspose2d(inner, outer, 4, stride=2, padding=1)]
    return nn.Sequential(*layers, nn.Tanh())


def conv_trunk(image_size: int, width: int, *, batch_norm: bool = True) -> nn.Sequential:
    """3-64-128-256-512 at 64x64, one stage shorter at 32x32: images -> features (N, channels, 4, 4).

    Without batch norm the convolutions have biases: else the answer to a grey image would always be 0, and
    a generator could hide in low contrast.
    """
    bias = not batch_norm
    channels = [width * 2**i for i in range(image_size.bit_length() - 3)]
    layers: list[nn.Module] = [LeanConv2d(3, width, 4, stride=2, padding=1, bias=bias)]
    layers += [LeanLeakyReLU(0.2)]
    for outer, inner in pairwise(channels):
        layers += [LeanConv2d(outer, inner, 4, stride=2, padding=1, bias=bias)]
        layers += [ApartBatchNorm2d(inner)] if batch_norm else []
        layers += [LeanLeakyReLU(0.2)]
    return nn.Sequential(*layers)


def conv_discriminator(image_size: int, width: int, *, batch_norm: bool = True) -> nn.Sequential:
    """`conv_trunk` and a last convolution: images (N, 3, S, S) -> logits (N,)."""
    trunk = conv_trunk(image_size, width, batch_norm=batch_norm)
    last = WholeConv2d(trunk_channels(image_size, width), 1, 4, bias=not batch_norm)
    return nn.Sequential(*trunk, last, nn.Flatten(0))


def trunk_channels(image_size: int, width: int) -> int:
    """Return the channels of `conv_trunk`'s features."""
    return width * image_size // 8


def dense_generator(latent_size: int, width: int) -> nn.Sequential:
    """Dense 100 to 8x8x256, then 5x5 transposed convolutions to 128, 64 and 3 channels."""
    first = 4 * width
    return nn.Sequential(
        nn.Linear(latent_size, 8 * 8 * first, bias=False),
        nn.BatchNorm1d(8 * 8 * first),
        LeanLeakyReLU(0.3),
        Reshape(first, 8, 8),
        LeanConvTranspose2d(first, 2 * width, 5, padding=2),
        nn.BatchNorm2d(2 * width),
        LeanLeakyReLU(0.3),
        LeanConvTranspose2d(2 * width, width, 5, stride=2, padding=2, output_padding=1),
        nn.BatchNorm2d(width),
        LeanLeakyReLU(0.3),
        LeanConvTranspose2d(width, 3, 5, stride=2, padding=2, output_padding=1),
        nn.Tanh(),
    )


def dense_discriminator(width: int) -> nn.Sequential:
    """5x5 convolutions of stride 2 to 64 and 128 channels, then one dense logit (N,)."""
    return nn.Sequential(
        LeanConv2d(3, width, 5, stride=2, padding=2),
        LeanLeakyReLU(0.3),
        CheapDropout(0.3),
        LeanConv2d(width, 2 * width, 5, stride=2, padding=2),
        LeanLeakyReLU(0.3),
        CheapDropout(0.3),
        LeanFlatten(),
        nn.Linear(8 * 8 * 2 * width, 1),
        nn.Flatten(0),
    )


@dataclass(frozen=True)
class NonSaturating(Objective):
    """The generator maximises log D(G(z)) (Goodfellow 2014, arXiv 1406.2661, section 3).

    Batch norm sees real and generated images in batches of their own.
    """

    label_smoothing: float = 0.0

    def discriminator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """-log D(x) and -log(1 - D(G(z))), averaged over the batch."""
        on_real, on_fake = both(discriminator, real.images, fake.images)
        return Terms(
            {"d_real": bce_real(on_real, self.label_smoothing), "d_fake": bce_fake(on_fake)},
            {"D(x)": probability(on_real), "D(G(z))": probability(on_fake)},
        )

    def generator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """-log D(G(z)), averaged over the batch."""
        return Terms({"g_fake": bce_real(discriminator(fake.images))})


def build(params: Params, classes: int) -> Gan:
    """Build the networks with DCGAN's initialisation, the objective and the prior."""
    if params.network == "conv":
        generator = conv_generator(params.latent_size, params.image_size, params.width)
        batch_norm = params.d_norm == "batch"
        discriminator = conv_discriminator(params.image_size, params.width, batch_norm=batch_norm)
    else:
        generator = dense_generator(params.latent_size, params.width)
        discriminator = dense_discriminator(params.width)
    initialise(discriminator)
    return Gan(
        generator=initialise(Generator(generator)),
        discriminator=spectral(discriminator) if params.d_norm == "spectral" else discriminator,
        objective=NonSaturating(params.label_smoothing),
        prior=Prior(params.latent_size, params.prior),
    )
