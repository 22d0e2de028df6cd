"""The diagnosis on recorded runs: calm about healthy ones, and it names what ails the others.

tests/record_histories.py made the files; those named `cifar10-` and `shapes-` are full runs of presets.
Seed 0 was looked at when the limits were set, other seeds were not.
"""

import json
from pathlib import Path

import pytest

from ganutils.coverage import Coverage
from ganutils.diagnosis import Samples, diagnose, paragraph
from ganutils.diagnosis.curves import Curves
from ganutils.history import History
from ganutils.measurements import Measurement

FOLDER = Path(__file__).parent / "histories"
WINS, COLLAPSE, SWINGS = "Discriminator wins", "Generator collapse", "Oscillation"
VANISHES, EXPLODES, DIVERGES = "Vanishing gradients", "Exploding values", "Divergence after the best point"
CLIPPED, SHORT, MEMORY = "Critic at its clip bound", "Not trained long enough", "Memorisation"

RAISED = {}


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
    measurements = [Measurement(**one) for one in header.get("measurements", [])]
    return History(rows, []), header["params"], measurements, samples, header["rollbacks"]
