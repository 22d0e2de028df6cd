import pytest

from ganutils import agreement
from ganutils.agreement import rank_correlation, show_agreement
from ganutils.measurements import Measurement, Protocol, write_measurements
from ganutils.runs import RunDir

PROTOCOL = Protocol(reference="toy", n_real=50, n_fake=50, network="n", resizer="r", precision="fp32")
LOSSES, KIDS = (5.0, 1.0, 4.0, 3.0, 2.0), (0.9, 0.8, 0.4, 0.3, 0.2)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1, 2, 3), (10, 20, 21), 1.0),
        ((1, 2, 3), (3, 2, -5), -1.0),
        ((1, 2, 3, 4), (2, 1, 4, 3), 0.6),  # 1 - 6 * 4 / (4 * 15)
    ],
)
def test_rank_correlation_by_hand(first, second, expected):
    assert rank_correlation(first, second) == pytest.approx(expected)


def test_a_constant_has_no_rank():
    assert rank_correlation((1, 1, 1), (1, 2, 3)) != rank_correlation((1, 1, 1), (1, 2, 3))


SECONDS = {"seconds": 1.0, "score_seconds": 0.1}


@pytest.fixture
def run(toy_params, toy_data):
    found = RunDir.open(toy_params(epochs=5), toy_data)
    for epoch, loss in enumerate(LOSSES, 1):
        rows = [
            {"step": 2 * epoch - half, "epoch": epoch - half / 2, "g_fake": loss + half} for half in (1, 0)
        ]
        found.append(rows, [{"epoch": epoch, "step": 2 * epoch, "g_step": epoch, **SECONDS}])
    return found


def scored(run, epochs):
    write_measurements(
        run,
        [
            Measurement(name="KID", value=KIDS[epoch - 1], error=0.01, epoch=epoch, protocol=PROTOCOL)
            for epoch in epochs
        ],
    )


def test_losses_stand_beside_scores_and_the_start_can_be_left_out(run, monkeypatch):
    scored(run, range(1, 6))
    shown = []
    monkeypatch.setattr(agreement, "show_table", lambda *table: shown.append(table))
    for first in (1, 3, 4):
        show_agreement(run, {"g_fake": "loss"}, first)
    (rows, header, caption), (_, _, later), (_, _, few) = shown
    assert header == ("Epoch", "loss", "KID")
    assert rows[0] == (1, "5.5", "0.900 ± 0.010")
    assert "KID in all scored epochs: loss 0.40. 1:" in caption  # 1 - 6 * 12 / (5 * 24)
    assert "KID in all scored epochs: loss 0.40; from epoch 3 on: loss 1.00. 1:" in later
    assert "from epoch 4 on: too few scores to say." in few


def test_an_epoch_without_an_update_has_no_rank(run, monkeypatch):
    """The second column was recorded in the last three epochs only, where it falls as the score does."""
    for epoch, value in ((3, 0.3), (4, 0.2), (5, 0.1)):
        run.append([{"step": 2 * epoch, "epoch": epoch, "late": value}])
    scored(run, range(1, 6))
    shown = []
    monkeypatch.setattr(agreement, "show_table", lambda *table: shown.append(table))
    show_agreement(run, {"g_fake": "loss", "late": "late"})
    assert shown[0][0][0][2] == "nan"
    assert "in all scored epochs: loss 1.00, late 1.00." in shown[0][2]


def test_a_run_without_scores_says_how_to_get_them(run, capsys):
    scored(run, (2, 4))
    show_agreement(run, {"g_fake": "loss"})
    assert capsys.readouterr().out == (
        "Not scored while training: set metric_every to see the losses beside KID.\n"
    )
