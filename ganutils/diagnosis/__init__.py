"""Diagnosis: what happened in a run, in words, with one traffic light per sign and the evidence for it.

`diagnose` knows no variant: it reads columns by their documented meanings (`ganutils/diagnosis/curves.py`).
A light says what the record shows; only the last sign says how good the images are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ganutils.coverage import Coverage
from ganutils.data import Dataset
from ganutils.diagnosis.findings import Case, Finding, Light
from ganutils.diagnosis.likeness import far_from_data
from ganutils.diagnosis.outcome import divergence, generator_collapse, memorisation, too_short
from ganutils.diagnosis.play import discriminator_wins, oscillation
from ganutils.diagnosis.samples import Samples, look_at_samples
from ganutils.diagnosis.sizes import critic_bound, exploding_values, vanishing_gradients
from ganutils.diagnosis.words import HEADER, paragraph, table
from ganutils.history import History
from ganutils.measurements import Measurement, read_floors, read_measurements
from ganutils.runs import RunDir

__all__ = ["Finding", "Light", "Samples", "diagnose", "diagnose_run", "paragraph", "show_diagnosis", "table"]

_SIGNS = (
    discriminator_wins,
    generator_collapse,
    oscillation,
    vanishing_gradients,
    exploding_values,
    divergence,
    critic_bound,
    too_short,
    memorisation,
    far_from_data,
)


def diagnose(
    history: History,
    params: Mapping[str, Any],
    measurements: Sequence[Measurement] = (),
    samples: Samples | None = None,
    rollbacks: Sequence[str] = (),
    floors: Sequence[Measurement] = (),
) -> list[Finding]:
    """Return a finding for each of the ten signs, always in the same order.

    Args:
        history: what the run recorded.
        params: the run's parameters, as `RunDir.described["params"]`.
        measurements: of metrics.json, if anything was measured.
        samples: facts about its samples, from `look_at_samples`.
        rollbacks: of `RunDir.rollbacks`.
        floors: of metrics.json too, what real images score.
    """
    case = Case(history, params, measurements, samples, floors, rollbacks)
    return [sign(case) for sign in _SIGNS]


def diagnose_run(
    run: RunDir, dataset: Dataset | None = None, coverage: Coverage | None = None
) -> list[Finding]:
    """Diagnose a run folder.

    Its training images (`dataset`) let it look for copies, a `Coverage` for missing modes.
    """
    samples = look_at_samples(run, dataset, coverage)
    return diagnose(
        run.history(),
        run.described["params"],
        read_measurements(run),
        samples,
        run.rollbacks(),
        read_floors(run),
    )


def show_diagnosis(run: RunDir, dataset: Dataset | None = None, coverage: Coverage | None = None) -> None:
    """Show the diagnosis of a run in a notebook: a paragraph, and a table of all signs."""
    from IPython.display import Markdown, display

    from ganutils.notebook import show_table

    findings = diagnose_run(run, dataset, coverage)
    display(Markdown(paragraph(findings)))
    caption = (
        "Signs of trouble. Green: no alarm, which is no praise; amber: look closer; red: it went wrong; "
        "grey: not judged."
    )
    rows = table(findings)
    columns = len(HEADER) if any(finding.remedy for finding in findings) else len(HEADER) - 1
    show_table([row[:columns] for row in rows], HEADER[:columns], caption)
