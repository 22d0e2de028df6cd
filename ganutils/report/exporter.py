"""The nbconvert exporter `report`: `jupyter nbconvert --to report` and JupyterLab's export menu."""

from typing import Any

from nbconvert.exporters import Exporter
from traitlets import Bool, Enum, Int, List, Unicode, default

from ganutils.errors import ReportError
from ganutils.report.document import build
from ganutils.report.foreign import tidied
from ganutils.report.typesetting import Source, TypesettingError, typeset

LAYOUTS = ("report", "paper")


class ReportExporter(Exporter):
    """Exports a notebook as a typeset PDF: pictures, tables and text, with the code hidden."""

    export_from_notebook = "GAN report (PDF)"
    output_mimetype = "application/pdf"

    layout = Enum(
        ("", *LAYOUTS),
        default_value="",
        help="report: one column; paper: two columns; empty: the notebook's own (metadata ganutils.layout).",
    ).tag(config=True)
    animation = Unicode("", help="Name of an animation that lies beside the report.").tag(config=True)
    show_code = Bool(False, help="Show the code of the cells.").tag(config=True)
    stream_lines = Int(40, help="Show at most so many lines of a text that a cell printed.").tag(config=True)
    standards = List(
        Unicode(),
        default_value=["ua-1"],
        help="PDF standards, by Typst's names, such as ua-1 (accessible) or a-2a (archive).",
    ).tag(config=True)

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".pdf"

    def from_notebook_node(self, nb: Any, resources: Any = None, **kwargs: Any) -> tuple[bytes, Any]:
        """Return the PDF of a notebook node, and nbconvert's resources.

        The same notebook gives the same bytes. Raises ReportError if it cannot be typeset.
        """
        notebook, resources = super().from_notebook_node(tidied(nb), resources=resources, **kwargs)
        name = resources.get("metadata", {}).get("name") or "Report"
        source, front = build(
            notebook,
            name=name,
            show_code=self.show_code,
            stream_lines=self.stream_lines,
            layout=self.layout or _own_layout(notebook),
            animation=self.animation,
        )
        pdf = self._typeset(source, front.timestamp)
        resources["output_extension"] = self.file_extension
        return pdf, resources

    def _typeset(self, source: Source, timestamp: int) -> bytes:
        try:
            pdf, warnings = typeset(source, standards=self.standards, timestamp=timestamp)
        except TypesettingError as error:
            if not self.standards:
                raise ReportError(_refused(error)) from error
            self.log.warning(
                "The report does not meet %s (%s); it is written without that standard.",
                ", ".join(self.standards),
                error,
            )
            try:
                pdf, warnings = typeset(source, standards=[], timestamp=timestamp)
            except TypesettingError as second:
                raise ReportError(_refused(second)) from second
        for warning in warnings:
            self.log.warning("Typst: %s", warning)
        return pdf


def _own_layout(notebook: Any) -> str:
    layout = notebook.metadata.get("ganutils", {}).get("layout", LAYOUTS[0])
    if layout not in LAYOUTS:
        raise ReportError(
            f"layout={layout!r} in the metadata of the notebook (ganutils): is none of {', '.join(LAYOUTS)}."
        )
    return layout


def _refused(error: TypesettingError) -> str:
    return f"Typst cannot typeset the report: {error}"
