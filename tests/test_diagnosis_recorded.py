"""The diagnosis on recorded runs: calm about healthy ones, and it names what ails the others.

tests/record_histories.py made the files; those named `cifar10-` and `shapes-` are full runs of presets.
Limits were set by seed 0, dcgan-spectral-1 and swinging-1; other seeds were not looked at before.
"""

import json
from pathlib import Path

import pytest

from ganutils.coverage import Coverage
from ganutils.diagnosis import Samples, diagnose, paragraph
from ganutils.history import History
from ganutils.measurements import Measurement

FOLDER = Path(__file__).parent / "histories"
WINS, COLLAPSE, SWINGS = "Discriminator wins", "Generator collapse", "Oscillation"
VANISHES, EXPLODES, DIVERGES = "Vanishing gradients", "Exploding values", "Divergence after the best point"
CLIPPED, SHORT, MEMORY = "Critic's constraint", "Not trained long enough", "Memorisation"
FAR = "Far from the data"
SIGNS = (WINS, COLLAPSE, SWINGS, VANISHES, EXPLODES, DIVERGES, CLIPPED, SHORT, MEMORY, FAR)

HEALTHY = (
    "dcgan-spectral-0",
    "dcgan-spectral-1",
    "dcgan-spectral-2",
    "dcgan-batch-0",
    "dcgan-batch-1",
    "dcgan-no-norm",
    "dcgan-dense",
    "acgan-0",
    "acgan-1",
    "siamese-0",
    "siamese-1",
    "wgan-penalty-0",
    "wgan-clip",
    "cifar10-dcgan",
    "cifar10-dcgan-horse",
    "cifar10-wgan-clip",
    "cifar10-acgan-product",
    "shapes-dcgan",
)
RAISED = {  # all that is raised; what a run was made to fail in comes first
    "lr-too-high": {EXPLODES: "red", WINS: "red", COLLAPSE: "red", SHORT: "amber"},
    "lr-too-high-no-norm": {EXPLODES: "red"},
    "lr-too-high-penalty": {EXPLODES: "red", CLIPPED: "red", SWINGS: "red", COLLAPSE: "amber", SHORT: "red"},
    "d-too-often": {WINS: "red", COLLAPSE: "red", SHORT: "red"},
    "d-too-fast": {WINS: "red", COLLAPSE: "red"},
    "momentum-collapse": {COLLAPSE: "red"},
    "slow-d-collapse": {COLLAPSE: "red"},
    "swinging-0": {SWINGS: "red", SHORT: "amber"},
    "swinging-1": {SWINGS: "red", COLLAPSE: "red", SHORT: "amber"},
    "diverging": {DIVERGES: "amber", COLLAPSE: "red", WINS: "amber"},
    "too-short": {SHORT: "red", COLLAPSE: "red"},
    "memorised-0": {MEMORY: "red", COLLAPSE: "red"},
    "memorised-1": {MEMORY: "red", COLLAPSE: "red"},
    "saturated": {VANISHES: "red", COLLAPSE: "red", EXPLODES: "amber", SHORT: "amber"},
    "clip-too-small": {CLIPPED: "red", VANISHES: "red", COLLAPSE: "red", SHORT: "red"},
    "clip-too-large": {CLIPPED: "amber", COLLAPSE: "red", SHORT: "red"},
    "cifar10-acgan-concat": {COLLAPSE: "red"},  # one image a class from epoch 1 on
    "cifar10-siamese": {FAR: "red"},  # as published, 15 epochs: coloured noise
    "shapes-dcgan-short": {SHORT: "red", WINS: "red", COLLAPSE: "red"},  # 155 updates
}


def read(name):
    """Return what `diagnose` takes, from a recorded file."""
    first, *lines = (FOLDER / f"{name}.jsonl").read_text().splitlines()
    header = json.loads(first)
    rows = [
        {
            column: value
            for column, value in zip(header["columns"], json.loads(line), strict=True)
            if value is not None
        }
        for line in lines
    ]
    samples = header["samples"]
    if samples:
        by_epoch = {float(epoch): value for epoch, value in samples.pop("variety").items()}
        covered = samples.pop("coverage")
        samples = Samples(variety=by_epoch, coverage=covered and Coverage(**covered), **samples)
    measurements, floors = (
        [Measurement(**one) for one in header.get(kind, [])] for kind in ("measurements", "floors")
    )
    return History(rows, []), header["params"], measurements, samples, header["rollbacks"], floors


def test_every_recorded_run_is_judged_here():
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == {*HEALTHY, *RAISED}


def test_recordings_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.jsonl")) < 500_000


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_raise_nothing(name):
    findings = diagnose(*read(name))
    assert {one.sign: str(one.light) for one in findings if one.is_raised} == {}
    assert paragraph(findings).startswith("All signs that can be judged are green: ")


@pytest.mark.parametrize("name", RAISED)
def test_sick_runs_are_called_by_their_sickness(name):
    findings = diagnose(*read(name))
    assert {one.sign: str(one.light) for one in findings if one.is_raised} == RAISED[name]
    sickness = next(iter(RAISED[name]))
    assert f"{sickness} ({RAISED[name][sickness]}): " in paragraph(findings)


def test_every_sign_is_raised_by_a_real_run():
    assert {next(iter(raised)) for raised in RAISED.values()} == set(SIGNS)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
@pytest.mark.parametrize(
    "name", ["cifar10-dcgan", "cifar10-acgan-product", "cifar10-wgan-clip", "dcgan-spectral-0"]
)
def test_healthy_runs_are_calm_while_they_go_on(name, share):
    """Looked at before its end a healthy run is at most called short."""
    history, params, *rest = read(name)
    history = History(history.updates[: int(share * len(history.updates))], [])
    findings = diagnose(history, params, *rest)
    assert {one.sign for one in findings if one.is_raised} <= {SHORT}


def test_clipping_at_a_quarter_is_called_normal():
    finding = diagnose(*read("cifar10-wgan-clip"))[6]
    assert finding.evidence.endswith(
        "26.0% of the weights sit at the bound: an eighth to two thirds is normal for clipping."
    )


def test_collapse_within_classes_is_seen_in_samples_though_no_loss_shows_it():
    history, params, _, samples, *_ = read("cifar10-acgan-concat")
    without = diagnose(history, params)
    assert not any(one.is_raised for one in without)
    finding = diagnose(history, params, samples=samples)[1]
    assert "samples of one class are 0.04 times as far apart as real images" in finding.evidence
    assert "it is so since epoch 1" in finding.evidence
