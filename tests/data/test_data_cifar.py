import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from ganutils.data import cifar, cifar10, published
from ganutils.data.download import FetchError
from ganutils.errors import DataError, ParameterError

NAMES = ["zero", "one", "two"]


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def fake(monkeypatch):
    """Return the files of a tiny CIFAR-10 whose digests count as the published ones."""
    random = np.random.default_rng(0)
    files = {"batches.meta": pickle.dumps({"label_names": NAMES})}
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        data = random.integers(0, 256, (4, 3072), np.uint8)
        files[name] = pickle.dumps({"data": data, "labels": [0, 1, 2, len(files) % 3]})
    lists = [[name, md5(content)] for name, content in files.items()]
    for name, chosen in (("META", lists[:1]), ("TRAIN", lists[1:3]), ("TEST", lists[3:])):
        monkeypatch.setattr(published, name, dict(chosen))
    monkeypatch.setattr(CIFAR10, "train_list", lists[1:3])
    monkeypatch.setattr(CIFAR10, "test_list", lists[3:])
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": lists[0][1]}
    )
    return files


def write_folder(root, files):
    base = root / CIFAR10.base_folder
    base.mkdir(parents=True)
    for name, content in files.items():
        (base / name).write_bytes(content)
    return root


def write_archive(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_files_are_those_that_torchvision_reads():
    assert cifar.CLASSES[:6] == ("airplane", "automobile", "bird", "cat", "deer", "dog")
    theirs = (CIFAR10.url, CIFAR10.filename, CIFAR10.tgz_md5, CIFAR10.base_folder)
    assert theirs == (published.URL, published.ARCHIVE, published.ARCHIVE_MD5, published.FOLDER)
    assert {CIFAR10.meta["filename"]: CIFAR10.meta["md5"]} == published.META
    assert (dict(CIFAR10.train_list), dict(CIFAR10.test_list)) == (published.TRAIN, published.TEST)


def test_reads_what_torchvision_reads(fake, tmp_path):
    write_folder(tmp_path, fake)
    for split in ("train", "test"):
        data = cifar10(tmp_path, split, download=False)
        theirs = CIFAR10(tmp_path, train=split == "train")
        assert torch.equal(data.images, torch.from_numpy(theirs.data).permute(0, 3, 1, 2))
        assert data.labels.tolist() == theirs.targets
        assert (data.classes, data.label, data.split) == (("zero", "one", "two"), "CIFAR-10", split)


def test_archive_equals_folder(fake, tmp_path):
    plain = cifar10(write_folder(tmp_path / "plain", fake), download=False)
    (tmp_path / "packed").mkdir()
    write_archive(tmp_path / "packed" / CIFAR10.filename, fake)
    assert cifar10(tmp_path / "packed", download=False).fingerprint == plain.fingerprint
    assert not (tmp_path / "packed" / CIFAR10.base_folder).exists()  # read in memory


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('an unverified pickle was opened')",)


@pytest.mark.parametrize("name", ["batches.meta", "data_batch_2"])
def test_an_unverified_pickle_is_never_opened(fake, tmp_path, name):
    changed = fake | {name: pickle.dumps(Evil())}
    write_folder(tmp_path, changed)
    write_archive(tmp_path / CIFAR10.filename, changed)
    with pytest.raises(
        DataError, match=rf"cifar-10-batches-py/{name} is damaged or changed.*tar.gz/{name} is"
    ):
        cifar10(tmp_path, download=False)
    cifar10(tmp_path, "test", download=False) if name != "batches.meta" else None


def test_a_damaged_folder_is_replaced_by_the_archive(fake, tmp_path):
    write_folder(tmp_path, fake | {"data_batch_1": b"cut"})
    write_archive(tmp_path / CIFAR10.filename, fake)
    assert len(cifar10(tmp_path, download=False)) == 8


def test_missing_files_name_the_remedy(tmp_path):
    with pytest.raises(DataError) as caught:
        cifar10(tmp_path, download=False)
    assert all(
        word in str(caught.value)
        for word in ("data_dir", cifar.URL_VARIABLE, 'dataset="shapes"', "image_folder")
    )
    (tmp_path / "x.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r'is a file; .* set dataset="image_folder"'):
        cifar10(tmp_path / "x.tar")
    with pytest.raises(ParameterError, match="split='val'"):
        cifar10(tmp_path, "val")


def test_download_from_a_mirror(fake, tmp_path, monkeypatch):
    mirror = write_archive(tmp_path / "mirror.tar.gz", fake)
    monkeypatch.setenv(cifar.URL_VARIABLE, mirror.as_uri())
    monkeypatch.setattr(published, "ARCHIVE_MD5", md5(mirror.read_bytes()))
    assert len(cifar10(tmp_path / "data")) == 8
    assert [file.name for file in (tmp_path / "data").iterdir()] == [CIFAR10.filename]
    mirror.unlink()
    assert len(cifar10(tmp_path / "data")) == 8  # from the file that was fetched


def test_a_wrong_mirror_leaves_nothing_behind(fake, tmp_path, monkeypatch):
    monkeypatch.setenv(cifar.URL_VARIABLE, write_archive(tmp_path / "mirror.tar.gz", fake).as_uri())
    with pytest.raises(FetchError, match=r"instead of c58f30108f718f92721af3b95e74349a.*data_dir"):
        cifar10(tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []
