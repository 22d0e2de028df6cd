import os
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from ganutils.data import folder, image_folder, pictures
from ganutils.data.layout import arrange
from ganutils.errors import DataError, ParameterError

SHADES = {"train/dog/b.png": 20, "train/cat/a.png": 10, "train/cat/c.PNG": 30, "test/dog/d.png": 40}


def fill(root, shades, **sizes):
    for name, shade in shades.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(root / name)
    return root


def shades(data):
    assert (data.images == data.images[:, :1, :1, :1]).all()
    return data.images[:, 0, 0, 0].tolist()


def test_folder_with_splits(tmp_path):
    root = fill(tmp_path / "pets", SHADES)
    train, test = image_folder(root, "train", 4), image_folder(root, "test", 4)
    assert (shades(train), train.labels.tolist()) == ([10, 30, 20], [0, 0, 1])
    assert (shades(test), test.labels.tolist()) == ([40], [1])  # no cat, and dog keeps its label
    assert train.classes == test.classes == ("cat", "dog")
    assert (train.label, train.split, train.source) == ("pets", "train", "image folder pets")
    assert train.images.shape == (3, 3, 4, 4)
    assert train.notices == ()


def test_folder_without_splits_is_all_train(tmp_path):
    root = fill(tmp_path / "pets", {"b/1.png": 1, "a/deep/2.png": 2, "a/3.png": 3})
    data = image_folder(root)
    assert (shades(data), data.labels.tolist(), data.classes) == ([3, 2, 1], [0, 0, 1], ("a", "b"))
    with pytest.raises(ParameterError, match="split='test': pets has only the split train"):
        image_folder(root, "test")
    with pytest.raises(ParameterError, match="split='val': allowed are train and test"):
        image_folder(root, "val")


@pytest.mark.parametrize("wrapped", ["", "pets-1.0/"])
@pytest.mark.parametrize("form", ["tar.gz", "zip"])
@pytest.mark.parametrize("cut", ["train/", ""])
def test_archive_equals_folder(tmp_path, wrapped, form, cut):
    files = {name.removeprefix(cut): shade for name, shade in SHADES.items() if name.startswith(cut)}
    root = fill(tmp_path / "pets", files)
    path = tmp_path / f"pets.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in reversed(files):
                archive.write(root / name, wrapped + name)
            archive.writestr("__MACOSX/cat/._a.png", b"x")
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(root, wrapped or ".")
    packed, plain = image_folder(path), image_folder(root)
    assert packed.fingerprint == plain.fingerprint
    assert (packed.label, packed.source) == ("pets", f"archive pets.{form}")


def test_layouts():
    assert arrange(["cats/x/1.png"], unwrap=False).classes == ("cats",)
    assert arrange(["pets/cats/1.png"], unwrap=True).classes == ("cats",)
    assert arrange(["cats/1.png"], unwrap=True).classes == ("cats",)
    assert arrange(["train/1.png", "bus/2.png"], unwrap=False).classes == ("bus", "train")
    assert arrange(["train/a/1.png", "val/b/2.png", "logo.png"], unwrap=False) == (
        ("a",), {"train": [("train/a/1.png", 0)]}
    )  # fmt: skip
    assert arrange(["1.png"], unwrap=True) == ((), {})
    assert arrange([], unwrap=True) == ((), {})


def test_other_files_are_ignored(tmp_path):
    root = fill(tmp_path / "pets", {"a/1.png": 1, ".hidden/2.png": 2, "a/.3.png": 3, "__MACOSX/4.png": 4})
    for name in ("a/Thumbs.db", "a/notes.txt", "a/.DS_Store", "readme.md"):
        (root / name).write_bytes(b"x")
    os.mkfifo(root / "a" / "pipe.png")
    data = image_folder(root)
    assert (len(data), data.classes, data.notices) == (1, ("a",), ())


def test_broken_files_are_counted_and_named(tmp_path):
    root = fill(tmp_path / "pets", {f"a/{index}.png": index for index in range(20)})
    for index in range(7):
        (root / f"a/broken{index}.png").write_bytes((root / "a/1.png").read_bytes()[:40])
    (root / "a/broken6.png").write_bytes(b"")
    data = image_folder(root)
    assert len(data) == 20
    (notice,) = data.notices
    assert notice.startswith("pets: 7 of 27 files were skipped")
    assert notice.endswith(": " + ", ".join(f"a/broken{index}.png" for index in range(5)) + " and 2 more.")
    assert image_folder(root).notices == data.notices  # from the cache too


def test_pixel_bombs_are_skipped_without_a_warning(tmp_path, monkeypatch):
    root = fill(tmp_path / "pets", {"a/1.png": 1})
    Image.new("1", (10_000, 9_000)).save(root / "a" / "bomb.png")  # Pillow warns from 89 million pixels on
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = image_folder(root)
    assert len(data) == 1
    assert "a/bomb.png" in data.notices[0]


def test_links_that_leave_the_folder_are_not_followed(tmp_path):
    root = fill(tmp_path / "pets", {"a/1.png": 1, "b/2.png": 2})
    outside = fill(tmp_path / "secret", {"s/3.png": 3})
    (root / "a" / "inside.png").symlink_to(root / "b" / "2.png")
    (root / "a" / "outside.png").symlink_to(outside / "s" / "3.png")
    (root / "a" / "loop.png").symlink_to(root / "a" / "loop.png")
    (root / "c").symlink_to(outside / "s")
    data = image_folder(root)
    assert (shades(data), data.classes) == ([1, 2, 2], ("a", "b"))
    assert data.notices == ("pets: 2 links were not followed: a/outside.png, c.",)


def test_nothing_to_read(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        image_folder(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="has no pictures in class folders"):
        image_folder(empty)
    fill(empty, {"flat.png": 1})
    with pytest.raises(DataError, match="one subfolder of pictures per class"):
        image_folder(empty)
    (empty / "a").mkdir()
    (empty / "a" / "1.png").write_bytes(b"x")
    with pytest.raises(DataError, match="none of the 1 files"):
        image_folder(empty)
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(DataError, match=r"text.zip is not a readable zip or tar archive"):
        image_folder(tmp_path / "text.zip")


def test_memory_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MAX_DECODED_BYTES", 3 * 8 * 8)
    root = fill(tmp_path / "pets", {"a/1.png": 1, "a/2.png": 2})
    with pytest.raises(DataError, match="image_size=8"):
        image_folder(root, image_size=8)


@pytest.mark.parametrize("watched", [True, False])
def test_only_who_watches_sees_a_bar(tmp_path, monkeypatch, capsys, watched):
    bar = folder.tqdm
    monkeypatch.setattr(folder, "tqdm", lambda **options: bar(**{**options, "delay": 0}))
    monkeypatch.setattr(folder, "is_watched", lambda: watched)
    image_folder(fill(tmp_path / "pets", SHADES))
    assert ("decoding pictures" in capsys.readouterr().err) == watched


@pytest.fixture
def decoded_count(monkeypatch):
    """Count the pictures that are decoded."""
    calls = []
    true_decode = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda *args: calls.append(1) or true_decode(*args))
    return calls


def test_second_load_comes_from_the_cache(tmp_path, decoded_count):
    root = fill(tmp_path / "pets", SHADES)
    first = image_folder(root, "train", 4)
    assert len(decoded_count) == 4
    second = image_folder(root, "train", 4)
    image_folder(root, "test", 4)
    assert len(decoded_count) == 4
    assert second.fingerprint == first.fingerprint
    image_folder(root, "train", 8)
    assert len(decoded_count) == 8


def test_changed_files_and_damaged_caches_are_decoded_again(tmp_path, decoded_count):
    root = fill(tmp_path / "pets", SHADES)
    before = image_folder(root, "train", 4)
    times = (root / "train/cat/a.png").stat()
    fill(root, {"train/cat/a.png": 99})
    os.utime(root / "train/cat/a.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    after = image_folder(root, "train", 4)
    assert (shades(before)[0], shades(after)[0]) == (10, 99)
    for store in (tmp_path / "cache" / "images").iterdir():
        content = bytearray(store.read_bytes())
        content[len(content) // 2 :] = np.random.default_rng(0).bytes(len(content) - len(content) // 2)
        store.write_bytes(content)
    assert image_folder(root, "train", 4).fingerprint == after.fingerprint
    assert len(decoded_count) == 12
    assert len(list((tmp_path / "cache" / "images").iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANUTILS_CACHE", str(tmp_path / "file"))
    assert len(image_folder(fill(tmp_path / "pets", SHADES))) == 3


def test_large_and_small_files_decode_alike(tmp_path, monkeypatch):
    root = fill(tmp_path / "pets", SHADES)
    serial = image_folder(root, "train", 4)
    monkeypatch.setattr(folder, "THREAD_BYTES", 0)
    monkeypatch.setenv("GANUTILS_CACHE", str(tmp_path / "other"))
    assert image_folder(root, "train", 4).fingerprint == serial.fingerprint
