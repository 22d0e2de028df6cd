"""Changes of parameters written as text, such as "d_norm=spectral; augment=color + ema=0.99"."""

import re
from collections.abc import Mapping
from typing import Any


def parse(text: str) -> list[dict[str, str]]:
    """Return the changes of a text: each maps the parameters that it sets to their values, as text.

    A colon may stand for the equals sign: papermill reads no second one in a line of parameters. Semicolons
    separate changes; `+` between blanks joins what one change sets. An empty value is a value. Raises
    `ValueError` for a part that is no `name=value` and for a name set twice in one change.
    """
    return [_settings(part) for part in map(str.strip, text.split(";")) if part]


def _settings(change: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in re.split(r"\s\+(?:\s|$)", change):
        name, *value = (piece.strip() for piece in re.split("[=:]", part, maxsplit=1))
        if not value or not name.isidentifier():
            raise ValueError(f'has {part.strip()!r}, which is no name=value such as "ema=0.999"')
        if name in found:
            raise ValueError(f"sets {name} twice in one change, {change!r}")
        found[name] = value[0]
    return found


def written(settings: Mapping[str, Any]) -> str:
    """Return what `parse` reads as one change of these values."""
    return " + ".join(f"{name}={value}" for name, value in settings.items())


def file_name(settings: Mapping[str, Any]) -> str:
    """Return a name for a folder, such as d_norm-spectral+ema-0.99."""
    joined = "+".join(f"{name}-{value}" for name, value in settings.items())
    return re.sub(r"[^\w.+-]+", "-", joined)
