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
OF_NOTEBOOKS = [path for path in PRESETS if path not in OF_VARIANTS or path.stem.endswith("-quick")]
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


def test_every_notebook_that_trains_has_a_quick_preset():
    trains = [*variants.names(), "noise_study", "ablation"]
    assert {f"{name}-quick" for name in trains} <= {path.stem for path in PRESETS}
