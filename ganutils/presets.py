"""Presets: YAML files of parameters, as papermill takes them after -f."""

from pathlib import Path
from typing import Any

import yaml

from ganutils.errors import ParameterError


def read_preset(path: Path, asked: str) -> dict[str, Any]:
    """Return the parameters of a YAML file of `name: value` lines.

    Raises `ParameterError` for a file that is missing or holds something else; its message begins with
    `asked`, which says where the file was named.
    """
    try:
        read = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(f"{asked}: cannot be read as YAML ({error}).") from None
    if not isinstance(read, dict) or not all(isinstance(name, str) for name in read):
        raise ParameterError(f"{asked}: must hold lines of `name: value`.")
    return read
