"""Mode coverage by hand, and what is told of it."""

import dataclasses

import pytest
import torch

from ganutils.coverage import Reading, coverage
from ganutils.modes import caption, histogram, show_coverage
from ganutils.runs import RunDir


def reading(first, second, readable=None):
    values = {"letter": torch.tensor(first), "digit": torch.tensor(second)}
    names = {"letter": ("a", "b"), "digit": ("0", "1", "2")}
    there = torch.ones(len(first), dtype=torch.bool) if readable is None else torch.tensor(readable)
    return Reading(names, values, there)


def test_counts_by_hand():
    one = reading([0, 1, 1, 0], [2, 0, 0, 1], [True, True, True, False])
    assert one.counts("letter").tolist() == [1, 2]
    assert one.counts("digit").tolist() == [2, 0, 1]
    assert one.combinations().tolist() == [0, 0, 1, 2, 0, 0]


def test_expected_coverage_is_its_closed_form():
    """Of 6 equally frequent combinations N images cover 6 (1 - (5/6)^N) on average."""
    real = reading([0, 0, 0, 1, 1, 1] * 50, [0, 1, 2] * 100)
    for count in (1, 4, 60):
        found = coverage(reading([0] * count, [0] * count), real)
        assert found.expected == pytest.approx(6 * (1 - (5 / 6) ** count))
        assert (found.covered, found.possible) == (1, 6)
        assert found.share == pytest.approx(1 / found.expected)


def test_real_images_cover_as_much_as_expected():
    random = torch.Generator().manual_seed(0)
    real = reading([0, 0, 0, 1, 1, 1] * 50, [0, 1, 2] * 100)
    shares = []
    for _ in range(300):
        places = torch.randint(300, (8,), generator=random)
        some = reading(*([real.values[name][places].tolist()][0] for name in ("letter", "digit")))
        shares.append(coverage(some, real).share)
    assert sum(shares) / 300 == pytest.approx(1, abs=0.03)


def test_a_missing_value_and_absent_combinations_are_named():
    real = reading([0, 0, 0, 1, 1, 1] * 50, [0, 1, 2] * 100)
    found = coverage(reading([0, 0, 0] * 20, [0, 1, 2] * 20), real)
    assert found.missing == ("letter b",)
    assert found.absent == ("b 0", "b 1", "b 2")
    assert found.rows[1] == ("letter", "b", 0, pytest.approx(30))


def test_a_value_is_missing_below_a_tenth_of_what_is_expected():
    real = reading([0, 1] * 50, [0] * 100)
    counts = (0, 4, 5, 50)
    found = [coverage(reading([1] * n + [0] * (100 - n), [0] * 100), real).missing for n in counts]
    assert found == [("letter b",), ("letter b",), (), ()]


def test_few_images_miss_nothing_for_sure():
    real = reading([0, 1] * 50, [0] * 100)
    assert coverage(reading([0] * 19, [0] * 19), real).missing == ()
    assert coverage(reading([0] * 20, [0] * 20), real).missing == ("letter b",)


def test_images_that_cannot_be_read_cover_nothing():
    real = reading([0, 1] * 50, [0] * 100)
    found = coverage(reading([0, 1], [0, 0], [True, False]), real)
    assert (found.readable, found.covered) == (0.5, 1)


def test_readings_of_other_factors_are_refused():
    other = Reading({"letter": ("a",)}, {"letter": torch.tensor([0])}, torch.tensor([True]))
    with pytest.raises(ValueError, match="other factors"):
        coverage(other, reading([0], [0]))


def test_a_histogram_has_a_panel_a_factor_and_a_dash_a_value():
    real = reading([0, 0, 0, 1, 1, 1] * 50, [0, 1, 2] * 100)
    found = coverage(reading([0, 0, 0] * 20, [0, 1, 2] * 20), real)
    letter, digit = histogram(found).axes
    assert [axis.get_title() for axis in (letter, digit)] == ["letter", "digit"]
    assert [text.get_text() for text in letter.get_xticklabels()] == ["a", "b"]
    assert [bar.get_height() for bar in letter.patches] == [60, 0]
    assert [bar.get_height() for bar in digit.patches] == [20, 20, 20]
    (dashes,) = digit.collections
    assert [segment[0, 1] for segment in dashes.get_segments()] == pytest.approx([20, 20, 20])
    told = caption(dataclasses.replace(found, accuracy=0.875))
    assert "60 generated images show (bars)" in told
    assert (
        "Of 6 combinations 3 occur at least once, where 6 do among as many real ones. Less than a tenth as "
        "often as among real ones: letter b." in told
    )
    assert told.endswith("right about 87.5% of real images that it was not trained on.")


def test_what_is_not_covered_is_told_in_a_sentence(toy_data, toy_params, monkeypatch):
    told = []
    monkeypatch.setattr("IPython.display.display", lambda text: told.append(text.data))
    run = RunDir.open(toy_params(), toy_data)
    assert show_coverage(run, toy_data, toy_params(measure_samples=0)) is None
    assert told == ["Mode coverage is not measured: measure_samples is 0."]
    assert show_coverage(run, toy_data, toy_params()) is None
    assert "no checkpoint" in told[1]
    one = dataclasses.replace(toy_data, classes=("cat",), labels=torch.zeros(40, dtype=torch.int64))
    assert show_coverage(run, one, toy_params()) is None
    assert "the images have one class only, cat." in told[2]
