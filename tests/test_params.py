import datetime

import pytest

from ganutils import hints, variants
from ganutils.errors import ParameterError
from ganutils.params import is_sampled, parameters_cell
from ganutils.variants import dcgan


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"epochs": 0}, ["epochs=0", "greater than or equal to 1", "default is 10"]),
        ({"epochs": -3}, ["epochs=-3", "greater than or equal to 1"]),
        ({"epochs": "ten"}, ["epochs='ten'", "valid integer"]),
        ({"epochs": True}, ["epochs=True", "must be a number"]),
        ({"epoch": 3}, ["no parameter 'epoch'", "did you mean 'epochs'?"]),
        ({"image_size": 48}, ["image_size=48", "32 or 64"]),
        ({"learning_rate": 0}, ["learning_rate=0", "greater than 0"]),
        ({"learning_rate": float("nan")}, ["learning_rate=nan", "finite"]),
        ({"dataset": "cifr10"}, ["dataset='cifr10'", "did you mean 'cifar10'?"]),
        ({"prior": "gauss"}, ["prior='gauss'", "'normal'", "'sphere'"]),
        ({"sample_epochs": "0,5"}, ["sample_epochs='0,5'", "every 200"]),
        ({"augment": "cutout"}, ["augment='cutout'", '"color,translation"']),
        ({"device": "gpu"}, ["device='gpu': must be auto, cpu, cuda or mps. The default"]),
        ({"network": "dense", "image_size": 64}, ["image_size=64", "32 with network='dense'"]),
        ({"batch_size": 1}, ["batch_size=1", "greater than or equal to 2"]),
        ({"log_every": 1001}, ["log_every=1001", "less than or equal to 1000"]),
    ],
)
def test_bad_values_are_named_with_what_is_allowed(values, parts):
    with pytest.raises(ParameterError) as caught:
        dcgan.Params(**values)
    assert str(caught.value).count("\n") == 0
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("zzzqq", "There is no parameter 'zzzqq'. `ganutils params dcgan` lists them all."),
        (
            "epoch",
            "There is no parameter 'epoch', did you mean 'epochs'? `ganutils params dcgan` lists them all.",
        ),
        (
            "constraint",
            "There is no parameter 'constraint' here, but in wgan. `ganutils params dcgan` lists them all.",
        ),
        (
            "nz",
            "There is no parameter 'nz': it is called 'latent_size'. `ganutils params dcgan` lists them all.",
        ),
    ],
)
def test_an_unknown_parameter_is_told_in_whole_sentences(name, told):
    with pytest.raises(ParameterError) as caught:
        dcgan.Params(**{name: 3})
    assert str(caught.value) == told


def test_what_scripts_call_a_parameter_is_the_name_of_one():
    everywhere = {
        name for notebook in variants.names() for name in variants.get(notebook).Params.model_fields
    }
    assert set(hints._CUSTOMARY.values()) <= everywhere
    assert not everywhere & set(hints._CUSTOMARY)


def test_every_bad_value_has_a_line():
    with pytest.raises(ParameterError) as caught:
        dcgan.Params(epochs=0, learning_rate=-1, sed=3)
    assert len(str(caught.value).splitlines()) == 3


def test_unambiguous_text_is_converted():
    params = dcgan.Params(
        epochs="12", learning_rate="1e-4", flip="false", sample_epochs=[1, 5], classes="[cat,dog]", run="none"
    )
    assert (params.epochs, params.learning_rate, params.flip) == (12, 1e-4, False)
    assert (params.sample_epochs, params.classes, params.run) == ("1,5", "cat,dog", "")


def test_identity_numbers_and_dates_become_text():
    params = dcgan.Params(student_id=12345, course=101, date=datetime.date(2026, 11, 22), run=7)
    assert (params.student_id, params.course, params.date, params.run) == ("12345", "101", "2026-11-22", "7")


def test_a_single_number_is_a_list_of_one():
    assert dcgan.Params(sample_epochs=5, classes=3).sample_epochs == "5"
    assert dcgan.Params(classes=3).classes == "3"


def test_sample_epochs():
    assert [epoch for epoch in range(1, 13) if is_sampled(epoch, "1,5,10")] == [1, 5, 10]
    assert [epoch for epoch in range(1, 13) if is_sampled(epoch, "every 4")] == [4, 8, 12]
    assert [epoch for epoch in range(1, 13) if is_sampled(epoch, "1, every 6")] == [1, 6, 12]
    assert not any(is_sampled(epoch, "") for epoch in range(1, 13))


def test_epochs_may_not_grow_when_the_learning_rate_depends_on_them():
    assert dcgan.Params().may("epochs") == "grow"
    assert dcgan.Params(schedule="linear").may("epochs") == "stay"


def test_parameters_cell_gives_back_the_defaults_and_suits_papermill():
    lines = parameters_cell(dcgan.Params).splitlines()
    assert lines[0] == "# Parameters of dcgan"
    for line in lines[1:]:
        assert line.count("=") == 1
        assert "|" not in line
    names = {}
    exec("\n".join(lines), names)
    names = {name: names[name] for name in dcgan.Params.model_fields}
    assert dcgan.Params(**names) == dcgan.Params()
