"""Notebooks that study finished runs: one file a study with its `Params`; found by file name."""

import importlib
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING

from ganutils import variants

if TYPE_CHECKING:
    from ganutils.params import NotebookParams


def names() -> list[str]:
    """Return the names of all studies: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> ModuleType:
    """Return the module of a study."""
    return importlib.import_module(f"{__name__}.{name}")


def params_class(name: str) -> type["NotebookParams"]:
    """Return the Params of the notebook of that name: of a study, or of a variant."""
    return (get if name in names() else variants.get)(name).Params
