import json

import pytest
from compared_runs import measured, read

from ganutils import comparison_figures, comparison_metrics, comparison_tables, measurements
from ganutils.studies import compare
from ganutils.variants import wgan


def test_overview_rows_equal_the_histories(made):
    run = made("a", epochs=3)
    measured(run, ("FID", 9.0, 1, {}), ("FID", 7.0, 2, {}), ("FID", 8.0, 3, {}), ("recall", 0.5, 3, {}))
    made("b", wgan)
    runs = read()
    rows, header = comparison_tables.overview(runs, compare.scales(runs))
    assert len(header) == len(rows[0])
    assert rows[0][:6] == ("1: a", "dcgan", "toy, 40", "3", "6 / 3", "3")
    assert rows[0][7:] == ("FID (A): 7.0; recall (A): 0.500", "2; 3")
    assert rows[1][:6] == ("2: b", "wgan", "toy, 40", "2", "4 / 2", "1.5")
    assert rows[1][7:] == ("not measured", "–")
    gan = wgan.build(wgan.Params(width=4), 2)
    counted = [sum(weight.numel() for weight in net.parameters()) for net in gan[:2]]
    assert rows[1][6] == " / ".join(f"{count / 1000:.3g}k" for count in counted)


def test_what_is_equal_and_what_differs(made):
    made("a")
    made("b", seed=1, d_steps=5)
    made("c")
    rows, _ = comparison_tables.common_ground(read())
    table = {name: (verdict, value) for name, verdict, value in rows}
    assert table["Batch size"] == ("equal", "20")
    assert table["Generator updates"] == ("equal", "2")
    assert table["Seed"] == ("**differ**", "0 (runs 1 and 3); 1 (run 2)")
    assert table["Images"][0] == "equal"
    assert table["Discriminator updates for one of the generator"][1] == "1 (runs 1 and 3); 5 (run 2)"


def test_differing_parameters_leave_out_what_is_equal_and_what_is_beside_training(made):
    made("a", author="x")
    old = made("b", wgan, learning_rate=0.0002, beta1=0.5, beta2=0.999, d_steps=1)
    described = json.loads((old.path / "params.json").read_text())
    del described["params"]["schedule"]  # as if made before the kit had it
    (old.path / "params.json").write_text(json.dumps(described))
    ((rows, header),) = comparison_tables.differing_parameters(read())
    assert header == ("Parameter", "Run 1", "Run 2")
    names = {row[0] for row in rows}
    assert {"`constraint`", "`network`"} <= names
    assert names.isdisjoint({"`author`", "`run`", "`seed`", "`schedule`", "`learning_rate`"})
    assert ("`penalty`", "–", "10.0") in rows


def test_many_runs_are_spread_over_several_tables(made):
    for seed in range(10):
        made(f"r{seed}", seed=seed)
    parts = comparison_tables.differing_parameters(read())
    assert [len(header) for _, header in parts] == [9, 3]
    assert parts[1][0] == [("`seed`", "8", "9")]


def test_protocols_are_never_mixed(made):
    measured(made("a"), ("FID", 9.0, 1, {}), ("FID", 5.0, 2, {"n_fake": 20}))
    measured(made("b"), ("FID", 8.0, 1, {}), ("FID", 8.5, 2, {}))
    made("c")
    runs = read()
    scales = compare.scales(runs)
    assert [str(title) for title in scales.values()] == ["FID (A)", "FID (B)"]
    rows, _ = comparison_metrics.ranking(runs, scales)
    assert rows == [("FID (A)", "2: b", "8.0", 1, "0.5", 1, "8.5", 2)]
    assert [row[:4] for row in comparison_metrics.protocols(scales)[0]] == [
        ("A", "toy train", 40, 30),
        ("B", "toy train", 40, 20),
    ]
    words = comparison_metrics.absences(runs, scales)
    assert words.splitlines() == [
        "- Missing from FID (A): run 3, not measured.",
        "- Missing from FID (B): run 2, measured by another protocol, A; run 3, not measured.",
    ]
    with pytest.raises(ValueError, match="no common best"):
        measurements.best(runs[0].measurements)


def test_the_floor_stands_beside_numbers_of_its_own_protocol_only(made):
    other = {"n_fake": 20}
    measured(made("a"), ("FID", 9.0, 1, {}), ("KID", 0.5, 1, {}), floors=[("FID", 3.0, 1, {})])
    measured(made("b"), ("FID", 8.0, 1, {}), ("FID", 5.0, 2, other), floors=[("FID", 4.0, 1, {"n_real": 7})])
    runs = read()
    scales = compare.scales(runs)
    assert comparison_metrics.scores(runs, scales) == [
        (
            "A",
            (
                [
                    ("1: a", 1, "9.0", "0.5000"),
                    ("2: b", 1, "8.0", "–"),
                    ("real, not trained on", "–", "3.0", "–"),
                ],
                ("Run", "Epoch", "FID", "KID"),
            ),
        ),
        ("B", ([("2: b", 2, "5.0")], ("Run", "Epoch", "FID"))),
    ]
    told = [comparison_metrics.about_floor(rows) for _, (rows, _) in comparison_metrics.scores(runs, scales)]
    assert told == ["The last row is the floor: real images that were not trained on.", ""]
    overview, _ = comparison_tables.overview(runs, scales)
    assert [row[7] for row in overview] == [
        "FID (A): 9.0 (3.0); KID (A): 0.5000",
        "FID (A): 8.0 (3.0); FID (B): 5.0",
    ]


def test_the_best_of_rising_metrics_is_the_highest(made):
    measured(made("a"), ("precision", 0.2, 1, {}), ("precision", 0.6, 2, {}))
    measured(made("b"), ("precision", 0.7, 1, {}), ("precision", 0.3, 2, {}))
    measured(made("c"), ("precision", 0.9, 1, {}))
    runs = read()
    rows, _ = comparison_metrics.ranking(runs, compare.scales(runs))
    assert [(row[1], row[2], row[6]) for row in rows] == [
        ("2: b", "0.700", "0.300"),
        ("1: a", "0.600", "0.600"),
    ]


@pytest.mark.parametrize(
    ("value", "error", "told"),
    [
        (0.033072, 0.00123, "0.033 ± 0.001"),
        (-0.0001766, 0.00013, "-0.0002 ± 0.0001"),
        (31.4159, 12.0, "31 ± 12"),
        (0.5, 0.0, "0.5000"),
        (0.052451, None, "0.0525"),
    ],
)
def test_numbers_have_the_digits_that_their_errors_leave(made, value, error, told):
    run = made("a")
    measured(run, ("KID", value, 1, {}))
    (row,) = json.loads((run.path / "metrics.json").read_text())
    (run.path / "metrics.json").write_text(json.dumps([{**row, "error": error}]))
    runs = read()
    ((_, (rows, _)),) = comparison_metrics.scores(runs, compare.scales(runs))
    assert rows == [("1: a", 1, told)]


def test_all_numbers_of_a_row_are_those_of_one_epoch(made):
    """The epoch with the lowest KID, though precision and recall were better at others."""
    each = {"KID": (0.5, 0.2, 0.3), "precision": (0.9, 0.6, 0.7), "recall": (0.1, 0.2, 0.3)}
    rows = [(name, value, epoch, {}) for name, some in each.items() for epoch, value in enumerate(some, 1)]
    measured(made("a", epochs=3), *rows)
    measured(made("b", epochs=3), ("precision", 0.9, 1, {}), ("precision", 0.4, 3, {}))
    ((_, (found, header)),) = comparison_metrics.scores(runs := read(), compare.scales(runs))
    assert header == ("Run", "Epoch", "KID", "precision", "recall")
    assert found == [("1: a", 2, "0.2000", "0.600", "0.200"), ("2: b", 3, "–", "0.400", "–")]


def test_without_metrics_a_sentence_says_so(made):
    made("a")
    assert "nothing was measured, so" in comparison_metrics.absences(read(), {})


def test_what_was_measured_later_is_not_called_unmeasured(made):
    measured(made("a", epochs=4), ("FID", 9.0, 4, {}))
    measured(made("b", epochs=4), ("FID", 9.0, 2, {}))
    made("c", epochs=4)
    runs = read(epochs=3)
    scales = compare.scales(runs)
    told = "- Missing from FID (A): run 1, measured later only; run 3, not measured."
    assert comparison_metrics.absences(runs, scales) == told
    rows, _ = comparison_tables.overview(runs, scales)
    assert [row[-2] for row in rows] == ["measured later only", "FID (A): 9.0", "not measured"]
    assert "nothing was measured up to epoch 1, so" in comparison_metrics.absences(read(epochs=1), {})


def test_the_begun_epoch_of_a_paused_run_counts(made):
    """Half an epoch more of two updates each, one of them of the generator."""
    run = made("paused", epochs=4, finished=2)
    run.append([{"step": 5, "epoch": 2.5, "d_real": 1.0, "g_fake": 2.0}])
    measured(run, ("FID", 9.0, 2.5, {}))
    made("ended", epochs=2)
    runs = read(unfinished=True)
    ended, paused = runs
    rows, _ = comparison_tables.overview(runs, compare.scales(runs))
    assert rows[1][3:5] == ("2.5 of 4", "5 / 2")
    assert rows[1][-1] == "2.5"
    facts = {row[0]: row[1] for row in comparison_tables.common_ground(runs)[0]}
    assert facts["Epochs"] == "**differ**"
    assert paused.spent(2.5, "minutes") == 1.25 * ended.history.minutes
    axis = comparison_figures.losses(runs).axes[2]
    assert axis.get_xlim() == (0, 2.5)


_LARGEST = "Of all means over 20 updates, `d_real` came nearest to its limit, 1,000"


@pytest.mark.parametrize(
    ("last", "raised"),
    [
        (2.0, ("none raised", "green", "–")),
        (1e6, ("Exploding values", "**red**", f"{_LARGEST}, with 1e+06 at epoch 3.")),
    ],
)
def test_diagnoses_tell_what_is_raised_or_that_a_run_is_calm(made, last, raised):
    epoch = {"epoch": 3, "step": 20000, "g_step": 20000, "seconds": 90.0, "images_per_second": 1.0}
    loss = {"step": 20000, "epoch": 3, "d_real": last, "d_grad": 5.0, "g_fake": 2.0}
    made("a", epochs=3, finished=2).append([loss], [epoch])
    rows, header = comparison_tables.diagnoses(read())
    assert header == ("Run", "Sign of trouble", "Light", "Evidence")
    assert rows == [("1: a", *raised)]


def test_environments(made):
    run = made("a", seed=3)
    run.note_environment({"device": "cuda (toy)", "system": "toy", "libraries": "torch 0", "started": ""})
    (row,), _ = comparison_tables.environments(read())
    assert row == ("1", "3", "cpu (toy); cuda (toy)", "toy", "torch 0")
