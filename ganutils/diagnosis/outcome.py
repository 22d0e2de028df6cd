"""What came out: collapse, divergence, length and memorisation, from samples and metrics beside the history.

The numbers beside the limits are those of the recorded runs in tests/histories and of full CIFAR-10 runs.
"""

import math
from collections.abc import Sequence

from ganutils.diagnosis.curves import epoch_name
from ganutils.diagnosis.findings import Case, Finding, Light, judged, light, worse
from ganutils.measurements import Measurement, Scale, is_rising

# Distance between neighbouring samples in units of that between real images: 0.69 and more at the end of
# healthy runs, 0.43 and less where nearly the same image was drawn for every latent.
_VARIETY = {"amber": -0.6, "red": -0.45}
_READABLE = 0.5  # share of samples that must be readable before missing modes mean anything

# Generator updates: after 310 and fewer every recorded run drew the same image for every latent; after 744
# WGANs drew no shape that could be read yet, after 2,480 DCGANs drew 92 in 100.
_UPDATES = {"amber": -1000, "red": -500}
_DONE = {"amber": -0.9, "red": math.inf}  # share of the planned epochs

# Share of the best value that was lost again.
_LOST = {"amber": 0.15, "red": 0.5}
_GAIN = 0.1  # share by which a metric that is still improving got better in the last third

# Share of copies among samples. Images as new as real ones score 0.01; 7 of 64 have chance 4 in a million.
_COPIED = {"amber": 0.1, "red": 0.5}


def generator_collapse(case: Case) -> Finding:
    """Judge whether different latents give different images, and whether any mode is missing."""
    sign, samples = "Generator collapse", case.samples
    if samples is None or not samples.variety:
        return Finding(sign, Light.GREY, "Cannot be judged: there are no sample grids of 16 images or more.")
    epoch = max(samples.variety)
    colour = light(-samples.variety[epoch], **_VARIETY)
    of = "samples of one class" if samples.within_classes else "samples"
    evidence = (
        f"At epoch {epoch_name(epoch)} neighbouring {of} are {samples.variety[epoch]:.2f} times as far apart "
        f"as real images, in pixels{_since(samples.variety)}."
    )
    if samples.repeated is not None and colour != Light.GREEN:
        evidence += f" {samples.repeated:.0%} of the samples repeat another one."
    found = samples.coverage
    if found is None:
        evidence += " Missing modes were not looked for."
    if found is not None and found.readable >= _READABLE and found.missing:
        colour = worse(colour, Light.AMBER)
        evidence += (
            f" Among {found.images:,} samples less than a tenth as often as among real images: "
            f"{', '.join(found.missing)}."
        )
    if found is not None and found.readable >= _READABLE:
        evidence += (
            f" They cover {found.covered} of {found.possible} modes; {found.expected:.0f} would be usual."
        )
    params = case.params
    remedy = case.remedy(
        *["`d_learning_rate: 1.0`, so that the discriminator notices"]
        * (params.get("d_learning_rate", 1) < 1),
        *["`beta1: 0.5` (Radford 2015, arXiv 1511.06434)"] * (params.get("beta1", 0) > 0.5),
        "a lower `learning_rate`",
        "`d_norm: spectral` (Miyato 2018, arXiv 1802.05957)",
        "`constraint: penalty` (Gulrajani 2017, arXiv 1704.00028)",
        "`condition: product`, so that no class ignores the latent",
        "a larger `batch_size`",
    )
    return judged(sign, colour, evidence, remedy)


def _since(variety: dict[float, float]) -> str:
    """Say from which epoch on samples were as alike as they are at the end, if they are."""
    limit, epochs = -_VARIETY["red"], sorted(variety)
    bad = [epoch for epoch in epochs if variety[epoch] <= limit]
    if not bad or bad[-1] != epochs[-1]:
        return ""
    first = epochs[-1]
    for epoch in reversed(epochs):
        if variety[epoch] > limit:
            break
        first = epoch
    return "" if first == epochs[-1] else f"; it is so since epoch {epoch_name(first)}"


def divergence(case: Case) -> Finding:
    """Judge whether a metric got worse again after its best epoch."""
    sign, found = "Divergence after the best point", _longest(case.measurements)
    if len(found) < 3:
        reason = "Cannot be judged: no metric was measured at three epochs or more during training."
        return Finding(sign, Light.GREY, reason)
    way = -1 if is_rising(found[0].name) else 1
    top, last = min(found, key=lambda one: way * one.value), found[-1]
    lost = way * (last.value - top.value) / max(abs(top.value), 1e-12)
    colour = light(lost, **_LOST) if _is_clear(top, last) else Light.GREEN
    evidence = (
        f"{top.name} was best at epoch {top.epoch:g} with {top.value:.4g} and is {last.value:.4g} at epoch "
        f"{last.epoch:g}."
    )
    remedy = case.remedy(
        "`schedule: linear`",
        "`ema: 0.999`",
        "`d_norm: spectral` (Miyato 2018, arXiv 1802.05957)",
        "a lower `learning_rate`",
    )
    if colour != Light.GREEN:
        remedy = f"Use the samples and the checkpoint of epoch {top.epoch:g}{remedy and '; '}{remedy or '.'}"
    return judged(sign, colour, evidence, remedy)


def too_short(case: Case) -> Finding:
    """Judge whether training went on for long enough."""
    sign, history = "Not trained long enough", case.history
    if not history.updates:
        return Finding(sign, Light.GREY, "Cannot be judged: nothing was trained yet.")
    updates = int(case.curves.steps[-1]) // case.params.get("d_steps", 1)
    epoch, planned = case.curves.epochs[-1], case.params.get("epochs")
    done = epoch / planned if planned else 1.0
    colour = worse(light(-updates, **_UPDATES), light(-done, **_DONE))
    reached = epoch_name(epoch)
    evidence = f"The generator made {updates:,} updates in {reached} of {planned or reached} epochs."
    gain = _last_gain(_longest(case.measurements))
    if gain is not None:
        name, share = gain
        colour = worse(colour, Light.AMBER)
        evidence += f" {name} still got better by {share:.0%} in the last third."
    remedy = (
        case.remedy("more `epochs`: the same run goes on from where it stands")
        if colour != Light.GREEN
        else ""
    )
    return Finding(sign, colour, evidence, remedy)


def memorisation(case: Case) -> Finding:
    """Judge whether samples copy training images."""
    sign, samples = "Memorisation", case.samples
    if samples is None or samples.copied is None:
        return Finding(sign, Light.GREY, "Cannot be judged: samples were not compared with training images.")
    colour = light(samples.copied, **_COPIED)
    evidence = (
        f"{samples.copied:.0%} of {samples.count} samples copy a training image, judged by pixels; about 1% "
        "would be chance."
    )
    remedy = case.remedy(
        "`n_images: 0`, or more images of your own",
        "`augment: color,translation` (Zhao 2020, arXiv 2006.10738)",
        "fewer `epochs`",
    )
    return judged(sign, colour, evidence, remedy)


def _longest(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return by epoch the numbers of the metric and protocol that was measured at the most epochs."""
    scales: dict[Scale, dict[int, Measurement]] = {}
    for one in measurements:
        scales.setdefault(one.scale, {})[one.epoch] = one
    most = max(scales.values(), key=len, default={})
    return [most[epoch] for epoch in sorted(most)]


def _is_clear(first: Measurement, second: Measurement) -> bool:
    """Say whether two numbers differ by more than two standard errors, where these are known."""
    errors = [one.error or 0.0 for one in (first, second)]
    return abs(first.value - second.value) > 2 * math.hypot(*errors)


def _last_gain(found: list[Measurement]) -> tuple[str, float] | None:
    """Return name and share of what a metric gained in the last third, if the end is best and gains count."""
    if len(found) < 3:
        return None
    way = -1 if is_rising(found[0].name) else 1
    last = found[-1]
    before = next(one for one in reversed(found[:-1]) if one.epoch <= last.epoch * 2 / 3 or one is found[0])
    if min(found, key=lambda one: way * one.value) is not last or not _is_clear(before, last):
        return None
    share = way * (before.value - last.value) / max(abs(before.value), 1e-12)
    return (last.name, share) if share >= _GAIN else None
