"""LaTeX formulas made ready for the converter: what it loses or garbles goes around it in slots."""

import re
from collections.abc import Callable

from ganutils.report.markup import string

_GROUP = r"\{((?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*\})*)\}"
_TEXT = re.compile(r"\\(text|textrm|textnormal|mbox|textit|textbf|texttt|textsf|mathtt)\s*" + _GROUP)
_UNDERSCORED = re.compile(r"\\(mathrm|operatorname)\s*\{((?:[A-Za-z0-9 -]|\\_)*\\_(?:[A-Za-z0-9 -]|\\_)*)\}")
_OLD_ROMAN = re.compile(r"\{\s*\\rm\s+([A-Za-z0-9 ]+)\}")
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(equation|displaymath|math|align|gather|eqnarray|multline)\*?\}")
_ALIGNED = {"align", "gather", "eqnarray", "multline"}
_CASES = re.compile(r"\\begin\{cases\}.*?\\end\{cases\}", re.DOTALL)
_SIZED = re.compile(r"\\[bB]igg?[lrm]?(?![A-Za-z])\s*")
_MIDDLE = re.compile(r"\\middle\s*(\\\||\\[lr]?[vV]ert(?![A-Za-z])|\||/)")
_TALL_NORM = re.compile(r"\\(left|right)\s*(?:\\\||\\[lr]?Vert(?![A-Za-z]))")
_NORM = re.compile(r"(?<!\\,)(?<!\\;)\\\|")
_BAR = re.compile(r"\\([lr])([vV])ert(?![A-Za-z])")
_TAG = re.compile(r"\\tag\*?\s*\{([^{}]*)\}")
_PHANTOM = re.compile(r"\\[hv]?phantom\s*" + _GROUP)
_UNSEEN = re.compile(r"\\label\s*\{[^{}]*\}|\\(?:nonumber|notag|displaystyle|limits)(?![A-Za-z])")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*")
_SPACE = re.compile(r"\\hspace\*?\s*\{\s*(-?\d+(?:\.\d+)?(?:em|pt|cm|mm|in))\s*\}")
_COLOURED = re.compile(r"\\textcolor\s*\{([a-z]+)\}\s*" + _GROUP)
COLOURS = ("black", "blue", "gray", "green", "lime", "olive", "orange", "purple", "red", "teal", "yellow")
_STYLES = {"textit": "italic", "textbf": "bold", "texttt": "mono", "mathtt": "mono", "textsf": "sans"}

# Slots are operator names, which the converter hands through; digits would be split from the letters.
_SLOT = re.compile(r'\s*op\("GANSLOT([a-j]+)"\)(\s*)')
_TO_LETTERS = str.maketrans("0123456789", "abcdefghij")
_TO_DIGITS = str.maketrans("abcdefghij", "0123456789")


class Slots:
    """Pieces of Typst maths that bypass the converter, each behind a name that survives it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def keep(self, typst_source: str) -> str:
        """Return the LaTeX that stands for `typst_source` until `fill`."""
        self._pieces.append(typst_source)
        return rf"\operatorname{{GANSLOT{str(len(self._pieces) - 1).translate(_TO_LETTERS)}}}"

    def fill(self, typst_source: str) -> str:
        """Return the converter's output with the kept pieces in place."""
        return _SLOT.sub(lambda m: f" {self._pieces[int(m[1].translate(_TO_DIGITS))]}", typst_source).strip()


def tidy(latex: str, slots: Slots, translate: Callable[[str], str]) -> str:
    """Return `latex` as the converter can take it; `translate` converts formulas inside words."""
    latex = _COMMENT.sub("", latex.strip())
    latex = _COLOURED.sub(lambda m: _coloured(m, slots, translate), latex)
    latex = _TEXT.sub(lambda m: slots.keep(_words(m[1], m[2], translate)), latex)
    latex = _TAG.sub(lambda m: r"\qquad " + slots.keep(string(f"({m[1]})")), latex)
    latex = _UNSEEN.sub("", latex)
    latex = _SPACE.sub(lambda m: slots.keep(f"#h({m[1]}) "), latex)
    latex = _PHANTOM.sub(r"\\quad ", latex)
    latex = _CASES.sub(lambda m: re.sub(r"(?<!\\)&", r"& \\quad ", m[0]), latex)
    latex = _ENVIRONMENT.sub(lambda m: rf"\{m[1]}{{aligned}}" if m[2] in _ALIGNED else "", latex)
    latex = _OLD_ROMAN.sub(r"{\\mathrm{\1}}", latex)
    latex = _UNDERSCORED.sub(lambda m: slots.keep(_name(m[1], m[2])), latex)
    latex = re.sub("'+", lambda m: "^{" + r"\prime" * len(m[0]) + "}", latex)
    return _punctuation(_delimiters(latex, slots), slots)


def _words(command: str, body: str, translate: Callable[[str], str]) -> str:
    plain = re.sub(r"\\([_&%$#{}])", r"\1", body).replace("~", " ")
    if plain.count("$") == 2:  # words around one formula: \text{if $x$ is real}
        before, inner, after = plain.split("$")
        return f"{string(before)} {translate(inner)} {string(after)}"
    # A space beside the quotes in Typst's source shows, one inside them at their end would show twice.
    space = " " if plain.endswith(" ") else ""
    return f"{_STYLES.get(command, 'upright')}({string(plain.strip())}){space}"


def _coloured(match: re.Match[str], slots: Slots, translate: Callable[[str], str]) -> str:
    if match[1] not in COLOURS:
        return match[2]
    return slots.keep(f"text(fill: #{match[1]}, {translate(match[2])})")


def _name(command: str, body: str) -> str:
    plain = string(body.replace(r"\_", "_"))
    return f"op({plain})" if command == "operatorname" else f"upright({plain})"


def _delimiters(latex: str, slots: Slots) -> str:
    """Keep delimiters that the converter drops or whose direction it forgets."""

    def bar(side: str, kind: str) -> str:
        symbol = "bar.v.double" if kind == "V" else "bar.v"
        return slots.keep(f'class("{"opening" if side == "l" else "closing"}", {symbol})')

    latex = _MIDDLE.sub(lambda m: slots.keep(_middle(m[1])), latex)
    sides = [m[1] for m in _TALL_NORM.finditer(latex)]
    if sides.count("left") == sides.count("right"):
        ends = {"left": "lr(bar.v.double ", "right": "bar.v.double)"}
        latex = _TALL_NORM.sub(lambda m: slots.keep(ends[m[1]]), latex)
    latex = _SIZED.sub("", latex)
    latex = _BAR.sub(lambda m: bar(m[1], m[2]), latex)
    if len(_NORM.findall(latex)) % 2 == 0:
        turns = iter("lr" * len(latex))
        latex = _NORM.sub(lambda m: bar(next(turns), "V"), latex)
    return latex


def _middle(delimiter: str) -> str:
    if delimiter == "/":
        return "mid(slash)"
    return "mid(bar.v)" if delimiter in {"|", r"\vert", r"\lvert", r"\rvert"} else "mid(bar.v.double)"


def _punctuation(latex: str, slots: Slots) -> str:
    """Keep commas and semicolons: Typst reads them as ends of arguments and rows."""
    latex = latex.replace("{,}", slots.keep('","'))
    latex = re.sub(r"(?<!\\),", lambda m: slots.keep("comma "), latex)
    return re.sub(r"(?<!\\);", lambda m: slots.keep("semi "), latex)
