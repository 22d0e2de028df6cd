"""The command `ganutils`."""

import argparse
import contextlib
import gc
import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganutils.errors import GanutilsError, ReportError
from ganutils.presets import read_preset


def command() -> int:
    """Run what the command line says; the process can end at once."""
    code = main()
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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="train a variant without a notebook")
    run.add_argument("variant", help="its file name in ganutils/variants, such as dcgan")
    run.add_argument("--estimate", action="store_true", help="say how long it will take, and train nothing")
    run.set_defaults(command=_run)

    report = commands.add_parser("report", help="run a notebook and export it to PDF")
    report.add_argument("notebook", type=Path)
    report.set_defaults(command=_report)

    compare = commands.add_parser("compare", help="compare finished runs in a PDF report; trains nothing")
    compare.add_argument(
        "runs", nargs="*", help="run folders, or quoted patterns of them (default: all finished ones)"
    )
    compare.set_defaults(command=_compare)

    share = commands.add_parser("share", help="copy runs without checkpoints, for others to compare")
    share.add_argument("runs", nargs="+", help="run folders")
    share.add_argument("--output", type=Path, required=True, help="folder of the copies")
    share.add_argument("--every", type=int, help="updates that a row of the copy's history is the mean of")
    share.set_defaults(command=_share)

    metrics = commands.add_parser("metrics", help="measure finished runs: FID, KID, precision, recall")
    metrics.add_argument("runs", nargs="+", help="run folders")
    metrics.add_argument("--samples", type=int, default=0, help="generated images (default: by device)")
    metrics.add_argument("--real", type=int, default=0, help="real images (default: by device)")
    metrics.add_argument("--weights", default="", help="file of FID's Inception weights with its classifier")
    metrics.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    metrics.add_argument("--best", action="store_true", help="the best scored checkpoint, not the last")
    metrics.add_argument("--again", action="store_true", help="measure even if the numbers are there")
    metrics.set_defaults(command=_metrics)

    bench = commands.add_parser("bench", help="measure the kit's speed on this machine, as Markdown tables")
    bench.add_argument("workloads", nargs="*", help="names of workloads (default: all of them)")
    bench.add_argument("--rounds", type=int, default=5, help="turns of each side (default: 5)")
    bench.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="a GPU: trainings alone (default: cpu)"
    )
    bench.set_defaults(command=_bench)

    for command in (report, compare):
        command.add_argument(
            "--name", help="file name of the report, without ending (default: the notebook's)"
        )
        command.add_argument("--output", type=Path, help="folder of the report (default: reports/)")
        command.add_argument(
            "--show-code", action="store_true", help="show the notebook's code in the report"
        )
        command.add_argument(
            "--layout", choices=("report", "paper"), default="", help="one column, or a paper's two columns"
        )
        command.add_argument(
            "--no-animation", action="store_true", help="no GIF of the training beside the PDF"
        )
        command.add_argument(
            "--timeout", type=_seconds, help="seconds that a cell may take (default: no limit)"
        )

    for command in (run, report, compare):
        command.add_argument(
            "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="pairs"
        )
        command.add_argument("-f", type=Path, action="append", default=[], metavar="PRESET", dest="presets")

    listing = commands.add_parser("params", help="print the parameters cell of a notebook")
    listing.add_argument("notebook", help="its name, such as dcgan")
    listing.set_defaults(command=_params)
    return parser


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number of seconds, 1 or more")
    return int(text)


def read_values(presets: Sequence[Path], pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Merge YAML presets and name-value pairs, the later ones win.

    Raises `ParameterError` for a preset that is missing or is not a list of `name: value` lines.
    """
    values: dict[str, Any] = {}
    for preset in presets:
        values |= read_preset(preset, f"-f {preset}")
    return values | dict(pairs)


def _run(options: argparse.Namespace) -> None:
    from ganutils import RunDir, build, load_dataset, train, variants

    params = variants.get(options.variant).Params(**read_values(options.presets, options.pairs))
    dataset = load_dataset(params)
    print(dataset.summary())
    gan = build(params, dataset)
    if options.estimate:
        from ganutils.estimate import estimate

        print(estimate(gan, dataset, params))
        return
    run = RunDir.open(params, dataset)
    begun = time.monotonic()
    history = train(gan, dataset, params, run)
    print(f"{run}: {history.reached(params.epochs)} epochs, {history.minutes:.1f} minutes")
    time_was_up = 0 < 60 * params.max_minutes <= time.monotonic() - begun
    if history.epoch < params.epochs and not time_was_up:
        raise KeyboardInterrupt


def _report(options: argparse.Namespace) -> None:
    values = read_values(options.presets, options.pairs)
    _write_report(options, options.notebook, values, lambda: _check(options.notebook, values))


def _check(notebook: Path, values: dict[str, Any]) -> None:
    """Raise `ParameterError` for values that the notebook's Params refuse beside its own."""
    from ganutils.report.execution import read
    from ganutils.report.foreign import tidied
    from ganutils.report.notebook import front

    head = front(tidied(read(notebook)))
    kind, _, name = head.parameters_of.rpartition(" ")
    if kind == "Parameters of":
        from ganutils.studies import params_class

        params_class(name)(**{own.name: own.default for own in head.parameters} | values)


def _compare(options: argparse.Namespace) -> None:
    from ganutils.paths import project_root
    from ganutils.studies import compare

    runs = ",".join(_from_root(name) for name in options.runs)
    values = {**read_values(options.presets, options.pairs), "runs": runs}
    with contextlib.redirect_stdout(io.StringIO()):  # the notebook says again what is left out
        compare.read(compare.Params(**values))  # a wrong name is told at once, before a kernel starts
    _write_report(options, project_root() / "notebooks" / "compare.ipynb", values)


def _from_root(name: str) -> str:
    from ganutils.paths import shown

    # The shell completes names from the current folder; the parameter counts from the project's root.
    path = Path(name).resolve()
    return shown(path) if path.exists() else name


def _share(options: argparse.Namespace) -> None:
    from ganutils.runs import RunDir
    from ganutils.sharing import EVERY, share

    every = EVERY if options.every is None else options.every
    for run in [RunDir(_from_root(name)) for name in options.runs]:  # all are read before one is copied
        copy = share(run, options.output.resolve(), every)
        size = sum(file.stat().st_size for file in copy.rglob("*")) / 1e6
        print(f"{copy}: {size:.1f} MB")


def _metrics(options: argparse.Namespace) -> None:
    from ganutils.metrics.measure import measure
    from ganutils.metrics.table import protocols, table
    from ganutils.runs import RunDir

    names = ("samples", "real", "weights", "device", "best", "again")
    how = {name: getattr(options, name) for name in names}
    runs = [RunDir(_from_root(name)) for name in options.runs]
    for run in runs:  # all are read before the first is measured: a wrong name is told at once
        found = measure(run, **how)
        rows, header = table(run, found)
        widest = max(len(row[0]) for row in rows)
        print(f"\n{run}")
        for name, value, floor in [header, *rows]:
            print(f"  {name:<{widest}}  {value:<18}  {floor}".rstrip())
        print("\n".join(f"  {line}" for line in protocols(run, found)))


def _write_report(
    options: argparse.Namespace,
    notebook: Path,
    values: dict[str, Any],
    check: Callable[[], object] | None = None,
) -> None:
    from ganutils.report.build import report

    files = report(
        notebook,
        values,
        output_dir=options.output,
        name=options.name,
        show_code=options.show_code,
        layout=options.layout,
        animate=not options.no_animation,
        cell_timeout=options.timeout,
        check=check,
    )
    if files.problem:
        raise ReportError(f"the PDF could not be made.\n{files}")
    print(files)


def _bench(options: argparse.Namespace) -> None:
    from ganutils.bench.run import bench

    bench(options.workloads, options.rounds, options.device)


def _params(options: argparse.Namespace) -> None:
    from ganutils.params import parameters_cell
    from ganutils.studies import params_class

    print(parameters_cell(params_class(options.notebook)))
