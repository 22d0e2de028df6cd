"""The baseline: a GAN's training loop as public example scripts write it, and no more.

Eager fp32 in the default memory layout, a PIL data loader with two workers, optimisers as they come, and
`.item()` on each loss in each step. Networks and loss terms are the kit's.
"""

from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from ganutils.convolutions import LeanConv2d, LeanConvTranspose2d
from ganutils.data import Batch, Dataset
from ganutils.layers import CheapDropout, LeanFlatten, LeanLeakyReLU, WholeConv2d, WholeConvTranspose2d
from ganutils.objective import Gan
from ganutils.params import RunParams
from ganutils.together import ApartBatchNorm2d, one_by_one
from ganutils.variants.siamese import PairDiscriminator

PLAIN = {
    WholeConv2d: nn.Conv2d,
    WholeConvTranspose2d: nn.ConvTranspose2d,
    LeanConv2d: nn.Conv2d,
    LeanConvTranspose2d: nn.ConvTranspose2d,
    LeanLeakyReLU: nn.LeakyReLU,
    LeanFlatten: nn.Flatten,
    ApartBatchNorm2d: nn.BatchNorm2d,
}


class Images(TorchDataset):
    """PIL images, converted anew each time that they are asked for."""

    def __init__(self, dataset: Dataset) -> None:
        self.pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in dataset.images]
        self.labels = dataset.labels
        self.convert = transforms.Compose(
            [
                transforms.Resize(dataset.images.shape[-1]),
                transforms.ToTensor(),
                transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            ]
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.convert(self.pictures[index]), self.labels[index]


class EachPair(PairDiscriminator):
    """Judges one pair after the other, without keeping what both have in common."""

    def forward(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (N,) of positive and of negative pairs."""
        return self._judge(real, real.roll(1, 0)), self._judge(real, fake)

    def _judge(self, first: Tensor, second: Tensor) -> Tensor:
        return self._compare(self.branches[0](first), self.branches[-1](second))


def as_published(gan: Gan) -> Gan:
    """Return a GAN without what the kit does for speed; the networks are changed in place."""
    for network in (gan.generator, gan.discriminator):
        for parent in network.modules():
            for name, layer in parent.named_children():
                if isinstance(layer, CheapDropout):
                    setattr(parent, name, nn.Dropout(layer.dropped / 256))
                elif type(layer) in PLAIN:
                    layer.__class__ = PLAIN[type(layer)]
    if isinstance(gan.discriminator, PairDiscriminator):
        gan.discriminator.__class__ = EachPair
    return gan


def loop(gan: Gan, params: RunParams, dataset: Dataset) -> Iterator[dict[str, float]]:
    """Train for ever; yields the losses of each discriminator update."""
    loader = DataLoader(
        Images(dataset),
        params.batch_size,
        shuffle=True,
        num_workers=2,
        drop_last=True,
        persistent_workers=True,
    )
    generator, discriminator, objective, prior = as_published(gan)
    device = torch.device(params.device)
    generator, discriminator = generator.to(device), discriminator.to(device)
    make = {"adam": _adam, "rmsprop": _rmsprop}[params.optimizer]
    latents = torch.Generator().manual_seed(params.seed)
    d_optimizer, g_optimizer = make(discriminator, params), make(generator, params)
    step = 0
    while True:
        for images, labels in loader:
            step += 1
            real = Batch(images.to(device), labels.to(device))
            z, fake_labels = (drawn.to(device) for drawn in prior.sample(len(images), generator=latents))
            fake = generator(z, fake_labels)

            d_optimizer.zero_grad()
            with one_by_one():
                terms = objective.discriminator_terms(discriminator, real, Batch(fake.detach(), fake_labels))
            terms.total.backward()
            d_optimizer.step()
            objective.constrain(discriminator)
            told = {name: value.item() for name, value in {**terms.losses, **terms.watched}.items()}

            if step % params.d_steps == 0:
                g_optimizer.zero_grad()
                terms = objective.generator_terms(discriminator, real, Batch(fake, fake_labels))
                terms.total.backward()
                g_optimizer.step()
                told |= {name: value.item() for name, value in terms.losses.items()}
            yield told


def _adam(network: nn.Module, params: RunParams) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), params.learning_rate, (params.beta1, params.beta2))


def _rmsprop(network: nn.Module, params: RunParams) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(network.parameters(), params.learning_rate, params.beta2)
