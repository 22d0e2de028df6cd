"""Wasserstein GAN with weight clipping or a gradient penalty.

Arjovsky, Chintala, Bottou 2017, arXiv 1701.07875 (clipping, algorithm 1); Gulrajani and others 2017,
arXiv 1704.00028 (penalty, algorithm 1). The discriminator is called critic: it returns a score, not a logit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ganutils.data.batches import Batch
from ganutils.layers import initialise
from ganutils.objective import Gan, Objective, Terms, gradient_norms
from ganutils.params import RunParams, knob
from ganutils.prior import Prior
from ganutils.together import both
from ganutils.variants.dcgan import Generator, conv_discriminator, conv_generator


class Params(RunParams):
    """WGAN's parameters beside those that all runs share; the defaults are those of the penalty's paper.

    The clipping paper uses RMSprop with 5e-5 instead: see the preset.
    """

    learning_rate: float = knob(1e-4, "learning rate of both networks", gt=0, lt=1)
    beta1: float = knob(0.0, "Adam's decay of the mean gradient", ge=0, lt=1)
    beta2: float = knob(0.9, "Adam's decay of the squared gradient; RMSprop's too", ge=0, lt=1)
    d_steps: int = knob(5, "critic updates for one generator update", ge=1, le=100)

    constraint: Literal["penalty", "clip"] = knob("penalty", "what keeps the critic smooth: penalty or clip")
    penalty: float = knob(10.0, "weight of the gradient penalty", gt=0)
    clip: float = knob(0.01, "bound of the critic's weights when clipping", gt=0)
    width: int = knob(
        64, "channels of the layer next to the image; each deeper layer doubles them", ge=1, le=512
    )

    def model_post_init(self, context: object, /) -> None:
        """Check what two parameters forbid together."""
        allowed = not self.compile or self.constraint == "clip"
        self.require(allowed, "compile", "needs constraint='clip': torch compiles no gradient of a gradient")


@dataclass(frozen=True)
class Wasserstein(Objective):
    """The critic's mean score on real images minus that on generated ones estimates a distance.

    The estimate is the Wasserstein-1 distance, up to the critic's Lipschitz constant, only if the critic
    is nearly optimal among smooth functions: hence several critic updates, and the constraint.
    """

    penalty: float = 0.0  # 0: no penalty
    clip: float = 0.0  # 0: no clipping

    def discriminator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """-C(x), C(G(z)) and penalty * (|grad C| - 1)^2, averaged over the batch."""
        on_real, on_fake = (scores.float() for scores in both(discriminator, real.images, fake.images))
        losses = {"d_real": -on_real.mean(), "d_fake": on_fake.mean()}
        watched = {"distance": (on_real.mean() - on_fake.mean()).detach()}
        if self.penalty:
            norms = gradient_norms(discriminator, real.images, fake.images)
            losses["d_penalty"] = self.penalty * (norms - 1).square().mean()
            watched["slope"] = norms.detach().mean()
        if self.clip:
            watched["at_bound"] = self._share_at_bound(discriminator)
        return Terms(losses, watched)

    def generator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """-C(G(z)), averaged over the batch."""
        return Terms({"g_fake": -discriminator(fake.images).float().mean()})

    @torch.no_grad()
    def constrain(self, discriminator: nn.Module) -> None:
        """Clip all weights to [-clip, clip], if clipping is the constraint."""
        if self.clip:
            for weight in discriminator.parameters():
                weight.clamp_(-self.clip, self.clip)

    @torch.no_grad()
    def _share_at_bound(self, critic: nn.Module) -> Tensor:
        """Share of the weights that clipping holds at its bound."""
        as_they_lie = [weight.as_strided((weight.numel(),), (1,)) for weight in critic.parameters()]
        return (torch.cat(as_they_lie).abs() >= self.clip).float().mean()


def build(params: Params, classes: int) -> Gan:
    """Build DCGAN's generator and a critic of its shape, the objective and the prior.

    With the penalty the critic has no batch norm: the penalty asks for a gradient an image, and batch norm
    mixes the images of a batch (Gulrajani 2017, section 4).
    """
    clipped = params.constraint == "clip"
    generator = Generator(conv_generator(params.latent_size, params.image_size, params.width))
    critic = conv_discriminator(params.image_size, params.width, batch_norm=clipped)
    return Gan(
        generator=initialise(generator),
        discriminator=initialise(critic),
        objective=Wasserstein(clip=params.clip) if clipped else Wasserstein(penalty=params.penalty),
        prior=Prior(params.latent_size, params.prior),
    )
