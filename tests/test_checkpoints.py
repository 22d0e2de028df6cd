import errno
import os
import resource
import stat
from contextlib import contextmanager

import pytest
import torch

from ganutils import files
from ganutils.checkpoints import Checkpoints
from ganutils.errors import RunError
from ganutils.files import write_atomic


@pytest.fixture
def checkpoints(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return Checkpoints(folder)


def state(number):
    return {"step": number, "weights": torch.full((1000,), float(number))}


def tear(path):
    """Keep half of a file, as a power cut might."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


@contextmanager
def files_of_at_most(size):
    """Let writing beyond `size` bytes fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_last_two_are_kept(checkpoints):
    assert checkpoints.load() is None
    for number in (1, 2, 3):
        checkpoints.save(state(number))
    assert checkpoints.load()["step"] == 3
    assert torch.load(checkpoints.previous)["step"] == 2
    assert sorted(path.name for path in checkpoints.last.parent.iterdir()) == ["last.pt", "previous.pt"]


def test_a_damaged_one_falls_back_to_the_one_before_and_says_so(checkpoints, capsys):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    tear(checkpoints.last)
    assert torch.equal(checkpoints.load()["weights"], state(1)["weights"])
    text = capsys.readouterr().out
    assert "WARNING" in text
    assert "last.pt cannot be read" in text
    assert "previous.pt" in text


def test_one_changed_byte_of_the_weights_is_damage(checkpoints, capsys):
    """torch.load itself takes it."""
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    content = checkpoints.last.read_bytes()
    place = content.index(torch.full((10,), 2.0).numpy().tobytes())
    checkpoints.last.write_bytes(content[:place] + b"!" + content[place + 1 :])
    assert torch.load(checkpoints.last)["weights"][0] != 2
    assert checkpoints.load()["step"] == 1
    assert "data/0 in it is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("other", [[1, 2], {"weights": 1}, {"step": "1"}, None])
def test_something_else_is_no_checkpoint(checkpoints, other):
    torch.save(other, checkpoints.last)
    with pytest.raises(RunError, match="it is no checkpoint"):
        checkpoints.load()


def test_going_back_on_purpose_keeps_the_one_before(checkpoints):
    for number in (1, 2):
        checkpoints.save(state(number))
    assert checkpoints.load_previous()["step"] == 1
    checkpoints.save(state(3))
    assert torch.load(checkpoints.previous)["step"] == 1
    assert Checkpoints(checkpoints.last.parent / "nowhere").load_previous() is None


def test_an_empty_or_missing_one_falls_back_too(checkpoints):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    checkpoints.last.unlink()
    assert checkpoints.load()["step"] == 1
    checkpoints.last.write_bytes(b"")
    assert checkpoints.load()["step"] == 1


def test_two_damaged_ones_are_an_error_with_the_remedy(checkpoints):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    tear(checkpoints.last)
    tear(checkpoints.previous)
    with pytest.raises(RunError, match=r"last\.pt cannot be read .* Delete the run folder"):
        checkpoints.load()


def test_a_damaged_one_never_becomes_the_one_before(checkpoints):
    """The next save after a fall-back keeps what was good until the new one is whole."""
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    tear(checkpoints.last)
    checkpoints.save(checkpoints.load() | {"step": 3})
    assert torch.load(checkpoints.previous)["step"] == 1
    assert checkpoints.load()["step"] == 3


def test_a_full_disk_keeps_the_last_good_state(checkpoints):
    checkpoints.save(state(1))
    with files_of_at_most(2000), pytest.raises(RunError, match="cannot be written"):
        checkpoints.save(state(2))
    assert checkpoints.load()["step"] == 1
    assert [path.name for path in checkpoints.last.parent.iterdir()] == ["last.pt"]


def test_the_best_one_is_there_before_the_last_one_and_stays(checkpoints):
    checkpoints.save(state(1))
    checkpoints.save(state(2), is_best=True)
    checkpoints.save(state(3))
    assert checkpoints.load_best()["step"] == 2


def test_what_a_crash_left_of_the_best_one_is_not_written_over(checkpoints):
    """Died after best.pt got its name and before last.pt did: both names are those of one file."""
    checkpoints.save(state(1), is_best=True)
    os.rename(checkpoints.last, checkpoints.last.with_name(".last.pt.tmp"))
    checkpoints.save(state(2))
    assert (checkpoints.load_best()["step"], checkpoints.load()["step"]) == (1, 2)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "new" / "file"
    path.parent.mkdir()
    write_atomic(path, b"old")
    with files_of_at_most(100), pytest.raises(OSError, match="File too large"):
        write_atomic(path, bytes(1000))
    assert path.read_bytes() == b"old"
    assert [path.name for path in path.parent.iterdir()] == ["file"]


def test_what_another_program_has_open_for_a_moment_is_replaced_after_it(tmp_path, monkeypatch):
    """As on Windows, where a virus scanner reads each new file."""
    replace, refused = os.replace, []

    def busy(source, target):
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(files, "_PATIENCE", (0, 0, 0))
    monkeypatch.setattr(os, "replace", busy)
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(refused) == 2


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_disk_that_cannot_flush_folders_still_takes_files(tmp_path, monkeypatch, what):
    flushed = os.fsync

    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == (what == "folder"):
            raise OSError(errno.EINVAL, "Invalid argument")
        flushed(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    if what == "file":
        with pytest.raises(OSError, match="Invalid argument"):
            write_atomic(tmp_path / "file", b"new")
        assert not list(tmp_path.glob("*file*"))
    else:
        write_atomic(tmp_path / "file", b"new")
        assert (tmp_path / "file").read_bytes() == b"new"


def test_a_gpu_that_fails_is_not_taken_for_a_full_disk(checkpoints, monkeypatch):
    def fail(state, path):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(torch.AcceleratorError, match="illegal memory access"):
        checkpoints.save({"step": 1})
