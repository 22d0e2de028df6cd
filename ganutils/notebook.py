"""What notebooks call: reading their parameters and showing figures, tables and notices with captions.

Outputs carry metadata under the key "ganutils", from which the report takes captions and alt texts.
"""

import ast
import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from matplotlib import rc_context
from matplotlib.figure import Figure

from ganutils.data import Dataset
from ganutils.errors import ParameterError
from ganutils.params import NotebookParams
from ganutils.pixels import sharpen
from ganutils.runs import RunDir
from ganutils.studies import params_class
from ganutils.style import STYLE, WIDTH

_OWN = "# Parameters of"
_INJECTED = "# Parameters"


def read_parameters(name: str) -> NotebookParams:
    """Read the parameters cell of the notebook `name`, and what papermill injected after it, strictly.

    The cell begins with `# Parameters of ...`. Raises `ParameterError` with a line for each unknown
    name, with the nearest valid one, and for each value that is not allowed.
    """
    shell = get_ipython()
    if shell is None:
        raise ParameterError(
            "read_parameters works in a notebook only; elsewhere call Params(...) of a variant."
        )
    names = assigned_names(shell.user_ns["In"]) or _plain_names(shell)  # nbval keeps no cells in In
    return params_class(name)(**{name: shell.user_ns[name] for name in names})


def assigned_names(cells: Sequence[str]) -> list[str]:
    """Return the names set in the last parameters cell that ran and in injected ones that ran after it.

    Raises `ParameterError` for a preset's line such as `epochs: 5`, which in Python sets nothing, and for
    what is no Python at all. What earlier versions of the cell said does not count.
    """
    firsts = [source.lstrip().split("\n", 1)[0].rstrip() for source in cells]
    own = max((place for place, first in enumerate(firsts) if first.startswith(_OWN)), default=0)
    found: dict[str, None] = {}
    for source, first in zip(cells[own:], firsts[own:], strict=True):
        if not first.startswith(_OWN) and first != _INJECTED:
            continue
        for statement in _statements(source):
            _refuse_annotation(statement)
            found |= dict.fromkeys(_targets(statement))
    return list(found)


def _targets(statement: ast.stmt) -> Iterator[str]:
    """Return the names that a statement sets, also as `a, b = 1, 2` or below an `if`."""
    for part in ast.walk(statement):
        targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
        if isinstance(part, ast.stmt):
            names = (node for target in targets if target for node in ast.walk(target))
            yield from (n.id for n in names if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _statements(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise ParameterError(
            f"The parameters cell is no Python: {error.msg} in {line!r}. Correct it and run it again."
        ) from None


def _refuse_annotation(statement: ast.stmt) -> None:
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        name, value = (ast.unparse(part) for part in (statement.target, statement.annotation))
        raise ParameterError(f"{name}: {value}: sets nothing in a notebook. Write {name} = {value}.")


def _plain_names(shell: InteractiveShell) -> list[str]:
    plain = (str, int, float, list, tuple, type(None))
    return [
        name
        for name, value in shell.user_ns.items()
        if isinstance(value, plain) and not name.startswith("_") and name not in shell.user_ns_hidden
    ]


def show(figure: Figure, caption: str, alt: str, *, width: str | None = None) -> None:
    """Show a figure with a caption (Markdown, what to see in it) and an alt text (what it looks like).

    `width` on the page: "full", "wide" (0.8 of the text) or "column" (half); without it the figure's own.
    """
    has_pixels = any(axis.images for axis in figure.axes)
    size = {"image/png": {"width": round(figure.get_figwidth() * 110)}}
    share = min(1.0, round(float(figure.get_figwidth()) / WIDTH, 3))
    data = {"image/png": _render(figure, "png", sharpen(figure))}
    if not has_pixels:
        engine = figure.get_layout_engine()
        figure.set_layout_engine("none")  # the PNG has laid it out
        data["image/svg+xml"] = _render(figure, "svg", 72).decode()
        if engine is not None:
            figure.set_layout_engine(engine)
    about = {"caption": caption, "alt": alt, "width": width or share}
    display(data, raw=True, metadata={"ganutils": about, **size})
    _markdown(f"*{caption}*", {"role": "caption"})


def _render(figure: Figure, kind: str, dpi: float) -> bytes:
    content = io.BytesIO()
    stamp = {"Date": None} if kind == "svg" else {"Software": None}
    with rc_context(STYLE):
        figure.savefig(content, format=kind, dpi=dpi, metadata=stamp)
    return content.getvalue()


def show_table(
    rows: Sequence[Sequence[Any]], header: Sequence[str], caption: str, role: str = "table"
) -> None:
    """Show a table with a caption."""
    _markdown(_table(rows, header), {"role": role, "caption": caption})


def _table(rows: Sequence[Sequence[Any]], header: Sequence[str]) -> str:
    marks = ["---:" if _is_numeric(column) else "---" for column in zip(*rows, strict=True)]
    lines = [header, marks or ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _is_numeric(column: Sequence[Any]) -> bool:
    return all(isinstance(value, (int, float)) for value in column)


def _cell(value: Any) -> str:
    text = (
        f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)
    )
    return text.replace("|", "\\|").replace("\n", " ")


def show_data(dataset: Dataset) -> None:
    """Print split and counts, and show the data's notices so that nobody overlooks them."""
    print(dataset.summary())
    for notice in dataset.notices:
        _markdown(f"> **Notice.** {notice}", {"role": "notice"})


def show_environment(run: RunDir) -> None:
    """Show what a reader needs to judge and repeat a run: device, seed, updates, minutes, versions."""
    history = run.history()
    described = run.described
    data, params = described["data"], described["params"]
    step = history.step
    part = "" if history.passed == history.epoch else " in finished epochs"
    speed = f"{history.images_per_second:.0f} images/s in a median epoch"
    rows = [
        ("Run folder", f"`{run}`"),
        ("Data", f"{data['label']}, {data['split']} split, {data['count']:,} images"),
        ("Source", data.get("source", "not recorded")),
        ("Epochs", history.reached(params["epochs"])),
        ("Updates", f"discriminator {step:,}, generator {step // params.get('d_steps', 1):,}"),
        ("Training time", f"{history.minutes:.1f} minutes{part}, {speed}"),
        ("Seed", str(params["seed"])),
        *(("Went back, at half the learning rate", what) for what in run.rollbacks()),
    ]
    before: dict[str, str] = {}
    for facts in run.environment():  # of a later session only what is new
        rows += [(name.capitalize(), value) for name, value in facts.items() if before.get(name) != value]
        before = facts
    about = {"role": "environment", "caption": "Where and how the run was made.", "run": str(run.path)}
    _markdown(_table(rows, ("Fact", "Value")), about)


def _markdown(text: str, about: dict[str, Any]) -> None:
    display({"text/markdown": text, "text/plain": text}, raw=True, metadata={"ganutils": about})
    sys.stdout.flush()
