"""Every stored notebook: hygiene, a run at toy size through papermill, and nbval on the executed copy."""

import ast
import re
import shutil
from pathlib import Path

import nbformat
import papermill
import pytest
from nbval_strictly import second_execution

from ganutils import studies, variants
from ganutils.params import RunParams, parameters_cell
from ganutils.report import citations
from ganutils.studies import params_class

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TRAINED = [path for path in NOTEBOOKS if issubclass(params_class(path.stem), RunParams)]  # by themselves
TOY = {
    "dataset": "shapes",
    "classes": "",
    "n_images": 60,
    "epochs": 2,
    "batch_size": 20,
    "n_samples": 9,
    "width": 4,
}
TOY |= {"base_latents": 2, "study_samples": 50, "measure_samples": 0}
MEASURED = {"dcgan": {"measure_samples": 30}}  # half a minute: for one of them


def toy_values(notebook, folder):
    """Return parameters of a small run in `folder`; a notebook about finished runs would need them there."""
    fields = params_class(notebook.stem).model_fields
    return {name: value for name, value in TOY.items() if name in fields}


def execute(notebook, output, **values):
    parameters = {**toy_values(notebook, output.parent), **values}
    papermill.execute_notebook(notebook, output, parameters=parameters, progress_bar=False)
    return nbformat.read(output, as_version=4)


def outputs(notebook, role=None):
    found = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    if role is None:
        return found
    return [o for o in found if o.get("metadata", {}).get("ganutils", {}).get("role") == role]


def test_every_variant_and_every_study_has_a_notebook():
    assert [path.stem for path in NOTEBOOKS] == sorted([*variants.names(), *studies.names()])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_notebook_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id), "ids are words, not random letters"
        assert len(cell.id) < 25
        assert set(cell.metadata) <= {"tags"}
        assert cell.source.strip()
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            kinds = (ast.FunctionDef, ast.ClassDef)
            assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(cell.source)))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_heading_is_followed_by_text_and_none_skips_a_level(path):
    """A heading with nothing but a figure below it leaves no choice of where the figure stands."""
    cells = nbformat.read(path, as_version=4).cells
    levels = []
    for cell in cells[2:]:
        if found := re.match(r"(#+) .+\n*", cell.source) if cell.cell_type == "markdown" else None:
            levels.append(len(found[1]))
            follows = cells[cells.index(cell) + 1]
            deeper = follows.cell_type == "markdown" and follows.source.startswith(found[1] + "#")
            assert deeper or cell.source[found.end() :].strip(), cell.id
    assert cells[0].source.startswith("# ")
    assert set(levels) <= {2, 3}
    assert levels[0] == 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_citation_is_listed_and_every_listed_work_is_cited(path):
    notebook = nbformat.read(path, as_version=4)
    works = citations.listed(notebook)
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    pieces = [piece for text in prose for piece in citations.named(text.partition("## References")[0], works)]
    assert {label for _, label in pieces if label} == set(works.values())
    assert not re.findall(r"\b(?:19|20)\d\d\b", " ".join(text for text, label in pieces if not label))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_cell_is_that_of_the_variant_or_study(path):
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert cell.source == parameters_cell(params_class(path.stem))
    assert next(c for c in notebook.cells if c.cell_type == "code") is cell


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_overwrites_a_parameter(path):
    """Otherwise running a cell twice would read something else as the parameter."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"][1:]
    stored = {
        node.id
        for cell in code
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert not stored & set(params_class(path.stem).model_fields)


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_runs_at_toy_size_and_repeats_itself(path, tmp_path):
    """The second execution, by nbval, trains again from nothing and must give the same outputs."""
    executed = execute(path, tmp_path / "executed.ipynb", **MEASURED.get(path.stem, {}))
    figures = [o for o in outputs(executed) if "image/png" in o.get("data", {})]
    assert len(figures) >= 5
    for figure in figures:
        about = figure.metadata["ganutils"]
        assert about["caption"].endswith((".", "?"))
        assert about["alt"].endswith(".")
    assert len(outputs(executed, "table")) >= 2
    assert len(outputs(executed, "environment")) == 1
    assert not any(o.output_type == "stream" and o.name == "stderr" for o in outputs(executed))
    shutil.rmtree(tmp_path / "runs")
    assert second_execution(tmp_path / "executed.ipynb") == ""
    assert (tmp_path / "runs").is_dir()


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_a_run_that_stops_at_once_still_makes_its_notebook(path, tmp_path):
    executed = execute(path, tmp_path / "executed.ipynb", max_minutes=1e-9, d_steps=1)
    assert "Stopped by max_minutes after" in "".join(o.get("text", "") for o in outputs(executed))
    assert len(outputs(executed, "environment")) == 1


def test_a_mistyped_parameter_stops_plain_papermill_at_the_first_cell(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="did you mean 'epochs'"):
        execute(ROOT / "notebooks" / "dcgan.ipynb", tmp_path / "out.ipynb", epoch=3)
    assert not (tmp_path / "runs").exists()
    stopped = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    ran = [cell for cell in stopped.cells if cell.cell_type == "code" and cell.execution_count]
    assert [cell.id for cell in ran][-1] == "setup"


def test_runs_lie_in_the_root_also_when_started_in_the_notebooks_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "notebooks")
    execute(ROOT / "notebooks" / "dcgan.ipynb", tmp_path / "out.ipynb", epochs=1)
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert not (tmp_path / "notebooks" / "runs").exists()


def test_a_finished_run_makes_the_notebook_anew_without_training(tmp_path):
    notebook = ROOT / "notebooks" / "dcgan.ipynb"
    first = execute(notebook, tmp_path / "first.ipynb")
    second = execute(notebook, tmp_path / "second.ipynb", author="somebody")
    assert "nothing trained" in "".join(o.text for o in outputs(second) if o.output_type == "stream")
    pictures = [
        [o.data["image/png"] for o in outputs(run) if "image/png" in o.get("data", {})]
        for run in (first, second)
    ]
    assert pictures[0] == pictures[1]
