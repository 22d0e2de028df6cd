import json
import shutil

import nbformat
import numpy as np
import papermill
import pytest
import torch
from nbval_strictly import second_execution
from test_notebooks import ROOT, outputs

from ganutils import comparison_figures, comparison_tables, measurements
from ganutils.cli import main
from ganutils.errors import ParameterError, RunError
from ganutils.figures import tiles
from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.studies import compare
from ganutils.variants import acgan, dcgan, wgan

PROTOCOL = {
    "reference": "toy train",
    "n_real": 40,
    "n_fake": 30,
    "network": "toy",
    "resizer": "none",
    "precision": "fp32",
}


@pytest.fixture
def made(toy_data):
    """Return a function that writes a finished run of two epochs with a known history; nothing is trained."""

    def make(name, variant=dcgan, epochs=2, finished=None, **values):
        small = {"batch_size": 20, "width": 4, "n_samples": 12, "device": "cpu", "precision": "fp32"}
        params = variant.Params(**{**small, "epochs": epochs, "run": f"runs/{name}", **values})
        run = RunDir.open(params, toy_data)
        for epoch in range(1, (epochs if finished is None else finished) + 1):
            row = {"epoch": epoch, "step": 2 * epoch, "g_step": epoch, "seconds": 30.0 * epoch}
            loss = {"step": 2 * epoch, "epoch": epoch, "d_real": 1.0 / epoch, "d_grad": 5.0, "g_fake": 2.0}
            run.append([loss], [{**row, "images_per_second": 1.0}])
            shown = Grid(toy_data.images.roll(epoch, 0)[:12], 4, f"epoch {epoch}")
            run.save_grid(f"epoch-{epoch:05d}", shown)
        run.note_environment({"device": "cpu (toy)", "system": "toy", "libraries": "torch 0", "started": ""})
        return run

    return make


def measured(run, *rows, floors=()):
    content = [
        {"name": name, "value": value, "epoch": epoch, "protocol": {**PROTOCOL, **other}, "of": of}
        for of, some in (("generator", rows), ("test split", floors))
        for name, value, epoch, other in some
    ]
    (run.path / "metrics.json").write_text(json.dumps(content))


def read(runs="runs/*", **values):
    return compare.read(compare.Params(runs=runs, **values))


def test_runs_keep_their_order_and_come_once(made):
    for name in ("a", "b", "c"):
        made(name)
    found = read(" runs/c, runs/* ,runs/a/,./runs/b")
    assert [run.label for run in found] == ["1: c", "2: a", "3: b"]
    assert [run.name for run in compare.read(compare.Params(runs=["runs/b", "runs/a"]))] == ["b", "a"]


def test_equal_names_in_different_folders_are_told_apart(made):
    made("one/x")
    made("two/x")
    assert [run.name for run in read("runs/one/x,runs/two/*")] == ["runs/one/x", "runs/two/x"]


def test_a_pattern_takes_only_run_folders(made, tmp_path):
    made("a")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "list.txt").write_text("")
    assert [run.name for run in read()] == ["a"]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("", "names no run; name at least one run folder"),
        (" , ", "names no run"),
        ("runs/nope", "there is no folder 'runs/nope'"),
        ("runs/god", "did you mean 'runs/good'?"),
        ("runs/good,runs/z*", "no run folder matches 'runs/z*'"),
        ("runs/empty", "'runs/empty' is no run folder, as it has no params.json"),
        ("runs/good/params.json", "there is no folder 'runs/good/params.json'"),
        ("runs/blind", "'runs/blind' has no sample grid"),
        ("runs/half", "'runs/half' has finished 1 of 2 epochs"),
    ],
)
def test_bad_runs_are_one_clear_error(made, tmp_path, runs, message):
    made("good")
    made("half", finished=1)
    for sheet in (made("blind").path / "samples").glob("epoch-*.png"):
        sheet.unlink()
    (tmp_path / "runs" / "empty").mkdir()
    with pytest.raises(ParameterError) as caught:
        read(runs)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"runs={runs!r}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_without_any_run_the_error_says_how_to_make_one():
    with pytest.raises(ParameterError, match="ganutils run dcgan"):
        read()


def test_unfinished_runs_are_compared_on_request(made):
    made("half", finished=1)
    (row,), _ = comparison_tables.overview(read(unfinished=True), {})
    assert row[3] == "1 of 2"


def test_overview_rows_equal_the_histories(made):
    run = made("a", epochs=3)
    measured(run, ("FID", 9.0, 1, {}), ("FID", 7.0, 2, {}), ("FID", 8.0, 3, {}), ("recall", 0.5, 3, {}))
    made("b", wgan)
    runs = read()
    rows, header = comparison_tables.overview(runs, compare.scales(runs))
    assert len(header) == len(rows[0])
    assert rows[0][:6] == ("1: a", "dcgan", "toy, 40", "3", "6 / 3", "3")
    assert rows[0][7:] == ("FID (A): 7; recall (A): 0.5", "2; 3")
    assert rows[1][:6] == ("2: b", "wgan", "toy, 40", "2", "4 / 2", "1.5")
    assert rows[1][7:] == ("not measured", "–")
    gan = wgan.build(wgan.Params(width=4), 2)
    counted = [sum(weight.numel() for weight in net.parameters()) for net in gan[:2]]
    assert rows[1][6] == " / ".join(f"{count / 1000:.3g}k" for count in counted)


def test_what_is_equal_and_what_differs(made):
    made("a")
    made("b", seed=1, d_steps=5)
    made("c")
    rows, _ = comparison_tables.common_ground(read())
    table = {name: (verdict, value) for name, verdict, value in rows}
    assert table["Batch size"] == ("equal", "20")
    assert table["Generator updates"] == ("equal", "2")
    assert table["Seed"] == ("**differ**", "0 (runs 1 and 3); 1 (run 2)")
    assert table["Images"][0] == "equal"
    assert table["Discriminator updates for one of the generator"][1] == "1 (runs 1 and 3); 5 (run 2)"


def test_differing_parameters_leave_out_what_is_equal_and_what_is_beside_training(made):
    made("a", author="x")
    old = made("b", wgan, learning_rate=0.0002, beta1=0.5, beta2=0.999, d_steps=1)
    described = json.loads((old.path / "params.json").read_text())
    del described["params"]["schedule"]  # as if made before the kit had it
    (old.path / "params.json").write_text(json.dumps(described))
    ((rows, header),) = comparison_tables.differing_parameters(read())
    assert header == ("Parameter", "Run 1", "Run 2")
    names = {row[0] for row in rows}
    assert {"`constraint`", "`network`"} <= names
    assert names.isdisjoint({"`author`", "`run`", "`seed`", "`schedule`", "`learning_rate`"})
    assert ("`penalty`", "–", "10.0") in rows


def test_many_runs_are_spread_over_several_tables(made):
    for seed in range(10):
        made(f"r{seed}", seed=seed)
    parts = comparison_tables.differing_parameters(read())
    assert [len(header) for _, header in parts] == [9, 3]
    assert parts[1][0] == [("`seed`", "8", "9")]


def test_protocols_are_never_mixed(made):
    measured(made("a"), ("FID", 9.0, 1, {}), ("FID", 5.0, 2, {"n_fake": 20}))
    measured(made("b"), ("FID", 8.0, 1, {}), ("FID", 8.5, 2, {}))
    made("c")
    runs = read()
    scales = compare.scales(runs)
    assert [str(title) for title in scales.values()] == ["FID (A)", "FID (B)"]
    rows, _ = comparison_tables.ranking(runs, scales)
    assert rows == [
        ("FID (A)", "2: b", "8", 1, "0.5", 1, "8.5", 2, "–"),
        ("FID (A)", "1: a", "9", 1, "0.5", 1, "9", 1, "–"),
        ("FID (B)", "1: a", "5", 2, "1.5", 2, "5", 2, "–"),
    ]
    assert [row[:4] for row in comparison_tables.protocols(scales)[0]] == [
        ("A", "toy train", 40, 30),
        ("B", "toy train", 40, 20),
    ]
    words = comparison_tables.absences(runs, scales)
    assert words.splitlines() == [
        "- Missing from FID (A): run 3, not measured.",
        "- Missing from FID (B): run 2, measured by another protocol, A; run 3, not measured.",
    ]
    with pytest.raises(ValueError, match="no common best"):
        measurements.best(runs[0].measurements)


def test_the_floor_stands_beside_numbers_of_its_own_protocol_only(made):
    other = {"n_fake": 20}
    measured(made("a"), ("FID", 9.0, 1, {}), ("KID", 0.5, 1, {}), floors=[("FID", 3.0, 1, {})])
    measured(made("b"), ("FID", 8.0, 1, {}), ("FID", 5.0, 2, other), floors=[("FID", 4.0, 1, {"n_real": 7})])
    runs = read()
    scales = compare.scales(runs)
    rows, header = comparison_tables.ranking(runs, scales)
    assert header[-1] == "Floor"
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("FID (A)", "2: b", "3"),
        ("FID (A)", "1: a", "3"),
        ("FID (B)", "2: b", "–"),
        ("KID (A)", "1: a", "–"),
    ]
    overview, _ = comparison_tables.overview(runs, scales)
    assert [row[7] for row in overview] == ["FID (A): 9 (3); KID (A): 0.5", "FID (A): 8 (3); FID (B): 5"]


@pytest.mark.parametrize(("spent", "of_b"), [("minutes", [0.5, 1.5]), ("g_step", [1, 2]), ("step", [2, 4])])
def test_metric_figures_have_a_panel_a_protocol(made, spent, of_b):
    measured(made("a"), ("FID", 9.0, 1, {"network": "other"}))
    measured(made("b"), ("FID", 8.0, 1, {}), ("FID", 8.5, 2, {}))
    runs = read()
    figure = comparison_figures.metric(runs, compare.scales(runs), spent)
    titles = ["FID (A), lower is better", "FID (B), lower is better"]
    assert [axis.get_title() for axis in figure.axes] == titles
    lines = [axis.lines for axis in figure.axes]
    assert [[line.get_label() for line in panel] for panel in lines] == [["1: a"], ["2: b"]]
    assert list(lines[1][0].get_xdata()) == of_b
    assert list(lines[1][0].get_ydata()) == [8.0, 8.5]
    assert figure.axes[0].get_ylabel() == "FID"


def test_the_best_of_rising_metrics_is_the_highest(made):
    measured(made("a"), ("precision", 0.2, 1, {}), ("precision", 0.6, 2, {}))
    measured(made("b"), ("precision", 0.7, 1, {}))
    runs = read()
    rows, _ = comparison_tables.ranking(runs, compare.scales(runs))
    assert [(row[1], row[2]) for row in rows] == [("2: b", "0.7"), ("1: a", "0.6")]


def test_without_metrics_a_sentence_says_so(made):
    made("a")
    assert "nothing was measured" in comparison_tables.absences(read(), {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON"),
        ('[{"name": "FID", "value": 1, "epoch": 1}]', "0.protocol: Field required"),
        (json.dumps([{"name": "F", "value": 1, "epoch": 9, "protocol": PROTOCOL}]), "F of epoch 9"),
        (json.dumps([{"name": "F", "value": 1, "epoch": 1, "protocol": {**PROTOCOL, "x": 1}}]), "protocol.x"),
        ('[{"name": "FID", "value": "NaN", "epoch": 1, "protocol": {}}]', "0.value"),
    ],
)
def test_a_broken_metrics_file(made, content, message):
    (made("a").path / "metrics.json").write_text(content)
    with pytest.raises(RunError) as caught:
        read()
    assert message in str(caught.value)
    assert "metrics.json" in str(caught.value)


def test_losses_have_a_row_a_run_with_its_own_terms(made):
    made("a")
    run = made("b", wgan)
    run.append([{"step": 5, "epoch": 2.5, "d_penalty": 3.0, "distance": 1.0}])
    figure = comparison_figures.losses(read())
    assert len(figure.axes) == 4
    assert [axis.get_title(loc="left") for axis in figure.axes[::2]] == ["1: a", "2: b"]
    drawn = [[line.get_label() for line in axis.lines if line.get_label()[0] != "_"] for axis in figure.axes]
    assert drawn == [["d_real"], ["g_fake"], ["d_real", "d_penalty"], ["g_fake"]]
    thick = next(line for line in figure.axes[0].lines if line.get_label() == "d_real")
    assert list(thick.get_ydata()) == [1.0, 0.5]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["d_real", "d_penalty", "g_fake"]
    colours = {line.get_label(): line.get_color() for axis in figure.axes for line in axis.lines}
    assert len({colours[name] for name in ("d_real", "d_penalty", "g_fake")}) == 3


def test_losses_of_many_runs_fit_on_a_page(made):
    for seed in range(8):
        made(f"r{seed}", seed=seed)
    assert comparison_figures.losses(read()).get_figheight() < 7.5


def test_strips_are_the_stored_samples(made):
    runs = [made("a"), made("b", prior="uniform")]
    figure = comparison_figures.strip(read(), 5)
    pictures = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    for run, picture in zip(runs, pictures, strict=True):
        assert np.array_equal(np.asarray(picture), tiles(run.samples(2).images[:5], 5))
    texts = [axis.texts[0].get_text() for axis in figure.axes if axis.texts]
    assert texts == ["1: a\nepoch 2", "2: b\nepoch 2\n0 of 5 latents of run 1"]
    figure.canvas.draw()
    assert all(axis.texts[0].get_window_extent().x0 >= 0 for axis in figure.axes if axis.texts)


def test_shared_latents_are_those_of_the_seed_the_prior_and_the_size(made):
    made("a")
    made("b", wgan)
    made("c", seed=1)
    made("d", latent_size=7)
    runs = read()
    assert [run.shared_latents(runs[0], 8) for run in runs] == [8, 8, 0, 0]
    words = comparison_tables.latents_in_words(runs, 8)
    assert words.startswith("Runs 1 and 2 share exactly the same latents")
    assert "Run 3 has none of the latents of run 1." in words
    assert torch.equal(runs[0].latents[0], runs[1].latents[0])


def test_looking_at_latents_leaves_the_global_random_stream_alone(made):
    made("a")
    state = torch.get_rng_state()
    assert read()[0].latents[0].shape == (12, 100)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_class_conditional_run_shows_one_class(made):
    made("a")
    made("b", acgan)
    runs = read()
    columns = runs[1].last_samples[1].columns
    assert comparison_figures.strip_count(runs, 8) == columns == 4
    figure = comparison_figures.strip(runs, 8)
    assert "class cat" in next(axis.texts[0] for axis in figure.axes[2:] if axis.texts).get_text()


def test_a_run_of_an_unknown_variant_can_still_be_compared(made):
    made("a")
    run = made("b")
    described = json.loads((run.path / "params.json").read_text())
    (run.path / "params.json").write_text(json.dumps({**described, "variant": "gone"}))
    runs = read()
    assert comparison_tables.overview(runs, {})[0][1][6] == "unknown"
    assert "latents of run 2 are unknown" in comparison_tables.latents_in_words(runs, 8)
    comparison_figures.strip(runs, 8)


@pytest.mark.parametrize(
    ("last", "raised"),
    [
        (2.0, ("none raised", "green", "–")),
        (float("inf"), ("Exploding values", "**red**", "`d_real` is infinite at epoch 3.")),
    ],
)
def test_diagnoses_tell_what_is_raised_or_that_a_run_is_calm(made, last, raised):
    epoch = {"epoch": 3, "step": 20000, "g_step": 20000, "seconds": 90.0, "images_per_second": 1.0}
    loss = {"step": 20000, "epoch": 3, "d_real": last, "d_grad": 5.0, "g_fake": 2.0}
    made("a", epochs=3, finished=2).append([loss], [epoch])
    rows, header = comparison_tables.diagnoses(read())
    assert header == ("Run", "Sign of trouble", "Light", "Evidence")
    assert rows == [("1: a", *raised)]


def test_environments(made):
    run = made("a", seed=3)
    run.note_environment({"device": "cuda (toy)", "system": "toy", "libraries": "torch 0", "started": ""})
    (row,), _ = comparison_tables.environments(read())
    assert row == ("1", "3", "cpu (toy); cuda (toy)", "toy", "torch 0")


@pytest.mark.parametrize("with_metrics", [False, True])
def test_the_notebook_runs_and_repeats_itself(made, tmp_path, with_metrics):
    """The second execution, by nbval, must give the same outputs; no file of a run changes."""
    measured_runs = [made("a"), made("b", wgan)]
    if with_metrics:
        for run in measured_runs:
            measured(run, ("FID", 8.0, 1, {}), ("FID", 7.0, 2, {}))
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    papermill.execute_notebook(ROOT / "notebooks" / "compare.ipynb", tmp_path / "x.ipynb", progress_bar=False)
    executed = nbformat.read(tmp_path / "x.ipynb", as_version=4)
    figures = [o for o in outputs(executed) if "image/png" in o.get("data", {})]
    assert len(figures) == (4 if with_metrics else 2)
    assert all(o.metadata["ganutils"][text].endswith(".") for o in figures for text in ("caption", "alt"))
    assert len(outputs(executed, "table")) == (6 if with_metrics else 4)
    assert len(outputs(executed, "environment")) == 1
    assert not any(o.output_type in ("stream", "error") for o in outputs(executed))
    assert second_execution(tmp_path / "x.ipynb") == ""
    assert before == {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}


def test_the_command_writes_a_pdf(made, tmp_path, capsys, monkeypatch):
    made("a")
    made("b", wgan)
    shutil.copy(ROOT / "notebooks" / "compare.ipynb", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path / "runs")
    assert main(["compare", "b", "a", "b", "--name", "both", "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "both.pdf").read_bytes().startswith(b"%PDF")
    executed = nbformat.read(tmp_path / "out" / "both.ipynb", as_version=4)
    assert executed.metadata.papermill.parameters["runs"] == "runs/b,runs/a,runs/b"
    assert "both.pdf" in capsys.readouterr().out


def test_the_command_tells_a_wrong_folder_in_one_line_and_leaves_nothing(made, tmp_path, capsys):
    made("a")
    assert main(["compare", "runs/a", "runs/b"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ganutils: ParameterError: runs='runs/a,runs/b': there is no folder 'runs/b'")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "reports").exists()
