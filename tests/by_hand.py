"""Histories and measurements made by hand, for the tests of the diagnosis."""

import numpy as np

from ganutils.diagnosis import diagnose
from ganutils.history import History
from ganutils.measurements import Measurement, Protocol

SIGNS = (
    "Discriminator wins",
    "Generator collapse",
    "Oscillation",
    "Vanishing gradients",
    "Exploding values",
    "Divergence after the best point",
    "Critic's constraint",
    "Not trained long enough",
    "Memorisation",
    "Far from the data",
)
RANK = {"green": 0, "amber": 1, "red": 2}
PROTOCOL = Protocol(reference="r", n_real=9, n_fake=9, network="n", resizer="r", precision="fp32")


def record(updates=2000, per_epoch=100, **columns):
    """A history of 20 epochs; a column is a number, or numbers spread evenly over the updates."""
    values = {name: np.atleast_1d(value) for name, value in columns.items()}
    rows = []
    for step in range(1, updates + 1):
        at = {name: float(column[(step - 1) * len(column) // updates]) for name, column in values.items()}
        rows.append({"step": step, "epoch": step / per_epoch, **at})
    return History(rows, [])


def judge(sign, history, params=None, measurements=(), samples=None, rollbacks=(), floors=()):
    findings = diagnose(history, {"epochs": 20, **(params or {})}, measurements, samples, rollbacks, floors)
    assert [one.sign for one in findings] == list(SIGNS)
    return findings[SIGNS.index(sign)]


def lights(sign, histories, **rest):
    return [str(judge(sign, history, **rest).light) for history in histories]


def gap(value):
    return {"D(x)": 0.5 + value / 2, "D(G(z))": 0.5 - value / 2}


def measured(*values, name="FID", error=None, protocol=PROTOCOL):
    return [
        Measurement(name=name, value=value, epoch=5 * (number + 1), protocol=protocol, error=error)
        for number, value in enumerate(values)
    ]
