"""Records the histories in tests/histories that the diagnosis is tested on, by training tiny runs.

    python tests/record_histories.py                     # all of them, about half an hour on one CPU thread
    python tests/record_histories.py lr-too-high         # some of them
    python tests/record_histories.py --thin RUN NAME     # from a run folder that is there already

Each file is a real run of the kit on its embedded shapes, healthy or made to fail by the parameters below.
The first line holds parameters, facts about samples and metrics, and the columns' names; each other line
holds the means over 20 updates, rounded to four digits. What the diagnosis has to say about each run stands
in tests/test_diagnosis_recorded.py. Set OMP_NUM_THREADS=1 on a machine that has other work.
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganutils import variants
from ganutils.data import Dataset, load_dataset
from ganutils.diagnosis import look_at_samples
from ganutils.diagnosis.curves import BLOCK
from ganutils.errors import DivergedError
from ganutils.history import History
from ganutils.measurements import Measurement, read_floors, read_measurements, write_measurements
from ganutils.metrics.inception import Inception
from ganutils.metrics.job import protocol
from ganutils.metrics.kid import kid
from ganutils.metrics.references import training_images
from ganutils.rows import Row
from ganutils.runs import RunDir
from ganutils.training import train

FOLDER = Path(__file__).parent / "histories"
PERSONAL = ("author", "student_id", "course", "date", "run", "data_dir", "data_label")
SMALL = {
    "dataset": "shapes",
    "classes": "circle,star,ring,heart",
    "n_images": 2000,
    "batch_size": 32,
    "width": 16,
    "epochs": 40,
    "sample_epochs": "every 5",
    "device": "cpu",
    "precision": "fp32",
}
SPECTRAL = {"d_norm": "spectral", "learning_rate": 5e-4}
CLIP = {"constraint": "clip", "optimizer": "rmsprop", "beta2": 0.99, "learning_rate": 5e-5, "epochs": 20}
TWO = {"classes": "circle,star"}
SWINGING = {
    "d_norm": "none",
    "beta1": 0.9,
    "beta2": 0.9,
    "learning_rate": 2e-3,
    "d_learning_rate": 0.1,
    "epochs": 16,
}
SCORED = ("diverging",)  # KID of the sample grids is measured: minutes for each
FEW = {"n_images": 16, "batch_size": 16, "flip": False, "epochs": 3000, "sample_epochs": "every 500"}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    # Healthy: different variants, normalisations and seeds.
    **{f"dcgan-spectral-{seed}": ("dcgan", {**SPECTRAL, "seed": seed}) for seed in range(3)},
    **{f"dcgan-batch-{seed}": ("dcgan", {"label_smoothing": 0.1, "seed": seed}) for seed in range(2)},
    "dcgan-no-norm": ("dcgan", {"d_norm": "none", "learning_rate": 2e-3, "epochs": 20}),
    "dcgan-dense": ("dcgan", {"network": "dense"}),
    **{f"acgan-{seed}": ("acgan", {**SPECTRAL, "seed": seed}) for seed in range(2)},
    **{f"siamese-{seed}": ("siamese", {**SPECTRAL, **TWO, "seed": seed}) for seed in range(2)},
    **{
        f"wgan-penalty-{seed}": ("wgan", {"learning_rate": 5e-4, "d_steps": 3, "epochs": 60, "seed": seed})
        for seed in range(2)
    },
    "wgan-clip": ("wgan", {**CLIP, "learning_rate": 2e-4, "d_steps": 3, "epochs": 60}),
    # Values that explode: steps a thousand times too long.
    "lr-too-high": ("dcgan", {"learning_rate": 0.3, "epochs": 10}),
    "lr-too-high-no-norm": ("dcgan", {"learning_rate": 0.02, "d_norm": "none", "epochs": 20}),
    "lr-too-high-penalty": ("wgan", {"learning_rate": 0.1, "epochs": 10}),
    # A discriminator that learns ten times as often, or in steps fifty times as long.
    "d-too-often": ("dcgan", {"d_steps": 10, "epochs": 20}),
    "d-too-fast": ("dcgan", {"learning_rate": 1e-5, "d_learning_rate": 50.0, "epochs": 20}),
    # Collapse: momentum, or a discriminator too slow to object.
    "momentum-collapse": ("dcgan", {**SPECTRAL, "beta1": 0.9, "epochs": 20}),
    "slow-d-collapse": ("dcgan", {**SPECTRAL, "learning_rate": 2e-3, "d_learning_rate": 0.02, "epochs": 20}),
    # Momentum, a short memory for step sizes and long steps: the networks run past each other.
    **{f"swinging-{seed}": ("dcgan", {**SWINGING, "seed": seed}) for seed in range(3)},
    # Steps too long and momentum: best in the middle, then worse again.
    "diverging": ("dcgan", {**SPECTRAL, "beta1": 0.95, "learning_rate": 2e-3, "epochs": 20}),
    # No gradient: a generator driven into saturation, a critic clipped to almost nothing.
    "saturated": ("dcgan", {**SPECTRAL, "beta1": 0.95, "beta2": 0.5, "epochs": 16}),
    "clip-too-small": ("wgan", {**CLIP, "clip": 1e-4}),
    "clip-too-large": ("wgan", {**CLIP, "clip": 1.0}),
    "too-short": ("dcgan", {**SPECTRAL, "epochs": 2}),
    # Sixteen images, seen three thousand times each.
    **{f"memorised-{seed}": ("dcgan", {**SPECTRAL, **FEW, "seed": seed}) for seed in range(2)},
}


def main() -> None:
    """Record the cases named on the command line, or all; or thin a run folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(CASES)}; all without")
    parser.add_argument("--thin", nargs=2, metavar=("RUN", "NAME"), help="keep a finished run under a name")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    if asked.thin:
        run = RunDir(asked.thin[0])
        is_drawn = run.described["params"]["dataset"] == "shapes"
        keep(run, asked.thin[1], _images(run) if is_drawn else None)
        return
    for name in asked.names or CASES:
        record(name)


def record(name: str) -> None:
    """Train one case in a temporary folder and keep its history."""
    variant, chosen = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        values = {**SMALL, **chosen, "run": str(Path(folder) / name)}
        params = variants.get(variant).Params(**values)
        dataset = load_dataset(params)
        run = RunDir.open(params, dataset)
        try:
            train(variants.build(params, dataset), dataset, params, run)
        except DivergedError as error:
            print(error)
        if name in SCORED:
            write_measurements(run, scores(run))
        keep(run, name, dataset)


def scores(run: RunDir) -> list[Measurement]:
    """Return the KID of each sample grid against 200 of the run's training images."""
    network, reference = Inception(), training_images(run).first(200)
    real = network.features(reference.dataset.images)
    found = []
    for epoch in run.sample_epochs():
        images = run.samples(epoch).images
        value, error = kid(network.features(images), real)
        how = protocol(len(images), reference, network)
        found.append(Measurement(name="KID", value=value, error=error, epoch=epoch, protocol=how))
    return found


def keep(run: RunDir, name: str, dataset: Dataset | None = None) -> None:
    """Write the thinned history of a run and facts about its samples to tests/histories/NAME.jsonl."""
    history = run.history()
    samples = look_at_samples(run, dataset)
    params = {key: value for key, value in run.described["params"].items() if key not in PERSONAL}
    columns, rows = thin(history)
    header = {
        "variant": run.described["variant"],
        "params": params,
        "samples": samples and asdict(samples),
        "rollbacks": run.rollbacks(),
        "measurements": [one.model_dump(exclude_defaults=True) for one in read_measurements(run)],
        "floors": [one.model_dump(exclude_defaults=True) for one in read_floors(run)],
        "columns": columns,
    }
    lines = [json.dumps(header), *(json.dumps(row, separators=(",", ":")) for row in rows)]
    (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def _images(run: RunDir) -> Dataset:
    return load_dataset(variants.get(run.described["variant"]).Params(**run.described["params"]))


def thin(history: History) -> tuple[list[str], list[list[float | None]]]:
    """Return column names and rows: means over 20 updates, to four digits; null where a column is empty."""
    names = history.names()
    rows = []
    for start in range(0, len(history.updates), BLOCK):
        group = history.updates[start : start + BLOCK]
        epoch = float(f"{group[-1]['epoch']:.5g}")
        rows.append([group[-1]["step"], epoch, *(_mean(group, name) for name in names)])
    return ["step", "epoch", *names], rows


def _mean(group: list[Row], name: str) -> float | None:
    values = [row[name] for row in group if name in row]
    return float(f"{sum(values) / len(values):.4g}") if values else None


if __name__ == "__main__":
    main()
