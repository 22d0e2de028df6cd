"""GANs with a Siamese discriminator: it judges a pair of images.

A positive pair is a real image with another real one, a negative pair a real image with a generated one.
Siamese networks compare two inputs by one shared network (Bromley 1993, NIPS 6); `difference` judges the
absolute difference of their features (Koch 2015, ICML deep learning workshop), `concat` has a branch of
its own for each place of the pair and judges both features together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ganutils.data.batches import Batch
from ganutils.layers import LeanFlatten, initialise, spectral
from ganutils.objective import Gan, Objective, Terms, bce_fake, bce_real, probability
from ganutils.params import RunParams, knob
from ganutils.prior import Prior
from ganutils.together import both
from ganutils.variants.dcgan import Generator, conv_generator, conv_trunk, trunk_channels


class Params(RunParams):
    """The parameters of a Siamese discriminator beside those that all runs share."""

    classes: str = knob("cat,dog", "class names or indices, comma separated, empty: all")
    learning_rate: float = knob(1e-4, "learning rate of both networks", gt=0, lt=1)

    head: Literal["difference", "concat"] = knob("difference", "how a pair is judged: difference or concat")
    width: int = knob(
        64, "channels of the layer next to the image; each deeper layer doubles them", ge=1, le=512
    )
    hidden: int = knob(256, "width of the dense layer over a pair's features", ge=1, le=4096)
    d_norm: Literal["batch", "spectral", "none"] = knob(
        "batch", "normalisation of the discriminator: batch, spectral or none"
    )
    label_smoothing: float = knob(0.1, "positive pairs get the target 1 minus this", ge=0, lt=0.5)


class PairDiscriminator(nn.Module):
    """Real and generated images, each (N, 3, S, S) -> logits (N,) of positive pairs, of negative pairs.

    Each real image is paired with its neighbour in the batch and with the generated image at its place;
    every image passes a branch once, however many pairs it is in.
    """

    def __init__(self, params: Params) -> None:
        super().__init__()
        branches = 1 if params.head == "difference" else 2
        batch_norm = params.d_norm == "batch"
        self.branches = nn.ModuleList(
            nn.Sequential(conv_trunk(params.image_size, params.width, batch_norm=batch_norm), LeanFlatten())
            for _ in range(branches)
        )
        features = trunk_channels(params.image_size, params.width) * 4 * 4
        self.judge = nn.Sequential(
            nn.Linear(branches * features, params.hidden),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(params.hidden, 1),
            nn.Flatten(0),
        )

    def forward(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits that the second image of each pair is real."""
        left = None if len(self.branches) == 1 else self.branches[0](real)
        if fake.requires_grad:  # in the generator's turn nothing is asked of the real images
            right, of_fake = self.branches[-1](real), self.branches[-1](fake)
        else:
            right, of_fake = both(self.branches[-1], real, fake)
        left = right if left is None else left
        return self._compare(left, right.roll(1, 0)), self._compare(left, of_fake)

    def _compare(self, left: Tensor, right: Tensor) -> Tensor:
        if len(self.branches) == 1:
            return self.judge((left - right).abs())
        return self.judge(torch.cat([left, right], dim=1))


@dataclass(frozen=True)
class PairLoss(Objective):
    """Non-saturating cross-entropy on pairs."""

    label_smoothing: float = 0.1

    def discriminator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """-log D(x, x') and -log(1 - D(x, G(z))), averaged over the batch."""
        positive, negative = discriminator(real.images, fake.images)
        return Terms(
            {"d_real": bce_real(positive, self.label_smoothing), "d_fake": bce_fake(negative)},
            {"D(x,x')": probability(positive), "D(x,G(z))": probability(negative)},
        )

    def generator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """-log D(x, G(z)), averaged over the batch."""
        _, negative = discriminator(real.images, fake.images)
        return Terms({"g_fake": bce_real(negative)})


def build(params: Params, classes: int) -> Gan:
    """Build DCGAN's generator, a discriminator of pairs, the objective and the prior."""
    generator = Generator(conv_generator(params.latent_size, params.image_size, params.width))
    discriminator = initialise(PairDiscriminator(params))
    return Gan(
        generator=initialise(generator),
        discriminator=spectral(discriminator) if params.d_norm == "spectral" else discriminator,
        objective=PairLoss(params.label_smoothing),
        prior=Prior(params.latent_size, params.prior),
    )
