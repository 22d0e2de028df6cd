"""The Markdown that notebooks are written in: GitHub's tables, footnotes and LaTeX maths."""

import re
from functools import lru_cache
from typing import Any

import mistune
from mistune.core import BlockState, InlineState

Token = dict[str, Any]

_NAMES = "equation|align|aligned|gather|eqnarray|multline"
_BLOCK_MATHS = (
    r"^ {0,3}\$\$(?P<dollars>(?:[^$\\]|\\[\s\S])+)\$\$[ \t]*(?:\n|$)"
    rf"|^ {{0,3}}(?P<environment>\\begin\{{(?P<name>(?:{_NAMES})\*?)\}}[\s\S]+?\\end\{{(?P=name)\}})"
    r"[ \t]*(?:\n|$)"
)
# As in pandoc, `$5 and $6` is no formula: no space inside the dollars, no digit behind them.
_INLINE_MATHS = (
    r"\$\$(?P<display>(?:[^$\\]|\\[\s\S])+)\$\$"
    r"|\$(?![\s$])(?P<inline>(?:[^$\\]|\\[\s\S])*?(?:[^$\\\s]|\\[\s\S]))\$(?!\d)"
)


def parse(text: str) -> list[Token]:
    """Return mistune's tokens of Markdown `text`; formulas are tokens `maths` with a flag `display`."""
    tokens, _ = _markdown().parse(text)
    return tokens


def plain_text(tokens: list[Token]) -> str:
    """Return the words of inline tokens without their markup."""
    return "".join(
        plain_text(token["children"]) if "children" in token else token.get("raw", " ") for token in tokens
    )


@lru_cache(maxsize=1)
def _markdown() -> mistune.Markdown:
    return mistune.create_markdown(renderer=None, plugins=["table", "footnotes", "strikethrough", _maths])


def _maths(markdown: mistune.Markdown) -> None:
    markdown.block.register("maths_block", _BLOCK_MATHS, _parse_block, before="list")
    markdown.inline.register("maths_inline", _INLINE_MATHS, _parse_inline, before="codespan")


def _parse_block(block: Any, match: re.Match[str], state: BlockState) -> int:
    latex = match["dollars"] or match["environment"]
    state.append_token({"type": "maths", "raw": latex, "attrs": {"display": True}})
    return match.end()


def _parse_inline(parser: Any, match: re.Match[str], state: InlineState) -> int:
    latex = match["display"] or match["inline"]
    state.append_token({"type": "maths", "raw": latex, "attrs": {"display": match["display"] is not None}})
    return match.end()
