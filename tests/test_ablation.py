import nbformat
import papermill
import pytest
import torch
from ablations import TOY, make, rows
from nbval_strictly import second_execution
from test_notebooks import ROOT, outputs

from ganutils import ablation_tables, comparison_tables, variants
from ganutils.errors import DivergedError, RunError
from ganutils.runs import RunDir
from ganutils.studies import ablation
from ganutils.training import train


def test_rows_are_trained_in_their_folders_and_read_when_finished(capsys):
    study = ablation.open_study(make())
    runs = study.train()
    assert [run.label for run in runs] == [
        "1: base",
        "2: ema=0.5",
        "3: learning_rate=0.001",
        "4: all changes",
    ]
    assert str(runs[1].folder) == "runs/study/ema-0.5"
    assert study.standing(runs) == ""
    losses = [run.history.column("d_real")[1].tolist() for run in runs]
    assert losses[0] == losses[1]  # nobody plays against the averaged generator
    assert losses[0] != losses[2]
    assert losses[2] == losses[3]
    capsys.readouterr()
    again = ablation.open_study(make()).train()
    assert capsys.readouterr().out.count("nothing trained") == 4
    assert [run.history for run in again] == [run.history for run in runs]


def test_a_run_that_was_trained_beforehand_is_found(capsys):
    row = rows()[2]
    params = row.params.model_copy(update={"run": f"runs/study/{row.folder}"})
    study = ablation.open_study(make())
    train(variants.build(params, study.dataset), study.dataset, params, RunDir.open(params, study.dataset))
    capsys.readouterr()
    study.train()
    assert "learning_rate-0.001 is finished: 1 epochs read, nothing trained." in capsys.readouterr().out


def test_a_paused_study_goes_on(monkeypatch):
    study = ablation.open_study(make(max_minutes=1e-9))
    assert study.train() == []
    assert "0 of 4 rows are shown" in study.standing([])
    stopped = []

    def stop_in_row_2(gan, dataset, params, run):
        stopped.append(run.name)
        short = params.model_copy(update={"max_minutes": 1e-9}) if len(stopped) == 2 else params
        return train(gan, dataset, short, run)

    with monkeypatch.context() as patch:
        patch.setattr(ablation, "train", stop_in_row_2)
        runs = ablation.open_study(make()).train()
    assert stopped == ["base", "ema-0.5"]  # a stop is for the whole study
    assert [run.number for run in runs] == [1]
    assert study.standing(runs).endswith(
        "Not finished, or diverged before their first samples: ema=0.5, learning_rate=0.001, all changes. "
        "The same parameters go on from here."
    )
    whole = ablation.open_study(make()).train()
    losses = [run.history.column("g_fake")[1].tolist() for run in whole]
    assert losses[0] == losses[1]


def test_a_row_that_diverges_is_a_result_and_the_next_follows(monkeypatch, capsys):
    ablation.open_study(make(epochs=1)).train()

    def diverge(gan, dataset, params, run):
        if params.learning_rate == 1e-3 and params.ema == 0:
            raise DivergedError("g_fake is nan in epoch 1.33 (update 4)")
        return train(gan, dataset, params, run)

    monkeypatch.setattr(ablation, "train", diverge)
    study = ablation.open_study(make(epochs=2))
    runs = study.train()
    assert [run.diverged for run in runs] == [False, False, True, False]
    assert runs[2].label == "3: learning_rate=0.001 (diverged)"
    table, _ = ablation_tables.overview(study, runs)
    assert [row[2] for row in table] == ["2", "2", "1 of 2, then not finite", "2"]
    assert "g_fake is nan" in capsys.readouterr().out


def test_folders_of_another_study_are_refused_before_any_is_made(tmp_path):
    study = ablation.open_study(make(changes="ema=0.5"))
    study.train()
    with pytest.raises(RunError, match="seed: 0 there, 1 now"):
        ablation.open_study(make(seed=1))
    assert sorted(path.name for path in (tmp_path / "runs" / "study").iterdir()) == ["base", "ema-0.5"]


def test_without_a_name_the_base_and_the_data_name_the_folder():
    names = [
        ablation.open_study(make(runs="", **values)).folders[0].path.parent.name
        for values in ({}, {"changes": "beta1=0"}, {"epochs": 2}, {"seed": 1}, {"n_images": 40})
    ]
    assert names[0].startswith("ablation-dcgan-shapes-")
    assert names[0] == names[1] == names[2]
    assert len(set(names)) == 3


def test_repetitions_see_the_images_of_the_base():
    study = ablation.open_study(make(repeats=1, changes="ema=0.5"))
    runs = study.train()
    table = {name: verdict for name, verdict, _ in comparison_tables.common_ground(runs)[0]}
    assert table["Images"] == "equal"
    assert table["Seed"] == "**differ**"
    first, other = (variants.load(run.folder).generator.state_dict() for run in runs[:2])
    assert not torch.equal(*(next(iter(weights.values())) for weights in (first, other)))


def execute(tmp_path, **values):
    notebook = ROOT / "notebooks" / "ablation.ipynb"
    parameters = {**TOY, **values}
    papermill.execute_notebook(notebook, tmp_path / "x.ipynb", parameters=parameters, progress_bar=False)
    return nbformat.read(tmp_path / "x.ipynb", as_version=4)


def test_the_notebook_runs_and_repeats_itself(tmp_path):
    """The rows are trained before, so that nbval, which executes it again, finds the same minutes."""
    ablation.open_study(make(repeats=1)).train()
    executed = execute(tmp_path, repeats=1)
    figures = [o for o in outputs(executed) if "image/png" in o.get("data", {})]
    assert len(figures) == 4
    assert all(o.metadata["ganutils"][text].endswith(".") for o in figures for text in ("caption", "alt"))
    assert len(outputs(executed, "table")) == 6
    assert len(outputs(executed, "environment")) == 1
    assert not any(o.output_type == "stream" and o.name == "stderr" for o in outputs(executed))
    assert second_execution(tmp_path / "x.ipynb") == ""


def test_a_study_that_pauses_at_once_still_makes_its_notebook(tmp_path):
    executed = execute(tmp_path, max_minutes=1e-9)
    told = "".join(str(o.get("data", {}).get("text/markdown", "")) for o in outputs(executed))
    assert "**Notice.** 0 of 4 rows are shown" in told
    assert not [o for o in outputs(executed) if "image/png" in o.get("data", {})]
