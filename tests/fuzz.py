"""Fuzz the readers for long, led by the coverage of their code.

    pip install atheris
    python tests/fuzz.py checkpoint 120       # a target of tests/fuzz_targets.py, seconds

Prints a finding with its bytes as Python: keep them in tests/test_fuzz.py. Linux only.
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import atheris

os.environ.setdefault("OMP_NUM_THREADS", "1")
with atheris.instrument_imports(include=["ganutils", "zipfile", "tarfile", "yaml", "mistune", "json"]):
    import fuzz_targets


def main() -> None:
    """Fuzz one target in a folder that goes away."""
    if len(sys.argv) == 4:
        fuzz(fuzz_targets.TARGETS[sys.argv[1]], int(sys.argv[2]), Path(sys.argv[3]))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        subprocess.run([sys.executable, __file__, *sys.argv[1:3], folder], check=False)


def fuzz(target: fuzz_targets.Target, seconds: int, folder: Path) -> None:
    """Tell findings once for each place in the code, and go on; never returns."""
    seeds, inside = folder / "seeds", folder / "inside"
    for made in (seeds, inside):
        made.mkdir()
    for number, seed in enumerate(fuzz_targets.SEEDS[target]):
        (seeds / str(number)).write_bytes(seed)
    os.chdir(inside)
    os.environ["GANUTILS_CACHE"] = str(inside / ".cache")
    told: set[tuple[str, int]] = set()

    def one(content: bytes) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                fuzz_targets.check(target, content, inside)
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                if (place.filename, place.lineno) not in told:
                    told.add((place.filename, place.lineno))
                    sys.stderr.write(f"FINDING {target.__name__}: {content!r}\n{traceback.format_exc()}\n")

    options = [f"-max_total_time={seconds}", "-max_len=20000", "-rss_limit_mb=4096", "-timeout=20"]
    atheris.Setup([sys.argv[0], *options, str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
