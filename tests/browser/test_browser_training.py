"""Live training and the report, as a person meets them in JupyterLab."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

pytestmark = pytest.mark.browser

SMALL = {
    "dataset": "shapes",
    "classes": "circle,star",
    "n_images": 2048,
    "batch_size": 32,
    "width": 16,
    "measure_samples": 0,
}
SCORED = {"metric_every": 1, "metric_samples": 50, "metric_share": 1.0}
TRAINING = "gu.train(gan"
LAST = "gu.show_environment"
# Notes each picture, the text and fullness of the bar and the height of what is above the printed text.
WATCH = """cell => {
    window.seen = []
    const note = () => {
        const picture = cell.querySelector('img'), bar = cell.querySelector('progress')
        if (!picture || !bar) return
        const last = window.seen.at(-1), text = bar.parentElement.textContent.trim()
        const height = picture.getBoundingClientRect().height, width = picture.getBoundingClientRect().width
        if (last && last.picture === picture.src && last.text === text) return
        const [at, images] = [performance.now(), cell.querySelectorAll('img').length]
        window.seen.push({at, images, height, width, picture: picture.src, full: bar.value, text})
    }
    new MutationObserver(note).observe(cell, {subtree: true, childList: true, attributes: true})
}"""
BAR = re.compile(r"epoch (\d+)/(\d+) · \d+ images/s · \d+:\d\d left( · KID -?\d\S* ± \S+| · scoring)?")


def watched(notebook):
    cell = notebook.cell(TRAINING)
    cell.evaluate(WATCH)
    return cell


def html_of(cell):
    """Return the output of a stored cell that replaced the bar."""
    (found,) = [output.data["text/html"] for output in cell.outputs if "text/html" in output.get("data", {})]
    return found


def test_a_notebook_is_edited_run_watched_and_exported(open_notebook, tmp_path):
    notebook = open_notebook("dcgan")
    notebook.set_parameters(author="A Student", epochs=8, **SMALL, **SCORED)
    notebook.screenshot("1-edited")
    cell = watched(notebook)
    notebook.menu("Run", "Run All Cells")
    cell.locator("progress").wait_for(state="attached", timeout=120_000)
    notebook.show(cell)
    notebook.page.wait_for_function("window.seen.some(one => one.text.includes('KID'))", timeout=120_000)
    notebook.screenshot("2-training")
    notebook.wait_until_done(notebook.cell(LAST))
    notebook.show(cell)
    notebook.screenshot("3-trained")

    seen = notebook.page.evaluate("window.seen")
    assert {one["images"] for one in seen} == {1}, "more than one picture"
    assert len({one["picture"] for one in seen}) >= 3, "the picture did not change while the cell ran"
    assert len({(one["width"], one["height"]) for one in seen if one["height"]}) == 1, "the layout jumped"
    fullness = [one["full"] for one in seen]
    assert fullness == sorted(fullness)
    assert len(set(fullness)) > 3
    told = [BAR.fullmatch(one["text"]) for one in seen if one["full"]]  # at first there is no speed
    assert all(told), [one["text"] for one in seen]
    lasts = {str(one.group(3))[:6] for one in told}
    assert {" · KID", " · sco"} <= lasts, "no score was shown, or not that one is measured"

    stored = notebook.saved()
    (training,) = [one for one in stored.cells if TRAINING in one.source]
    kinds = [output.get("name", output.output_type) for output in training.outputs]
    assert kinds == ["display_data", "display_data", "stdout"]
    assert "<progress" not in html_of(training)
    assert re.search(r"8 of 8 epochs · \d+ images/s · \d+:\d\d · KID", html_of(training))
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(training.outputs[0].data["image/png"]))))
    assert picture.std() > 0
    widgets = [cell.id for cell in stored.cells for o in cell.get("outputs", []) if "widget" in str(o)]
    assert widgets == []

    notebook.export("Report", tmp_path / "report.pdf")
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    pages = PdfReader(io.BytesIO(content)).pages
    assert len(pages) >= 3
    assert "A Student" in pages[0].extract_text()
    text = " ".join(page.extract_text() for page in pages)
    assert "2,048 images" in text
    assert "live picture" not in text


def test_the_stop_button_ends_well_and_the_cell_goes_on(open_notebook):
    notebook = open_notebook("dcgan")
    notebook.set_parameters(epochs=8, **SMALL)
    cell = watched(notebook)
    notebook.menu("Run", "Run All Cells")
    notebook.page.wait_for_function("window.seen.some(one => one.full > 0.2)", timeout=120_000)
    notebook.page.locator("[data-command='notebook:interrupt-kernel']").click()
    notebook.wait_until_done(notebook.cell(LAST))  # the cells after it run, nothing has failed
    notebook.show(cell)
    notebook.screenshot("4-stopped")
    output = cell.locator(".jp-OutputArea").inner_text()
    (stopped,) = re.findall(r"Stopped by the user after (\S+) of 8 epochs. Everything is saved.", output)
    assert output.startswith(f"{float(stopped):g} of 8 epochs · ")  # what is left of the bar
    assert 1 < float(stopped) < 8

    notebook.page.evaluate("window.seen = []")
    cell.locator(".cm-line").click()
    notebook.page.keyboard.press("Shift+Enter")
    notebook.page.wait_for_function("window.seen.length", timeout=60_000)
    notebook.wait_until_done(cell)
    notebook.show(cell)
    notebook.screenshot("5-gone-on")
    assert notebook.page.evaluate("window.seen[0].full") == pytest.approx(float(stopped) / 8, abs=1e-3)
    assert "8 of 8 epochs" in cell.locator(".jp-OutputArea").inner_text()
    assert "Stopped" not in cell.locator(".jp-OutputArea").inner_text()
