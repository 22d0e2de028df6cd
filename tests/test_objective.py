import math

import pytest
import torch

from ganutils.objective import Terms, bce_fake, bce_real, guessing, probability


def test_bce_by_hand():
    logits = torch.tensor([0.0, math.log(3)])  # probabilities 1/2 and 3/4
    assert math.isclose(bce_real(logits).item(), (math.log(2) + math.log(4 / 3)) / 2, rel_tol=1e-6)
    assert math.isclose(bce_fake(logits).item(), (math.log(2) + math.log(4)) / 2, rel_tol=1e-6)
    smoothed = 0.9 * (math.log(2) + math.log(4 / 3)) / 2 + 0.1 * (math.log(2) + math.log(4)) / 2
    assert math.isclose(bce_real(logits, 0.1).item(), smoothed, rel_tol=1e-6)
    assert math.isclose(probability(logits).item(), (0.5 + 0.75) / 2, rel_tol=1e-6)


def test_bce_stays_finite_and_exact_far_out():
    assert bce_real(torch.tensor([200.0])).item() == 0
    assert bce_real(torch.tensor([-200.0])).item() == 200
    assert bce_fake(torch.tensor([200.0])).item() == 200


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_a_guess_is_the_best_answer_to_images_that_look_alike(smoothing):
    guess = guessing(smoothing)
    logit = torch.tensor([math.log(guess["D"] / (1 - guess["D"]))], dtype=torch.float64, requires_grad=True)
    on_real, on_fake = bce_real(logit, smoothing), bce_fake(logit)
    (slope,) = torch.autograd.grad(on_real + on_fake, logit)
    assert slope.item() == pytest.approx(0, abs=1e-7)
    assert on_real.item() == pytest.approx(guess["d_real"])
    assert on_fake.item() == pytest.approx(guess["d_fake"])
    assert bce_real(logit).item() == pytest.approx(guess["g_fake"])


def test_without_smoothing_all_guesses_cost_log_2():
    assert guessing() == {"D": 0.5, **dict.fromkeys(("d_real", "d_fake", "g_fake"), math.log(2))}


def test_total_is_the_sum():
    assert (
        Terms({"a": torch.tensor(1.5), "b": torch.tensor(2.0)}, {"c": torch.tensor(9.0)}).total.item() == 3.5
    )
