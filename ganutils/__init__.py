"""ganutils: what the notebooks of the GAN course kit share.

One run: `params = variants.get("dcgan").Params(epochs=10)`, `dataset = load_dataset(params)`,
`gan = build(params, dataset)`, `run = RunDir.open(params, dataset)`,
`history = train(gan, dataset, params, run)`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganutils import figures, variants
    from ganutils.agreement import show_agreement
    from ganutils.data import Batch, Dataset, load_dataset, to_float, to_uint8
    from ganutils.diagnosis import show_diagnosis
    from ganutils.history import History
    from ganutils.modes import run_coverage, show_coverage
    from ganutils.notebook import read_parameters, show, show_data, show_environment, show_table
    from ganutils.objective import guessing
    from ganutils.quality import nearest_images, show_metrics
    from ganutils.runs import RunDir
    from ganutils.sampling import generate
    from ganutils.streams import stream
    from ganutils.summary import layer_table
    from ganutils.training import train
    from ganutils.variants import build

__all__ = [
    "Batch",
    "Dataset",
    "History",
    "RunDir",
    "build",
    "figures",
    "generate",
    "guessing",
    "layer_table",
    "load_dataset",
    "nearest_images",
    "read_parameters",
    "run_coverage",
    "show",
    "show_agreement",
    "show_coverage",
    "show_data",
    "show_diagnosis",
    "show_environment",
    "show_metrics",
    "show_table",
    "stream",
    "to_float",
    "to_uint8",
    "train",
    "variants",
]

_HOMES = {
    "agreement": ("show_agreement",),
    "data": ("Batch", "Dataset", "load_dataset", "to_float", "to_uint8"),
    "diagnosis": ("show_diagnosis",),
    "history": ("History",),
    "modes": ("run_coverage", "show_coverage"),
    "notebook": ("read_parameters", "show", "show_data", "show_environment", "show_table"),
    "objective": ("guessing",),
    "quality": ("nearest_images", "show_metrics"),
    "runs": ("RunDir",),
    "sampling": ("generate",),
    "streams": ("stream",),
    "summary": ("layer_table",),
    "training": ("train",),
    "variants": ("build",),
}


def __getattr__(name: str) -> object:
    # Loaded on first use: exporting a report needs no torch.
    import importlib

    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"ganutils.{home}"), name)
    if name in ("figures", "variants"):
        return importlib.import_module(f"ganutils.{name}")
    raise AttributeError(f"module 'ganutils' has no attribute {name!r}")
