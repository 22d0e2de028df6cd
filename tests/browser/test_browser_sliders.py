"""The sliders of the noise study, timed in the browser."""

import statistics

import pytest
import yaml
from test_notebooks import ROOT

pytestmark = pytest.mark.browser

# From the key that moves the slider to the loaded new image.
TIME = """([slider, image]) => {
    window.waits = []
    let pressed = 0
    slider.addEventListener('keydown', () => { pressed = performance.now() }, {capture: true})
    image.addEventListener('load', () => {
        if (pressed) window.waits.push(performance.now() - pressed)
        pressed = 0
    })
}"""
MOVES = 15


@pytest.fixture
def study(open_notebook):
    """A study of the full-size generator, trained as its quick preset does: shapes can be seen to change."""
    notebook = open_notebook("noise_study")
    quick = yaml.safe_load((ROOT / "notebooks" / "presets" / "noise_study-quick.yaml").read_text())
    notebook.set_parameters(**{**quick, "width": 64, "study_samples": 50, "base_latents": 2})
    notebook.menu("Run", "Run All Cells")
    notebook.wait_until_done(notebook.cell("gu.show_environment"))
    return notebook


def test_sliders_redraw_within_a_fifth_of_a_second(study):
    cell = study.cell("show_sliders")
    study.show(cell)
    image = cell.locator("img")
    for name in ("value", "seed"):
        row = cell.locator(".widget-slider", has_text=name)
        slider = row.locator("[role=slider]")
        study.page.evaluate(TIME, [slider.element_handle(), image.element_handle()])
        slider.focus()
        for done in range(1, MOVES + 1):
            before = image.get_attribute("src")
            study.page.keyboard.press("ArrowRight")
            study.page.wait_for_function(f"window.waits.length >= {done}")
            assert image.get_attribute("src") != before
        waits = study.page.evaluate("window.waits")
        print(f"{name}: median {statistics.median(waits):.0f} ms of {sorted(map(round, waits))}")
        assert statistics.median(waits) < 200
    for name, choice in (("dimension", 3), ("prior", 1)):
        select = cell.locator(".widget-dropdown", has_text=name).locator("select")
        watched = [select.element_handle(), image.element_handle()]
        study.page.evaluate(TIME.replace("keydown", "change"), watched)
        before = image.get_attribute("src")
        select.select_option(index=choice)
        study.page.wait_for_function("window.waits.length >= 1")
        assert image.get_attribute("src") != before, name
        assert study.page.evaluate("window.waits[0]") < 200, name
    study.screenshot("1-sliders")
    assert cell.locator("img").count() == 1
