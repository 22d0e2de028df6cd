"""Speed of the metrics: features and Fréchet distance beside torch-fidelity, and a run's first score."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from ganutils import variants
from ganutils.bench.rows import Row
from ganutils.bench.worker import Worker
from ganutils.metrics import weights
from ganutils.metrics.frechet import Gaussian, fit, frechet
from ganutils.metrics.inception import Inception
from ganutils.metrics.network import FEATURES
from ganutils.metrics.quick import precision

_IMAGES = 64  # through each network in a round: torch-fidelity's own batch
_DISTANCES = 2  # rounds of the distance at most: torch-fidelity's takes many seconds
_FIRST_SCORE = (
    "from ganutils import variants; from ganutils.data import load_dataset;"
    "from ganutils.metrics.quick import QuickScore;"
    "values = dict(dataset='shapes', n_images=1000, metric_samples=1000, device='cpu');"
    "params = variants.get('dcgan').Params(**values);"
    "data = load_dataset(params); gan = variants.build(params, data);"
    "print(QuickScore(data, params, gan.generator).measure(gan.generator, gan, 1).protocol.precision)"
)


def rows(rounds: int) -> Iterator[Row]:
    """Measure each row, the sides in turns; torch-fidelity is the baseline."""
    of_scores = precision(variants.get("dcgan").Params(device="cpu"))
    exact, quick = Inception(), Inception(precision=of_scores)
    images = _images()
    with Worker(_torch_fidelity) as theirs:  # the kit tells its own process to keep freed memory
        sides = [theirs, lambda: exact.features(images), lambda: quick.features(images)]
        seconds = _in_turns(rounds, sides)
    base, exactly, quickly = ([_IMAGES / one for one in some] for some in seconds)
    for name, inception, ours in (
        ("Inception features", exact, exactly),
        ("Inception features for scores while training", quick, quickly),
    ):
        yield Row(name, "images/s", base, ours, f"{inception.engine}, {inception.precision}")
    yield _distance(min(rounds, _DISTANCES))
    yield _first_score()


def _images() -> Tensor:
    return torch.randint(0, 256, (_IMAGES, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()


def _torch_fidelity(folder: str) -> Callable[[], None]:
    features, images = torch_fidelity(Path(folder)), _images()

    def run() -> None:
        features(images)

    return run


def _in_turns(rounds: int, sides: list[Callable[[], object]]) -> list[list[float]]:
    """Return the seconds of each side in each round, after one that counts for nothing."""
    found = []
    for _ in range(rounds + 1):
        found.append([])
        for side in sides:
            begun = time.perf_counter()
            side()
            found[-1].append(time.perf_counter() - begun)
    return [list(side) for side in zip(*found[1:], strict=True)]


def _distance(rounds: int) -> Row:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    first, second = (_gaussian(seed) for seed in (0, 1))
    statistics = [{"mu": some.mean.numpy(), "sigma": some.covariance.numpy()} for some in (first, second)]
    sides = [lambda: fid_statistics_to_metric(*statistics, False), lambda: frechet(first, second)]
    base, ours = ([1 / one for one in some] for some in _in_turns(rounds, sides))
    return Row(f"Fréchet distance, {FEATURES:,} dimensions", "1/s", base, ours, "fp64")


def _gaussian(seed: int) -> Gaussian:
    """Return a Gaussian of full rank, fitted to 4,096 points with decaying scales as features have."""
    random = torch.Generator().manual_seed(seed)
    scales = torch.logspace(0, -3, FEATURES)
    return fit(torch.randn(2 * FEATURES, FEATURES, generator=random) * scales)


def _first_score() -> Row:
    """Time a fresh process up to its first score, on 1,000 images of each kind with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GANUTILS_CACHE": folder}
        begun = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-c", _FIRST_SCORE], env=environment, check=True, capture_output=True, text=True
        )
        seconds = time.perf_counter() - begun
    note = f"start and 1,000 real images included, {ended.stdout.split()[-1]}, once"
    return Row("first score of a run, 1,000 samples", "s", ours=[seconds], note=note)


def torch_fidelity(folder: Path) -> Callable[[Tensor], Tensor]:
    """Return torch-fidelity's function from uint8 images (N, 3, S, S) to features, with genuine weights."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = folder / weights.STANDARD
    write_standard(path)
    network = FeatureExtractorInceptionV3("inception", ["2048"], str(path))

    def features(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.cat([network(some)[0] for some in images.split(_IMAGES)])

    return features


def write_standard(path: Path) -> None:
    """Write the packaged weights under torch-fidelity's names; of the classifier there are only NaNs."""
    state = {"fc.weight": torch.full((1008, FEATURES), torch.nan), "fc.bias": torch.full((1008,), torch.nan)}
    for name, layer in zip(weights.names(), weights.packaged(weights.find()), strict=True):
        state[f"{name}.conv.weight"] = layer.weight
        state[f"{name}.bn.weight"] = torch.ones_like(layer.shift)
        state[f"{name}.bn.bias"] = layer.shift
        state[f"{name}.bn.running_mean"] = layer.mean
        state[f"{name}.bn.running_var"] = layer.variance
        state[f"{name}.bn.num_batches_tracked"] = torch.tensor(0)
    torch.save(state, path)
