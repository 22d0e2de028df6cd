"""The rules about sizes: gradients, values, and the bound of a critic."""

import pytest
from by_hand import gap, judge, lights, record

from ganutils.diagnosis import Light


def test_vanishing_gradients_from_both_sides():
    norms = (1.0, 2e-4, 9e-5, 2e-5, 9e-6, 0.0)
    found = lights("Vanishing gradients", [record(g_grad=norm) for norm in norms])
    assert found == ["green", "green", "amber", "amber", "red", "red"]


def test_gradients_are_compared_with_their_own_height():
    histories = [record(g_grad=[50.0, 50.0, 50.0, 50 * share]) for share in (1, 0.02, 0.009, 0.002, 0.0009)]
    assert lights("Vanishing gradients", histories) == ["green", "green", "amber", "amber", "red"]


@pytest.mark.parametrize(
    ("column", "others", "values"),
    [
        ("g_fake", gap(0.3), (19, 21, 99, 101)),
        ("d_penalty", {"distance": 1.0}, (999, 1001, 9999, 10001)),
        ("d_real", {"distance": 1.0}, (-999, -1001, -9999, -10001)),
        ("d_grad", gap(0.3), (1999, 2001, 9999, 10001)),
    ],
)
def test_exploding_values_from_both_sides(column, others, values):
    found = lights("Exploding values", [record(**others, **{column: value}) for value in values])
    assert found == ["green", "amber", "amber", "red"]


def test_an_explosion_that_is_over_is_amber():
    over, on = [1.0, 500.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 500.0]
    assert lights("Exploding values", [record(**gap(0.3), g_fake=peak) for peak in (over, on)]) == [
        "amber",
        "red",
    ]


def test_going_back_to_a_checkpoint_is_amber():
    what = "d_real is nan in epoch 0.50 (update 30)"
    finding = judge("Exploding values", record(**gap(0.3), g_fake=1.0), rollbacks=[what])
    assert finding.light == Light.AMBER
    assert what in finding.evidence


def test_weights_at_the_bound_from_both_sides():
    shares = (0.0, 0.019, 0.021, 0.26, 0.84, 0.86, 0.94, 0.96)
    found = lights("Critic's constraint", [record(at_bound=share) for share in shares])
    assert found == ["amber", "amber", "green", "green", "green", "amber", "amber", "red"]
    assert (
        "26.0% of the weights sit at the bound"
        in judge("Critic's constraint", record(at_bound=0.26)).evidence
    )


def test_slope_of_a_penalised_critic():
    found = lights("Critic's constraint", [record(slope=slope) for slope in (1.0, 1.7, 1.8, 2.9, 3.1)])
    assert found == ["green", "green", "amber", "amber", "red"]
    assert judge("Critic's constraint", record(**gap(0.3))).light == Light.GREY
