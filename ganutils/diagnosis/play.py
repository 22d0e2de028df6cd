"""Who is ahead: signs in the contest of the two networks, read from the history alone.

The numbers beside the limits are those of the recorded runs in tests/histories and of full CIFAR-10 runs.
"""

import numpy as np

from ganutils.diagnosis.curves import Blocks, epoch_name
from ganutils.diagnosis.findings import FEW, Case, Finding, Light, judged, light, too_few

# Gap between D on real and on generated images in the last quarter: up to 0.84 in healthy runs, 0.94 and more
# in runs that had learned nothing. Only the end counts: a healthy run was at 0.97 for an eighth of its time.
_GAP = {"amber": 0.9, "red": 0.95}
# The same in losses, where D gives no probabilities: the share that is left of the untrained losses, 0.31 and
# more in those healthy runs, 0.03 and less in those that had learned nothing.
_LOSS_LEFT = {"amber": 0.15, "red": 0.05}

# A turn goes from the usual gap (its median) to below half of it, or back, by 0.25 at least, in means over 20
# updates. After the first fifth swinging runs turned 7 to 10 times and spent 15% of the time or more below
# half; healthy ones turned 0 to 1 times, and the one that did 8 times had short dips of 1%.
_SWING, _TURNS = 0.25, {"amber": 4, "red": 6}
_BELOW = 0.05

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
    return judged(sign, colour, evidence, remedy)


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
    return judged(sign, colour, evidence, remedy)


def oscillation(case: Case) -> Finding:
    """Judge whether the lead of the discriminator, or the critic's distance, swings again and again."""
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
    usual = max(settled.median, 0.0)
    below = float((settled.values <= usual / 2).mean())
    turns = _turns(settled.values, usual)
    colour = light(len(turns), **_TURNS) if below >= _BELOW else Light.GREEN
    if colour == Light.GREEN:
        evidence = (
            f"After the first fifth the {what} is below half of its usual value {below:.0%} of the time"
        )
        return Finding(sign, colour, f"{evidence}, without swinging back and forth.")
    first, last = (epoch_name(settled.epochs[turns[end]]) for end in (0, -1))
    evidence = (
        f"Between epochs {first} and {last} the {what} turns {len(turns)} times from its usual value to "
        f"below half of it or back; it is there {below:.0%} of the time."
    )
    remedy = case.remedy(
        "a lower `learning_rate`",
        "`beta1: 0.5` (Radford 2015, arXiv 1511.06434)"
        if case.params.get("beta1", 0) > 0.5
        else "`beta1: 0.0` (Gulrajani 2017, arXiv 1704.00028)",
        "`ema: 0.999` averages the swings out of the samples (Yazici 2018, arXiv 1806.04498)",
        "`schedule: linear`",
    )
    return Finding(sign, colour, evidence, remedy)


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


def _turns(gap: np.ndarray, usual: float) -> list[int]:
    """Return where the gap went from its usual value to below half of it, or back."""
    low, high = usual / 2, max(usual, usual / 2 + _SWING)
    is_up, turns = None, []
    for index, value in enumerate(gap):
        now = True if value >= high else False if value <= low else is_up
        if is_up is not None and now != is_up:
            turns.append(index)
        is_up = now
    return turns
