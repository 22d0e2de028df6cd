"""`python -m ganutils` is the command `ganutils`."""

import sys

from ganutils.cli import main

if __name__ == "__main__":
    sys.exit(main())
