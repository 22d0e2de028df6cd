"""Which real images a run is measured against, and which real images give the floor."""

from typing import NamedTuple

import torch

from ganutils import variants
from ganutils.data import Dataset, load, load_dataset
from ganutils.errors import DataError, ParameterError
from ganutils.params import RunParams
from ganutils.runs import RunDir
from ganutils.streams import stream


class Reference(NamedTuple):
    """Real images, and words for which ones they are."""

    dataset: Dataset
    words: str

    def first(self, n: int) -> "Reference":
        """Return n of the images, evenly over the classes; see `Dataset.first`."""
        return Reference(self.dataset.first(n), self.words)

    def words_of(self, name: str) -> str:
        """Return words for the images of one class."""
        return _words(self.dataset, f"class {name}")


class Floor(NamedTuple):
    """Real images that take the generator's place, and the reference that they are measured against."""

    held_out: Dataset
    words: str  # what the held-out images are
    reference: Reference


def training_images(run: RunDir) -> Reference:
    """Return the images that a run was trained on.

    Raises `DataError` if they are no longer there or are others now.
    """
    params = variants.params_of(run)
    try:
        dataset = load_dataset(params)
    except (DataError, ParameterError) as error:
        raise DataError(f"run={str(run)!r}: its training images cannot be read. {error}") from None
    then = run.described["data"]
    if dataset.fingerprint != then["fingerprint"]:
        raise DataError(
            f"run={str(run)!r}: was trained on other images than those in {dataset.source}: content "
            f"{then['fingerprint'][:8]} then, {dataset.fingerprint[:8]} now. Put the old ones back."
        )
    return reference(dataset, params)


def reference(dataset: Dataset, params: RunParams) -> Reference:
    """Return the images that these parameters chose, with words for them."""
    chosen = f"classes {', '.join(dataset.classes)}"
    return Reference(
        dataset, _words(dataset, chosen if params.classes else f"all {len(dataset.classes)} classes")
    )


def floor(run: RunDir, reference: Reference, n: int) -> Floor:
    """Return up to n real images for the floor of a run, the same number as generated ones if there are.

    They come from the other split, against the whole reference; a data set without another split is
    divided at random, one half against the other.
    """
    other = _other_split(variants.params_of(run), reference.dataset, n)
    if other is not None:
        return Floor(other.first(min(n, len(other))), f"{other.split} split", reference)
    dataset = reference.dataset
    order = torch.randperm(len(dataset), generator=stream(0, "halves"))
    first, second = (half.sort().values for half in order.tensor_split(2))
    half = Reference(dataset.at(first), f"half of {reference.words}")
    rest = dataset.at(second)
    return Floor(rest.first(min(n, len(rest))), "other half of the reference", half)


def _words(dataset: Dataset, which: str) -> str:
    side = dataset.image_size
    return f"{dataset.label}, {dataset.split} split, {which}, {side}x{side}"


def _other_split(params: RunParams, dataset: Dataset, n: int) -> Dataset | None:
    drawn = dataset.factors is not None  # shapes are drawn by code, as many as are wanted
    try:
        found = load(
            params.dataset,
            data_dir=params.data_dir,
            classes=params.classes,
            split="test" if params.split == "train" else "train",
            image_size=params.image_size,
            data_label=params.data_label,
            n_images=n if drawn else 0,
        )
    except (ParameterError, DataError):
        return None
    return found if (found.label, found.classes) == (dataset.label, dataset.classes) else None
