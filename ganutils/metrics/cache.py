"""Features of images, kept on disk by the content of each image: no image is embedded twice."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganutils import paths
from ganutils.files import keep
from ganutils.metrics.inception import Inception
from ganutils.metrics.network import FEATURES

BLOCK = 1000  # images in a file: what an interrupted extraction loses at most
_KEY_BYTES = 16
_WAY = "TensorFlow 1 bilinear 299, {}, version 1"  # change it when equal images would get other features


class FeatureCache:
    """Features of real images, in files of up to 1,000 under `features/` of the cache folder.

    A folder belongs to one network's weights, resizer and precision. The files are npz archives of the
    images' digests (N, 16) and features (N, 2048), and are read without executing anything; a damaged one
    counts as missing.
    """

    def __init__(self, inception: Inception) -> None:
        self._inception = inception
        way = _WAY.format(inception.arithmetic)
        identity = hashlib.sha256(f"{inception.digest} {way}".encode()).hexdigest()
        self.folder = paths.cache_folder() / "features" / identity[:16]
        self._places: dict[bytes, tuple[Path, int]] = {}
        for file in sorted(self.folder.glob("*.npz")):
            self._note(file, _load(file, "keys"))

    def missing(self, images: Tensor) -> int:
        """Return how many of uint8 images (N, 3, S, S) would have to be embedded."""
        return len(set(_keys(images)) - self._places.keys())

    def features(self, images: Tensor, advance: Callable[[int], object] | None = None) -> Tensor:
        """Return the features (N, 2048) of uint8 images (N, 3, S, S); those not known yet are embedded.

        Each 1,000 embedded images are written at once, so that an interrupted call goes on from there.
        """
        keys = _keys(images)
        found = self._read(keys)
        first = {key: index for index, key in reversed(list(enumerate(keys)))}  # equal images once
        absent = [index for key, index in first.items() if key not in found][::-1]
        for start in range(0, len(absent), BLOCK):
            chosen = absent[start : start + BLOCK]
            block = self._inception.features(images[chosen], advance=advance).numpy()
            names = [keys[index] for index in chosen]
            self._write(names, block)
            found.update(zip(names, block, strict=True))
        result = np.empty((len(keys), FEATURES), np.float32)
        for row, key in enumerate(keys):
            result[row] = found[key]
        return torch.from_numpy(result)

    def _read(self, keys: list[bytes]) -> dict[bytes, np.ndarray]:
        wanted: dict[Path, list[tuple[bytes, int]]] = {}
        for key in set(keys) & self._places.keys():
            file, row = self._places[key]
            wanted.setdefault(file, []).append((key, row))
        found = {}
        for file, rows in wanted.items():
            features = _load(file, "features")
            if features is None or not _fits(features, most=max(row for _, row in rows)):
                self._places = {key: place for key, place in self._places.items() if place[0] != file}
                continue
            found.update((key, features[row]) for key, row in rows)
        return found

    def _write(self, keys: list[bytes], features: np.ndarray) -> None:
        file = self.folder / f"{hashlib.sha256(b''.join(keys)).hexdigest()[:32]}.npz"
        packed = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES)
        if keep(file, partial(np.savez, keys=packed, features=features)):
            self._note(file, packed)

    def _note(self, file: Path, keys: np.ndarray | None) -> None:
        if keys is not None and keys.ndim == 2 and keys.shape[1] == _KEY_BYTES:
            self._places.update((key.tobytes(), (file, row)) for row, key in enumerate(keys))


def _keys(images: Tensor) -> list[bytes]:
    shape = repr(tuple(images.shape[1:])).encode()
    return [
        hashlib.sha256(shape + image.tobytes()).digest()[:_KEY_BYTES]
        for image in images.cpu().contiguous().numpy()
    ]


def _fits(features: np.ndarray, most: int) -> bool:
    return features.dtype == np.float32 and features.shape[1:] == (FEATURES,) and len(features) > most


def _load(file: Path, name: str) -> np.ndarray | None:
    """Return one array of a file; None if it is missing or damaged."""
    try:
        with np.load(file, allow_pickle=False) as arrays:  # zip checksums reveal damage
            found = arrays[name]
            return found if isinstance(found, np.ndarray) else None
    # A file that is damaged or something else makes numpy and zipfile raise nearly every type.
    except Exception:
        return None
