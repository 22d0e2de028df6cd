"""Presets: YAML files of parameters, as papermill takes them after -f."""

import datetime
import re
from pathlib import Path
from typing import Any

import yaml

from ganutils.errors import ParameterError
from ganutils.names import nearest

MOST_BYTES = 100_000  # a preset has some dozens of lines


class _Loader(yaml.SafeLoader):
    """Reads 0123 and 12:30 as texts, such as a student's number; YAML 1.1 takes them for 83 and 750."""


_INT = "tag:yaml.org,2002:int"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _INT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$"), list("-+0123456789"))
_PLAIN = (str, int, float, bool, datetime.date, type(None))


def read_preset(path: Path, asked: str) -> dict[str, Any]:
    """Return the parameters of a YAML file of `name: value` lines; a value may be a list.

    Raises `ParameterError` for a file that is missing or holds something else; its message begins with
    `asked`, which says where the file was named.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        read = yaml.load(text[:MOST_BYTES], _Loader)
    except FileNotFoundError:
        near = nearest(path.name, sorted(file.name for file in path.parent.glob("*.yaml"))) or "."
        raise ParameterError(f"{asked}: there is no such file{near}") from None
    # Beside its own errors the reader raises what int() and date() say about their text.
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ParameterError(f"{asked}: cannot be read as YAML ({_reason(error)}).") from None
    if len(text) > MOST_BYTES:
        raise ParameterError(f"{asked}: is larger than {MOST_BYTES:,} bytes; a preset holds a few lines.")
    # Values are not shown: aliases can make a short text mean gigabytes.
    if not isinstance(read, dict) or not all(isinstance(name, str) for name in read):
        raise ParameterError(f"{asked}: must hold lines of `name: value`.")
    for name, value in read.items():
        if not all(isinstance(item, _PLAIN) for item in (value if isinstance(value, list) else [value])):
            raise ParameterError(f"{asked}: {name} must be a number, a text or a list of those.")
    return read


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem}, line {error.problem_mark.line + 1}"
    return (str(error) or type(error).__name__).splitlines()[0]
