"""Author-year citations: which works a notebook lists under its references, and where its text names them."""

import re
from collections.abc import Iterator
from typing import Any

from ganutils.report.grammar import Token, parse, plain_text

TITLES = {"references", "bibliography", "literature"}

_CODE = re.compile(r"(`+).*?\1", re.DOTALL)
_BY_NUMBER = re.compile(r"\[\d{1,3}(?:[,–-] ?\d{1,3})*\](?!\()")
_AUTHOR = re.compile(r"^(?:[^\W\d_]\.[ -]?)*\s*(?P<first>[^,.;:()\d]{2,40}?)(?=[,.;:(]| and | et al)")
_YEAR = re.compile(r"\b(?:18|19|20)\d\d\b")

Key = tuple[str, str]  # the first author's last name, and the year


def key(text: str) -> Key | None:
    """Return what a reference such as "A. Radford, L. Metz. Title. 2015." is cited by, or None."""
    author, years = _AUTHOR.match(text.strip()), _YEAR.findall(re.sub(r"arXiv\W*\S+", "", text))
    return (author["first"].split()[-1], years[-1]) if author and years else None


def listed(notebook: Any) -> dict[Key, str]:
    """Return the works in the lists under a notebook's heading of references, each with a label."""
    found: dict[Key, str] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for text in _references(parse(cell.source)):
                if cited := key(text):
                    found.setdefault(cited, f"reference-{len(found)}")
    return found


def are_numbered(notebook: Any) -> bool:
    """Tell whether the text of a notebook cites by number, such as [3]."""
    texts = (_CODE.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return any(_BY_NUMBER.search(text) for text in texts)


def named(text: str, known: dict[Key, str]) -> Iterator[tuple[str, str | None]]:
    """Cut `text` into pieces; those that cite a known work, from name to year, come with its label."""
    end = 0
    for match in _pattern(known).finditer(text) if known else ():
        if label := known.get((match["name"], match["year"])):
            yield text[end : match.start()], None
            yield match[0], label
            end = match.end()
    yield text[end:], None


def _pattern(known: dict[Key, str]) -> re.Pattern[str]:
    # A name and the nearest year behind it in the same sentence, with no other name between them.
    names = "|".join(re.escape(name) for name, _ in known)
    return re.compile(rf"\b(?P<name>{names})\b(?:(?!{names})[^.;:!?]){{0,60}}?\b(?P<year>(?:18|19|20)\d\d)\b")


def _references(tokens: list[Token]) -> Iterator[str]:
    inside = False
    for token in tokens:
        if token["type"] == "heading":
            inside = plain_text(token["children"]).strip().lower() in TITLES
        elif token["type"] == "list" and inside:
            for item in token["children"]:
                yield plain_text(item["children"])
