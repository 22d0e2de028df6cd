"""Who is ahead: signs in the contest of the two networks, read from the history alone.

The numbers beside the limits are those of the recorded runs in tests/histories and of full CIFAR-10 runs.
"""

import numpy as np

from ganutils.diagnosis.curves import Blocks
from ganutils.diagnosis.findings import FEW, Case, Finding, Light, light, too_few

# Gap between D on real and on generated images in the last quarter: up to 0.84 in healthy runs, 0.94 and more
# in runs that had learned nothing. Only the end counts: a healthy run was at 0.97 for an eighth of its time.
_GAP = {"amber": 0.9, "red": 0.95}
# The same in losses, where D gives no probabilities: the share that is left of the untrained losses, 0.31 and
# more in those healthy runs, 0.03 and less in those that had learned nothing.
_LOSS_LEFT = {"amber": 0.15, "red": 0.05}

# The lead changes hands when D's gap goes from 0.4 to 0.1 or back, in means over 20 updates. In healthy runs
# it never did after the first fifth, in swinging ones 2 to 10 times.
_AHEAD, _EVEN = 0.4, 0.1
_CHANGES = {"amber": 2, "red": 4}

_FLAT = 1e-6  # of the critic's scores: a distance below is the rounding of fp32


def discriminator_wins(case: Case) -> Finding:
    """Judge whether the discriminator tells real from generated images without effort at the end."""
    sign, curves = "Discriminator wins", case.curves
    if "distance" in curves:
        reason = "Does not apply: a critic gives scores, and one that is far ahead is what its loss needs."
        return Finding(sign, Light.GREY, reason)
    remedy = case.remedy(
        "`d_norm: spectral` holds the discriminator back (Miyato 2018, arXiv 1802.05957)",
        "a lower `d_learning_rate`",
        "`d_steps: 1`",
        "`label_smoothing: 0.1` (Salimans 2016, arXiv 1606.03498)",
        "`augment: color,translation` where there are few images (Zhao 2020, arXiv 2006.10738)",
    )
    if curves.probabilities is None:
        return _by_losses(case, sign, remedy)
    on_real, on_fake = curves.probabilities
    real, fake = curves.blocks(on_real), curves.blocks(on_fake)
    if min(len(real.values), len(fake.values)) < FEW:
        return too_few(sign, fake)
    most = _largest_gap(case)
    gap = (real.last.median - fake.last.median) / most
    before = (real.part(0.25, 0.5).median - fake.part(0.25, 0.5).median) / most
    colour = light(gap, **_GAP)
    evidence = (
        f"In the last quarter ({fake.last.when}) `{on_real}` is {real.last.median:.3g} and `{on_fake}` "
        f"{fake.last.median:.3g}, {gap:.0%} of the largest possible gap; in the second quarter it was "
        f"{before:.0%}."
    )
    return Finding(sign, colour, evidence, remedy if colour != Light.GREEN else "")


def _by_losses(case: Case, sign: str, remedy: str) -> Finding:
    curves = case.curves
    if "d_real" not in curves or "d_fake" not in curves:
        return Finding(sign, Light.GREY, "Cannot be judged: the history has no losses of the discriminator.")
    total = curves.blocks(curves.column("d_real") + curves.column("d_fake"))
    if len(total.values) < FEW:
        return too_few(sign, total)
    start = total.values[0]
    if min(curves.blocks(name).values.min() for name in ("d_real", "d_fake")) < 0 or start <= 0:
        reason = "Cannot be judged: the discriminator's losses are neither probabilities nor bounded below."
        return Finding(sign, Light.GREY, reason)
    left = total.last.median / start
    colour = light(-left, **{name: -limit for name, limit in _LOSS_LEFT.items()})
    evidence = (
        f"In the last quarter ({total.last.when}) `d_real` + `d_fake` is {total.last.median:.3g}, "
        f"{left:.0%} of what it was at the start."
    )
    return Finding(sign, colour, evidence, remedy if colour != Light.GREEN else "")


def oscillation(case: Case) -> Finding:
    """Judge whether the networks overtake each other again and again."""
    sign, curves = "Oscillation", case.curves
    lead, what = _gap(case), "gap between D on real and on generated images"
    if lead is None and "distance" in curves:
        lead, what = _distance(case), "critic's `distance`"
    if lead is None:
        reason = "Cannot be judged: the history does not say which network is ahead."
        return Finding(sign, Light.GREY, reason)
    settled = lead.part(0.2)
    if len(settled.values) < 4 * FEW:
        return too_few(sign, settled)
    turns = _changes_of_lead(settled.values)
    colour = light(len(turns), **_CHANGES)
    if not turns:
        evidence = f"The lead never changes hands after the first fifth: the {what} stays on one side."
        return Finding(sign, Light.GREEN, evidence)
    first, last = settled.epochs[turns[0]], settled.epochs[turns[-1]]
    evidence = (
        f"The lead changes hands {_times(len(turns))} between epochs {first:.3g} and {last:.3g}: the {what} "
        "rises, falls to nearly nothing and comes back."
    )
    remedy = case.remedy(
        "a lower `learning_rate`",
        "`beta1: 0.5` (Radford 2015, arXiv 1511.06434)"
        if case.params.get("beta1", 0) > 0.5
        else "`beta1: 0.0` (Gulrajani 2017, arXiv 1704.00028)",
        "`ema: 0.999` averages the swings out of the samples (Yazici 2018, arXiv 1806.04498)",
        "`schedule: linear`",
    )
    return Finding(sign, colour, evidence, remedy if colour != Light.GREEN else "")


def _gap(case: Case) -> Blocks | None:
    """Return D on real minus D on generated images, 1 at most; None if D gives no probabilities."""
    names = case.curves.probabilities
    if names is None:
        return None
    real, fake = names
    return case.curves.blocks((case.curves.column(real) - case.curves.column(fake)) / _largest_gap(case))


def _largest_gap(case: Case) -> float:
    """Return the gap of a discriminator that is never wrong: smoothed labels hold D on real images down."""
    return 1 - case.params.get("label_smoothing", 0.0)


def _distance(case: Case) -> Blocks | None:
    """Return the critic's distance in units of its own height, like a gap; None if scores are all alike."""
    distance = case.curves.blocks("distance")
    if not len(distance.values):
        return None
    height = float(np.quantile(np.abs(distance.values), 0.8))
    scores = np.abs(case.curves.blocks("d_real").values)
    is_flat = height == 0 or (len(scores) and height < _FLAT * np.median(scores))
    return None if is_flat else Blocks(distance.epochs, distance.values / height)


def _changes_of_lead(gap: np.ndarray) -> list[int]:
    """Return where the gap went from clear to none or back."""
    ahead, turns = None, []
    for index, value in enumerate(gap):
        now = True if value >= _AHEAD else False if value <= _EVEN else ahead
        if ahead is not None and now != ahead:
            turns.append(index)
        ahead = now
    return turns


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
