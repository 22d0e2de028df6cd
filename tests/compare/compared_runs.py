"""Runs of known numbers, measured by known protocols, for tests of the comparison."""

import json

from ganutils.studies import compare

PROTOCOL = {
    "reference": "toy train",
    "n_real": 40,
    "n_fake": 30,
    "network": "toy",
    "resizer": "none",
    "precision": "fp32",
}


def measured(run, *rows, floors=()):
    content = [
        {"name": name, "value": value, "epoch": epoch, "protocol": {**PROTOCOL, **other}, "of": of}
        for of, some in (("generator", rows), ("test split", floors))
        for name, value, epoch, other in some
    ]
    (run.path / "metrics.json").write_text(json.dumps(content))


def read(runs="runs/*", **values):
    return compare.read(compare.Params(runs=runs, **values))
