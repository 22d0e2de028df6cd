"""Decoded pictures of one folder or archive, and their file in the cache."""

import contextlib
import json
import os
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FORMAT_VERSION = 1  # raise it when the same pictures would decode to other pixels


@dataclass
class Decoded:
    """All splits of one source, as arrays."""

    classes: tuple[str, ...]
    images: dict[str, np.ndarray]  # split -> (N, 3, S, S) uint8
    labels: dict[str, np.ndarray]  # split -> (N,) int64
    skipped: dict[str, list[str]] = field(default_factory=dict)  # split -> names of unreadable files


def write(path: Path, decoded: Decoded) -> None:
    """Write the cache file, all of it or nothing; a folder that cannot be written is no error."""
    facts = {"classes": decoded.classes, "splits": list(decoded.images), "skipped": decoded.skipped}
    arrays = {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    for split in decoded.images:
        arrays[f"images_{split}"] = decoded.images[split]
        arrays[f"labels_{split}"] = decoded.labels[split]
    # The cache saves time and nothing else: a full or read-only disk must not stop a run.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            try:
                np.savez(file, **arrays)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise


def read(path: Path, split: str) -> Decoded | None:
    """Return what the cache file holds of one split; None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:  # zip checksums reveal damage
            facts = json.loads(arrays["facts"].tobytes())
            decoded = Decoded(tuple(facts["classes"]), {}, {}, facts["skipped"])
            for name in facts["splits"]:
                wanted = name == split  # the other splits stay on disk
                decoded.images[name] = arrays[f"images_{name}"] if wanted else np.empty(0, np.uint8)
                decoded.labels[name] = arrays[f"labels_{name}"] if wanted else np.empty(0, np.int64)
            return decoded
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
