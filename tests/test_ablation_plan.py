"""Which runs an ablation consists of; nothing is trained."""

import pytest
import yaml
from ablations import make, rows
from test_notebooks import ROOT

from ganutils.errors import ParameterError
from ganutils.studies import ablation


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
    numbers = [row.change for row in rows(changes="ema=0.5; flip=false; beta1=0", without=True, repeats=1)]
    assert numbers == [None, None, 0, 1, 2, 0, 1, 2, 3]
    left_out = found["all but flip=False"]
    assert (left_out.ema, left_out.flip, left_out.beta1) == (0.5, True, 0)
    only_without = rows(changes="ema=0.5; flip=false; beta1=0", without=True, together=False)
    assert [row.label for row in only_without] == list(found)[:7]


@pytest.mark.parametrize("without", ["flip", " flip ,", ["flip"]])
def test_what_is_left_out_can_be_chosen(without):
    found = rows(changes="ema=0.5; flip=false + beta1=0; d_steps=2", without=without)
    assert [row.label for row in found[4:]] == ["all but flip=False + beta1=0.0", "all changes"]
    both = rows(changes="ema=0.5; flip=false + beta1=0; d_steps=2", without="beta1,flip")
    assert [row.label for row in both] == [row.label for row in found]


@pytest.mark.parametrize(("value", "as_text"), [(True, "all"), (False, ""), ("", ""), (None, "")])
def test_left_out_are_all_or_none(value, as_text):
    assert make(without=value).without == as_text


def test_what_no_change_sets_cannot_be_left_out():
    with pytest.raises(ParameterError) as caught:
        rows(without="emma")
    assert str(caught.value) == (
        "without='emma': no change sets 'emma', did you mean 'ema'? Name some of ema, learning_rate, or all."
    )


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
    left_out = ["without"] * len(list(filter(None, values.get("without", "").split(","))))
    assert [row.kind for row in found] == ["base", *["single"] * len(singles), *left_out, "all"]
    assert {row.params.epochs for row in found} == {values["epochs"]}
    assert found[0].params.variant == "siamese"
