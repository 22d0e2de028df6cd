"""One file a GAN: its `Params`, networks, objective and `build(params, classes)`; found by file name."""

import importlib
import pkgutil
from types import ModuleType

import torch

from ganutils.data import Dataset
from ganutils.errors import ParameterError
from ganutils.hardware import choose
from ganutils.objective import Gan
from ganutils.params import RunParams, nearest


def names() -> list[str]:
    """Return the names of all variants: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def get(name: str) -> ModuleType:
    """Return the module of a variant; `ParameterError` if there is none of that name."""
    if name not in names():
        raise ParameterError(
            f"There is no variant {name!r}{nearest(name, names())}; there are {', '.join(names())}."
        )
    return importlib.import_module(f"{__name__}.{name}")


def build(params: RunParams, dataset: Dataset) -> Gan:
    """Build the networks, objective and prior of `params.variant` for a data set's number of classes.

    The weights depend on `params.seed` alone; the global random stream is left as it was. Raises
    `ParameterError` for a device or precision that this machine cannot offer.
    """
    choose(params)  # fails here, before a run folder is made
    with torch.random.fork_rng():
        torch.manual_seed(params.seed)
        return get(params.variant).build(params, len(dataset.classes))
