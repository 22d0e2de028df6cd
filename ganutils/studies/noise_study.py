"""Noise study: what latents do to the images of a finished run, or of a DCGAN trained for it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import torch
from torch import Tensor

from ganutils import variants
from ganutils.data import load_dataset, to_uint8
from ganutils.errors import RunError
from ganutils.hardware import choose
from ganutils.latents import effects, from_normal
from ganutils.metrics.judge import Judge, judge
from ganutils.names import nearest
from ganutils.objective import Gan
from ganutils.params import PriorKind, knob
from ganutils.paths import resolve
from ganutils.prior import interpolate, traverse
from ganutils.run_folders import known_runs
from ganutils.runs import RunDir
from ganutils.sampling import generate
from ganutils.streams import stream
from ganutils.training import train
from ganutils.variants import dcgan


class Params(dcgan.Params):
    """DCGAN's parameters, for the case that a generator is trained, and those of the study."""

    run: str = knob("", "finished run to study, empty: train a DCGAN with these parameters", may="change")

    dimension: int = knob(0, "latent dimension that is varied first, counted from 0", may="change", ge=0)
    span: float = knob(
        3.0, "how far a latent is moved either way, standard deviations", may="change", gt=0, le=10
    )
    steps: int = knob(11, "images in a row of a figure", may="change", ge=3, le=15)
    base_latents: int = knob(16, "latents over which an effect is averaged", may="change", ge=2, le=256)
    ranked: int = knob(3, "dimensions and directions shown from each ranking", may="change", ge=1, le=8)
    study_samples: int = knob(
        1000, "images per prior for statistics; latents for components", may="change", ge=50, le=5000
    )

    measure_samples: int = knob(
        0, "images per prior, and as many real ones, for FID and KID, 0: none", may="change", ge=0
    )

    def model_post_init(self, context: object, /) -> None:
        """Check what two parameters forbid together."""
        super().model_post_init(context)
        self.require(
            self.measure_samples <= self.study_samples, "measure_samples", "must not be above study_samples"
        )

    def trained_params(self) -> dcgan.Params:
        """Return the parameters of the DCGAN that is trained where no run is named."""
        return dcgan.Params(
            **{name: getattr(self, name) for name in dcgan.Params.model_fields if name != "measure_samples"}
        )


@dataclass(frozen=True)
class Study:
    """A run's networks, and latents and images for looking at them."""

    params: Params
    run: RunDir
    gan: Gan
    device: torch.device

    @cached_property
    def judge(self) -> Judge:
        """What tells FID and KID of images against `measure_samples` training images."""
        return judge(self.run, self.params.measure_samples, self.device)

    @property
    def deviation(self) -> float:
        """Standard deviation of one number of a latent under the prior of training."""
        return math.sqrt(self.gan.prior.variance)

    def offsets(self) -> Tensor:
        """Return `steps` values (steps,) from -span to span standard deviations."""
        steps = self.params.steps
        # From whole numbers, so that the middle of an odd number of steps is exactly 0.
        return torch.arange(1 - steps, steps, 2) * (self.params.span * self.deviation / (steps - 1))

    def kinds(self) -> list[str]:
        """Return all kinds of prior, that of training first."""
        return sorted(get_args(PriorKind), key=lambda kind: kind != self.gan.prior.kind)

    def latents(self, purpose: str, n: int, kind: str = "") -> tuple[Tensor, Tensor]:
        """Draw latents (n, size) at the variance of training, and labels (n,).

        Equal purposes share their random numbers whatever the kind, by default that of training; fewer
        latents are the first of more.
        """
        prior = self.gan.prior
        rows = -(-n // 16) * 16  # torch draws other numbers last if their count is no multiple of 16
        normal = torch.randn(rows, prior.size, generator=stream(self.params.seed, f"study {purpose}"))
        _, labels = prior.sample(rows, generator=stream(self.params.seed, f"study {purpose} labels"))
        z, labels = from_normal(normal, kind or prior.kind, prior.variance)[:n], labels[:n]
        return z.to(self.device), labels.to(self.device)

    def images(self, z: Tensor, labels: Tensor) -> Tensor:
        """Return the images (N, 3, S, S) of latents z (N, size) as uint8; one label (1,) serves all."""
        labels = labels.to(self.device).expand(len(z))
        return to_uint8(generate(self.gan.generator, z.to(self.device), labels)).cpu()

    def varied(self, z: Tensor, label: Tensor, dimension: int) -> Tensor:
        """Return the images (steps, 3, S, S) of z (size,) with one dimension at each of the offsets."""
        return self.images(traverse(z, dimension, self.offsets()), label[None])

    def moved(self, z: Tensor, label: Tensor, direction: Tensor) -> Tensor:
        """Return the images (steps, 3, S, S) of z (size,) moved along a direction by each offset."""
        return self.images(z + self.offsets().to(z)[:, None] * direction.to(z), label[None])

    def ways(self, n: int, *, spherical: bool) -> Iterator[tuple[Tensor, Tensor]]:
        """Return latents (steps, size) and images (steps, 3, S, S) between n pairs of latents."""
        z, labels = self.latents("pairs", 2 * n)
        for start, end, label in zip(z[::2], z[1::2], labels[::2], strict=True):
            way = interpolate(start, end, self.params.steps, spherical=spherical)
            yield way, self.images(way, label[None])

    def effects(self, directions: Tensor | None = None) -> Tensor:
        """Return what one standard deviation along each direction or dimension changes: see `effects`."""
        z, labels = self.latents("effects", self.params.base_latents)
        return self.deviation * effects(self.gan.generator, z, labels, directions, self.deviation)

    def facts(self) -> list[tuple[str, object]]:
        """Return what is studied, as rows of a table."""
        described, prior = self.run.described, self.gan.prior
        data, params = described["data"], described["params"]
        return [
            ("Run folder", f"`{self.run}`"),
            ("Parameters of training", "in the run folder" if self.params.run else "in this notebook"),
            ("Variant", f"{described['variant']}, {params['image_size']} pixels"),
            ("Data", f"{data['label']}, {data['split']} split, {data['count']:,} images"),
            ("Epochs", self.run.history().reached(params["epochs"])),
            ("Prior of training", f"{prior.kind}, standard deviation {self.deviation:.3g}"),
            ("Latent size", prior.size),
            ("Classes given to the generator", prior.classes or "none"),
        ]


def open_study(params: Params) -> Study:
    """Open the run that `params.run` names, of any variant, or train a DCGAN and open that.

    Raises `RunError` if there is no such run or it has no checkpoint, `ParameterError` if `dimension`
    is beyond its latents.
    """
    device = choose(params).device
    if not params.run:
        params.require(params.dimension < params.latent_size, "dimension", "must be below latent_size")
    run = _find(params.run) if params.run else _train(params.trained_params())
    gan = variants.load(run, device)
    params.require(params.dimension < gan.prior.size, "dimension", f"must be below {gan.prior.size}")
    return Study(params, run, gan, device)


def _find(name: str) -> RunDir:
    path = resolve(name)
    if (path / "params.json").is_file():
        return RunDir(path)
    near = nearest(name, known_runs()) or "."
    raise RunError(f"run={name!r}: is not a run folder: it has no params.json{near} Empty trains a new run.")


def _train(params: dcgan.Params) -> RunDir:
    from ganutils.notebook import show_data

    dataset = load_dataset(params)
    show_data(dataset)
    gan = variants.build(params, dataset)
    run = RunDir.open(params, dataset)
    train(gan, dataset, params, run)
    return run
