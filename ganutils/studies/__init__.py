"""Notebooks that study finished runs: one file a study with its `Params`; found by file name."""

import importlib
import pkgutil
from types import ModuleType

from ganutils import variants
from ganutils.names import unknown
from ganutils.params import NotebookParams


def names() -> list[str]:
    """Return the names of all studies: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> ModuleType:
    """Return the module of a study."""
    return importlib.import_module(f"{__name__}.{name}")


def params_class(name: str) -> type[NotebookParams]:
    """Return the Params of the notebook of that name: of a study, or of a variant.

    `ParameterError` if there is neither.
    """
    if name in names():
        return get(name).Params
    if name in variants.names():
        return variants.get(name).Params
    raise unknown("variant or study", name, sorted([*variants.names(), *names()]))
