"""Every preset, shortened, on the embedded shapes: it trains, or its notebook runs with it."""

from pathlib import Path

import pytest
import yaml
from test_notebooks import ROOT, TOY, execute, outputs

from ganutils import variants
from ganutils.data import load_dataset
from ganutils.runs import RunDir
from ganutils.studies import params_class
from ganutils.training import train

PRESETS = sorted((ROOT / "notebooks" / "presets").glob("*.yaml"))
OF_VARIANTS = [path for path in PRESETS if path.stem.split("-")[0] in variants.names()]
# Notebooks are tested with their defaults elsewhere: these presets take the other ways through them.
OTHER_WAYS = ("dcgan-horse", "dcgan-64", "wgan-clip", "acgan-concat", "siamese-concat-stable")
OF_NOTEBOOKS = [path for path in PRESETS if path not in OF_VARIANTS or path.stem in OTHER_WAYS]
SHORT = {**TOY, "n_images": 40, "epochs": 1, "n_samples": 4, "metric_every": 0, "run": ""}
SHORT_ABLATION = {
    "common": "width=4; hidden=8; batch_size=20",
    "classes": "circle,star",
    "n_images": 64,  # a batch of the largest change
    "repeats": 1,
}


def shortened(path):
    """Return notebook and values of a preset, cut to seconds."""
    notebook = ROOT / "notebooks" / f"{path.stem.split('-')[0]}.ipynb"
    fields = params_class(notebook.stem).model_fields
    small = SHORT | (SHORT_ABLATION if notebook.stem == "ablation" else {})
    short = {name: value for name, value in small.items() if name in fields}
    values = {name: field.default for name, field in fields.items() if name == "base"}
    values |= yaml.safe_load(path.read_text())
    if values.get("base"):
        values["base"] = str(ROOT / values["base"])
    return notebook, {**values, **short}


@pytest.mark.parametrize("path", OF_VARIANTS, ids=lambda path: path.stem)
def test_a_variant_trains_with_its_preset(path):
    notebook, values = shortened(path)
    params = params_class(notebook.stem)(**values)
    dataset = load_dataset(params)
    run = RunDir.open(params, dataset)
    history = train(variants.build(params, dataset), dataset, params, run)
    assert history.step == 2
    assert run.samples(1).images.shape[2] == params.image_size


@pytest.mark.parametrize("path", OF_NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_with_its_preset(path, tmp_path):
    notebook, values = shortened(path)
    executed = execute(notebook, tmp_path / "executed.ipynb", **values)
    assert len(outputs(executed, "environment")) == 1
    assert [o for o in outputs(executed) if "image/png" in o.get("data", {})]
    found = [RunDir(file.parent) for file in Path(tmp_path, "runs").rglob("params.json")]
    assert {run.history().epoch for run in found} == {1}
    if notebook.stem in variants.names():
        (run,) = found
        kept = {name: value for name, value in values.items() if name not in SHORT}
        assert {name: run.described["params"][name] for name in kept} == kept
        assert run.samples(1).images.shape[2] == run.described["params"]["image_size"]


def test_first_lines_say_how_long_it_takes_and_what_was_seen():
    for path in PRESETS:
        lines = path.read_text().split("\nauthor")[0]
        assert "CPU" in lines, path.stem
        assert "GPU" in lines, path.stem
        assert "Seen" in lines or "Not run" in lines, path.stem


# What the published experiments name.
PUBLISHED = {
    "siamese-difference": {
        "head": "difference",
        "learning_rate": 1e-4,
        "beta1": 0.5,
        "batch_size": 128,
        "epochs": 500,
        "label_smoothing": 0.1,
        "classes": "cat,dog",
        "d_norm": "batch",
    },
    "siamese-concat": {"head": "concat", "learning_rate": 1e-4, "batch_size": 64, "epochs": 200},
    "wgan-clip": {"optimizer": "rmsprop", "learning_rate": 5e-5, "clip": 0.01, "d_steps": 5},
    "wgan-penalty": {"optimizer": "adam", "learning_rate": 1e-4, "beta1": 0.0, "beta2": 0.9, "penalty": 10.0},
    "dcgan-64": {"image_size": 64, "batch_size": 64, "epochs": 30, "sample_epochs": "10,25,30"},
    "dcgan-horse-long": {
        "network": "dense",
        "classes": "horse",
        "epochs": 5000,
        "sample_epochs": "every 200",
    },
    "acgan-cifar10": {"learning_rate": 1.5e-4, "epochs": 10},
    "acgan-concat": {"learning_rate": 1.5e-4, "condition": "concat", "fake_class": True},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_train_as_published(name):
    values = yaml.safe_load((ROOT / "notebooks" / "presets" / f"{name}.yaml").read_text())
    params = params_class(name.split("-")[0])(**values)
    assert {key: getattr(params, key) for key in PUBLISHED[name]} == PUBLISHED[name]


def test_every_notebook_that_trains_has_a_quick_preset():
    trains = [*variants.names(), "noise_study", "ablation"]
    assert {f"{name}-quick" for name in trains} <= {path.stem for path in PRESETS}
