"""The facts of a machine and its libraries that a report has to state."""

import importlib.metadata
import platform
from datetime import UTC, datetime

from ganutils.hardware import Hardware

_LIBRARIES = ("ganutils", "torch", "torchvision", "numpy")


def facts(hardware: Hardware) -> dict[str, str]:
    """Return what a reader needs to judge a run's speed and to repeat it."""
    return {
        "started": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "device": str(hardware),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES),
    }
