import hashlib
import socket
import threading
import time

import pytest

from ganutils.data import download
from ganutils.data.download import FetchError, fetch

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def serve(monkeypatch):
    """Return a function that answers one request with pieces of bytes and pauses; gives the address."""
    monkeypatch.setenv("no_proxy", "*")
    server = socket.create_server(("127.0.0.1", 0))

    def answer(pieces, pause):
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:
                pass  # the other side has given up, as it should

    def start(pieces, pause=0.0):
        threading.Thread(target=answer, args=(pieces, pause), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/file"

    yield start
    server.close()


HEAD = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)


def test_fetch(serve, tmp_path):
    fetch(serve([HEAD, CONTENT]), tmp_path / "new" / "file", MD5, timeout=5)
    assert (tmp_path / "new" / "file").read_bytes() == CONTENT
    assert len(list((tmp_path / "new").iterdir())) == 1


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([HEAD, CONTENT[:1000]], "has the MD5"),
        ([b"HTTP/1.0 404 Not Found\r\n\r\n"], "Not Found"),
        ([b"nonsense"], "nonsense"),
        ([], "cannot be fetched"),
    ],
)
def test_bad_answers(serve, tmp_path, pieces, reason):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FetchError, match=reason):
        fetch(serve(pieces), tmp_path / "file", MD5, timeout=5)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.glob("*file*"))) == 1
    assert not list(tmp_path.glob("*.part"))


def test_silent_and_stalling_hosts_cost_little_time(serve, tmp_path):
    for pieces in ([b"", b""], [HEAD, b"x"]):
        start = time.monotonic()
        with pytest.raises(FetchError):
            fetch(serve(pieces, pause=3), tmp_path / "file", MD5, timeout=0.2)
        assert time.monotonic() - start < 2


def test_a_slow_look_up_of_the_name_is_limited(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(3))
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"no answer within 0.4 s"):
        fetch("http://example.invalid/", tmp_path / "file", MD5, timeout=0.2)
    assert time.monotonic() - start < 2


def test_throttled_hosts_are_given_up_unless_wanted(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "RATE_WINDOW", 0.2)
    pieces = [HEAD, *(CONTENT[start : start + 25_600] for start in range(0, len(CONTENT), 25_600))]
    with pytest.raises(FetchError, match=r"the host gives only [0-9.]+ kB/s"):
        fetch(serve(pieces, pause=0.1), tmp_path / "file", MD5, timeout=5, min_rate=1e6)
    fetch(serve(pieces, pause=0.1), tmp_path / "file", MD5, timeout=5, min_rate=1e4)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_other_schemes_are_refused(tmp_path):
    with pytest.raises(FetchError, match="must start with http://, https://, file://"):
        fetch("ftp://127.0.0.1/x", tmp_path / "file", MD5, timeout=1)
