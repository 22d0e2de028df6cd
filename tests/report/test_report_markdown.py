import logging
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ganutils.report.markdown import Outline, one_line, to_typst
from ganutils.report.markup import code, escape
from ganutils.report.typesetting import TypesettingError, try_out

HOSTILE = [
    '#read("/etc/passwd")',
    "] #panic() [",
    "$ x $",
    "\\",
    "\\#read(1)",
    "1. Theory",
    "= x",
    "- x",
    "+ x",
    "/ term: x",
    "<label> @ref",
    "// comment /* x */",
    "https://example.org",
    "*a* _b_ `c` ~",
    "\u2028= heading",
    "\x00\ud800\r\n= x",
    '"); #panic(',
    "```\n#panic()\n```",
]
# The template's functions, without the look.
PRELUDE = """
#let formula(source, latex, block) = math.equation(block: block, eval(source, mode: "math"))
#let formula-source(latex, block) = raw(latex)
#let missing-picture(body) = body
#let divider() = line()
#let table-figure(body, caption, whole: true) = figure(body, caption: caption)
"""


def words_of(markup):
    """The text that Typst makes of markup, white space aside."""
    import json

    import typst

    expression = f"repr([{markup}])"
    shown = json.loads(typst.eval({"main": b""}, expression))
    return "".join(re.findall(r"[^\s\u200b]", shown))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("render", [escape, code, to_typst, one_line])
def test_hostile_text_compiles(text, render):
    try_out(PRELUDE + render(text))


@pytest.mark.parametrize(
    "text", ["1. Theory", "= x", "- x", "+ x", "/ x: y", "#panic()", "$ x $", "] [", "a@b <c>"]
)
def test_escaped_text_stays_text(text):
    shown = words_of(escape(text))
    assert "panic" in shown or not any(word in shown for word in ("item(", "heading(", "equation(", "terms"))
    for word in re.findall(r"\w+", text):
        assert word in shown


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
@example("#panic()")
@example("\x85= x")
def test_any_text_compiles_escaped_and_as_code(text):
    try_out(f"{escape(text)}\n\n#emph([{escape(text)}]);({code(text)}")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="#$\\[](){}*_`<>@=-+/~^\"'|!.:;, \n\tab1", max_size=80))
def test_any_markdown_compiles(text):
    logging.disable(logging.WARNING)
    try:
        try_out(PRELUDE + to_typst(text, outline=Outline()))
    finally:
        logging.disable(logging.NOTSET)


def test_unescaped_code_would_run():
    with pytest.raises(TypesettingError, match="panicked"):
        try_out("#panic()")


@pytest.mark.parametrize(
    ("markdown", "typst"),
    [
        ("*a* **b** ~~c~~ `d`", '#emph([a]); #strong([b]); #strike([c]); #raw("d");'),
        ("[a](https://b.c)", '#link("https://b.c", [a]);'),
        ("[a](javascript:alert(1))", "a"),
        ("[a](file:///etc/passwd)", "a"),
        ("![a picture](/etc/passwd)", "#missing-picture([a picture]);"),
        ("![far](https://b.c/d.png)", "#missing-picture([far]);"),
        ("a<br>b <!-- c -->d", "a#linebreak();b d"),
        ("<b>a</b>", "\\<b\\>a\\<\\/b\\>"),
        ("costs $5 and $6", "costs \\$5 and \\$6"),
        ("3. a\n4. b", "#enum([a], [b], start: 3, tight: true);"),
        ("- a\n  - b", "#list([a\n\n#list([b], tight: true);], tight: true);"),
        ("> a", "#quote([a], block: true);"),
        ("a[^1]\n\n[^1]: *b*", "a#footnote([#emph([b]);]);"),
        ("```python\nx = 1\n```", '#raw("x = 1", block: true, lang: "python");'),
    ],
)
def test_markdown(markdown, typst):
    assert to_typst(markdown) == typst


def test_headings_lose_title_numbers_and_gaps():
    markup = to_typst("# Title\n## 1. One\n#### 1.2 Deep\n# Two\n## References", outline=Outline())
    assert markup.split("\n\n") == [
        "#heading([One], level: 1);",
        "#heading([Deep], level: 2);",
        "#heading([Two], level: 1);",
        "#flush();",
        "#heading([References], level: 1, numbering: none);",
    ]


def test_caption_numbers_the_first_table_only():
    table = "|a|b|\n|---|--:|\n|1|2|\n\n"
    markup = to_typst(table * 2, caption="A *table*.")
    assert markup.count("#table-figure(") == 1
    assert markup.count("#plain-table(") == 1
    assert "A #emph([table]);\\." in markup


def test_formulas_are_found_where_jupyter_finds_them():
    text = "$a$ $$b$$\n\n$$\nc\n$$\n\n\\begin{align*}\nd &= e\n\\end{align*}\n\n- $$f$$"
    assert len(re.findall(r"#formula\(", to_typst(text))) == 5


def test_bad_formula_is_shown_and_warned_about(caplog):
    assert to_typst(r"$\nonsense{x}$") == r'#formula-source("\\nonsense{x}", false);'
    assert "nonsense" in caplog.text
