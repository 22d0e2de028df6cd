"""Where runs lie: the folder of a run that nobody named, and those that are there."""

from pathlib import Path
from typing import Any

from ganutils.identity import name_of
from ganutils.locking import LOCK
from ganutils.paths import project_root


def is_own(path: Path) -> bool:
    """Say whether a folder is a run, or the beginning of one that a crash left behind."""
    begun = {LOCK, ".params.json.tmp", "samples", "checkpoints"}
    names = {entry.name for entry in path.iterdir()}
    return "params.json" in names or (names <= begun and not any(path.glob("*/*")))


def usual_folder(described: dict[str, Any]) -> Path:
    """Return the folder of a run that nobody named: one that is there, whatever its label, or a new one."""
    folder, name = project_root() / "runs", name_of(described)
    same = f"{described['variant']}-*-{name.rpartition('-')[2]}"
    there = sorted(path for path in folder.glob(same) if (path / "params.json").is_file())
    return folder / name if folder / name in there or not there else there[0]


def known_runs() -> list[str]:
    """Return the run folders of the project's folder `runs`, such as "runs/mine", by name."""
    return sorted(f"runs/{file.parent.name}" for file in project_root().glob("runs/*/params.json"))
