"""Any bytes are read or refused with one of the kit's errors; `tests/fuzz.py` looks for longer."""

import io
import zipfile

import pytest
from fuzz_targets import SEEDS, TARGETS, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@st.composite
def spoiled(draw, seeds):
    """A good example, cut and changed at some places."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 2, 4, 40, 10**6])))
        content = content[:start] + draw(st.binary(max_size=8)) + content[end:]
    return content


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_read_or_refused(name, tmp_path):
    target = TARGETS[name]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(spoiled(SEEDS[target]) | st.binary(max_size=100))
    def spoil(content):
        check(target, content, tmp_path)

    check(target, SEEDS[target][0], tmp_path)
    spoil()


def without_a_name():
    """Return a zip archive whose only member has an empty name: what was its name is its comment."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("x.png", b"1")
    content = bytearray(written.getvalue())
    entry = content.index(b"PK\1\2")
    content[entry + 28], content[entry + 32] = 0, content[entry + 28]
    return bytes(content)


def cache_with(place, value):
    """Return a cache file whose first entry of the directory has another byte at a place."""
    content = bytearray(SEEDS[TARGETS["feature_cache"]][0])
    content[content.index(b"PK\1\2") + place] = value
    return bytes(content)


def bare(**parts):
    """Return a cache file whose members are no arrays."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        for name, content in parts.items():
            packed.writestr(f"{name}.npy", content)
    return written.getvalue()


FOUND = [
    ("parameters", b"\x80=1"),
    ("archive", without_a_name()),
    ("feature_cache", cache_with(6, 255)),  # made by a newer version
    ("feature_cache", cache_with(8, 1)),  # encrypted
    ("feature_cache", cache_with(8, 32)),  # patched
    ("feature_cache", cache_with(8, 64)),  # strongly encrypted
    ("feature_cache", cache_with(10, 99)),  # packed by an unknown method
    ("feature_cache", SEEDS[TARGETS["feature_cache"]][0].replace(b"{'descr'", b"{'desc\\'")),
    ("feature_cache", SEEDS[TARGETS["feature_cache"]][0].replace(b"keys.npy", b"keys.txt")),
    ("feature_cache", bare(keys=b"x" * 16, features=b"y")),
]


@pytest.mark.parametrize(("name", "content"), FOUND)
def test_what_fuzzing_found(name, content, tmp_path):
    check(TARGETS[name], content, tmp_path)
