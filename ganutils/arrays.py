"""Arrays in the cache, as npz archives: numpy checks their sums when it reads them."""

from pathlib import Path

import numpy as np

from ganutils.files import keep


def keep_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Put arrays into a file of the cache; see `ganutils.files.keep`."""

    def write(file: Path) -> None:
        with file.open("wb") as opened:  # to a mere name numpy adds .npz
            np.savez(opened, **arrays)

    keep(path, write)
