import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ganutils.history import History, append_rows, cut_rows
from ganutils.rows import Rows

ROWS = [
    {"step": 1, "epoch": 0.5, "d": 1.25},
    {"step": 2, "epoch": 1.0, "d": -3.0, "g": 0.1},
    {"step": 5, "epoch": 2.5, "d": 1e-30},
]
ON_TMP_PATH = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(st.dictionaries(st.sampled_from("abcd"), numbers, max_size=4), max_size=30).map(
    lambda found: [{"step": place, **row} for place, row in enumerate(found, 1)]
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


@ON_TMP_PATH
@given(rows)
def test_what_is_appended_is_read(path, rows):
    path.unlink(missing_ok=True)
    append_rows(path, rows[:7])
    append_rows(path, rows[7:])
    read = Rows.read(path)
    assert list(read) == rows
    assert read == rows
    assert [read[place] for place in range(-len(rows), 0)] == rows
    assert read[1:9:2] == rows[1:9:2]
    assert all(isinstance(row["step"], int) for row in read)


def test_rows_differ():
    assert Rows(ROWS) != Rows(ROWS[:2])
    assert Rows(ROWS) != Rows([*ROWS[:2], {**ROWS[2], "d": 0.0}])
    assert Rows(ROWS) != 3
    with pytest.raises(IndexError):
        Rows(ROWS)[3]


def test_columns_are_nan_where_a_row_lacks_them():
    read = Rows(ROWS)
    assert read.names() == ["step", "epoch", "d", "g"]
    np.testing.assert_array_equal(read.column("g"), [np.nan, 0.1, np.nan])
    assert np.isnan(read.column("unknown")).tolist() == [True] * 3
    epochs, values = History(ROWS, []).column("g")
    assert (epochs.tolist(), values.tolist()) == ([1.0], [0.1])


def test_words_in_a_row_are_kept(path):
    append_rows(path, [{"step": 1, "note": "x", "ok": True}, {"step": 2}])
    assert list(Rows.read(path)) == [{"step": 1, "note": "x", "ok": True}, {"step": 2}]


def test_a_line_torn_anywhere_is_left_out_and_cut_off(path):
    append_rows(path, ROWS)
    whole = path.read_bytes()
    ends = [end for end in range(1, len(whole) + 1) if whole[end - 1 : end] == b"\n"]
    for cut in range(len(whole)):
        for rest in (b"", b"\0" * 9):
            path.write_bytes(whole[:cut] + rest)
            there = sum(end <= cut for end in ends)
            assert list(Rows.read(path)) == ROWS[:there]
            cut_rows(path, 2)
            assert path.read_bytes() == whole[: ([0, *ends])[min(there, 2)]]


def test_a_damaged_line_is_told_and_ends_the_history(path, capsys):
    append_rows(path, [{"step": step} for step in range(1, 9001)])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5000] = b'{"step": \0\0\0}\n'
    path.write_bytes(b"".join(lines))
    assert len(Rows.read(path)) == 5000
    assert "line 5001 is damaged" in capsys.readouterr().out


def test_lines_behind_a_damaged_one_are_kept_in_another_file(path):
    append_rows(path, [{"step": step} for step in range(1, 10)])
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:4], b"?\n", *lines[5:]])
    path.write_bytes(damaged)
    cut_rows(path, 8)
    assert path.read_bytes() == b"".join(lines[:4])
    kept = path.with_name(f"{path.name}.damaged")
    assert kept.read_bytes() == damaged
    kept.unlink()
    cut_rows(path, 2)
    assert path.read_bytes() == b"".join(lines[:2])
    assert not kept.exists()


@ON_TMP_PATH
@given(st.lists(st.binary(max_size=30), max_size=6).map(b"\n".join) | st.binary(max_size=200))
@example(b"5\n")
@example(b'"step"\n')
@example(b'{"step": 1}, {"step": 2}\n')
@example(b'{"step": 1.5}\n')
@example(b"[" * 5000 + b"\n")
@example(b'{"step": 99999999999999999999}\n')
@example(b'{"step": 1}\n{"epoch": 1}\n')
@example(b'{"step": 1}\n[]\n')
def test_any_bytes_are_read_or_left_out(path, content):
    path.write_bytes(content)
    for row in Rows.read(path):
        assert isinstance(row["step"], int)
    cut_rows(path, 10**9)
    assert content.startswith(path.read_bytes())
    json.loads("[" + ",".join(path.read_text().splitlines()) + "]")


def test_a_long_history_is_read_in_little_memory(path):
    columns = ("epoch", "d_real", "d_fake", "D(x)", "D(G(z))", "d_grad", "g_fake", "g_grad")
    append_rows(path, ({"step": i, **dict.fromkeys(columns, i / 7)} for i in range(30_000)))
    tracemalloc.start()
    try:
        read = Rows.read(path)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(read) == 30_000
    numbers = 30_000 * 9 * 8  # bytes
    assert kept < 1.5 * numbers
    assert peak < 5 * numbers  # as dictionaries they would take 15 times as much


@pytest.mark.parametrize(
    ("updates", "epochs", "told"),
    [
        ([], [], "0 of 4"),
        ([{"step": 1, "epoch": 0.5}], [], "0.5 of 4"),
        ([{"step": 2, "epoch": 1.0}], [{"epoch": 1}], "1 of 4"),
        ([{"step": 7, "epoch": 3.516}], [{"epoch": 3}], "3.52 of 4"),
    ],
)
def test_epochs_passed_are_those_finished_and_the_part_of_another(updates, epochs, told):
    assert History(updates, epochs).reached(4) == told
