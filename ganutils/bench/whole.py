"""Whole trainings: DCGAN 32 on drawn shapes, with all that a run keeps."""

import contextlib
import io
import tempfile
import time

from ganutils.data import load_dataset
from ganutils.runs import RunDir
from ganutils.training import train
from ganutils.variants import build, get

BATCH = 64


def seconds_of_a_run(updates: int, epochs: int = 1) -> float:
    """Train so many updates in each epoch, on the CPU and without a word, and return what it took."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        params = get("dcgan").Params(
            dataset="shapes",
            n_images=BATCH * updates,
            batch_size=BATCH,
            epochs=epochs,
            sample_epochs="1",
            device="cpu",
            run=f"{folder}/run",
        )
        dataset = load_dataset(params)
        gan, run = build(params, dataset), RunDir.open(params, dataset)
        begun = time.perf_counter()
        train(gan, dataset, params, run)
        return time.perf_counter() - begun
