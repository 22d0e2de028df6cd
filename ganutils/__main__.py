"""`python -m ganutils` is the command `ganutils`."""

import sys

from ganutils.cli import command

if __name__ == "__main__":
    sys.exit(command())
