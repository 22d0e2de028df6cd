"""Text to Typst markup that stays text: the only place where strings enter a Typst document."""

import re
from collections.abc import Iterable

# These are Unicode's and Typst's line ends; one at a wrong place would start a list or a heading.
_NEWLINES = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# Control characters, and marks that would turn the direction of the text behind them.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
# Quotes and sentence marks mean nothing to Typst (quotes become typographic ones); the rest is escaped.
_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")
_HARMLESS = set("'\"(),;!?")
_LONG_WORD = re.compile(r"\S{21,}")  # longer than the narrowest column that holds values
_BREAK = "\u200b"  # zero-width space: a place where a line may break


def clean(text: str) -> str:
    """Return `text` without control and direction characters and lone surrogates; line ends and tabs stay."""
    return _CONTROLS.sub("", _SURROGATES.sub("\ufffd", text))


def escape(text: str) -> str:
    """Return Typst markup that shows `text` literally, on one line, whatever `text` contains."""
    text = breakable(_NEWLINES.sub(" ", clean(text)))
    return _SPECIAL.sub(lambda m: m[0] if m[0] in _HARMLESS else "\\" + m[0], text)


def string(text: str) -> str:
    """Return a Typst string literal, quotes included, whose value is `text`."""
    text = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n").replace("\t", "\\t") + '"'


def expression(name: str, *arguments: str, **named: str) -> str:
    """Return the Typst expression `name(...)`; arguments are expressions made by this module."""
    options = [f"{key}: {value}" for key, value in named.items()]
    return f"{name}({', '.join([*arguments, *options])})"


def call(name: str, *arguments: str, **named: str) -> str:
    """Return `expression` as markup; the semicolon keeps the text behind it from continuing the call."""
    return f"#{expression(name, *arguments, **named)};"


def array(items: Iterable[str]) -> str:
    """Return a Typst array of expressions."""
    return f"({''.join(item + ', ' for item in items)})"


def content(markup: str) -> str:
    """Return Typst markup as one content expression."""
    return f"[{markup}]"


def code(text: str, *, block: bool = False, lang: str | None = None) -> str:
    """Return `text` in monospace; `lang` (letters only, else ignored) turns on highlighting."""
    return f"#{code_expression(text, block=block, lang=lang)};"


def code_expression(text: str, *, block: bool = False, lang: str | None = None) -> str:
    """Return `code` as a Typst expression."""
    options = {"block": "true"} if block else {}
    if lang and re.fullmatch(r"[A-Za-z0-9+#-]{1,20}", lang):
        options["lang"] = string(lang)
    return expression("raw", string(breakable(text)), **options)


def breakable(text: str) -> str:
    """Return `text` with places to break in words over 20 characters, such as paths and digests."""
    return _LONG_WORD.sub(_break_word, text)


def _break_word(match: re.Match[str]) -> str:
    pieces = re.findall(r"[^/_.,:=\-]{1,24}[/_.,:=\-]*|[/_.,:=\-]{1,24}", match[0])
    return _BREAK.join(pieces)
