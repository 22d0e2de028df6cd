"""Images in memory with their labels and class names: what a run is trained on and measured against."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganutils.errors import ParameterError
from ganutils.names import nearest

NAMES_SHOWN = 12  # longer lists of classes are cut in messages and summaries
RESIZE_BLOCK = 1024  # images per resizing step: bounds the memory of the float copy


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of an image set, decoded; methods return new objects and never change this one."""

    images: Tensor  # (N, 3, S, S) uint8, contiguous
    labels: Tensor  # (N,) int64, indices into classes
    classes: tuple[str, ...]
    label: str  # short name for titles and captions
    split: str  # "train" or "test"
    source: str  # one line: where the images came from, without an absolute path
    notices: tuple[str, ...] = ()  # what a reader must know about these images
    factors: dict[str, Tensor] | None = None  # drawn images only: what each one was drawn from, (N, ...)

    def __post_init__(self):
        count, size = len(self.images), self.images.shape[-1]
        if self.images.shape != (count, 3, size, size) or self.images.dtype != torch.uint8:
            raise ValueError(f"images must be (N, 3, S, S) uint8, not {self._kind(self.images)}")
        if self.labels.shape != (count,) or self.labels.dtype != torch.int64:
            raise ValueError(f"labels must be ({count},) int64, not {self._kind(self.labels)}")
        if not self.images.is_contiguous():
            raise ValueError("images must be contiguous: call .contiguous() first")

    @staticmethod
    def _kind(tensor: Tensor) -> str:
        return f"{tuple(tensor.shape)} {tensor.dtype}"

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    @property
    def image_size(self) -> int:
        """Side length of the images in pixels."""
        return self.images.shape[-1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (64 hex digits) of images, labels and class names: equal data, equal fingerprint."""
        digest = hashlib.sha256(repr((tuple(self.images.shape), self.classes)).encode())
        digest.update(self.images.cpu().numpy())
        digest.update(self.labels.cpu().contiguous().numpy())
        return digest.hexdigest()

    def select_classes(self, spec: str) -> "Dataset":
        """Return only the images of some classes, relabelled 0, 1, ... in the order given.

        Args:
            spec: names or indices separated by commas ("cat,dog" or "3,5"), capitals ignored; "" is all.

        Raises:
            ParameterError: an unknown class, or one given twice.
        """
        chosen = class_indices(spec, self.classes)
        if chosen == list(range(len(self.classes))):
            return self
        new_label = torch.full((len(self.classes),), -1)
        new_label[chosen] = torch.arange(len(chosen))
        labels = new_label[self.labels]
        kept = (labels >= 0).nonzero().flatten()
        return replace(
            self.at(kept), labels=labels[kept], classes=tuple(self.classes[index] for index in chosen)
        )

    def first(self, n: int) -> "Dataset":
        """Return `n` images (0 is all): the first ones of each class, as evenly as the classes allow.

        The images keep their order, and a smaller choice is always part of a larger one.

        Raises:
            ParameterError: `n` is negative or more than there are.
        """
        if not 0 <= n <= len(self):
            raise ParameterError(
                f"n_images={n}: allowed are 0 (all) to {len(self):,}, the images of the {self.split} split "
                f"of {self.label} in {_plural(len(self.classes), 'class', 'classes')}; choose fewer."
            )
        if n in (0, len(self)):
            return self
        rank = torch.empty_like(self.labels)  # how many of its class come before each image
        for index in range(len(self.classes)):
            members = self.labels == index
            rank[members] = torch.arange(int(members.sum()))
        order = torch.argsort(rank * len(self.classes) + self.labels)
        return self.at(order[:n].sort().values)

    def resized(self, image_size: int) -> "Dataset":
        """Return the images at (image_size, image_size) pixels: antialiased bicubic, rounded to uint8."""
        if image_size == self.image_size:
            return self
        images = torch.empty(len(self), 3, image_size, image_size, dtype=torch.uint8)
        for start in range(0, len(self), RESIZE_BLOCK):
            block = self.images[start : start + RESIZE_BLOCK].float()
            block = interpolate(block, (image_size, image_size), mode="bicubic", antialias=True)
            images[start : start + RESIZE_BLOCK] = block.round().clamp(0, 255).to(torch.uint8)
        return replace(self, images=images)

    def summary(self) -> str:
        """Return one line with label, split, number and size of the images, and the counts per class."""
        counts = torch.bincount(self.labels, minlength=len(self.classes)).tolist()
        shown = [f"{name} {count:,}" for name, count in zip(self.classes, counts, strict=True)]
        return (
            f"{self.label}, {self.split} split: {_plural(len(self), 'image', 'images')} of "
            f"{self.image_size}x{self.image_size} in "
            f"{_plural(len(self.classes), 'class', 'classes')} ({_shortened(shown)})"
        )

    def at(self, indices: Tensor) -> "Dataset":
        """Return the images at some places (n,), in that order."""
        factors = self.factors and {name: values[indices] for name, values in self.factors.items()}
        return replace(self, images=self.images[indices], labels=self.labels[indices], factors=factors)


def class_indices(spec: str, classes: tuple[str, ...]) -> list[int]:
    """Return the positions in `classes` that `spec` asks for, in its order; "" is all of them.

    Raises:
        ParameterError: an unknown class, or one given twice.
    """
    if not isinstance(spec, str):
        example = ",".join(classes[:2])
        raise ParameterError(f'classes={spec!r}: must be text such as "{example}", or "" for all.')
    if not spec.strip():
        return list(range(len(classes)))
    entries = [entry.strip() for entry in spec.split(",")]
    chosen = [_class_index(entry, spec, classes) for entry in entries]
    twice = [entry for place, entry in enumerate(entries) if chosen[place] in chosen[:place]]
    if twice:
        raise ParameterError(f"classes={spec!r}: {', '.join(twice)} asked for twice; name each class once.")
    return chosen


def _class_index(entry: str, spec: str, classes: tuple[str, ...]) -> int:
    if entry in classes:
        return classes.index(entry)
    folded = [name.casefold() for name in classes]
    if entry.casefold() in folded:
        return folded.index(entry.casefold())
    # Names come first: folders are often called "0", "1", ... in another order than the alphabet's.
    if entry.isascii() and entry.isdigit() and int(entry) < len(classes):
        return int(entry)
    raise ParameterError(
        f"classes={spec!r}: there is no class {entry!r}{nearest(entry, classes) or '.'} "
        f"Allowed are {_shortened(classes)}, or their numbers 0 to {len(classes) - 1}, "
        'separated by commas, or "" for all.'
    )


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _shortened(names) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
