"""What file names say: which split and which class each picture belongs to."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from ganutils.data.pictures import SUFFIXES

SPLITS = ("train", "test")


class Layout(NamedTuple):
    """Class names, and for each split its files in alphabetical order with their labels."""

    classes: tuple[str, ...]
    splits: dict[str, list[tuple[str, int]]]


def is_picture(name: str) -> bool:
    """Tell whether a relative name ends like a picture and is no hidden or system file."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


def arrange(names: Iterable[str], unwrap: bool) -> Layout:
    """Read splits and classes from relative names.

    `train/<class>/...` and `test/<class>/...` are splits; without them everything is the split "train"
    and the first folder is the class. Pictures outside of a class folder are left out. The classes are
    those of all splits together, in alphabetical order, so that a label means the same in each.

    Args:
        names: relative names of pictures, `/` between their parts.
        unwrap: leave out one folder that wraps everything, as archives often have it.
    """
    paths = sorted(name.split("/") for name in set(names))
    has_splits = _has_splits(paths, 0)
    skip = 0
    if unwrap and not has_splits and len({path[0] for path in paths}) == 1:
        skip = int(all(len(path) > 2 for path in paths))
        has_splits = _has_splits(paths, skip)
    found: dict[str, list[tuple[str, str]]] = {}
    for path in paths:
        split = path[skip].lower() if has_splits else "train"
        folders = path[skip + has_splits : -1]
        if split in SPLITS and folders:
            found.setdefault(split, []).append(("/".join(path), folders[0]))
    classes = tuple(sorted({name for files in found.values() for _, name in files}))
    place = {name: index for index, name in enumerate(classes)}
    return Layout(
        classes, {split: [(file, place[name]) for file, name in files] for split, files in found.items()}
    )


def _has_splits(paths: list[list[str]], skip: int) -> bool:
    return any(path[skip].lower() in SPLITS and len(path) > skip + 2 for path in paths)
