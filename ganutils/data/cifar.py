"""CIFAR-10 (Krizhevsky, 2009, "Learning Multiple Layers of Features from Tiny Images") in memory."""

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from ganutils.data import published
from ganutils.data.archive import read_archive
from ganutils.data.dataset import Dataset
from ganutils.data.download import FetchError, fetch
from ganutils.errors import DataError, ParameterError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
URL_VARIABLE = "GANUTILS_CIFAR10_URL"
TIMEOUT = 5.0  # seconds
REMEDY = (
    f"Point data_dir to a folder with {published.FOLDER}/ or {published.ARCHIVE}, set the environment "
    f'variable {URL_VARIABLE} to the address of a mirror of {published.ARCHIVE}, or choose dataset="shapes" '
    'or dataset="image_folder".'
)


class NotFoundError(DataError):
    """CIFAR-10 is not in the data folder, or damaged there, and may not be fetched."""


def source_url() -> str:
    """Return the address of the archive: the mirror in `GANUTILS_CIFAR10_URL`, or the original host."""
    return os.environ.get(URL_VARIABLE) or published.URL


def cifar10(
    folder: str | Path,
    split: str = "train",
    download: bool = True,
    timeout: float = TIMEOUT,
    min_rate: float = 0.0,
) -> Dataset:
    """Return CIFAR-10: 50,000 train or 10,000 test images (N, 3, 32, 32) uint8, in the published order.

    Reads `cifar-10-batches-py/` (torchvision's layout) or `cifar-10-python.tar.gz` in `folder`; otherwise
    fetches the archive (170 MB) into `folder`. The files are pickles, which can run code when opened: each
    is opened only if its content has the published MD5.

    Args:
        folder: data folder.
        split: "train" or "test".
        download: whether the archive may be fetched.
        timeout: seconds to wait for the host.
        min_rate: bytes per second below which the host counts as dead; 0 accepts a slow one.

    Raises:
        ParameterError: an unknown split.
        FetchError: the files are missing or damaged and cannot be fetched.
        NotFoundError: the same, and `download` is False.
        DataError: `folder` is a file.
    """
    if split not in ("train", "test"):
        raise ParameterError(f"split={split!r}: allowed are train and test.")
    folder = Path(folder)
    if folder.is_file():
        raise DataError(
            f"data_dir: {folder} is a file; for CIFAR-10 it must be the folder that holds "
            f'{published.FOLDER}/ or {published.ARCHIVE}. For other archives set dataset="image_folder".'
        )
    problems: list[str] = []
    for read in (_from_folder, _from_archive):
        if files := _attempt(read, folder, split, problems):
            return _dataset(files, split)
    if download:
        try:
            fetch(
                source_url(),
                folder / published.ARCHIVE,
                published.ARCHIVE_MD5,
                timeout=timeout,
                min_rate=min_rate,
            )
        except FetchError as error:
            raise FetchError(f"CIFAR-10: {'; '.join([*problems, str(error)])}. {REMEDY}") from error
        return _dataset(_from_archive(folder, split), split)
    raise NotFoundError(f"CIFAR-10: {'; '.join(problems) or f'not found in {folder}'}. {REMEDY}")


def _attempt(read: Callable, folder: Path, split: str, problems: list[str]) -> dict[str, bytes] | None:
    try:
        return read(folder, split)
    except DataError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"{Path(error.filename).name} cannot be read ({error.strerror})")
    return None


def _digests(split: str) -> dict[str, str]:
    """Return the MD5 of each file needed, the class names first, then the batches in order."""
    return published.META | (published.TRAIN if split == "train" else published.TEST)


def _from_folder(folder: Path, split: str) -> dict[str, bytes] | None:
    base = folder / published.FOLDER
    if not base.is_dir():
        return None
    files = {name: (base / name).read_bytes() for name in _digests(split) if (base / name).is_file()}
    return _verified(files, split, published.FOLDER)


def _from_archive(folder: Path, split: str) -> dict[str, bytes] | None:
    archive = folder / published.ARCHIVE
    if not archive.is_file():
        return None
    names = {f"{published.FOLDER}/{name}" for name in _digests(split)}
    files = {PurePosixPath(name).name: content for name, content in read_archive(archive, names.__contains__)}
    return _verified(files, split, archive.name)


def _verified(files: dict[str, bytes], split: str, where: str) -> dict[str, bytes]:
    """Return the contents if all are there and have the published MD5; nothing else may be unpickled."""
    for name, md5 in _digests(split).items():
        if name not in files:
            raise DataError(f"{where} has no {name}")
        if hashlib.md5(files[name], usedforsecurity=False).hexdigest() != md5:
            raise DataError(f"{where}/{name} is damaged or changed (its MD5 is not {md5})")
    return files


def _dataset(files: dict[str, bytes], split: str) -> Dataset:
    meta, *batches = (pickle.loads(files[name], encoding="latin1") for name in _digests(split))
    images = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
    labels = [label for batch in batches for label in batch["labels"]]
    return Dataset(
        images=torch.from_numpy(images),
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=tuple(meta["label_names"]),
        label="CIFAR-10",
        split=split,
        source=f"CIFAR-10 python version, {published.ARCHIVE} (published MD5 verified)",
    )
