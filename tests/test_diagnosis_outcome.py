"""The rules about what came out, and the words, on facts made by hand."""

import re

import numpy as np
import pytest
from by_hand import PROTOCOL, SIGNS, gap, judge, lights, measured, record

from ganutils import variants
from ganutils.coverage import Coverage
from ganutils.diagnosis import Light, Samples, diagnose, paragraph, table
from ganutils.diagnosis.findings import Case
from ganutils.history import History


@pytest.mark.parametrize("d_steps", [1, 5])
def test_too_short_counts_updates_of_the_generator(d_steps):
    updates = (100, 499, 501, 999, 1001, 5000)
    histories = [record(count * d_steps, per_epoch=count * d_steps / 20, g_fake=1.0) for count in updates]
    found = lights("Not trained long enough", histories, params={"d_steps": d_steps})
    assert found == ["red", "red", "amber", "amber", "green", "green"]


def test_a_run_that_stopped_early():
    histories = [record(2000, per_epoch=2000 / epochs, g_fake=1.0) for epochs in (9, 17.9, 18.1, 20)]
    assert lights("Not trained long enough", histories) == ["amber", "amber", "green", "green"]
    assert "2,000 updates in 9 of 20 epochs" in judge("Not trained long enough", histories[0]).evidence


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ((90, 60, 50, 50), "FID", "green"),
        ((90, 50, 55, 57), "FID", "green"),
        ((90, 50, 55, 58), "FID", "amber"),
        ((90, 50, 60, 74), "FID", "amber"),
        ((90, 50, 60, 76), "FID", "red"),
        ((90, 49, 137), "FID", "red"),
        ((0.2, 0.6, 0.6, 0.55), "precision", "green"),
        ((0.2, 0.6, 0.6, 0.45), "precision", "amber"),
        ((0.2, 0.6, 0.6, 0.2), "precision", "red"),
        ((90, 50), "FID", "grey"),
        ((), "FID", "grey"),
    ],
)
def test_divergence_after_the_best_point(values, name, expected):
    finding = judge(
        "Divergence after the best point", record(g_fake=1.0), measurements=measured(*values, name=name)
    )
    assert finding.light == expected
    if expected in ("amber", "red"):
        assert "best at epoch 10" in finding.evidence
        assert finding.remedy.startswith("Use the samples and the checkpoint of epoch 10")


def test_differences_within_two_standard_errors_are_no_divergence():
    values = (0.09, 0.01, 0.02)
    found = [
        str(judge("Divergence after the best point", record(g_fake=1.0), measurements=numbers).light)
        for numbers in (measured(*values, name="KID", error=error) for error in (None, 0.003, 0.004))
    ]
    assert found == ["red", "red", "green"]


def test_the_best_epoch_is_named_even_if_no_parameter_helps():
    finding = judge("Divergence after the best point", record(g_fake=1.0), measurements=measured(90, 50, 200))
    assert finding.remedy == "Use the samples and the checkpoint of epoch 10."


def test_numbers_of_different_protocols_are_not_mixed():
    other = PROTOCOL.model_copy(update={"n_fake": 5})
    numbers = [*measured(50, 49, 48), *measured(300, protocol=other)]
    assert judge("Divergence after the best point", record(g_fake=1.0), measurements=numbers).light == "green"


def test_a_metric_that_still_improves_asks_for_more_epochs():
    sign = "Not trained long enough"
    done, not_yet = measured(90, 55, 51, 50), measured(90, 70, 60, 50)
    assert judge(sign, record(g_fake=1.0), measurements=done).light == Light.GREEN
    finding = judge(sign, record(g_fake=1.0), measurements=not_yet)
    assert finding.light == Light.AMBER
    assert "FID still got better by 29% in the last third" in finding.evidence


def test_collapse_from_both_sides():
    found = [
        str(judge("Generator collapse", record(g_fake=1.0), samples=Samples(64, {10.0: variety})).light)
        for variety in (1.1, 0.61, 0.59, 0.46, 0.44, 0.0)
    ]
    assert found == ["green", "green", "amber", "amber", "red", "red"]


def test_collapse_says_since_when_and_within_what():
    samples = Samples(70, {1.0: 0.9, 3.0: 0.2, 10.0: 0.1}, within_classes=True, repeated=0.98)
    evidence = judge("Generator collapse", record(g_fake=1.0), samples=samples).evidence
    assert "samples of one class are 0.10 times as far apart as real images" in evidence
    assert "since epoch 3" in evidence
    assert "98% of the samples repeat another one" in evidence


def test_missing_modes_are_amber_if_samples_can_be_read():
    covered = Coverage(1000, 0.9, 96, 48, 95.9, ("background light",), (), ())
    for readable, expected in ((0.9, "amber"), (0.4, "green")):
        one = Coverage(**{**covered.__dict__, "readable": readable})
        finding = judge(
            "Generator collapse", record(g_fake=1.0), samples=Samples(64, {1.0: 0.9}, coverage=one)
        )
        assert finding.light == expected
        assert ("background light" in finding.evidence) == (expected == "amber")


def test_memorisation_from_both_sides():
    found = [
        str(judge("Memorisation", record(g_fake=1.0), samples=Samples(64, {1.0: 0.9}, copied=copied)).light)
        for copied in (0.0, 0.01, 0.09, 0.11, 0.49, 0.51, 1.0, None)
    ]
    assert found == ["green", "green", "green", "amber", "amber", "red", "red", "grey"]


@pytest.mark.parametrize(
    ("coverage", "floor", "expected"),
    [
        (0.55, 0.97, "green"),
        (0.34, 0.99, "green"),
        (0.32, 0.99, "amber"),
        (0.16, 0.99, "amber"),
        (0.14, 0.99, "red"),
        (0.0, 0.0, "red"),
    ],
)
def test_coverage_is_judged_beside_its_floor(coverage, floor, expected):
    finding = judge(
        "Far from the data",
        record(g_fake=1.0),
        measurements=[*measured(0.9, 0.01, coverage, name="coverage"), *measured(90.0)],
        floors=measured(floor, name="coverage"),
    )
    assert finding.light == expected
    assert finding.evidence.startswith(f"At epoch 15, {coverage:.0%} of real images have a generated one")
    assert f"reach {floor:.0%}" in finding.evidence


def test_recall_is_told_beside_its_floor():
    numbers = [*measured(0.5, name="coverage"), *measured(0.2, 0.096, name="recall")]
    floors = [*measured(0.9, name="coverage"), *measured(0.7, name="recall")]
    finding = judge("Far from the data", record(g_fake=1.0), measurements=numbers, floors=floors)
    assert finding.light == "green"
    assert finding.evidence.endswith("variety, is 0.096, that of such real images 0.700.")


def test_coverage_is_not_judged_beside_the_floor_of_another_protocol():
    floors = measured(0.9, name="coverage", protocol=PROTOCOL.model_copy(update={"n_real": 8}))
    numbers = measured(0.1, name="coverage")
    finding = judge("Far from the data", record(g_fake=1.0), measurements=numbers, floors=floors)
    assert finding.light == "grey"


def test_remedies_name_parameters_that_the_run_has_and_does_not_follow_yet():
    case = Case(History([], []), {"d_norm": "batch", "d_steps": 1, "learning_rate": 1e-3})
    ideas = ("`d_norm: spectral` (source)", "`d_steps: 1`", "`clip: 0.01`", "a lower `learning_rate`")
    assert case.remedy(*ideas) == "`d_norm: spectral` (source); a lower `learning_rate`."
    dense = Case(History([], []), {"d_norm": "batch", "network": "dense"})
    assert dense.remedy("`d_norm: spectral`") == ""


def sick():
    """A run with everything wrong, once with a discriminator's and once with a critic's columns."""
    samples = Samples(64, {20.0: 0.1}, repeated=1.0, copied=0.9)
    numbers, floors = measured(90, 50, 200), measured(0.9, name="coverage")
    rest = {"measurements": [*numbers, *measured(0.1, name="coverage")], "samples": samples, "floors": floors}
    column = np.concatenate([np.tile([1.0, 0.0], 12), np.full(12, 1.0)])
    both = {"D(x)": 0.5 + column / 2, "D(G(z))": 0.5 - column / 2}
    yield diagnose(record(400, 20, **both, g_fake=500.0, g_grad=0.0), ALL_PARAMS, **rest)
    critic = {"distance": np.tile([1e5, -1e5], 9), "d_real": -1e5, "g_grad": 0.0, "at_bound": 1.0}
    yield diagnose(record(400, 20, **critic), ALL_PARAMS, **rest)


ALL_PARAMS = {
    name: field.default
    for variant in variants.names()
    for name, field in variants.get(variant).Params.model_fields.items()
}


def test_every_sign_can_be_raised_and_its_remedy_names_real_parameters():
    raised = {one.sign for findings in sick() for one in findings if one.is_raised}
    assert raised == set(SIGNS)
    for one in [one for findings in sick() for one in findings if one.is_raised]:
        named = re.findall(r"`(\w+)(?:: [^`]*)?`", one.remedy)
        assert named, one.sign
        assert set(named) <= ALL_PARAMS.keys()


def test_the_paragraph_tells_red_before_amber_and_warns_of_short_runs():
    findings = next(sick())
    text = paragraph(findings)
    assert text.startswith("Discriminator wins (red): In the last quarter")
    assert "train longer first" in text
    assert "Not judged: critic's constraint." in text
    healthy = diagnose(record(**gap(0.4), g_fake=1.0, g_grad=1.0), {"epochs": 20})
    assert paragraph(healthy).startswith(
        "All signs that can be judged are green: discriminator wins, oscillation"
    )


def test_the_light_is_a_word_and_bold_if_raised():
    rows = table(next(sick()))
    assert [row[0] for row in rows] == list(SIGNS)
    assert {row[1] for row in rows} == {"**red**", "green", "grey"}
    assert all((row[3] == "–") == (row[1] in ("green", "grey")) for row in rows)
    healthy = table(diagnose(record(**gap(0.4), g_fake=1.0, g_grad=1.0), {"epochs": 20}))
    assert {row[1] for row in healthy} == {"green", "grey"}
    assert all(len(row) == 4 and row[3] == "–" for row in healthy)
