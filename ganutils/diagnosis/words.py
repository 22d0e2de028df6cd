"""A diagnosis in words: a paragraph for the report, and rows for a table."""

from collections.abc import Sequence

from ganutils.diagnosis.findings import Finding, Light

HEADER = ("Sign", "Light", "Evidence", "What usually helps")


def paragraph(findings: Sequence[Finding]) -> str:
    """Return a short paragraph: what is red, then amber, each with its evidence; then what is green."""
    red, amber, green, grey = (
        [one for one in findings if one.light == light]
        for light in (Light.RED, Light.AMBER, Light.GREEN, Light.GREY)
    )
    if len(grey) == len(findings):
        return "Too little was recorded to judge this run."
    raised = [*red, *amber]
    parts = [f"{one.sign} ({one.light}): {one.evidence}" for one in raised]
    if any(one.sign == "Not trained long enough" for one in red):
        parts.append("After so few updates the rest means little: train longer first.")
    if green:
        which = (
            "The other signs that can be judged are green"
            if raised
            else "All signs that can be judged are green"
        )
        parts.append(f"{which}: {_names(green)}.")
    if grey:
        parts.append(f"Not judged: {_names(grey)}.")
    return " ".join(parts)


def table(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    """Return one row per sign under `HEADER`; the light is a word, bold if it is raised."""
    return [
        (one.sign, f"**{one.light}**" if one.is_raised else str(one.light), one.evidence, one.remedy or "–")
        for one in findings
    ]


def _names(findings: Sequence[Finding]) -> str:
    return ", ".join(one.sign[0].lower() + one.sign[1:] for one in findings)
