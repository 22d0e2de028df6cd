"""One function that finds the images which a run's parameters ask for."""

import itertools
import json
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

from ganutils import paths
from ganutils.data import cifar, published
from ganutils.data.dataset import Dataset, class_indices
from ganutils.data.download import FetchError
from ganutils.data.folder import image_folder
from ganutils.data.layout import is_picture
from ganutils.data.shapes import CLASSES as SHAPE_CLASSES
from ganutils.data.shapes import shapes
from ganutils.errors import ParameterError
from ganutils.files import keep
from ganutils.names import nearest
from ganutils.params import RunParams

DATASETS = ("auto", "cifar10", "image_folder", "shapes")
SHAPES_COUNT = {"train": 10_000, "test": 2_000}
IMAGE_SIZES = (4, 1024)  # pixels, smallest and largest
MIN_RATE = 50_000.0  # bytes per second; at this speed CIFAR-10 would take an hour
REMEMBERED = 600.0  # seconds during which a failed download is not tried again

_printed: set[str] = set()


def load(
    dataset: str = "auto",
    *,
    data_dir: str = "",
    classes: str = "",
    split: str = "train",
    image_size: int = 32,
    data_label: str = "",
    n_images: int = 0,
    seed: int = 0,
) -> Dataset:
    """Return one split of an image set, decoded: (N, 3, image_size, image_size) uint8.

    Args:
        dataset: "cifar10" (read from `data_dir` or fetched into it), "image_folder" (a folder or archive of
            one's own), "shapes" (drawn by code), or "auto": CIFAR-10 if it is in `data_dir` or can be
            fetched, otherwise shapes, with a notice. There, class numbers stay and CIFAR-10's names stand
            for the shapes of the same number.
        data_dir: folder, or archive for "image_folder"; relative ones start at the project's root, "" is
            its `data` folder. Not used by "shapes".
        classes: names or numbers separated by commas, in the order of their new labels; "" is all.
        split: "train" or "test".
        image_size: side length in pixels; other sizes are resized with antialiasing.
        data_label: name for titles and captions instead of the set's own; ignored when "auto" falls back.
        n_images: how many images of the chosen classes, evenly; 0 is all, of the shapes 1,000 a class
            (test: 200).
        seed: of the drawn shapes; other image sets do not depend on it.

    Raises:
        ParameterError: a value that is not allowed.
        DataError: the images cannot be found, fetched or read.
    """
    _check(dataset, split, image_size, n_images)
    folder = paths.resolve(data_dir) if data_dir else paths.project_root() / "data"
    if dataset == "image_folder":
        found = image_folder(folder, split, image_size)
    elif dataset == "cifar10":
        found = cifar.cifar10(folder, split)
    elif dataset == "shapes":
        found = _shapes(classes, split, image_size, n_images, seed)
    else:
        class_indices(classes, cifar.CLASSES)  # a wrong name is reported before a long download
        if data_dir:
            _refuse_pictures(folder)
        try:
            found = _cifar10_or_fail_fast(folder, split)
        except FetchError as error:
            return _instead_of_cifar10(str(error), classes, split, image_size, n_images, seed)
    if dataset != "shapes":
        found = found.select_classes(classes).first(n_images).resized(image_size)
    return replace(found, label=data_label) if data_label else found


def load_dataset(params: RunParams) -> Dataset:
    """Return the images that a run's parameters ask for; see `load`. Runs of all seeds share them.

    Raises `ParameterError` also for a batch larger than the data.
    """
    dataset = load(
        params.dataset,
        data_dir=params.data_dir,
        classes=params.classes,
        split=params.split,
        image_size=params.image_size,
        data_label=params.data_label,
        n_images=params.n_images,
    )
    if params.batch_size > len(dataset):
        raise ParameterError(
            f"batch_size={params.batch_size}: is larger than the data, {len(dataset):,} images. "
            f"Use at most {len(dataset)}, or more images."
        )
    return dataset


def _check(dataset: str, split: str, image_size: int, n_images: int) -> None:
    if dataset not in DATASETS:
        near = nearest(str(dataset).lower(), DATASETS) or "."
        raise ParameterError(f"dataset={dataset!r}: allowed are {', '.join(DATASETS)}{near}")
    if split not in SHAPES_COUNT:
        raise ParameterError(f"split={split!r}: allowed are {', '.join(SHAPES_COUNT)}.")
    if not IMAGE_SIZES[0] <= image_size <= IMAGE_SIZES[1]:
        raise ParameterError(
            f"image_size={image_size}: allowed are {IMAGE_SIZES[0]} to {IMAGE_SIZES[1]} (pixels)."
        )
    if n_images < 0:
        raise ParameterError(f"n_images={n_images}: must be 0 (all) or more.")


def _refuse_pictures(folder: Path) -> None:
    """Stop a run that was given one's own pictures and would quietly train on something else."""
    files = itertools.chain(folder.glob("*/*"), folder.glob("train/*/*"))
    if not (folder / published.FOLDER).exists() and any(is_picture(file.name) for file in files):
        raise ParameterError(
            f'dataset="auto" means CIFAR-10 or shapes, but data_dir={folder.name!r} has folders of pictures; '
            'set dataset="image_folder" to use them, or leave data_dir empty.'
        )


def _shapes(classes: str, split: str, image_size: int, n_images: int, seed: int) -> Dataset:
    chosen = class_indices(classes, SHAPE_CLASSES)
    wanted = n_images or SHAPES_COUNT[split] * len(chosen) // len(SHAPE_CLASSES)
    drawn = len(SHAPE_CLASSES) * -(-wanted // len(chosen))  # the classes take turns
    return shapes(drawn, image_size, seed, split).select_classes(classes).first(wanted)


def _cifar10_or_fail_fast(folder: Path, split: str) -> Dataset:
    """Return CIFAR-10, but do not try a download again that failed within the last minutes."""
    marker = paths.cache_folder() / "cifar10-download-failed.json"
    remembered = _remembered(marker)
    try:
        return cifar.cifar10(folder, split, download=remembered is None, min_rate=MIN_RATE)
    except FetchError as error:
        _remember(marker, str(error))
        raise
    except cifar.NotFoundError:
        raise FetchError(remembered) from None


def _remember(marker: Path, reason: str) -> None:
    facts = {"url": cifar.source_url(), "reason": reason, "time": time.time()}
    keep(marker, lambda file: file.write_text(json.dumps(facts)))


def _remembered(marker: Path) -> str | None:
    """Return why the download failed lately from the same address, or None."""
    try:
        facts = json.loads(marker.read_text())
        lately = 0 <= time.time() - facts["time"] < REMEMBERED
        return facts["reason"] if lately and facts["url"] == cifar.source_url() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _instead_of_cifar10(
    reason: str, classes: str, split: str, image_size: int, n_images: int, seed: int
) -> Dataset:
    numbers = class_indices(classes, cifar.CLASSES)
    pairs = [f"{SHAPE_CLASSES[number]} for {cifar.CLASSES[number]}" for number in numbers]
    notice = (
        "These are drawn shapes, NOT CIFAR-10, and no result here says anything about CIFAR-10. Shown are "
        f"{', '.join(pairs)}. {reason} A failed download is tried again after {REMEMBERED / 60:g} minutes, "
        'or at once with dataset="cifar10". The defaults suit CIFAR-10; those that suit shapes are in '
        "notebooks/presets/dcgan-shapes.yaml."
    )
    if notice not in _printed:
        _printed.add(notice)
        # The process's own stderr: papermill shows nothing of what a notebook prints.
        print(_boxed("NOT CIFAR-10", notice), file=sys.__stderr__, flush=True)
    found = _shapes(",".join(map(str, numbers)), split, image_size, n_images, seed)
    return replace(found, notices=(notice,))


def _boxed(title: str, text: str, width: int = 90) -> str:
    lines = [title, "", *textwrap.wrap(text, width - 4, break_long_words=False)]
    width = max(width, *(len(line) + 4 for line in lines))
    edge = "#" * width
    return "\n".join([edge, *(f"# {line:<{width - 4}} #" for line in lines), edge])
