import io
import stat
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganutils.data import archive
from ganutils.data.archive import read_archive, safe_name
from ganutils.errors import DataError

FILES = {"train/cat/a.jpg": b"abc" * 400, "train/dog/b.jpg": b"", "train/dog/long" + "x" * 120 + ".jpg": b"z"}


def make_tar(path, files, mode="w", **fields):
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in fields.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(content))
    return path


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path


def everything(path):
    return dict(read_archive(path, lambda name: True))


@pytest.mark.parametrize("mode", ["", "gz", "xz", "bz2"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar_round_trip(tmp_path, mode, form):
    path = tmp_path / "files.tar"
    with tarfile.open(path, f"w:{mode}", format=form) as tar:
        tar.addfile(tarfile.TarInfo("train"))
        for name, content in FILES.items():
            member = tarfile.TarInfo("./" + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert everything(path) == FILES | {"train": b""}
    assert dict(read_archive(path, lambda name: name.endswith("a.jpg"))) == {"train/cat/a.jpg": b"abc" * 400}


def test_zip_round_trip(tmp_path):
    path = make_zip(tmp_path / "files.zip", {"train/": b"", **FILES, "train\\win\\c.jpg": b"w"})
    assert everything(path) == FILES | {"train/win/c.jpg": b"w"}


def test_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    inner = make_zip(tmp_path / "inner.zip", {"a": b"1"}).read_bytes()
    assert list(everything(make_tar(tmp_path / "outer.tar", {"x/inner.zip": inner}))) == ["x/inner.zip"]


@pytest.mark.parametrize(
    "name", ["../a.jpg", "a/../../b.jpg", "/etc/a.jpg", "C:\\a.jpg", "..\\a.jpg", "a/.."]
)
@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_members_outside_are_refused(tmp_path, make, name):
    path = make(tmp_path / "evil.archive", {"fine.jpg": b"1", name: b"2"})
    with pytest.raises(DataError, match=r"evil.archive: the member .* points outside"):
        list(read_archive(path, lambda name: False))


@given(st.text(st.characters()) | st.text(alphabet="./\\ab:C\0\udc80", max_size=12))
def test_safe_names_stay_inside(name):
    try:
        safe = safe_name(name, "x.tar")
    except DataError:
        return
    parts = PurePosixPath(safe).parts
    assert ".." not in parts
    assert not PurePosixPath(safe).is_absolute()
    assert not set(safe) & {"\\", "\0"}
    assert safe_name(safe, "x.tar") == safe
    safe.encode()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    path = make_tar(tmp_path / "links.tar", {"cat/a.jpg": b""}, type=kind, linkname="/etc/passwd")
    with pytest.raises(DataError, match=r"links.tar: the member 'cat/a.jpg' is a link"):
        everything(path)


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("cat/a.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    make_zip(tmp_path / "links.zip", {info: b"/etc/passwd"})
    with pytest.raises(DataError, match=r"links.zip: the member 'cat/a.jpg' is a link"):
        everything(tmp_path / "links.zip")


@pytest.mark.parametrize(("make", "options"), [(make_tar, {}), (make_zip, {})])
def test_too_many_entries_are_refused(tmp_path, monkeypatch, make, options):
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    with pytest.raises(DataError, match="more than 2 entries"):
        list(read_archive(make(tmp_path / "many", FILES, **options), lambda name: False))


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_too_large_members_are_refused(tmp_path, monkeypatch, make):
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 1000)
    with pytest.raises(DataError, match=r"train/cat/a.jpg' says 1,200 bytes, allowed are 1,000"):
        everything(make(tmp_path / "large", FILES))


@pytest.mark.parametrize(("make", "options"), [(make_tar, {"mode": "w:xz"}), (make_zip, {})])
def test_compression_bombs_are_refused(tmp_path, monkeypatch, make, options):
    monkeypatch.setattr(archive, "RATIO_FREE_BYTES", 2**20)
    path = make(tmp_path / "bomb", {f"cat/{index}.jpg": bytes(2**20) for index in range(8)}, **options)
    assert path.stat().st_size < 20_000
    with pytest.raises(DataError, match="bomb: unpacks to more than"):
        list(read_archive(path, lambda name: False))


def test_total_size_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 3000)
    with pytest.raises(DataError, match="unpacks to more than 3,000 bytes"):
        everything(make_tar(tmp_path / "x.tar", FILES))


def test_a_huge_header_is_refused_before_it_is_read(tmp_path):
    path = make_tar(tmp_path / "header.tar", {"x": bytes(2**21)}, type=tarfile.XHDTYPE)
    with pytest.raises(DataError, match="has a header of 2,097,152 bytes"):
        everything(path)


@pytest.mark.parametrize("cut", [3000, 600, 10, 0])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_cut_archives_are_damaged(tmp_path, mode, cut):
    files = {f"cat/{index}.jpg": index.to_bytes(2, "big") * 350 for index in range(60)}
    path = make_tar(tmp_path / "cut.tar", files, mode)
    whole = path.read_bytes()
    path.write_bytes(whole[: cut if mode == "w" else min(cut, len(whole) // 2)])
    with pytest.raises(DataError, match=r"cut.tar is not a readable zip or tar archive"):
        everything(path)


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path):
    path = make_tar(tmp_path / "bad.tar", {"cat/a.jpg": b"1", "cat/b.jpg": b"2"})
    content = bytearray(path.read_bytes())
    content[1024:1030] = b"XXXXXX"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged after 1 entries"):
        everything(path)


def test_a_zip_with_a_password_is_refused(tmp_path):
    path = make_zip(tmp_path / "locked.zip", {"a.jpg": b"1"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        everything(path)
