"""LaTeX formulas to Typst: tidied, converted by tylax, checked, and compiled alone before use."""

import re
from functools import lru_cache

from ganutils.report.latex import COLOURS, Slots, tidy
from ganutils.report.markup import call, string

# A formula is a line or two; limits keep a hostile one from exhausting the converter's stack.
LONGEST = 6000
DEEPEST = 40

# What Typst reads as a whole: a string, an escaped character, a comment, and the only code that is needed,
# which neither a field nor arguments may follow.
_WHOLE = re.compile(
    r'"(?:\\.|[^"\\])*"|\\.|/\*[^*/]*\*/'
    rf"|#(?:none|h\(-?\d+(?:\.\d+)?(?:fr|em|pt|cm|mm|in)\)|{'|'.join(COLOURS)})(?![\w.(\[-])",
    re.DOTALL,
)
# Everything else of this kind could run code from the notebook; `std` holds Typst's functions in formulas.
_DANGER = re.compile(r'[#$`"]|/\*|\*/|//|std')


class FormulaError(ValueError):
    """A formula cannot be shown; the message says why."""


@lru_cache(maxsize=2048)
def convert(latex: str, display: bool) -> str:
    """Return Typst maths (without dollar signs) for `latex`, which has no dollar signs either.

    `display` tells whether the formula stands on its own line. Raises FormulaError if tylax or Typst
    does not understand the formula.
    """
    typst_source = _translate(latex)
    _compile_alone(typst_source, display)
    return typst_source


def check(latex: str, display: bool = True) -> str | None:
    """Return why `latex` cannot be shown in a report, or None if it can."""
    try:
        convert(latex, display)
    except FormulaError as error:
        return str(error)
    return None


def _translate(latex: str) -> str:
    if len(latex) > LONGEST or _depth(latex) > DEEPEST:
        raise FormulaError(f"it is longer than {LONGEST} characters or more than {DEEPEST} brackets deep")
    import tylax

    slots = Slots()
    tidied = tidy(latex, slots, _translate)
    try:
        result = tylax.latex_to_typst(tidied, options=tylax.L2TOptions(frac_to_slash=False))
    except BaseException as error:
        # A panic in the converter's Rust code is no Exception, but must not end the report either.
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise FormulaError(f"tylax cannot convert it: {error}") from error
    filled = slots.fill(result)
    _refuse_code(filled)
    return filled


def _refuse_code(typst_source: str) -> None:
    left = sorted(set(_DANGER.findall(_WHOLE.sub(" ", typst_source))))
    if left:
        raise FormulaError(f"it holds {' '.join(left)} or a command that tylax does not know")


def _depth(latex: str) -> int:
    depth = deepest = 0
    for char in latex:
        depth += (char in "{[(") - (char in "}])")
        deepest = max(deepest, depth)
    return deepest


def _compile_alone(typst_source: str, display: bool) -> None:
    from ganutils.report.typesetting import TypesettingError, try_out

    body = f'eval({string(typst_source)}, mode: "math")'
    try:
        try_out(call("math.equation", body, block=str(display).lower()))
    except TypesettingError as error:
        raise FormulaError(f"Typst refuses it: {error}") from error
