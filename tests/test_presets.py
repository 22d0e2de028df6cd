"""Every preset of a variant runs, shortened, on the embedded shapes."""

from pathlib import Path

import pytest
import yaml

from ganutils import variants
from ganutils.data import load_dataset
from ganutils.runs import RunDir
from ganutils.training import train

PRESETS = sorted((Path(__file__).parents[1] / "notebooks" / "presets").glob("*.yaml"))
OF_VARIANTS = [path for path in PRESETS if path.stem.split("-")[0] in variants.names()]
SHORT = {
    "dataset": "shapes",
    "classes": "",
    "n_images": 20,
    "batch_size": 10,
    "epochs": 1,
    "sample_epochs": "1",
    "n_samples": 4,
    "width": 4,
}


@pytest.mark.parametrize("path", OF_VARIANTS, ids=lambda path: path.stem)
def test_shortened(path):
    values = yaml.safe_load(path.read_text())
    module = variants.get(path.stem.split("-")[0])
    params = module.Params(**{**values, **SHORT})
    dataset = load_dataset(params)
    gan = variants.build(params, dataset)
    run = RunDir.open(params, dataset)
    history = train(gan, dataset, params, run)
    assert history.step == 2
    assert run.samples(1).images.shape[2] == params.image_size


def test_every_variant_has_a_quick_preset():
    assert {f"{name}-quick" for name in variants.names()} <= {path.stem for path in PRESETS}
