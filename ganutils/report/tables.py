"""Tables of a notebook to Typst; the template decides how they break, from their length and their width."""

from collections.abc import Callable
from dataclasses import dataclass

from ganutils.report.grammar import Token, parse, plain_text
from ganutils.report.markup import array, content, expression

WIDEST = 0.62  # of the text's width: what is wider spans both columns of a paper
_WHOLE_ROWS, _WHOLE_SHARE = 25, 1.5  # a table up to so long and so wide is not split over pages
_LETTER = 4.2  # points, the mean width of a character in a table
_MARGINS = 10.0  # points beside each cell
_TEXT_WIDTH = 460.8  # points between the margins of a page


@dataclass(frozen=True)
class Table:
    """A table as Typst arguments: its `share` of the text's width is estimated from its characters."""

    header: str
    rows: str
    align: str
    share: float
    whole: bool

    def markup(self, name: str, **options: str) -> str:
        """Return the expression of the template's function `name` for this table."""
        about = {"share": f"{self.share:.2f}", "wide": str(self.share > WIDEST).lower()}
        about["whole"] = str(self.whole).lower()
        return expression(name, self.header, self.rows, self.align, **about, **options)


def read(token: Token, inlines: Callable[[list[Token]], str]) -> Table:
    """Return mistune's table `token`; `inlines` renders the tokens of a cell."""
    head, *bodies = token["children"]
    lines = [head["children"], *(row["children"] for body in bodies for row in body["children"])]
    header, *rows = [array(content(inlines(cell["children"])) for cell in line) for line in lines]
    alignment = array(cell["attrs"]["align"] or "left" for cell in head["children"])
    share = _share(lines)
    whole = len(rows) <= _WHOLE_ROWS and share <= _WHOLE_SHARE
    return Table(header, array(rows), alignment, share, whole)


def shape(text: str) -> Table | None:
    """Return the table that Markdown `text` consists of, or None if it is something else."""
    tokens = [token for token in parse(text) if token["type"] != "blank_line"]
    return read(tokens[0], plain_text) if [token["type"] for token in tokens] == ["table"] else None


def _share(lines: list[list[Token]]) -> float:
    widths = [
        max(len(plain_text(cell["children"])) for cell in column) * _LETTER + _MARGINS
        for column in zip(*lines, strict=True)
    ]
    return sum(widths) / _TEXT_WIDTH
