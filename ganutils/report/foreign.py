"""A notebook from anywhere, made well-formed: what is not of the type that it should be is left out."""

import math
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict

_KINDS = ("markdown", "code", "raw")


def tidied(notebook: Any) -> NotebookNode:
    """Return a copy of a notebook node in which every part that a report looks at has its proper type."""
    metadata = _mapping(notebook.get("metadata"))
    end = _mapping(metadata.get("papermill")).get("end_time")
    return from_dict(
        {
            "nbformat": 4,
            "nbformat_minor": 4,
            "metadata": {
                "authors": [_author(author) for author in _sequence(metadata.get("authors"))],
                **({"date": date} if (date := _text(metadata.get("date"))) else {}),
                "papermill": {"end_time": _text(end)},
                "ganutils": _scalars(metadata.get("ganutils")),
            },
            "cells": [
                _cell(cell)
                for cell in _sequence(notebook.get("cells"))
                if isinstance(cell, dict) and cell.get("cell_type") in _KINDS
            ],
        }
    )


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    tags = _sequence(_mapping(cell.get("metadata")).get("tags"))
    tidy = {
        "cell_type": cell["cell_type"],
        "metadata": {"tags": list(dict.fromkeys(tag for tag in tags if isinstance(tag, str)))},
        "source": _text(cell.get("source")),
    }
    if cell["cell_type"] == "code":
        count = cell.get("execution_count")
        tidy["execution_count"] = count if type(count) is int and 0 <= count < 2**31 else None
        outputs = [_output(output) for output in _sequence(cell.get("outputs")) if isinstance(output, dict)]
        tidy["outputs"] = [output for output in outputs if output]
    elif attachments := _mapping(cell.get("attachments")):
        tidy["attachments"] = {name: _bundle(bundle) for name, bundle in attachments.items()}
    return tidy


def _output(output: dict[str, Any]) -> dict[str, Any] | None:
    kind = output.get("output_type")
    if kind == "stream":
        return {"output_type": kind, "name": _text(output.get("name")), "text": _text(output.get("text"))}
    if kind == "error":
        return {
            "output_type": kind,
            "ename": _text(output.get("ename")),
            "evalue": _text(output.get("evalue")),
            "traceback": [],
        }
    if kind not in ("display_data", "execute_result"):
        return None
    facts = _mapping(output.get("metadata"))
    metadata = {name: _scalars(facts.get(name)) for name in ("ganutils", "image/png")}
    return {"output_type": "display_data", "data": _bundle(output.get("data")), "metadata": metadata}


def _bundle(data: Any) -> dict[str, str]:
    """Return the texts of a bundle by type; of a widget only that it is one."""
    return {
        name: _text(value)
        for name, value in _mapping(data).items()
        if isinstance(value, (str, list)) or "widget-view" in name
    }


def _author(author: Any) -> str:
    return _text(author.get("name") if isinstance(author, dict) else author)


def _scalars(value: Any) -> dict[str, str | float]:
    return {
        name: item if isinstance(item, (int, float)) else _text(item)
        for name, item in _mapping(value).items()
        if isinstance(item, (str, list)) or (isinstance(item, (int, float)) and math.isfinite(item))
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))
