"""What the command `ganutils` does: a function for each of its commands, with the options that were given.

They import what they need themselves: help and wrong options are told without torch.
"""

import contextlib
import io
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganutils.errors import ReportError
from ganutils.presets import read_preset


def read_values(presets: Sequence[Path], pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Merge YAML presets and name-value pairs, the later ones win.

    Raises `ParameterError` for a preset that is missing or is not a list of `name: value` lines.
    """
    values: dict[str, Any] = {}
    for preset in presets:
        values |= read_preset(preset, f"-f {preset}")
    return values | dict(pairs)


def run(options: Namespace) -> None:
    """Train a variant without a notebook, or say how long that would take."""
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


def report(options: Namespace) -> None:
    """Run a notebook and export it to PDF."""
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


def compare(options: Namespace) -> None:
    """Compare finished runs in a PDF report."""
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


def share(options: Namespace) -> None:
    """Copy runs without their checkpoints."""
    from ganutils import sharing
    from ganutils.runs import RunDir

    every = sharing.EVERY if options.every is None else options.every
    for run in [RunDir(_from_root(name)) for name in options.runs]:  # all are read before one is copied
        copy = sharing.share(run, options.output.resolve(), every)
        size = sum(file.stat().st_size for file in copy.rglob("*")) / 1e6
        print(f"{copy}: {size:.1f} MB")


def metrics(options: Namespace) -> None:
    """Measure finished runs."""
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
    options: Namespace,
    notebook: Path,
    values: dict[str, Any],
    check: Callable[[], object] | None = None,
) -> None:
    from ganutils.report import build

    files = build.report(
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


def bench(options: Namespace) -> None:
    """Measure the kit's speed on this machine."""
    from ganutils.bench import run

    run.bench(options.workloads, options.rounds, options.device)


def params(options: Namespace) -> None:
    """Print the parameters cell of a notebook."""
    from ganutils.params import parameters_cell
    from ganutils.studies import params_class

    print(parameters_cell(params_class(options.notebook)))
