"""Runs notebooks with strict parameters and typesets the executed notebook as a PDF report."""

from ganutils.report.build import ReportFiles, export, report
from ganutils.report.execution import execute

__all__ = ["ReportFiles", "execute", "export", "report"]
