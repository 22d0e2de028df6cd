"""From a notebook to its report: run it, typeset it, and never lose what was computed."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganutils.errors import ReportError
from ganutils.files import write_atomic
from ganutils.paths import project_root
from ganutils.report.execution import StoppedError, execute, read
from ganutils.report.foreign import tidied
from ganutils.report.html import to_html
from ganutils.report.notebook import front, run_folder


@dataclass(frozen=True)
class ReportFiles:
    """Where a report lies; `html` and `problem` are set instead of `pdf` if the PDF could not be made.

    `animation` is a GIF of the training, if the notebook is about one with enough sample grids.
    """

    notebook: Path
    pdf: Path | None
    html: Path | None = None
    problem: str | None = None
    run: Path | None = None
    animation: Path | None = None

    def __str__(self) -> str:
        files = {"Notebook": self.notebook, "PDF": self.pdf, "HTML": self.html}
        rows = {**files, "GIF": self.animation, "Run": self.run}
        lines = [f"{name + ':':<10}{path}" for name, path in rows.items() if path]
        return "\n".join(lines + ([f"No PDF: {self.problem}"] if self.problem else []))


def export(
    notebook: str | Path,
    pdf: str | Path | None = None,
    *,
    show_code: bool = False,
    layout: str = "",
    animate: bool = True,
) -> ReportFiles:
    """Export an executed notebook to `pdf`, by default beside the notebook with the ending .pdf.

    `layout` is "report" (one column) or "paper" (two), by default the notebook's own. With `animate`, a
    GIF of the training lies beside the PDF and is named in it. If the PDF cannot be typeset, an HTML file
    with the reason is written beside it instead. A file that is there is replaced only by a complete one.
    Raises ReportError if the notebook cannot be read or neither file can be written.
    """
    from ganutils.report.exporter import ReportExporter

    source = Path(notebook)
    target = Path(pdf) if pdf else source.with_suffix(".pdf")
    node = tidied(read(source))
    film, film_path = film_of(node) if animate else None, target.with_suffix(".gif")
    try:
        exporter = ReportExporter(
            show_code=show_code, layout=layout, animation=film_path.name if film else ""
        )
        made, _ = exporter.from_notebook_node(node, {"metadata": {"name": source.stem}})
    except Exception as error:  # whatever went wrong, hours of computing shall still give something to read
        problem = str(error) if isinstance(error, ReportError) else f"{type(error).__name__}: {error}"
        html = target.with_suffix(".html")
        try:
            page = to_html(node, source.stem, problem)
        except Exception as second:
            raise ReportError(
                f"{source} can be made neither PDF ({problem}) nor HTML ({type(second).__name__}: {second}); "
                "the notebook itself is kept."
            ) from error
        _write(html, page)
        return ReportFiles(source, None, html, problem, run_folder(node))
    if film:
        _write(film_path, film)
    _write(target, made)
    return ReportFiles(source, target, run=run_folder(node), animation=film_path if film else None)


def film_of(node: Any) -> bytes | None:
    """Return the animation of the run that a notebook is about: not of one that a study looks into."""
    folder, about = run_folder(node), front(node).parameters_of.rpartition(" ")[2]
    if folder is None or not about:
        return None
    from ganutils.animation import animation
    from ganutils.runs import RunDir

    try:
        run = RunDir(folder)
        return animation(run) if run.described["variant"] == about else None
    except Exception:  # moved or damaged samples must not cost the report
        return None


def report(
    notebook: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    output_dir: str | Path | None = None,
    name: str | None = None,
    pdf: str | Path | None = None,
    show_code: bool = False,
    layout: str = "",
    animate: bool = True,
    cell_timeout: int | None = None,
    progress: Callable[[str], None] | None = print,
    check: Callable[[], object] | None = None,
) -> ReportFiles:
    """Run a notebook with `parameters` and export it; returns where everything lies.

    The executed notebook and the PDF are `<output_dir>/<name>.ipynb` and `.pdf`; by default the folder is
    `reports/` of the project and the name is the notebook's. `pdf` puts the PDF elsewhere; `layout` and
    `animate` are those of `export`. A notebook that
    fails or is interrupted is left as `<name>.partial.ipynb` with a report of what there was, and replaces
    nothing. `check` and the errors are those of `execute` and `export`.
    """
    source = Path(notebook)
    folder = Path(output_dir) if output_dir else project_root() / "reports"
    executed = folder / f"{name or source.stem}.ipynb"
    if executed.resolve() == source.resolve():
        raise ReportError(f"{source} would overwrite itself: choose another name or folder for the report.")
    partial = executed.with_suffix(".partial.ipynb")  # a failing run does not replace a good report
    try:
        execute(source, partial, parameters, cell_timeout=cell_timeout, progress=progress, check=check)
    except StoppedError as error:
        shown = export(partial, show_code=show_code, layout=layout, animate=False)
        error.args = (f"{error}\nA report of what there was: {shown.pdf or shown.html}",)
        raise
    os.replace(partial, executed)
    for ending in (".partial.pdf", ".partial.html"):
        executed.with_suffix(ending).unlink(missing_ok=True)
    try:
        return export(executed, pdf, show_code=show_code, layout=layout, animate=animate)
    except KeyboardInterrupt:
        text = f"The report was interrupted while it was typeset.\nThe whole notebook: {executed}"
        raise StoppedError(text, executed, was_interrupted=True) from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}; choose another folder.") from error
