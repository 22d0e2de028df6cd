"""What two run folders hold, compared bit by bit."""

import json
import zipfile
from pathlib import Path
from typing import Any

import torch

from ganutils.checkpoints import Checkpoints
from ganutils.sheets import decode


def steps(folder: Path) -> list[int]:
    """Return the updates of the last two checkpoints in a run folder, those that are whole, newest first."""
    found = []
    for path in (folder / "checkpoints").glob("[lp]*.pt"):
        try:
            with zipfile.ZipFile(path) as archive:  # torch itself does not look at the checksums
                if archive.testzip() is None:
                    found.append(torch.load(path, weights_only=True)["step"])
        except Exception:  # damaged: whatever torch raises
            continue
    return sorted(found, reverse=True)


def differences(reference: Path, folder: Path) -> list[str]:
    """Say in what two run folders differ, times aside; all numbers are compared bit by bit."""
    first, second = ({p.relative_to(f).as_posix() for p in f.rglob("*")} for f in (reference, folder))
    found = [f"{name} is in one of them only" for name in first ^ second]
    for name in sorted(first & second):
        one, other = reference / name, folder / name
        if name.endswith("history.jsonl") and one.read_bytes() != other.read_bytes():
            found.append(f"{name} differs")
        if name.endswith(".png") and not _same_grids(one, other):
            found.append(f"{name} differs")
        if name.endswith(".json") and _plain(one) != _plain(other):
            found.append(f"{name} differs")
    if _epochs(reference) != _epochs(folder):
        found.append("epochs.jsonl differs")
    checkpoints = [Checkpoints(place / "checkpoints") for place in (reference, folder)]
    found += _unequal(*(one.load() for one in checkpoints), "checkpoint")
    if checkpoints[0].best.exists() and checkpoints[1].best.exists():
        found += _unequal(*(one.load_best() for one in checkpoints), "best checkpoint")
    return found


def _same_grids(one: Path, other: Path) -> bool:
    first, second = (decode(path.read_bytes(), 32) for path in (one, other))
    return torch.equal(first.images, second.images) and first[1:] == second[1:]


def _plain(path: Path) -> Any:
    content = json.loads(path.read_text())
    if path.name == "environment.json":
        return [{**session, "started": ""} for session in content]
    if path.name == "params.json":
        content["params"] |= {"max_minutes": 0.0}  # does not touch the result
    return content


def _epochs(folder: Path) -> list[dict[str, Any]]:
    rows = map(json.loads, (folder / "epochs.jsonl").read_text().splitlines())
    return [{**row, "seconds": 0, "images_per_second": 0, "score_seconds": 0} for row in rows]


def _unequal(one: Any, other: Any, where: str) -> list[str]:
    if type(one) is not type(other):
        return [f"{where} has another type"]
    if isinstance(one, torch.Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [f"{where} differs"]
    if isinstance(one, dict) and one.keys() == other.keys():
        pairs = [(name, one[name], other[name]) for name in one if name != "epoch_seconds"]
    elif isinstance(one, (list, tuple)) and len(one) == len(other):
        pairs = list(zip(range(len(one)), one, other, strict=True))
    else:
        return [] if one == other else [f"{where} differs"]
    return [text for name, first, second in pairs for text in _unequal(first, second, f"{where}.{name}")]
