"""A plugin for nbval, which by itself does not compare pixel pictures: they must repeat as well.

`second_execution` runs it on an executed notebook.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# jsonschema, which reads notebooks, would compile a grammar of web addresses for two seconds.
sys.modules.setdefault("rfc3987_syntax", None)

_SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
_TIMEOUT = 120  # seconds for a cell


def pytest_collectstart(collector: Any) -> None:
    """Let nbval compare PNG and JPEG pictures, byte by byte."""
    if type(collector).__name__ == "IPyNbFile":
        kept = (name for name in collector.skip_compare if not name.startswith("image/"))
        collector.skip_compare = tuple(kept)


def second_execution(notebook: Path) -> str:
    """Execute a notebook again in its folder; returns "" if all outputs repeat, else what pytest says."""
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout", str(_TIMEOUT)]
    options += ["--nbval-sanitize-with", str(_SANITIZE), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "nbval_strictly", *options, notebook.name],
        cwd=notebook.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[-4000:]
