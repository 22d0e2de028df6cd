"""What makes two runs the same run: its description in params.json, its name, and the differences."""

import hashlib
import json
import re
from typing import Any

from ganutils.data import Dataset
from ganutils.params import RunParams

Description = dict[str, Any]


def describe(params: RunParams, dataset: Dataset) -> Description:
    """Return the content of params.json: variant, parameters, what may change in them, and the data."""
    return {
        "variant": params.variant,
        "params": params.model_dump(),
        "defaults": {name: field.default for name, field in type(params).model_fields.items()},
        "may": {name: params.may(name) for name in params.model_dump()},
        "data": {
            "label": dataset.label,
            "source": dataset.source,
            "split": dataset.split,
            "count": len(dataset.images),
            "classes": list(dataset.classes),
            "fingerprint": dataset.fingerprint,
        },
    }


def name_of(described: Description) -> str:
    """Name a run by what is not a default: a parameter that the kit gains later renames nothing.

    The last part says all; variant and label before it are for people, and the label may change.
    """
    chosen = {
        name: value
        for name, value in described["params"].items()
        if described["may"][name] == "stay" and value != described["defaults"][name]
    }
    identity = json.dumps([described["variant"], chosen, described["data"]["fingerprint"]], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    label = re.sub(r"[^a-z0-9]+", "-", described["data"]["label"].lower()).strip("-")
    return f"{described['variant']}-{label}-{digest}"


def differences(old: Description, new: Description) -> list[str]:
    """Say in which points a run that is there, `old`, keeps `new` from going on in its folder."""
    found = []
    if old["variant"] != new["variant"]:
        found.append(f"variant: {old['variant']} there, {new['variant']} now")
    if old["data"]["fingerprint"] != new["data"]["fingerprint"]:
        found.append(f"images: {_images(old)} there, {_images(new)} now")
    # A parameter that this run's kit did not have yet had, in effect, its default.
    old_params = {**new["defaults"], **old["params"]}
    for name, now in new["params"].items():
        before = old_params[name]
        changes = new["may"].get(name, "stay")
        if before != now and not (changes == "change" or (changes == "grow" and now > before)):
            hint = " (may only grow)" if changes == "grow" else ""
            found.append(f"{name}: {before!r} there, {now!r} now{hint}")
    return found


def _images(described: Description) -> str:
    data = described["data"]
    return f"{data['label']}, {data['count']:,} images (content {data['fingerprint'][:8]})"
