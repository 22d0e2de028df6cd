"""The rules about the play of the two networks, on columns made by hand."""

import math

import numpy as np
import pytest
from by_hand import RANK, SIGNS, gap, judge, lights, record

from ganutils.diagnosis import Light, diagnose, paragraph
from ganutils.diagnosis.curves import Curves
from ganutils.history import History


def test_discriminator_wins_from_both_sides():
    found = lights(
        "Discriminator wins", [record(**gap(value)) for value in (0.0, 0.89, 0.91, 0.94, 0.96, 1.0)]
    )
    assert found == ["green", "green", "amber", "amber", "red", "red"]


def test_label_smoothing_lowers_the_largest_gap():
    history = record(**gap(0.9 * 0.96))
    assert lights("Discriminator wins", [history]) == ["green"]
    assert lights("Discriminator wins", [history], params={"label_smoothing": 0.1}) == ["red"]


def test_only_the_last_quarter_tells_who_wins():
    early = record(**{"D(x)": [0.99, 0.99, 0.99, 0.7], "D(G(z))": [0.01, 0.01, 0.01, 0.3]})
    late = record(**{"D(x)": [0.7, 0.7, 0.7, 0.99], "D(G(z))": [0.3, 0.3, 0.3, 0.01]})
    assert lights("Discriminator wins", [early, late]) == ["green", "red"]


def test_the_evidence_names_columns_epochs_and_numbers():
    finding = judge("Discriminator wins", record(**gap(0.98)))
    assert "`D(x)` is 0.99 and `D(G(z))` 0.01" in finding.evidence
    assert "epochs 15.2 to 20" in finding.evidence


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_without_probabilities_the_losses_tell_who_wins(scale):
    """A hinge loss begins near 1 + 1; what is left of it does not depend on its unit."""
    histories = [
        record(d_real=np.array([1, 1, end, end]) * scale, d_fake=np.array([1, 1, end, end]) * scale)
        for end in (1.0, 0.16, 0.14, 0.06, 0.04, 0.0)
    ]
    assert lights("Discriminator wins", histories) == ["green", "green", "amber", "amber", "red", "red"]


def test_scores_are_not_taken_for_probabilities():
    history = record(**{"D(x)": 3.0, "D(G(z))": -3.0}, d_real=-2.0, d_fake=-2.0)
    assert judge("Discriminator wins", history).light == Light.GREY
    assert judge("Oscillation", history).light == Light.GREY
    assert Curves(history).probabilities is None


def test_a_critic_that_is_ahead_has_not_won():
    finding = judge("Discriminator wins", record(distance=5.0, d_real=-3.0, d_fake=-2.0))
    assert finding.light == Light.GREY
    assert finding.evidence.startswith("Does not apply")


def leads(column):
    column = np.asarray(column)
    return record(**{"D(x)": 0.5 + column / 2, "D(G(z))": 0.5 - column / 2})


def test_oscillation_counts_turns_after_the_first_fifth():
    histories = []
    for turns in range(8):
        early = [0.0, 0.6] * 10  # a fifth of the run
        late = [0.6 if place * (turns + 1) // 80 % 2 == 0 else 0.1 for place in range(80)]
        histories.append(leads(early + late))
    found = lights("Oscillation", histories)
    assert found == ["green"] * 4 + ["amber"] * 2 + ["red"] * 2
    assert "turns 7 times" in judge("Oscillation", histories[7]).evidence


def test_swings_count_if_they_go_below_half_by_a_quarter():
    deep, shallow, tiny = [0.8, 0.2], [0.8, 0.5], [0.2, 0.05]
    found = lights("Oscillation", [leads(np.tile(pair, 20)) for pair in (deep, shallow, tiny)])
    assert found == ["red", "green", "green"]


def test_short_dips_are_no_oscillation():
    """One of 50 blocks each time, as in a healthy run of DCGAN on CIFAR-10; five are too many."""
    dips = [0.6] * 49 + [0.1]
    long_dips = [0.6] * 45 + [0.1] * 5
    histories = [
        record(8000, 400, **{"D(x)": 0.5 + column / 2, "D(G(z))": 0.5 - column / 2})
        for column in (np.tile(dips, 8), np.tile(long_dips, 8))
    ]
    assert lights("Oscillation", histories) == ["green", "red"]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_critics_oscillation_does_not_depend_on_its_scale(scale):
    steady = record(distance=np.linspace(1, 0.3, 50) * scale, d_real=-scale)
    wild = record(distance=np.tile([1.0, -1.0], 8) * scale, d_real=-scale)
    assert lights("Oscillation", [steady, wild]) == ["green", "red"]


def test_rounding_noise_of_a_flat_critic_is_no_oscillation():
    assert lights("Oscillation", [record(distance=np.tile([1e-9, -1e-9], 8), d_real=-0.5)]) == ["grey"]


def test_nan_counts_as_not_recorded():
    """The recorder never writes one; where training went back, `rollbacks` says so."""
    whole, holes = everything(), list(everything().updates)
    for row in holes[700:800]:
        row["g_grad"] = math.nan
    assert [one.light for one in diagnose(History(holes, []), {})] == [
        one.light for one in diagnose(whole, {})
    ]


@pytest.mark.parametrize("updates", [0, 1, 19, 69])
def test_short_histories_are_grey_or_short(updates):
    history = (
        record(updates, **gap(0.99), g_fake=500.0, g_grad=0.0, at_bound=1.0) if updates else History([], [])
    )
    findings = diagnose(history, {"epochs": 20})
    raised = {one.sign for one in findings if one.is_raised}
    assert raised <= {"Not trained long enough", "Exploding values"}
    assert paragraph(findings)
    if not updates:
        assert not raised
        assert paragraph(findings) == "Too little was recorded to judge this run."


def test_parameters_may_be_unknown():
    assert len(diagnose(record(**gap(0.3), g_grad=1.0), {})) == len(SIGNS)


def everything(updates=2000):
    random = np.random.default_rng(0)
    column = np.clip(
        np.repeat([0.6, 0.0, 0.7, 0.05, 0.6, 0.0, 0.6], [500, 250, 250, 250, 250, 250, 250])
        + 0.05 * random.standard_normal(2000),
        0,
        1,
    )
    both = {"D(x)": 0.5 + column / 2, "D(G(z))": 0.5 - column / 2}
    return record(updates, **both, d_real=1 - column, d_fake=1 - column, g_fake=1 + column, g_grad=1 + column)


@pytest.mark.parametrize("every", [5, 7, 20, 33])
def test_lights_do_not_depend_on_how_often_rows_were_logged(every):
    """Rows end with the epoch as the recorder's do: at 33 a row, each epoch ends in a row of one update."""
    fine = everything()
    rows = []
    for epoch in range(20):
        inside = fine.updates[100 * epoch : 100 * epoch + 100]
        for start in range(0, 100, every):
            group = inside[start : start + every]
            means = {name: float(np.mean([row[name] for row in group])) for name in group[0]}
            rows.append({**means, "step": group[-1]["step"], "epoch": group[-1]["epoch"]})
    coarse = diagnose(History(rows, []), {"epochs": 20})
    assert [one.light for one in coarse] == [one.light for one in diagnose(fine, {"epochs": 20})]


def test_a_single_wild_update_changes_no_light():
    calm = record(**gap(0.5), g_fake=1.0, d_grad=1.0, g_grad=1.0)
    rows = list(calm.updates)
    rows[1000] |= {"D(x)": 0.0, "D(G(z))": 1.0, "g_fake": 50.0, "g_grad": 0.0, "d_grad": 9000.0}
    assert [one.light for one in diagnose(History(rows, []), {})] == [one.light for one in diagnose(calm, {})]


MONOTONE = {
    "Discriminator wins": [record(**gap(value)) for value in np.linspace(0, 1, 41)],
    "Vanishing gradients": [record(g_grad=10.0**-power) for power in np.linspace(-1, 9, 41)],
    "Exploding values": [record(**gap(0.1), g_fake=10.0**power) for power in np.linspace(-1, 9, 41)],
    "Critic's constraint": [record(at_bound=share) for share in np.linspace(0.1, 1, 41)],
    "Not trained long enough": [record(count, count / 20, g_fake=1.0) for count in range(2000, 100, -100)],
}


@pytest.mark.parametrize("sign", MONOTONE)
def test_worse_is_never_judged_better(sign):
    found = [RANK[light] for light in lights(sign, MONOTONE[sign])]
    assert found == sorted(found)
    assert set(found) == {0, 1, 2}
