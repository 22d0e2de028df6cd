import base64
import subprocess
import sys
from copy import deepcopy

import nbformat
import pypdf
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pages import report_of, text_of, words
from report_cells import code, markdown_output, shown

from ganutils.errors import ReportError
from ganutils.report import exporter as exporter_module
from ganutils.report.exporter import ReportExporter
from ganutils.report.typesetting import TypesettingError

# A red square.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGP8z4AATAxEcQAz0QEHOoQ+uAAAAABJRU5ErkJggg=="
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="36pt"><rect width="9" height="9"/>{}</svg>'
)


@pytest.fixture(scope="module")
def reader(rich):
    return report_of(rich)


@pytest.fixture(scope="module")
def text(reader):
    return text_of(reader)


@pytest.mark.parametrize(
    "expected",
    [
        "A DCGAN on CIFAR-10",
        "Ada Example",
        "Student ID s1234567",
        "Course Generative models",
        "Abstract. This report trains",
        "1 Theory",
        "1.1 Layers",
        "Figure 1. Losses of both networks",
        "Figure 8. Samples after epoch 7",
        "Figure 10. Output of cell 30",
        "Table 1. Quality of the samples",
        "Parameters of DCGAN (14; 3 changed for this run, in bold)",
        "['cat', 'dog', 'horse']",
        "passes over the training images",
        "50,000 images",
        "epoch 2: loss 0.98",
        "It learns from the gradient of",
        "CPU, 2 threads",
    ],
)
def test_report_shows(text, expected):
    assert expected in text


@pytest.mark.parametrize(
    "litter",
    [
        "secret_code",
        "show(",
        "a warning nobody wants",
        "1/10",
        "HBox",
        "Figure size",
        "author: str",
        "*Losses",
    ],
)
def test_report_leaves_out(text, litter):
    assert litter not in text


def test_notice_is_on_the_first_page_and_the_parameters_are_last(reader, text):
    assert "The images are synthetic" in reader.pages[0].extract_text()
    assert text.rindex("Parameters of DCGAN") > text.rindex("Environment") > text.rindex("References")


def test_ten_figures_of_which_nine_are_pixels(reader):
    assert sum(len(page.images) for page in reader.pages) == 9


def test_pdf_is_accessible(reader):
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/StructTreeRoot"]
    assert root["/Lang"] == "en"
    assert "pdfuaid:part" in root["/Metadata"].get_data().decode()
    assert reader.metadata.title == "A DCGAN on CIFAR-10"
    assert reader.metadata.author == "Ada Example"
    assert "Grid of generated images 3." in alternative_texts(root["/StructTreeRoot"])


def alternative_texts(node):
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        return [text for child in node for text in alternative_texts(child)]
    if not isinstance(node, dict):
        return []
    return [str(node[key]) for key in ("/Alt",) if key in node] + alternative_texts(node.get("/K", []))


def test_same_notebook_gives_the_same_bytes(rich):
    first, second = (ReportExporter().from_notebook_node(deepcopy(rich))[0] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "hostile",
    [
        '#read("/etc/passwd")',
        "] #panic() [",
        "$ #panic() $",
        "<script>alert(1)</script>",
        "\\#panic()",
        '#image("/etc/passwd")',
    ],
)
def test_hostile_text_is_shown_as_it_is(hostile):
    plain = hostile.replace("\\", "").replace(" ", "")
    output = new_output("stream", name="stdout", text=hostile)
    about = {"caption": hostile, "alt": hostile}
    cells = [
        new_markdown_cell(f"# {hostile}"),
        new_markdown_cell(hostile),
        code("1", output, shown({"image/png": PNG}, **about)),
    ]
    cells.append(
        code("1", markdown_output(hostile, role="notice"), markdown_output(hostile, role="environment"))
    )
    cells.append(code("1", new_output("error", ename=hostile, evalue=hostile, traceback=[hostile])))
    cells.append(code(f"name: str = {hostile!r}  # {hostile}", tags=["parameters"]))
    text = text_of(report_of(*cells)).replace(" ", "")
    assert text.count(plain) >= 4 or "$" in hostile
    assert "root:" not in text


def test_paths_and_addresses_are_never_read(tmp_path):
    (tmp_path / "secret.png").write_bytes(base64.b64decode(PNG))
    text = f"![from a path]({tmp_path}/secret.png) ![far](https://example.org/a.png) ![up](../../secret.png)"
    reader = report_of(new_markdown_cell(text))
    assert not reader.pages[0].images
    assert "from a path" in text_of(reader)


def test_attached_and_embedded_pictures_are_shown():
    attached = new_markdown_cell("![one](attachment:a.png)", attachments={"a.png": {"image/png": PNG}})
    embedded = new_markdown_cell(f"![two](data:image/png;base64,{PNG})")
    assert len(report_of(attached, embedded).pages[0].images) == 1  # the same picture is stored once


@pytest.mark.parametrize(
    "inside",
    [
        "<script>1</script>",
        '<image href="file:///etc/passwd"/>',
        '<image href="https://example.org/a.png"/>',
        '<rect onload="1"/>',
        "<style>@import url(https://example.org)</style>",
        '<rect fill="url(https://example.org/#a)"/>',
        "<foreignObject/>",
        "<broken",
    ],
)
def test_unsafe_drawing_is_replaced_by_its_pixels(inside):
    assert not report_of(code("1", shown({"image/svg+xml": SVG.format("")}))).pages[0].images
    reader = report_of(code("1", shown({"image/svg+xml": SVG.format(inside), "image/png": PNG})))
    assert len(reader.pages[0].images) == 1


@pytest.mark.parametrize("damaged", [b"\x89PNG broken", base64.b64decode(PNG).replace(b"IDATx", b"IDATy")])
def test_broken_picture_does_not_break_the_report(damaged):
    data = {"image/png": base64.b64encode(damaged).decode(), "text/plain": "a picture"}
    assert "a picture" in text_of(report_of(code("1", shown(data))))


def test_failed_cell_is_told_at_its_place_and_on_the_first_page():
    error = new_output("error", ename="ValueError", evalue="\x1b[31mno images\x1b[0m", traceback=["..."])
    text = text_of(report_of(new_markdown_cell("# T\n## Training"), code("train()", error, count=7)))
    assert "The notebook stopped with an error in cell 7" in text
    assert "Stopped here: cell 7 failed. ValueError: no images" in text


def test_missing_glyph_gives_a_report_with_a_warning(caplog):
    reader = report_of(new_markdown_cell("# Smile 🙂\n\ntext"))
    assert "text" in text_of(reader)
    assert "ua-1" in caplog.text


def test_long_values_stay_on_the_page():
    long = "runs/" + "x" * 300
    reader = report_of(code(f'run: str = "{long}"  # {long}', tags=["parameters"]))
    assert text_of(reader).replace(" ", "").count("x" * 300) == 2


def test_a_long_list_of_values_breaks_in_its_column_and_is_copied_as_it_is():
    values = "1,2,3,5,10,15,20,25,30,40"
    reader = report_of(
        code('sample_epochs: str = "1,5"  # epochs', tags=["parameters"]),
        code(f'sample_epochs = "{values}"', tags=["injected-parameters"]),
    )
    assert values in text_of(reader).replace(" ", "")
    lines = {text: x for page in reader.pages for x, *_, text in words(page)}
    assert lines["40"] < lines["1,5"] < lines["epochs"]


def test_typesetting_error_is_a_report_error(monkeypatch):
    def refuse(*args, **kwargs):
        raise TypesettingError("no such font")

    monkeypatch.setattr(exporter_module, "typeset", refuse)
    with pytest.raises(ReportError, match="no such font"):
        report_of(new_markdown_cell("text"))


def test_nbconvert_knows_the_exporter(tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell("# Found\n\ntext"), new_code_cell("1")])
    nbformat.write(notebook, tmp_path / "found.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "report", "found.ipynb"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert pypdf.PdfReader(tmp_path / "found.pdf").metadata.title == "Found"
