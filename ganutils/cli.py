"""The command `ganutils`."""

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from ganutils import commands
from ganutils.errors import GanutilsError


def command() -> int:
    """Run what the command line says; the process can end at once."""
    code = main()
    if "triton" not in sys.modules:  # which counts its objects at the end, and would tell of all of them
        gc.freeze()  # else Python's end looks for cycles in all of torch, which takes a second
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 for an error of the kit (told in its message), or 130 when interrupted."""
    # A second: jsonschema, which reads notebooks, compiles a grammar of web addresses if it finds this one.
    sys.modules.setdefault("rfc3987_syntax", None)
    try:
        options = _parser().parse_args(arguments)
        options.command(options)
    except GanutilsError as error:
        print(f"ganutils: {type(error).__name__}: {error}", file=sys.stderr)
        return 130 if getattr(error, "was_interrupted", False) else 1
    except KeyboardInterrupt:
        print("ganutils: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("ganutils", description="Train GANs, and turn runs into reports.")
    known = parser.add_subparsers(required=True, metavar="COMMAND")

    run = known.add_parser("run", help="train a variant without a notebook")
    run.add_argument("variant", help="its file name in ganutils/variants, such as dcgan")
    run.add_argument("--estimate", action="store_true", help="say how long it will take, and train nothing")
    run.set_defaults(command=commands.run)

    report = known.add_parser("report", help="run a notebook and export it to PDF")
    report.add_argument("notebook", type=Path)
    report.set_defaults(command=commands.report)

    compare = known.add_parser("compare", help="compare finished runs in a PDF report; trains nothing")
    compare.add_argument(
        "runs", nargs="*", help="run folders, or quoted patterns of them (default: all finished ones)"
    )
    compare.set_defaults(command=commands.compare)

    share = known.add_parser("share", help="copy runs without checkpoints, for others to compare")
    share.add_argument("runs", nargs="+", help="run folders")
    share.add_argument("--output", type=Path, required=True, help="folder of the copies")
    share.add_argument("--every", type=int, help="updates that a row of the copy's history is the mean of")
    share.set_defaults(command=commands.share)

    metrics = known.add_parser("metrics", help="measure finished runs: FID, KID, precision, recall")
    metrics.add_argument("runs", nargs="+", help="run folders")
    metrics.add_argument("--samples", type=int, default=0, help="generated images (default: by device)")
    metrics.add_argument("--real", type=int, default=0, help="real images (default: by device)")
    metrics.add_argument("--weights", default="", help="file of FID's Inception weights with its classifier")
    metrics.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    metrics.add_argument("--best", action="store_true", help="the best scored checkpoint, not the last")
    metrics.add_argument("--again", action="store_true", help="measure even if the numbers are there")
    metrics.set_defaults(command=commands.metrics)

    bench = known.add_parser("bench", help="measure the kit's speed on this machine, as Markdown tables")
    bench.add_argument("workloads", nargs="*", help="names of workloads (default: all of them)")
    bench.add_argument("--rounds", type=int, default=5, help="turns of each side (default: 5)")
    bench.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="a GPU: trainings alone (default: cpu)"
    )
    bench.set_defaults(command=commands.bench)

    for one in (report, compare):
        one.add_argument("--name", help="file name of the report, without ending (default: the notebook's)")
        one.add_argument("--output", type=Path, help="folder of the report (default: reports/)")
        one.add_argument("--show-code", action="store_true", help="show the notebook's code in the report")
        one.add_argument(
            "--layout", choices=("report", "paper"), default="", help="one column, or a paper's two columns"
        )
        one.add_argument("--no-animation", action="store_true", help="no GIF of the training beside the PDF")
        one.add_argument("--timeout", type=_seconds, help="seconds that a cell may take (default: no limit)")

    for one in (run, report, compare):
        one.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="pairs")
        one.add_argument("-f", type=Path, action="append", default=[], metavar="PRESET", dest="presets")

    listing = known.add_parser("params", help="print the parameters cell of a notebook")
    listing.add_argument("notebook", help="its name, such as dcgan")
    listing.set_defaults(command=commands.params)
    return parser


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number of seconds, 1 or more")
    return int(text)
