"""A folder or an archive with one subfolder of pictures per class, as a Dataset."""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from ganutils import paths
from ganutils.data import archive, decoded, pictures
from ganutils.data.dataset import Dataset
from ganutils.data.decoded import Decoded
from ganutils.data.layout import SPLITS, arrange, is_picture
from ganutils.errors import DataError, ParameterError
from ganutils.progress import is_watched

MAX_DECODED_BYTES = 8 * 2**30  # images stay in memory
BLOCK = 256  # files decoded at a time: bounds what waits undecoded in memory
THREAD_BYTES = 30_000  # smaller files decode faster without threads
NAMES_SHOWN = 5

_LAYOUT = "one subfolder of pictures per class, or train/<class> and test/<class>, or a zip or tar of that"
_Loader = Callable[[], bytes]


def image_folder(path: str | Path, split: str = "train", image_size: int = 32) -> Dataset:
    """Return the pictures of a folder, or of a zip or tar archive of one, as (N, 3, S, S) uint8.

    Each subfolder is a class; with `train/<class>` and `test/<class>`, `split` picks. Every picture
    becomes RGB (see `pictures.decode`), is cut to its largest centred square if it is not square and is
    resized with antialiasing to `image_size` pixels. Files that cannot be read, and links that leave the
    folder, are skipped and named in the notices. The decoded images are kept in the cache folder.

    Raises:
        ParameterError: an unknown split, or one that this folder does not have.
        DataError: the folder is missing, empty or has no readable picture, or the archive is refused.
    """
    path = Path(path).expanduser().resolve()
    if split not in SPLITS:
        raise ParameterError(f"split={split!r}: allowed are {' and '.join(SPLITS)}.")
    if not path.exists():
        raise DataError(f"data_dir: {path} does not exist; it must have {_LAYOUT}.")
    links: list[str] = []
    if path.is_dir():
        files, links = _scan(path)
        key = _folder_key(files)
        entries = ((name, partial(_read, file)) for name, file in sorted(files.items()))
    else:
        key = _archive_key(path)
        entries = ((name, lambda c=c: c) for name, c in archive.read_archive(path, is_picture))
    store = paths.cache_folder() / "images" / f"{key[:32]}-{image_size}-v{decoded.FORMAT_VERSION}.npz"
    content = decoded.read(store, split)
    if content is None:
        content = _arranged(_decode_all(entries, image_size), unwrap=not path.is_dir())
        if content.classes:
            decoded.write(store, content)
    return _dataset(path, split, content, links)


def _scan(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the pictures below `root` by relative name, and the names of links that are not followed."""
    files, refused = {}, []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        refused += [
            _relative(root, folder, name) for name in subfolders if os.path.islink(f"{folder}/{name}")
        ]
        for name in names:
            file, relative = Path(folder, name), _relative(root, folder, name)
            if not is_picture(relative):
                continue
            if file.is_symlink() and not Path(os.path.realpath(file)).is_relative_to(root):
                refused.append(relative)
            elif file.is_file():
                files[relative] = file
    return files, sorted(refused)


def _relative(root: Path, folder: str, name: str) -> str:
    relative = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
    return relative.encode(errors="xmlcharrefreplace").decode()  # undecodable bytes stay printable


def _folder_key(files: dict[str, Path]) -> str:
    contents = [(name, _content_key(file)) for name, file in sorted(files.items())]
    return hashlib.sha256(repr(contents).encode()).hexdigest()


def _content_key(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return "unreadable"  # decoding names it and skips it


def _read(file: Path) -> bytes:
    if file.stat().st_size > archive.MAX_MEMBER_BYTES:
        raise ValueError("too large for a picture")
    return file.read_bytes()


def _archive_key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"data_dir: {path} cannot be read ({error.strerror}).") from error


def _decode_all(entries: Iterator[tuple[str, _Loader]], image_size: int) -> dict[str, np.ndarray | None]:
    """Return the pixels of each file by name; None for a file that is no readable picture."""
    found: dict[str, np.ndarray | None] = {}
    progress = tqdm(desc="decoding pictures", unit="file", delay=3, leave=False, disable=not is_watched())
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings(), progress:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        while block := list(islice(entries, BLOCK)):
            names, loaders = zip(*block, strict=True)
            found.update(zip(names, _decode_block(loaders, image_size, pool), strict=True))
            progress.update(len(block))
            if len(found) * 3 * image_size**2 > MAX_DECODED_BYTES:
                raise DataError(
                    f"image_size={image_size}: the images need more than {MAX_DECODED_BYTES / 2**30:g} GiB "
                    "of memory; choose a smaller image_size or a folder with fewer pictures."
                )
    return found


def _decode_block(loaders: tuple[_Loader, ...], image_size: int, pool: ThreadPoolExecutor) -> list:
    contents = [_attempt(load) or b"" for load in loaders]
    each = pool.map if sum(map(len, contents)) > THREAD_BYTES * len(contents) else map
    return list(each(lambda content: _attempt(lambda: pictures.decode(content, image_size)), contents))


def _attempt(action: Callable):
    try:
        return action()
    # Pillow's readers raise nearly every type on damaged files; the caller reports the file by name.
    except Exception:
        return None


def _arranged(found: dict[str, np.ndarray | None], unwrap: bool) -> Decoded:
    layout = arrange(found, unwrap)
    result = Decoded(layout.classes, {}, {})
    for split, files in layout.splits.items():
        good = [(found.pop(name), label) for name, label in files if found[name] is not None]
        result.skipped[split] = [name for name, _ in files if name in found]
        result.images[split] = np.stack([image for image, _ in good]) if good else np.empty(0, np.uint8)
        result.labels[split] = np.array([label for _, label in good], np.int64)
    return result


def _dataset(path: Path, split: str, content: Decoded, links: list[str]) -> Dataset:
    if not content.classes:
        raise DataError(f"data_dir: {path} has no pictures in class folders; it must have {_LAYOUT}.")
    if split not in content.images:
        raise ParameterError(
            f"split={split!r}: {path.name} has only the split {', '.join(content.images)}; "
            f"put the other pictures into {split}/<class>, next to {SPLITS[1 - SPLITS.index(split)]}/<class>."
        )
    skipped = content.skipped.get(split, [])
    total = len(content.images[split]) + len(skipped)
    if total == len(skipped):
        raise DataError(f"data_dir: none of the {total:,} files in {path} ({split}) is a readable picture.")
    notices = []
    if skipped:
        notices.append(
            f"{path.name}: {len(skipped):,} of {total:,} files were skipped because they are damaged, too "
            f"large or of another format than {', '.join(pictures.FORMATS)}: {_some(skipped)}."
        )
    if links:
        notices.append(f"{path.name}: {len(links):,} links were not followed: {_some(links)}.")
    kind = "image folder" if path.is_dir() else "archive"
    return Dataset(
        images=torch.from_numpy(content.images[split]),
        labels=torch.from_numpy(content.labels[split]),
        classes=content.classes,
        label=path.name if path.is_dir() else path.name.partition(".")[0],
        split=split,
        source=f"{kind} {path.name}",
        notices=tuple(notices),
    )


def _some(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
