"""Measuring a finished run: from its generator and its training images to metrics.json."""

from collections.abc import Callable

from torch import Tensor
from tqdm.auto import tqdm

from ganutils.hardware import telling_memory
from ganutils.measurements import Absence, Measurement, Protocol, write_measurements
from ganutils.metrics.drawing import draw
from ganutils.metrics.job import Job, prepare
from ganutils.metrics.network import FEATURES
from ganutils.metrics.numbers import NO_CLASSIFIER, SCORE, Number, kept, numbers, of_class
from ganutils.metrics.table import together
from ganutils.params import FEWEST
from ganutils.progress import is_watched
from ganutils.runs import RunDir

Advance = Callable[[int], object]


def measure(
    run: RunDir,
    *,
    samples: int = 0,
    real: int = 0,
    weights: str = "",
    device: str = "auto",
    best: bool = False,
    again: bool = False,
    say: Callable[[str], object] = print,
) -> list[Measurement]:
    """Measure a run's generator and write metrics.json; returns its numbers of this protocol.

    Overall: FID, KID, precision, recall, density, coverage, and the Inception score where the weights have
    a classifier; of conditional generators also FID and KID of each class. The floor, what real images of
    another split score in the generator's place, is written beside them. Numbers that are there already are
    returned as they are.

    Args:
        run: a run with at least one update; its newest checkpoint is measured.
        samples: generated images; 0 is 5,000, on a CUDA GPU 50,000.
        real: training images they are compared with, evenly over the classes; 0 is 10,000, on a CUDA GPU
            50,000, or all if there are fewer.
        weights: file of the Inception network's weights, empty: see `weights.find`.
        device: auto, cpu, cuda or mps.
        best: measure the best scored checkpoint of a run with `metric_every`, not the last one.
        again: measure even if the numbers are there.
        say: is told, before the work starts, what it will take.

    Raises:
        MetricError: the weights are not there or not genuine, or the generator has diverged.
        ParameterError: a value that is not allowed.
        RunError: the run has no checkpoint with an update, or the memory does not suffice.
        DataError: the images of the training are not there or have changed.
    """
    job = prepare(run, samples, real, weights, device, best)
    protocol = job.protocol(job.samples, job.reference)
    known = [] if again else together(run, job.epoch, protocol)
    if known:
        say(f"{run}: measured already after epoch {job.epoch:g} by this protocol; nothing is computed.")
        return known
    say(job.cost())
    memory = telling_memory(job.inception.device, "Close other programs, or measure with device cpu.")
    bar = tqdm(total=job.to_embed(), unit="image", leave=False, disable=not is_watched())
    with memory, bar:
        # Real images first: their features are kept, should the rest be interrupted.
        reals = job.placed(job.cache.features(job.reference.dataset.images, bar.update))
        floors = _floors(job, bar.update)
        images, labels = draw(job.gan, job.samples, run.described["params"]["seed"])
        fakes = job.placed(job.inception.features(images, advance=bar.update))
    found = _measurements(job, numbers(fakes, reals, job.inception.classifier), protocol)
    absent = [] if job.inception.classifier is not None else [Absence(name=SCORE, why=NO_CLASSIFIER)]
    if not floors:
        absent.append(Absence(name="floor", why=f"needs {FEWEST} real images that were not trained on"))
    if job.gan.prior.classes:
        each, missing = _classes(job, fakes, labels, reals)
        found, absent = found + each, absent + missing
    write_measurements(run, found + floors, absent)
    return found


def _floors(job: Job, advance: Advance) -> list[Measurement]:
    """Return what real images score; nothing where there are too few of them."""
    held_out, words, reference = job.floor
    if min(len(held_out), len(reference.dataset)) < FEWEST:
        return []
    classifier = job.inception.classifier
    sets = [job.cache.features(some.images, advance) for some in (held_out, reference.dataset)]
    fakes, reals = (job.placed(some) for some in sets)
    key = (job.cache.folder.name, reference.dataset.fingerprint, held_out.fingerprint, classifier is None)
    found = kept(key, lambda: numbers(fakes, reals, classifier))
    return _measurements(job, found, job.protocol(len(held_out), reference), words)


def _measurements(
    job: Job, found: dict[str, Number], protocol: Protocol, of: str = "generator"
) -> list[Measurement]:
    return [
        Measurement(name=name, value=value, error=error, epoch=job.epoch, protocol=protocol, of=of)
        for name, (value, error) in found.items()
    ]


def _classes(
    job: Job, fakes: Tensor, labels: Tensor, reals: Tensor
) -> tuple[list[Measurement], list[Absence]]:
    """Return FID and KID of each class, and why FID is missing where there are too few images."""
    dataset, found = job.reference.dataset, []
    for label, name in enumerate(dataset.classes):
        some, others = fakes[labels == label], reals[dataset.labels == label]
        both = {f"{metric} {name}": number for metric, number in of_class(some, others).items()}
        sizes = {"n_fake": len(some), "n_real": len(others), "reference": job.reference.words_of(name)}
        protocol = job.protocol(len(some), job.reference).model_copy(update=sizes)
        found += _measurements(job, both, protocol)
    fewest = [counts.bincount(minlength=len(dataset.classes)).min() for counts in (labels, dataset.labels)]
    if min(fewest) > FEATURES:
        return found, []
    why = (
        f"needs more than {FEATURES:,} generated and real images of each, not {fewest[0]:,} and {fewest[1]:,}"
    )
    return found, [Absence(name="FID of single classes", why=why)]
