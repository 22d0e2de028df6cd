import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ganutils.studies import params_class

ROOT = Path(__file__).parents[1]
PRESETS = sorted((ROOT / "notebooks" / "presets").glob("*.yaml"))


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_ruff(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command.split(), ROOT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_valid_and_say_what_they_are(path):
    text = path.read_text()
    assert text.startswith("# ")
    params_class(path.stem.split("-")[0])(**yaml.safe_load(text))


def test_the_readme_names_every_notebook():
    readme = (ROOT / "README.md").read_text()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{path.name}" in readme
