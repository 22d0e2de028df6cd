"""Reading zip and tar archives member by member, in memory: nothing is ever extracted to disk."""

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ganutils.errors import DataError

MAX_ENTRIES = 2_000_000
MAX_MEMBER_BYTES = 256 * 2**20  # uncompressed, one member
MAX_TOTAL_BYTES = 64 * 2**30  # uncompressed, whole archive
MAX_RATIO = 200  # uncompressed to compressed; photographs reach 10, drawings 100
RATIO_FREE_BYTES = 64 * 2**20  # small archives may compress as well as they can
MAX_HEADER_BYTES = 2**20  # what tarfile may ask for at once: its long headers have no bound of their own

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")

_DECOMPRESSORS = ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\x00", lzma.open), (b"BZh", bz2.open))
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RecursionError,
    ValueError,
)


def read_archive(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the files for which `wanted(name)` holds, in one pass through the archive.

    Names are relative, with `/` between their parts. Every member is checked, wanted or not.

    Raises:
        DataError: no archive, damaged or encrypted, a member with an unsafe name, a link or device, or
            more entries, bytes or compression than the limits of this module.
    """
    try:
        yield from (_read_zip if _is_zip(path) else _read_tar)(path, wanted)
    except _DAMAGE as error:
        raise DataError(
            f"{path.name} is not a readable zip or tar archive ({error}); fetch or pack it again."
        ) from error


def safe_name(name: str, archive: str) -> str:
    """Return a member's name with `/` as separator and without `.` parts.

    Raises:
        DataError: the name is absolute, leads to a parent folder or holds a NUL character.
    """
    shown = name.encode(errors="xmlcharrefreplace").decode()  # undecodable bytes stay printable
    parts = [part for part in shown.replace("\\", "/").split("/") if part not in ("", ".")]
    if "\0" in name or ".." in parts or name[:1] in ("/", "\\") or re.match("[A-Za-z]:", "".join(parts[:1])):
        raise DataError(
            f"{archive}: the member {shown!r} points outside of the archive; such archives are refused."
        )
    return "/".join(parts)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        # zipfile looks at the end only, where a tar may hold a zip file as its last member.
        return file.read(2) == b"PK" and zipfile.is_zipfile(path)


class _Tally:
    """Counts entries and bytes of one archive and raises DataError at the limits."""

    def __init__(self, path: Path):
        self.archive, self.entries, self.total = path.name, 0, 0
        self.allowed = min(MAX_TOTAL_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * path.stat().st_size))

    def entry(self, name: str, size: int, is_plain: bool) -> None:
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            raise self.refused(f"holds more than {MAX_ENTRIES:,} entries")
        if not is_plain:
            raise self.refused(f"the member {name!r} is a link, a device or another special file")
        if not 0 <= size <= MAX_MEMBER_BYTES:
            raise self.refused(f"the member {name!r} says {size:,} bytes, allowed are {MAX_MEMBER_BYTES:,}")

    def reach(self, total: int) -> None:
        if total > self.allowed:
            raise self.refused(f"unpacks to more than {self.allowed:,} bytes, far too many for its size")

    def refused(self, why: str) -> DataError:
        return DataError(f"{self.archive}: {why}; such archives are refused. Use a plain folder of images.")


def _read_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    tally = _Tally(path)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = safe_name(info.orig_filename, path.name)
            # Zip files made on Windows record no file type (0).
            kind = stat.S_IFMT(info.external_attr >> 16)
            tally.entry(name, info.file_size, kind in (0, stat.S_IFREG, stat.S_IFDIR))
            tally.total += info.file_size
            tally.reach(tally.total)
            # info.is_dir() fails on an empty name.
            if info.filename.endswith("/") or not wanted(name):
                continue
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile would unpack the others all at once, however little the member says it holds.
                raise tally.refused(f"{name!r} is packed by a rare method, not by deflate")
            if info.flag_bits & 1:
                raise DataError(f"{path.name}: {name!r} is encrypted; use an archive without a password.")
            yield name, archive.read(info)


def _read_tar(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    tally = _Tally(path)
    with path.open("rb") as file, _decompressed(file) as content:
        stream = _Stream(content, tally)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            while (member := archive.next()) is not None:
                name = safe_name(member.name, path.name)
                plain = (member.isreg() and not member.issparse()) or member.isdir()
                tally.entry(name, member.size, plain)
                archive.members.clear()  # tarfile would keep every header
                if member.isreg() and wanted(name):
                    yield name, stream.take(member.offset_data, member.size)
        if any(stream.last):  # tarfile takes a damaged header for the end; the true end is a block of zeros
            raise tarfile.ReadError(f"damaged after {tally.entries:,} entries")


def _decompressed(file: BinaryIO) -> BinaryIO:
    start = file.read(6)
    file.seek(0)
    for magic, opener in _DECOMPRESSORS:
        if start.startswith(magic):
            return opener(file)
    return file


class _Stream(io.RawIOBase):
    """A decompressed tar as tarfile reads it: forwards only, with bounded reads and a bounded total."""

    def __init__(self, file: BinaryIO, tally: _Tally):
        self.file, self.tally, self.position, self.last = file, tally, 0, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise self.tally.refused(f"has a header of {size:,} bytes")
        self.last = self._read(size)
        return self.last

    def tell(self) -> int:
        return self.position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self.position:
            raise tarfile.ReadError("a header leads backwards")
        while self.position < position:
            if not self._read(min(position - self.position, MAX_HEADER_BYTES)):
                break
        return self.position

    def take(self, position: int, size: int) -> bytes:
        self.seek(position)
        content = self._read(size)
        if len(content) < size:
            raise tarfile.ReadError("it ends too early")
        return content

    def _read(self, size: int) -> bytes:
        self.tally.reach(self.position + size)
        content = self.file.read(size)
        self.position += len(content)
        return content
