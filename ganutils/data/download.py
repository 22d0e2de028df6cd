"""Fetching one file of known MD5 with time limits: a dead network costs seconds."""

import hashlib
import os
import queue
import tempfile
import threading
import time
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tqdm.auto import tqdm

from ganutils.errors import DataError

RATE_WINDOW = 10.0  # seconds over which the speed is judged
CHUNK_BYTES = 2**16
SCHEMES = ("http://", "https://", "file://")


class FetchError(DataError):
    """A file cannot be fetched: no network, a dead or throttled host, or other content than expected."""


def fetch(url: str, target: Path, md5: str, *, timeout: float, min_rate: float = 0.0) -> None:
    """Fetch `url` into `target`: to a temporary file beside it, verified, then moved into place.

    Args:
        url: address that starts with http, https or file.
        target: file to write; its folder is created.
        md5: expected digest, 32 hex digits.
        timeout: seconds to wait for the connection, and for each piece of the answer.
        min_rate: bytes per second below which (over `RATE_WINDOW` seconds) the host counts as dead; 0 waits.

    Raises:
        FetchError: the file did not arrive whole, in time and with the right digest.
    """
    if not url.lower().startswith(SCHEMES):
        raise FetchError(f"{url} is no address that can be fetched; it must start with {', '.join(SCHEMES)}.")
    try:
        response = _open(url, timeout)
        target.parent.mkdir(parents=True, exist_ok=True)
        with response, tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
            try:
                _receive(response, part, md5, min_rate)
                part.close()
                os.replace(part.name, target)
            except BaseException:
                part.close()  # Windows removes no open file
                os.unlink(part.name)
                raise
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise FetchError(f"{url} cannot be fetched ({reason})") from error


def _open(url: str, timeout: float) -> HTTPResponse:
    """Open the address; in a thread, as the look-up of a host's name knows no time limit."""
    answer: queue.Queue = queue.Queue()

    def ask() -> None:
        try:
            answer.put(urllib.request.urlopen(url, timeout=timeout))
        except Exception as error:
            answer.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        response = answer.get(timeout=2 * timeout)  # a look-up and a connection
    except queue.Empty:
        raise TimeoutError(f"no answer within {2 * timeout:g} s") from None
    if isinstance(response, Exception):
        raise response
    return response


def _receive(response: HTTPResponse, part, md5: str, min_rate: float) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    total = int(response.headers.get("Content-Length") or 0) or None
    window_start, window_bytes = time.monotonic(), 0
    bar = tqdm(desc="downloading", total=total, unit="B", unit_scale=True, delay=1, leave=False)
    with bar:
        while chunk := response.read1(CHUNK_BYTES):
            part.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
            window_bytes += len(chunk)
            passed = time.monotonic() - window_start
            if passed >= RATE_WINDOW:
                if window_bytes < min_rate * passed:
                    raise TimeoutError(f"the host gives only {window_bytes / passed / 1000:.1f} kB/s")
                window_start, window_bytes = time.monotonic(), 0
    if digest.hexdigest() != md5:
        raise ValueError(f"what arrived has the MD5 {digest.hexdigest()} instead of {md5}")
