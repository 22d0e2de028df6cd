import json
import re
import shutil

import pytest
from compared_runs import PROTOCOL, measured, read

from ganutils import comparison_figures, comparison_tables
from ganutils.errors import ParameterError, RunError
from ganutils.sharing import share
from ganutils.studies import compare


def test_runs_keep_their_order_and_come_once(made):
    for name in ("a", "b", "c"):
        made(name)
    found = read(" runs/c, runs/* ,runs/a/,./runs/b")
    assert [run.label for run in found] == ["1: c", "2: a", "3: b"]
    assert [run.name for run in compare.read(compare.Params(runs=["runs/b", "runs/a"]))] == ["b", "a"]


def test_equal_names_in_different_folders_are_told_apart(made):
    made("one/x")
    made("two/x")
    assert [run.name for run in read("runs/one/x,runs/two/*")] == ["runs/one/x", "runs/two/x"]


def test_a_pattern_takes_only_run_folders(made, tmp_path):
    made("a")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "list.txt").write_text("")
    assert [run.name for run in read()] == ["a"]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("runs/nope", "there is no folder 'runs/nope'"),
        ("runs/god", "did you mean 'runs/good'?"),
        ("runs/good,runs/z*", "no run folder matches 'runs/z*'"),
        ("runs/empty", "'runs/empty' is no run folder, as it has no params.json"),
        ("runs/good/params.json", "there is no folder 'runs/good/params.json'"),
        ("runs/blind", "'runs/blind' has no sample grid"),
        ("runs/half", "'runs/half' has finished 1 of 2 epochs"),
    ],
)
def test_bad_runs_are_one_clear_error(made, tmp_path, runs, message):
    made("good")
    made("half", finished=1)
    for sheet in (made("blind").path / "samples").glob("epoch-*.png"):
        sheet.unlink()
    (tmp_path / "runs" / "empty").mkdir()
    with pytest.raises(ParameterError) as caught:
        read(runs)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"runs={runs!r}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_named_stands_for_all_finished_runs_and_says_what_it_leaves_out(made, capsys):
    for name in ("good", "whole"):
        made(name)
    made("half", finished=1)
    for sheet in (made("blind").path / "samples").glob("epoch-*.png"):
        sheet.unlink()
    assert [run.label for run in read(" , ")] == ["1: good", "2: whole"]
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(";")[0] for line in told] == [
        "Left out: 'runs/blind' has no sample grid",
        "Left out: 'runs/half' has finished 1 of 2 epochs",
    ]


def test_without_a_finished_run_those_of_the_kit_are_compared(made, tmp_path, capsys):
    made("half", finished=1)
    share(made("theirs"), tmp_path / "reports" / "runs")
    shutil.rmtree(tmp_path / "runs" / "theirs")
    (run,) = read("")
    assert (run.name, run.folder.is_copy) == ("theirs", True)
    told = capsys.readouterr().out
    assert told == "No run in runs is finished yet: these are the kit's own, reports/runs/*.\n"
    made("mine")
    assert [run.name for run in read("")] == ["mine"]


@pytest.mark.parametrize("runs", ["", "runs/*"])
def test_without_any_run_the_error_says_how_to_make_one(runs):
    with pytest.raises(ParameterError, match=f"runs='{re.escape(runs)}': .*ganutils run dcgan"):
        read(runs)


def test_unfinished_runs_are_compared_on_request(made):
    made("half", finished=1)
    (row,), _ = comparison_tables.overview(read(unfinished=True), {})
    assert row[3] == "1 of 2"


def test_a_stray_file_is_no_grid_and_a_damaged_one_is_told(made):
    samples = made("a").path / "samples"
    (samples / "epoch-00002 (1).png").write_bytes(b"")
    assert read()[0].sample_epochs == [1, 2]
    (samples / "epoch-00002.png").write_bytes(b"half a picture")
    with pytest.raises(ParameterError, match=r"'runs/a' has a damaged samples/epoch-00002\.png; leave it"):
        read()


def test_runs_are_seen_as_they_were_after_some_epochs(made):
    """Updates, minutes, metrics and samples of epoch 3 on are left out; epoch e took 30 e seconds."""
    measured(made("long", epochs=4), ("FID", 9.0, 2, {}), ("FID", 3.0, 4, {}))
    measured(made("short", epochs=1), ("FID", 7.0, 1, {}))
    made("paused", epochs=4, finished=2)
    long, paused, short = read(epochs=2)
    assert [(row["epoch"], row["step"]) for row in long.history.updates] == [(1, 2), (2, 4)]
    assert long.history.minutes == 1.5
    assert [one.value for one in long.measurements] == [9.0]
    assert long.last_samples[0] == 2
    assert (paused.history.epoch, short.history.epoch) == (2, 1)
    rows, _ = comparison_tables.overview([long, short], {})
    assert [row[3:6] for row in rows] == [("2 of 4", "4 / 2", "1.5"), ("1", "2 / 1", "0.5")]


def test_without_samples_in_the_first_epochs_there_is_nothing_to_compare(made):
    (made("late").path / "samples" / "epoch-00001.png").unlink()
    with pytest.raises(ParameterError, match="'runs/late' has no sample grid up to epoch 1;"):
        read(epochs=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON"),
        ('[{"name": "FID", "value": 1, "epoch": 1}]', "0.protocol: Field required"),
        (json.dumps([{"name": "F", "value": 1, "epoch": 9, "protocol": PROTOCOL}]), "F of epoch 9"),
        (json.dumps([{"name": "F", "value": 1, "epoch": 1, "protocol": {**PROTOCOL, "x": 1}}]), "protocol.x"),
        ('[{"name": "FID", "value": "NaN", "epoch": 1, "protocol": {}}]', "0.value"),
    ],
)
def test_a_broken_metrics_file(made, content, message):
    (made("a").path / "metrics.json").write_text(content)
    with pytest.raises(RunError) as caught:
        read()
    assert message in str(caught.value)
    assert "metrics.json" in str(caught.value)


def test_a_run_of_an_unknown_variant_can_still_be_compared(made):
    made("a")
    run = made("b")
    described = json.loads((run.path / "params.json").read_text())
    (run.path / "params.json").write_text(json.dumps({**described, "variant": "gone"}))
    runs = read()
    assert comparison_tables.overview(runs, {})[0][1][6] == "unknown"
    assert "latents of run 2 are unknown" in comparison_tables.latents_in_words(runs, 8)
    comparison_figures.strip(runs, 8)
