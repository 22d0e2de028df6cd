"""Typst at work: fonts, a closed folder for each document, and PDF bytes or a plain error."""

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from ganutils.report.placing import floating, spanning, waiting


class TypesettingError(RuntimeError):
    """Typst refused a document; the message is its first diagnostic and hint."""


@dataclass
class Source:
    """A Typst document: its markup, the pictures it shows, by file name, and its layout."""

    markup: str
    pictures: dict[str, bytes] = field(default_factory=dict)
    layout: str = "report"


def typeset(source: Source, *, standards: list[str], timestamp: int) -> tuple[bytes, list[str]]:
    """Return the PDF of `source` and Typst's warnings.

    `standards` are Typst's names, such as "ua-1"; `timestamp` is in seconds and makes the PDF
    repeatable. The document can read nothing outside its own temporary folder. Raises TypesettingError.
    """
    import typst

    with tempfile.TemporaryDirectory(prefix="ganutils-") as folder:
        root = Path(folder)
        (root / "template.typ").write_bytes(files("ganutils.report").joinpath("template.typ").read_bytes())
        for name, picture in source.pictures.items():
            (root / name).write_bytes(picture)
        (root / "main.typ").write_text(source.markup, encoding="utf-8")
        inputs = root / "inputs.json"

        def spots(chosen: Iterable[int], waits: Iterable[int] = ()) -> list[dict]:
            given = {"chosen": [*map(str, sorted(chosen))], "waiting": [*map(str, sorted(waits))]}
            inputs.write_text(json.dumps({"layout": source.layout, **given}))
            return json.loads(compiler.query("<spot>", field="value"))

        try:
            # One compiler for all tries: what did not change is not laid out again.
            compiler = typst.Compiler(
                root / "main.typ",
                root=root,
                font_paths=_fonts(),
                ignore_system_fonts=True,
                package_path=root,
                package_cache_path=root,
            )
            if source.layout == "paper":
                spots(spanning(spots))  # leaves the last choice as the inputs
            else:
                chosen = floating(spots)
                spots(chosen, waiting(lambda waits: spots(chosen, waits)))
            pdf, warnings = compiler.compile_with_warnings(
                format="pdf", pdf_standards=standards, timestamp=timestamp
            )
        except RuntimeError as error:
            raise TypesettingError(_explain(error)) from error
    return pdf, [str(warning) for warning in warnings]


def try_out(markup: str) -> None:
    """Typeset a snippet and forget it; raises TypesettingError if Typst refuses it."""
    import typst

    try:
        typst.compile({"main": markup.encode()}, root=_fonts_folder().name, format="pdf", font_paths=_fonts())
    except RuntimeError as error:
        raise TypesettingError(_explain(error)) from error


def accepts(name: str, picture: bytes) -> bool:
    """Tell whether Typst can show a picture, so that a damaged one does not take the report with it."""
    import typst

    with tempfile.TemporaryDirectory(prefix="ganutils-") as folder:
        (Path(folder) / name).write_bytes(picture)
        main = Path(folder) / "main.typ"
        main.write_text(f'#image("{name}")', encoding="utf-8")
        try:
            typst.compile(main, root=folder, format="pdf", font_paths=_fonts(), ignore_system_fonts=True)
        except RuntimeError:
            return False
    return True


def _explain(error: RuntimeError) -> str:
    return str(error).partition("; ")[0] + "".join(f"; {hint}" for hint in getattr(error, "hints", []))


@lru_cache(maxsize=1)
def _fonts():
    # System fonts would make the same notebook look different on another machine.
    import typst

    return typst.Fonts(include_system_fonts=False, font_paths=[_fonts_folder().name])


@lru_cache(maxsize=1)
def _fonts_folder() -> tempfile.TemporaryDirectory:
    """Return a folder with DejaVu only: matplotlib's fonts lie beside one that draws boxes for anything."""
    folder = tempfile.TemporaryDirectory(prefix="ganutils-fonts-")
    matplotlib = importlib.util.find_spec("matplotlib")
    for place in (matplotlib.submodule_search_locations or []) if matplotlib else []:
        for font in (Path(place) / "mpl-data" / "fonts" / "ttf").glob("DejaVuS*.ttf"):
            shutil.copy(font, folder.name)
    return folder
