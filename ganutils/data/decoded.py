"""Decoded pictures of one folder or archive, and their file in the cache."""

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ganutils.files import keep

MAX_BYTES = 16 * 2**30  # of all arrays; the images of a run are half of it at most
FORMAT_VERSION = 1  # raise it when the same pictures would decode to other pixels


@dataclass
class Decoded:
    """All splits of one source, as arrays."""

    classes: tuple[str, ...]
    images: dict[str, np.ndarray]  # split -> (N, 3, S, S) uint8
    labels: dict[str, np.ndarray]  # split -> (N,) int64
    skipped: dict[str, list[str]] = field(default_factory=dict)  # split -> names of unreadable files


def write(path: Path, decoded: Decoded) -> None:
    """Write the cache file."""
    facts = {"classes": decoded.classes, "splits": list(decoded.images), "skipped": decoded.skipped}
    arrays = {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    for split in decoded.images:
        arrays[f"images_{split}"] = decoded.images[split]
        arrays[f"labels_{split}"] = decoded.labels[split]
    keep(path, partial(np.savez, **arrays))


def read(path: Path, split: str) -> Decoded | None:
    """Return what the cache file holds of one split; None if it is missing, damaged or something else.

    Nothing in it is executed, and it is not believed: sizes, types and labels must fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:  # zip checksums reveal damage
            if sum(info.file_size for info in arrays.zip.infolist()) > MAX_BYTES:
                return None
            facts = json.loads(arrays["facts"].tobytes())
            decoded = Decoded(tuple(map(str, facts["classes"])), {}, {}, facts["skipped"])
            for name in facts["splits"]:
                wanted = name == split  # the other splits stay on disk
                decoded.images[name] = arrays[f"images_{name}"] if wanted else np.empty(0, np.uint8)
                decoded.labels[name] = arrays[f"labels_{name}"] if wanted else np.empty(0, np.int64)
        return decoded if _fits_together(decoded, split) else None
    # A file that is damaged or something else makes numpy and zipfile raise nearly every type.
    except Exception:
        return None


def _fits_together(decoded: Decoded, split: str) -> bool:
    skipped = decoded.skipped.get(split, [])
    if not all(isinstance(name, str) for name in skipped):
        return False
    if split not in decoded.images or not decoded.images[split].size:
        return True
    images, labels = decoded.images[split], decoded.labels[split]
    shapes = images.shape == (len(labels), 3, images.shape[-1], images.shape[-1])
    types = (images.dtype, labels.dtype) == (np.uint8, np.int64)
    return shapes and types and labels.min() >= 0 and labels.max() < len(decoded.classes)
