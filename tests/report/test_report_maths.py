import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganutils.report.grammar import parse
from ganutils.report.maths import FormulaError, check, convert

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
FORMULAS = [
    r"\mathbb{E}_{x\sim p_{data}}[\log D(x)]",
    r"\min_G\max_D V(D,G)",
    r"\lVert\nabla_{\hat x} D(\hat x)\rVert_2",
    r"\mathbb{E}_{z}\big[ \log\big(1 - D(G(z))\big) \big]",
    r"\left( \frac{a}{b} \middle| c \right)",
    r"\left\| \frac{a}{b} \right\|_2^2 + \|x\|",
    r"\begin{align} L_D &= a, \\ L_G &= b; \end{align}",
    r"\begin{aligned} a &= b \\ &\quad + c \end{aligned}",
    r"\begin{equation} a = b \tag{1} \label{eq:one} \end{equation}",
    r"\operatorname{Tr}(\Sigma) + \operatorname*{arg\,min}_\theta L",
    r"z \sim \mathcal{N}(0, I)",
    r"f(x) = \begin{cases} 1, & x > 0 \\ 0, & \text{if $x<0$, or otherwise} \end{cases}",
    r"\frac{1,6}{2}",
    r"\frac{f(x; \theta)}{10{,}000}",
    r"\mathrm{FID} = \lVert\mu_r-\mu_g\rVert_2^2 + \operatorname{Tr}\left(\Sigma_r-2(\Sigma_g)^{1/2}\right)",
    r"W(p_r,p_g)=\sup_{\|f\|_L\le 1}\mathbb{E}_{x\sim p_r}[f(x)]-\mathbb{E}_{x\sim p_g}[f(x)]",
    r"\text{n_critic} = 5, \quad \mathrm{n\_critic}",
    r"D_{\mathrm{KL}}(p\,\|\,q)",
    r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}",
    r"\underbrace{a + b}_{\text{real}}",
    r"x'_1 = f''(x)",
    r"100\% \ \text{of 50\,000 images}",
]


@pytest.mark.parametrize("latex", FORMULAS)
@pytest.mark.parametrize("display", [True, False])
def test_formulas_of_gan_papers(latex, display):
    assert check(latex, display) is None


@pytest.mark.parametrize(
    ("latex", "kept"),
    [
        (r"\big[ a \big]", "[ a ]"),
        (r"\left[ a \middle| b \right]", "mid(bar.v)"),
        (r"\frac{1,6}{2}", "comma"),
        (r"\text{#read(1)}", 'upright("#read(1)")'),
    ],
)
def test_nothing_is_lost(latex, kept):
    assert kept in convert(latex, True)


@pytest.mark.parametrize(
    "latex",
    [r"\nonsense{x}", r"a $ b", "(" * 5000, r"\textcolor{read(1)}{x}", "`#read(1)`"],
)
def test_what_cannot_be_shown_is_an_error(latex):
    assert check(latex)
    with pytest.raises(FormulaError):
        convert(latex, True)


@pytest.mark.parametrize(
    "code", ['#read("x")', '"#read(1)"', r"\#panic()", "#{panic()}", r"\text{\#panic()}", "#eval(1)"]
)
def test_code_in_a_formula_never_runs(code):
    error = check(code)
    assert error is None or "panicked" not in error
    assert error is None or "not found" not in error


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="#$\\{}[]()_^&%'\"`,;|~ abfrctex12\n", max_size=40))
def test_any_formula_is_shown_or_refused(latex):
    error = check(latex)
    assert error is None or ("panicked" not in error and "file not found" not in error)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_formula_of_the_notebooks(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    found = [t for c in cells if c["cell_type"] == "markdown" for t in formulas(parse("".join(c["source"])))]
    problems = {t["raw"]: check(t["raw"].strip(), t["attrs"]["display"]) for t in found}
    assert not {latex: error for latex, error in problems.items() if error}


def formulas(tokens):
    for token in tokens:
        if token["type"] == "maths":
            yield token
        yield from formulas(token.get("children", []))
