"""How large: gradients that vanish, values that explode, a critic at its bound; from the history alone.

The numbers beside the limits are those of the recorded runs in tests/histories and of full CIFAR-10 runs.
"""

import numpy as np

from ganutils.diagnosis.curves import epoch_name
from ganutils.diagnosis.findings import FEW, ORDER, Case, Finding, Light, judged, light, too_few, worse

# Adam and RMSprop add 1e-8 to each weight's root mean square gradient: with a million weights a norm below
# 1e-5 is lost in it. Against their own height gradients of healthy runs fell to no less than 0.2.
_NORM, _SHARE = {"amber": -1e-4, "red": -1e-5}, {"amber": -1e-2, "red": -1e-3}

# Cross-entropies of healthy runs reach 7.5; above 17 a probability differs from 1 by less than fp32 resolves.
# Critics' losses reach 146, gradient norms 374; in runs made to explode they reached 84 to 7,000 and 5e9.
_ENTROPY, _SCORE = {"amber": 20, "red": 100}, {"amber": 1e3, "red": 1e4}
_GRADIENT = {"amber": 2e3, "red": 1e4}

# Share of weights at the bound: 0.14 to 0.68 in runs that learned, 0.98 with a bound that was too small,
# 0.002 with one that was hardly ever reached.
_AT_BOUND, _UNUSED = {"amber": 0.85, "red": 0.95}, 0.02
# Norm of a penalised critic's gradient, 1 where the penalty holds: 1.2 to 1.4 in runs that learned.
_SLOPE = {"amber": 1.75, "red": 3}


def vanishing_gradients(case: Case) -> Finding:
    """Judge whether the generator still gets a gradient."""
    sign, norms = "Vanishing gradients", case.curves.blocks("g_grad")
    if len(norms.values) < FEW:
        return too_few(sign, norms)
    norm, height = norms.last.median, float(np.quantile(norms.values, 0.9))
    share = norm / height if height else 0.0
    colour = worse(light(-norm, **_NORM), light(-share, **_SHARE))
    evidence = (
        f"The generator's gradient `g_grad` has norm {norm:.3g} in the last quarter ({norms.last.when}); "
        f"for nine tenths of the run it was at most {height:.3g}."
    )
    remedy = case.remedy(
        "a lower `learning_rate`: saturated outputs pass no gradient",
        "`constraint: penalty` (Gulrajani 2017, arXiv 1704.00028)",
        "a larger `clip`, such as 0.01 (Arjovsky 2017, arXiv 1701.07875)",
        "`d_norm: spectral` (Miyato 2018, arXiv 1802.05957)",
    )
    return judged(sign, colour, evidence, remedy)


def exploding_values(case: Case) -> Finding:
    """Judge whether losses or gradients leave every reasonable size, and whether they came back."""
    sign, curves = "Exploding values", case.curves
    remedy = case.remedy(
        "a lower `learning_rate`",
        "`d_norm: spectral` (Miyato 2018, arXiv 1802.05957)",
        "`constraint: penalty` (Gulrajani 2017, arXiv 1704.00028)",
        "`precision: fp32`",
        "`on_nan: rollback`",
    )
    peaks = [_peak(case, name) for name in (*curves.terms, "d_grad", "g_grad") if name in curves]
    if not peaks:
        return Finding(sign, Light.GREY, "Cannot be judged: the history has no losses and no gradients.")
    colour, _, name, value, epoch = max(peaks, key=lambda peak: (ORDER.index(peak[0]), peak[1]))
    evidence = (
        f"Of all means over 20 updates, `{name}` came nearest to its limit, "
        f"{_limits(case, name)['amber']:,.0f}, with {value:.3g} at epoch {epoch_name(epoch)}"
    )
    if case.rollbacks:
        colour = worse(colour, Light.AMBER)
        evidence = f"Training went back {len(case.rollbacks)} times, first as {case.rollbacks[0]}. {evidence}"
    return judged(sign, colour, f"{evidence}.", remedy)


def _peak(case: Case, name: str) -> tuple[Light, float, str, float, float]:
    """Return light, size in units of the limit, name, value and epoch of a column's largest block."""
    limits = _limits(case, name)
    blocks = case.curves.blocks(name)
    at = int(np.abs(blocks.values).argmax())
    value = float(blocks.values[at])
    colour = light(abs(value), **limits)
    if colour == Light.RED and np.abs(blocks.last.values).max() < limits["amber"]:
        colour = Light.AMBER  # it came back
    return colour, abs(value) / limits["amber"], name, value, float(blocks.epochs[at])


def _limits(case: Case, name: str) -> dict[str, float]:
    if name.endswith("_grad"):
        return _GRADIENT
    return _SCORE if case.curves.probabilities is None else _ENTROPY


def critic_bound(case: Case) -> Finding:
    """Judge whether what keeps the critic smooth, clipping or a penalty, does its work."""
    sign, curves = "Critic's constraint", case.curves
    if "at_bound" in curves:
        return _clipping(case, sign)
    if "slope" in curves:
        return _penalty(case, sign)
    return Finding(sign, Light.GREY, "Does not apply: no critic is clipped or penalised.")


def _clipping(case: Case, sign: str) -> Finding:
    blocks = case.curves.blocks("at_bound")
    if len(blocks.values) < FEW:
        return too_few(sign, blocks)
    share = blocks.last.median
    colour = worse(light(share, **_AT_BOUND), Light.AMBER if share < _UNUSED else Light.GREEN)
    meaning = "clipping hardly ever acts, so the critic is not held smooth"
    if share >= _UNUSED:
        meaning = "an eighth to two thirds is normal for clipping"
    if share >= _AT_BOUND["amber"]:
        meaning = "the critic is left with little but the signs of its weights"
    evidence = (
        f"In the last quarter ({blocks.last.when}) {share:.1%} of the weights sit at the bound: {meaning}."
    )
    size = "smaller" if share < _UNUSED else "larger"
    remedy = case.remedy(
        f"a {size} `clip`, 0.01 is usual (Arjovsky 2017, arXiv 1701.07875)",
        "`constraint: penalty` (Gulrajani 2017, arXiv 1704.00028)",
    )
    return judged(sign, colour, evidence, remedy)


def _penalty(case: Case, sign: str) -> Finding:
    blocks = case.curves.blocks("slope")
    if len(blocks.values) < FEW:
        return too_few(sign, blocks)
    slope = blocks.last.median
    colour = light(slope, **_SLOPE)
    evidence = (
        f"No weights are clipped; a penalty holds the norm of the critic's gradient at 1, and in the last "
        f"quarter ({blocks.last.when}) it is {slope:.2f}."
    )
    remedy = case.remedy("a larger `penalty`", "more `epochs`: the penalty takes hold slowly")
    return judged(sign, colour, evidence, remedy)
