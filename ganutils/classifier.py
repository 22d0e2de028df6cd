"""A small classifier of real images: an independent judge of what a conditional generator draws."""

import io
import math
import time
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganutils import paths
from ganutils.data import Dataset, to_float
from ganutils.data.batches import draw_flips, epoch_order, flip_some
from ganutils.files import keep
from ganutils.hardware import choose, exact
from ganutils.params import RunParams
from ganutils.progress import clock
from ganutils.streams import stream

_HELD_OUT = 0.1  # share of the images that measure the accuracy
_TIMED = 20  # steps after which the time that is left is told


class Classifier(NamedTuple):
    """A trained network and its accuracy on real images that it was not trained on."""

    network: nn.Module  # images (N, 3, S, S) in [-1, 1] -> logits (N, classes)
    accuracy: float  # share of the held-out images, 0 to 1
    held_out: int  # their number


def network(classes: int, image_size: int = 32) -> nn.Sequential:
    """Build three stages of two 3x3 convolutions (32, 64, 128 channels), a mean of places, a dense layer.

    Images of more than 32 pixels are averaged down to that: classes can be told, in a quarter of the time.
    """
    layers: list[nn.Module] = [nn.AvgPool2d(image_size // 32)] if image_size > 32 else []
    for inner, outer in ((3, 32), (32, 64), (64, 128)):
        for before in (inner, outer):
            layers += [nn.Conv2d(before, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, classes))


def train_classifier(dataset: Dataset, params: RunParams, epochs: int = 5) -> Classifier:
    """Train on nine tenths of the images, drawn at random, and measure the accuracy on the rest.

    Adam with a one-cycle learning rate up to 0.003 (Smith 2017, arXiv 1708.07120), batches of 128, flips.
    The result is kept in the cache under the data's content, seed and epochs.
    """
    hardware = choose(params)
    order = torch.randperm(len(dataset), generator=stream(params.seed, "held out"))
    held_out, chosen = order.tensor_split([math.ceil(_HELD_OUT * len(order))])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(params.seed)
        model = network(len(dataset.classes), dataset.images.shape[-1])
    model.to(hardware.device, memory_format=torch.channels_last)
    name = f"{dataset.fingerprint[:16]}-{params.seed}-{epochs}-{hardware.precision}.pt"
    kept = paths.cache_folder() / "classifiers" / name
    if not _has_read(model, kept):
        with hardware.algorithms():
            _fit(model, dataset.images[chosen], dataset.labels[chosen], params, epochs)
        content = io.BytesIO()
        torch.save(model.state_dict(), content)  # on a full disk it would raise what is no OSError
        keep(kept, lambda file: file.write_bytes(content.getvalue()))
    predicted = predict(model, dataset.images[held_out])
    right = (predicted == dataset.labels[held_out]).float().mean().item()
    return Classifier(model.eval(), right, len(held_out))


def _fit(model: nn.Module, images: Tensor, labels: Tensor, params: RunParams, epochs: int) -> None:
    hardware = choose(params)
    batch_size = min(128, len(images))
    steps = epochs * (len(images) // batch_size)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    flips = stream(params.seed, "classifier flips")
    model.train()
    began, done = time.perf_counter(), 0
    for epoch in range(epochs):
        for indices in epoch_order(len(images), batch_size, stream(params.seed, "classifier", epoch)):
            some = flip_some(to_float(images[indices]), draw_flips(len(indices), flips)).to(hardware.device)
            with hardware.autocast():
                loss = F.cross_entropy(model(some), labels[indices].to(hardware.device))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            done += 1
            if done == _TIMED and steps > 2 * _TIMED:
                left = (time.perf_counter() - began) / done * (steps - done)
                print(f"A small classifier learns what {len(images):,} real images show: {clock(left)} left.")


def _has_read(model: nn.Module, path: Path) -> bool:
    """Read kept weights without executing anything; false if they are missing, damaged or something else."""
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception:  # torch raises nearly every type
        return False
    return True


@exact()
@torch.no_grad()
def predict(model: nn.Module, images: Tensor, batch_size: int = 512) -> Tensor:
    """Return the most likely class (N,) of uint8 images (N, 3, S, S), on the CPU."""
    device = next(model.parameters()).device
    model.eval()
    parts = [model(to_float(some).to(device)).argmax(1).cpu() for some in images.split(batch_size)]
    return torch.cat(parts)


def confusion(asked: Tensor, seen: Tensor, classes: int) -> Tensor:
    """Count (classes, classes): row the label that was asked for, column the class that was seen."""
    return torch.bincount(asked * classes + seen, minlength=classes**2).reshape(classes, classes)
