"""Tiny trained runs to measure."""

from ganutils import variants
from ganutils.data import load_dataset
from ganutils.runs import RunDir
from ganutils.training import train

NAMES = ["FID", "KID", "precision", "recall", "density", "coverage"]
SMALL = {"dataset": "shapes", "n_images": 60, "batch_size": 20, "width": 4, "n_samples": 4, "epochs": 1}


def trained(variant="dcgan", name="r", **values):
    """Train a tiny run of one epoch."""
    params = variants.get(variant).Params(**{**SMALL, "device": "cpu", "run": f"runs/{name}", **values})
    dataset = load_dataset(params)
    run = RunDir.open(params, dataset)
    train(variants.build(params, dataset), dataset, params, run)
    return run
