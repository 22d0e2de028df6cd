import nbformat
import papermill
import pytest
import torch
import yaml
from nbval_strictly import second_execution
from test_notebooks import ROOT, outputs

from ganutils import ablation_tables, comparison_tables, variants
from ganutils.errors import DivergedError, ParameterError, RunError
from ganutils.runs import RunDir
from ganutils.studies import ablation
from ganutils.training import train

TOY = {
    "gan": "dcgan",
    "base": "",
    "common": "width=4 + batch_size=20 + n_samples=9 + latent_size=6 + precision=fp32; device=cpu",
    "changes": "ema=0.5; learning_rate=1e-3",
    "dataset": "shapes",
    "n_images": 60,
    "epochs": 1,
    "runs": "runs/study",
    "study_samples": 50,
}


def make(**values):
    return ablation.Params(**{**TOY, **values})


def rows(**values):
    return make(**values).plan()


def test_one_change_a_row_then_all():
    base, ema, rate, together = rows()
    assert [row.kind for row in (base, ema, rate, together)] == ["base", "single", "single", "all"]
    assert [row.folder for row in (base, ema, rate, together)] == [
        "base",
        "ema-0.5",
        "learning_rate-0.001",
        "all",
    ]
    assert (base.params.width, base.params.batch_size, base.params.ema) == (4, 20, 0)
    assert ema.params == base.params.model_copy(update={"ema": 0.5})
    assert rate.params == base.params.model_copy(update={"learning_rate": 1e-3})
    assert together.params == base.params.model_copy(update={"ema": 0.5, "learning_rate": 1e-3})


def test_one_change_may_set_several_parameters_and_spelling_does_not_matter():
    first, second = (rows(changes=text)[1] for text in ("ema=0.50 + beta1=0", ["ema=.5 + beta1=0.0"]))
    assert first == second
    assert first.label == "ema=0.5 + beta1=0.0"
    assert first.folder == "ema-0.5+beta1-0.0"


def test_rows_that_would_repeat_another_are_left_out():
    assert [row.label for row in rows(changes="ema=0.5", without=True)] == ["base", "ema=0.5"]
    two = [row.kind for row in rows(without=True)]  # all but one of two is the other one
    assert two == ["base", "single", "single", "all"]


def test_all_but_one():
    found = {row.label: row.params for row in rows(changes="ema=0.5; flip=false; beta1=0", without=True)}
    assert list(found)[4:] == ["all but ema=0.5", "all but flip=False", "all but beta1=0.0", "all changes"]
    left_out = found["all but flip=False"]
    assert (left_out.ema, left_out.flip, left_out.beta1) == (0.5, True, 0)
    only_without = rows(changes="ema=0.5; flip=false; beta1=0", without=True, together=False)
    assert [row.label for row in only_without] == list(found)[:7]


def test_repetitions_of_the_base_have_the_next_seeds():
    found = rows(repeats=2, seed=7)[:3]
    assert [(row.kind, row.label, row.params.seed) for row in found] == [
        ("base", "base", 7),
        ("repeat", "base, seed 8", 8),
        ("repeat", "base, seed 9", 9),
    ]


def test_alternatives_are_rows_of_their_own():
    found = rows(changes="learning_rate=1e-3; learning_rate=1e-4", together=False)
    assert [row.params.learning_rate for row in found] == [2e-4, 1e-3, 1e-4]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gan": "dcgam"}, "There is no variant 'dcgam', did you mean 'dcgan'?"),
        ({"changes": ""}, "changes='': must hold at least one change"),
        ({"changes": "ema"}, "changes='ema': has 'ema', which is no name=value"),
        ({"changes": "emma=1"}, "changes, 'emma=1': There is no parameter 'emma', did you mean 'ema'?"),
        ({"changes": "ema=2"}, "changes, 'ema=2': ema='2': must be less than 1"),
        ({"changes": "d_norm=spectrl"}, "did you mean 'spectral'?"),
        ({"changes": "ema=0.5; beta1=0.5"}, "changes, 'beta1=0.5': is what the base has already"),
        ({"changes": "ema=0.5; ema=.50"}, "changes, 'ema=.50': is the same as ema=0.5"),
        ({"changes": "ema=0.5; ema=0.9"}, "changes, 'ema=0.5': cannot go together with ema=0.9"),
        ({"changes": "seed=1"}, "changes, 'seed=1': seed is the same in all rows"),
        ({"changes": "ema=0.5 + image_size=64"}, "image_size is the same in all rows"),
        ({"changes": "author=me"}, "author is the same in all rows"),
        ({"changes": "network=dense; d_norm=spectral"}, "d_norm='spectral': is for network='conv'"),
        ({"common": "epochs=3"}, "cannot set epochs: the study has its own parameter"),
        ({"common": "run=x"}, "cannot set run"),
        ({"common": "widht=3"}, "There is no parameter 'widht', did you mean 'width'?"),
        ({"base": "notebooks/presets/none.yaml"}, "there is no such file; leave it empty"),
        ({"base": "notebooks/presets/wgan-x.yaml"}, "is a preset of wgan, not of dcgan; name one of"),
        ({"base": "notebooks/presets/dcgan-bad.yaml"}, "must hold lines of `name: value`"),
    ],
)
def test_what_cannot_be_planned_is_one_clear_line(values, message, tmp_path):
    folder = tmp_path / "notebooks" / "presets"
    folder.mkdir()
    (folder / "wgan-x.yaml").write_text("epochs: 1\n")
    (folder / "dcgan-bad.yaml").write_text("- a\n")
    if values.get("base") == "notebooks/presets/none.yaml":
        (folder / "dcgan-bad.yaml").unlink()
    with pytest.raises(ParameterError) as caught:
        ablation.open_study(make(**values))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_what_the_study_sets_goes_before_the_preset(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("epochs: 500\nn_images: 20\nbeta1: 0.25\nema: 0.9\nmax_minutes: 3.0\nrun: runs/x\n")
    base = rows(base=str(preset), common="ema=0.8; batch_size=10")[0].params
    chosen = (base.epochs, base.n_images, base.beta1, base.ema, base.batch_size, base.max_minutes, base.run)
    assert chosen == (1, 60, 0.25, 0.8, 10, 0, "")


def test_a_batch_larger_than_the_data_is_told_for_every_row(tmp_path):
    with pytest.raises(ParameterError, match="batch_size=61: is larger than the data"):
        ablation.open_study(make(changes="batch_size=61"))
    assert not (tmp_path / "runs").exists()


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


def test_a_base_on_cifar10_takes_shapes_where_there_is_none(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert {row.params.dataset for row in ablation.Params().plan()} == {"auto"}
    assert {row.params.dataset for row in ablation.Params(dataset="cifar10").plan()} == {"cifar10"}


@pytest.mark.parametrize("name", ["ablation-quick", "ablation-siamese"])
def test_presets_can_be_planned(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    values = yaml.safe_load((ROOT / "notebooks" / "presets" / f"{name}.yaml").read_text())
    found = ablation.Params(**values).plan()
    singles = [row for row in found if row.kind == "single"]
    assert [row.kind for row in found] == ["base", *["single"] * len(singles), "all"]
    assert {row.params.epochs for row in found} == {values["epochs"]}
    assert found[0].params.variant == "siamese"


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
    assert len(figures) == 3
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
