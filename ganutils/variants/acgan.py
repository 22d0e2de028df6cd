"""ACGAN: auxiliary classifier GAN (Odena, Olah, Shlens 2016, arXiv 1610.09585).

The generator gets a class label beside its latent; the discriminator answers two questions about an
image, real or generated (source) and which class.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganutils.data.batches import Batch
from ganutils.layers import CheapDropout, LeanFlatten, initialise, spectral
from ganutils.objective import Gan, Objective, Terms, bce_fake, bce_real, probability
from ganutils.params import RunParams, knob
from ganutils.prior import Prior
from ganutils.together import both
from ganutils.variants.dcgan import conv_generator, conv_trunk, trunk_channels


class Params(RunParams):
    """ACGAN's parameters beside those that all runs share."""

    learning_rate: float = knob(1.5e-4, "learning rate of both networks", gt=0, lt=1)

    width: int = knob(
        64, "channels of the layer next to the image; each deeper layer doubles them", ge=1, le=512
    )
    condition: Literal["product", "concat"] = knob(
        "product", "how a class enters the generator: product or concat"
    )
    class_weight: float = knob(1.0, "weight of the class losses beside the source losses", ge=0)
    fake_class: bool = knob(False, "the discriminator has one more class, for generated images")
    d_norm: Literal["batch", "spectral", "none"] = knob(
        "batch", "normalisation of the discriminator: batch, spectral or none"
    )
    dropout: float = knob(
        0.5, "share of the discriminator's features dropped before both heads", ge=0, le=0.99
    )
    label_smoothing: float = knob(0.0, "real images get the source target 1 minus this", ge=0, lt=0.5)


class Generator(nn.Module):
    """(latents (N, latent_size), labels (N,)) -> images (N, 3, S, S) in [-1, 1].

    `concat` appends the label's one-hot code to the latent, as the paper does; `product` multiplies the
    latent, number by number, with a learned vector of the class, which is harder to ignore.
    """

    def __init__(self, classes: int, params: Params) -> None:
        super().__init__()
        self.classes = classes
        is_product = params.condition == "product"
        self.embedding = nn.Embedding(classes, params.latent_size) if is_product else None
        size = params.latent_size + (0 if is_product else classes)
        self.layers = conv_generator(size, params.image_size, params.width)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return the images of the latents, of the classes that the labels name."""
        if self.embedding is not None:
            return self.layers(z * self.embedding(labels))
        return self.layers(torch.cat([z, F.one_hot(labels, self.classes).to(z)], dim=1))


class Discriminator(nn.Module):
    """Images (N, 3, S, S) -> source logits (N,), class logits (N, classes)."""

    def __init__(self, classes: int, params: Params) -> None:
        super().__init__()
        self.trunk = conv_trunk(params.image_size, params.width, batch_norm=params.d_norm == "batch")
        features = trunk_channels(params.image_size, params.width) * 4 * 4
        self.flatten = nn.Sequential(LeanFlatten(), CheapDropout(params.dropout))
        self.source = nn.Linear(features, 1)
        self.classes = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return both heads' logits."""
        features = self.flatten(self.trunk(images))
        return self.source(features).flatten(), self.classes(features)


@dataclass(frozen=True)
class AuxiliaryClassifier(Objective):
    """Both networks minimise the class loss L_C; they play against each other with the source loss L_S."""

    fake_label: int | None = None  # the class of all generated images, if there is one
    class_weight: float = 1.0
    label_smoothing: float = 0.0

    def discriminator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """Source terms as in DCGAN, and the cross-entropy of the class on real and generated images."""
        on_real, on_fake = both(discriminator, real.images, fake.images)
        (source_real, class_real), (source_fake, class_fake) = on_real, on_fake
        target = fake.labels if self.fake_label is None else torch.full_like(fake.labels, self.fake_label)
        losses = {
            "d_real": bce_real(source_real, self.label_smoothing),
            "d_fake": bce_fake(source_fake),
            "d_class_real": self._class_loss(class_real, real.labels),
            "d_class_fake": self._class_loss(class_fake, target),
        }
        watched = {
            "D(x)": probability(source_real),
            "D(G(z))": probability(source_fake),
            "accuracy_real": accuracy(class_real, real.labels),
            "accuracy_fake": accuracy(class_fake, fake.labels),
        }
        return Terms(losses, watched)

    def generator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """-log D(G(z)), and the cross-entropy of the class that was asked for."""
        source, classes = discriminator(fake.images)
        return Terms({"g_fake": bce_real(source), "g_class": self._class_loss(classes, fake.labels)})

    def _class_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.class_weight * F.cross_entropy(logits.float(), labels)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of the rows of logits (N, classes) whose largest entry is at the label."""
    return (logits.detach().argmax(1) == labels).float().mean()


def build(params: Params, classes: int) -> Gan:
    """Build both networks for a number of classes, the objective and a prior with labels."""
    generator = initialise(Generator(classes, params))
    discriminator = initialise(Discriminator(classes + params.fake_class, params))
    return Gan(
        generator=generator,
        discriminator=spectral(discriminator) if params.d_norm == "spectral" else discriminator,
        objective=AuxiliaryClassifier(
            classes if params.fake_class else None, params.class_weight, params.label_smoothing
        ),
        prior=Prior(params.latent_size, params.prior, classes),
    )
