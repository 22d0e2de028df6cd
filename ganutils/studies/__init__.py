"""Notebooks that study finished runs: one file a study with its `Params`; found by file name."""

import importlib
import pkgutil
from types import ModuleType


def names() -> list[str]:
    """Return the names of all studies: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> ModuleType:
    """Return the module of a study."""
    return importlib.import_module(f"{__name__}.{name}")
