"""Markdown of a notebook cell to Typst markup; what is not understood is shown as it was written."""

import logging
import re
from collections.abc import Callable, Iterable

from ganutils.report import citations, maths, tables
from ganutils.report.grammar import Token, parse, plain_text
from ganutils.report.markup import call, code, content, escape, string

log = logging.getLogger(__name__)

# Given the address and the text of a picture, returns its Typst markup, or None if it cannot be shown.
Picture = Callable[[str, str], str | None]

_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f]{1,2000}", re.IGNORECASE)
_OWN_NUMBER = re.compile(r"(?:\d+(?:\.\d+)*\.|\d+(?:\.\d+)+)\s+")
_COMMENT = re.compile(r"\s*<!--.*?-->\s*", re.DOTALL)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_UNNUMBERED = {"abstract", "acknowledgements", "acknowledgments"} | citations.TITLES


class Outline:
    """Places headings and references.

    The first heading of level 1 is the report's title, and no level is skipped below it.
    """

    def __init__(self, works: dict[citations.Key, str] | None = None, numbered: bool = True) -> None:
        self.titles: list[str] = []
        self.works = works or {}  # to cite; each with the label of its reference
        self.unplaced = set(self.works.values())  # a label may stand in the report but once
        self.numbered = numbered  # references carry numbers
        self._title_seen = False
        self._last = 0

    def place(self, level: int, text: str) -> int | None:
        """Return the level in the report of a heading, or None for the title, which is printed above."""
        if level == 1 and not self._title_seen:
            self._title_seen = True
            return None
        self.titles.append(text)
        self._last = min(max(1, level - 1), self._last + 1)
        return self._last


def to_typst(
    text: str,
    *,
    outline: Outline | None = None,
    picture: Picture | None = None,
    caption: str | None = None,
) -> str:
    """Return Typst markup for Markdown `text`.

    Headings are placed by `outline`; without one they become bold lines. `picture` finds the notebook's
    own pictures: a path or web address is never read, its text is shown. `caption` (Markdown) makes the
    first table a numbered one.
    """
    return _Renderer(outline, picture, caption).document(parse(text))


def one_line(text: str) -> str:
    """Return Typst markup for Markdown `text` on one line, for captions and table cells."""
    return _Renderer(None, None, None).flat(parse(text))


def formula(latex: str, display: bool) -> str:
    """Return the Typst markup of a formula; one that cannot be shown appears as highlighted source."""
    latex = latex.strip()
    block = str(display).lower()
    try:
        typst_source = maths.convert(latex, display)
    except maths.FormulaError as error:
        log.warning("The formula %r is shown as LaTeX source: %s.", latex, error)
        return call("formula-source", string(latex), block)
    return call("formula", string(typst_source), string(latex), block)


class _Renderer:
    """Turns mistune's tokens into Typst markup, one method for each kind of token."""

    def __init__(self, outline: Outline | None, picture: Picture | None, caption: str | None) -> None:
        self._outline = outline
        self._picture = picture or (lambda address, text: None)
        self._caption = caption
        self._footnotes: dict[str, str] = {}
        self._cites = outline.works if outline else {}
        self._in_references = False

    def document(self, tokens: list[Token]) -> str:
        for token in tokens:
            for item in token["children"] if token["type"] == "footnotes" else []:
                self._footnotes[item["attrs"]["key"]] = self.flat(item["children"])
        return self._blocks(token for token in tokens if token["type"] != "footnotes")

    def flat(self, tokens: Iterable[Token]) -> str:
        return " ".join(
            self._inlines(t["children"]) if "children" in t else self._render(t) for t in tokens
        ).strip()

    def _blocks(self, tokens: Iterable[Token]) -> str:
        return "\n\n".join(markup for token in tokens if (markup := self._render(token)))

    def _inlines(self, tokens: Iterable[Token]) -> str:
        return "".join(self._render(token) for token in tokens)

    def _render(self, token: Token) -> str:
        method = getattr(self, "_on_" + token["type"], None)
        if method:
            return method(token)
        return self._inlines(token["children"]) if "children" in token else escape(token.get("raw", ""))

    def _wrapped(self, function: str, token: Token) -> str:
        return call(function, content(self._inlines(token["children"])))

    def _on_text(self, token: Token) -> str:
        if self._in_references:
            return escape(token["raw"])
        pieces = citations.named(token["raw"], self._cites)
        return "".join(
            call("cited", string(label), content(escape(piece))) if label else escape(piece)
            for piece, label in pieces
        )

    def _on_blank_line(self, token: Token) -> str:
        return ""

    def _on_softbreak(self, token: Token) -> str:
        return " "

    def _on_linebreak(self, token: Token) -> str:
        return call("linebreak")

    def _on_thematic_break(self, token: Token) -> str:
        return call("divider")

    def _on_emphasis(self, token: Token) -> str:
        return self._wrapped("emph", token)

    def _on_strong(self, token: Token) -> str:
        return self._wrapped("strong", token)

    def _on_strikethrough(self, token: Token) -> str:
        return self._wrapped("strike", token)

    def _on_codespan(self, token: Token) -> str:
        return code(token["raw"])

    def _on_block_code(self, token: Token) -> str:
        language = (token.get("attrs", {}).get("info") or "").split(" ")[0]
        return code(token["raw"].rstrip("\n"), block=True, lang=language)

    def _on_maths(self, token: Token) -> str:
        return formula(token["raw"], token["attrs"]["display"])

    def _on_block_html(self, token: Token) -> str:
        return escape(_COMMENT.sub(" ", token["raw"]).strip())

    def _on_inline_html(self, token: Token) -> str:
        if _LINE_BREAK.fullmatch(token["raw"]):
            return call("linebreak")
        return "" if _COMMENT.fullmatch(token["raw"]) else escape(token["raw"])

    def _on_heading(self, token: Token) -> str:
        children = [dict(child) for child in token["children"]]
        text = plain_text(children).strip()
        if self._outline is None:
            return call("strong", content(self._inlines(children)))
        level = self._outline.place(token["attrs"]["level"], text)
        if level is None or not text:
            return ""
        if children[0]["type"] == "text":  # the report numbers its sections itself
            children[0]["raw"] = _OWN_NUMBER.sub("", children[0]["raw"], count=1)
        self._in_references = text.lower() in citations.TITLES
        options = {"numbering": "none"} if text.lower() in _UNNUMBERED else {}
        heading = call("heading", content(self._inlines(children)), level=str(level), **options)
        return f"{call('flush')}\n\n{heading}" if self._in_references else heading

    def _on_link(self, token: Token) -> str:
        cites, self._cites = self._cites, {}  # no link inside a link
        label, address = self._inlines(token["children"]), token["attrs"]["url"]
        self._cites = cites
        if not _LINK.fullmatch(address) or not label.strip():
            return label
        return call("link", string(address), content(label))

    def _on_image(self, token: Token) -> str:
        text = plain_text(token["children"]).strip()
        shown = self._picture(token["attrs"]["url"], text)
        return shown if shown is not None else call("missing-picture", content(escape(text or "picture")))

    def _on_footnote_ref(self, token: Token) -> str:
        note = self._footnotes.get(token["raw"], "")
        return call("footnote", content(note)) if note else ""

    def _on_block_quote(self, token: Token) -> str:
        return call("quote", content(self._blocks(token["children"])), block="true")

    def _on_list(self, token: Token) -> str:
        if self._in_references and self._outline:
            return self._references(token["children"], self._outline)
        items = [content(self._blocks(item["children"])) for item in token["children"]]
        options = {"tight": str(token["tight"]).lower()}
        if token["attrs"]["ordered"]:
            return call("enum", *items, start=str(token["attrs"].get("start", 1)), **options)
        return call("list", *items, **options)

    def _references(self, items: list[Token], outline: Outline) -> str:
        works = []
        for item in items:
            cited = citations.key(plain_text(item["children"]))
            label = outline.works.get(cited) if cited else None
            anchor = call("anchor", string(label)) if label in outline.unplaced else ""
            outline.unplaced.discard(label)
            works.append((cited, content(anchor + self._blocks(item["children"]))))
        if not outline.numbered and all(cited for cited, _ in works):
            works.sort(key=lambda work: (work[0][0].casefold(), work[0][1]))
            return call("references", *(work for _, work in works), numbered="false")
        return call("references", *(work for _, work in works), numbered="true")

    def _on_table(self, token: Token) -> str:
        table = tables.read(token, self._inlines)
        if self._caption is None:
            return f"#{table.markup('plain-table')};"
        caption, self._caption = self._caption, None
        return f"#{table.markup('table-figure', caption=content(one_line(caption)))};"
