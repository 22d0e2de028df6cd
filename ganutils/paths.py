"""Where runs, data and caches lie: the same place for papermill, the command line and JupyterLab."""

import os
from pathlib import Path


def project_root() -> Path:
    """Return the nearest folder upwards from here with `notebooks/` and pyproject.toml, or where we are.

    JupyterLab starts a notebook in `notebooks/`, papermill in the folder it was called from: both must
    find the same `runs/` and `data/`.
    """
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return here.parent if here.name == "notebooks" else here


def resolve(path: str | Path) -> Path:
    """Return `path` as an absolute path; relative ones start at the project's root, `~` is the home."""
    return (project_root() / Path(path).expanduser()).resolve()


def shown(path: Path) -> str:
    """Return an absolute path as `resolve` takes it: from the project's root, if it lies there."""
    root = project_root()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def cache_folder() -> Path:
    """Return the folder for what can be made again (decoded images, features); `GANUTILS_CACHE` moves it."""
    chosen = os.environ.get("GANUTILS_CACHE")
    return Path(chosen).expanduser().resolve() if chosen else project_root() / ".cache"
