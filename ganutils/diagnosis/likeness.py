"""Whether generated images resemble the data, by their coverage (Naeem 2020, arXiv 2002.09797)."""

from ganutils.diagnosis.findings import Case, Finding, Light, judged, light
from ganutils.measurements import Measurement, form

# Coverage in units of the floor's, in full runs of presets: 0.57 and 0.60 where cats, dogs and ships can be
# told, 0.42 for a critic with penalty, 0.25 for colours and rough forms, 0.09 for coloured noise.
_LIKENESS = {"amber": -1 / 3, "red": -0.15}


def far_from_data(case: Case) -> Finding:
    """Judge whether real images have generated ones nearby, in the features of the metrics' network."""
    sign, pair = "Far from the data", _newest(case, "coverage")
    if pair is None:
        reason = "Cannot be judged: coverage was not measured together with its floor."
        return Finding(sign, Light.GREY, reason)
    found, floor = pair
    share = found.value / max(floor.value, 1e-12)
    colour = light(-share, **_LIKENESS)
    evidence = (
        f"At epoch {found.epoch:g}, {found.value:.0%} of real images have a generated one nearby (coverage); "
        f"real images that were not trained on reach {floor.value:.0%}. The light is amber below a third of "
        f"that share; here it is {share:.2f} of it."
    )
    if recall := _newest(case, "recall"):
        reached, usual = (f"{one.value:{form(one.name)}}" for one in recall)
        evidence += f" Recall, the generator's variety, is {reached}, that of such real images {usual}."
    remedy = case.remedy(
        "more `epochs`, as long as the samples get better",
        "`d_norm: spectral` (Miyato 2018, arXiv 1802.05957)",
        "`constraint: penalty` (Gulrajani 2017, arXiv 1704.00028)",
        "a larger `width`",
    )
    return judged(sign, colour, evidence, remedy)


def _newest(case: Case, name: str) -> tuple[Measurement, Measurement] | None:
    """Return a metric of the last epoch that has it, and what real images score by its protocol."""
    floors = {one.scale: one for one in case.floors}
    found = [one for one in case.measurements if one.name == name and one.scale in floors]
    if not found:
        return None
    last = max(found, key=lambda one: one.epoch)
    return last, floors[last.scale]
