import dataclasses
import json

import pytest
import torch

from ganutils.errors import RunError
from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.streams import stream


def test_same_parameters_same_folder(toy_params, toy_data, tmp_path):
    first = RunDir.open(toy_params(), toy_data)
    assert first.path.parent == tmp_path / "runs"
    assert first.name.startswith("dcgan-toy-")
    assert RunDir.open(toy_params(author="somebody", device="auto"), toy_data).path == first.path
    assert RunDir.open(toy_params(epochs=3), toy_data).path == first.path
    renamed = dataclasses.replace(toy_data, label="My toys")
    assert RunDir.open(toy_params(epochs=3, data_label="My toys"), renamed).path == first.path
    for other in ({"seed": 1}, {"label_smoothing": 0.1}):
        assert RunDir.open(toy_params(**other), toy_data).path != first.path


def test_other_data_is_another_folder(toy_params, toy_data):
    first = RunDir.open(toy_params(), toy_data)
    assert RunDir.open(toy_params(), toy_data.select_classes("cat")).path != first.path


def test_differences_are_listed(toy_params, toy_data):
    RunDir.open(toy_params(run="mine", epochs=5), toy_data)
    with pytest.raises(RunError) as caught:
        RunDir.open(toy_params(run="mine", epochs=4, seed=3), toy_data.select_classes("dog"))
    text = str(caught.value)
    assert "images: toy, 40 images" in text
    assert "epochs: 5 there, 4 now (may only grow)" in text
    assert "seed: 0 there, 3 now" in text
    assert "batch_size" not in text
    assert (
        RunDir.open(toy_params(run="mine", epochs=6, author="me"), toy_data).described["params"]["epochs"]
        == 6
    )


def test_another_experiment_keeps_its_parameters(toy_params, toy_data):
    run = RunDir.open(toy_params(run="mine"), toy_data)
    before = run.described
    with pytest.raises(RunError):
        RunDir.open(toy_params(run="mine", seed=3), toy_data)
    assert run.described == before


def test_a_folder_of_something_else_is_refused_and_left_alone(toy_params, toy_data, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.md").write_text("mine")
    with pytest.raises(RunError, match="is not a run folder"):
        RunDir.open(toy_params(run="thesis"), toy_data)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["text.md"]


@pytest.mark.parametrize("left", [[], [".lock", ".params.json.tmp"], ["samples/", "checkpoints/"]])
def test_a_folder_that_a_crash_left_at_its_beginning_becomes_the_run(toy_params, toy_data, tmp_path, left):
    (tmp_path / "mine").mkdir()
    for name in left:
        path = tmp_path / "mine" / name
        path.mkdir() if name.endswith("/") else path.touch()
    assert RunDir.open(toy_params(run="mine"), toy_data).has_grid("real")


def test_a_folder_with_samples_of_something_else_is_refused(toy_params, toy_data, tmp_path):
    (tmp_path / "mine" / "samples").mkdir(parents=True)
    (tmp_path / "mine" / "samples" / "holiday.png").touch()
    with pytest.raises(RunError, match="is not a run folder"):
        RunDir.open(toy_params(run="mine"), toy_data)


def test_opening_the_same_run_again_writes_nothing(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    with run.locked():  # as while another process trains
        RunDir.open(toy_params(), toy_data)
        with pytest.raises(RunError, match="another process is training"):
            RunDir.open(toy_params(author="somebody"), toy_data)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_damaged_small_files_are_told_and_made_again(toy_params, toy_data, capsys):
    run = RunDir.open(toy_params(), toy_data)
    run.note_environment({"started": "1", "device": "x"})
    for name in ("environment.json", "rollbacks.json", "samples/real.png"):
        (run.path / name).write_bytes(b"[{")
    assert run.rollbacks() == []
    run.note_environment({"started": "2", "device": "y"})
    assert run.environment() == [{"started": "2", "device": "y"}]
    assert capsys.readouterr().out.count("WARNING") == 2
    assert torch.equal(RunDir.open(toy_params(), toy_data).real().images[0], first_real(toy_data))


def first_real(data):
    order = torch.randperm(len(data), generator=stream(0, "real"))
    return data.images[order[0]]


def test_a_folder_that_cannot_be_written(toy_params, toy_data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        RunDir.open(toy_params(run="file/run"), toy_data)


def test_reading_what_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"it has no params\.json"):
        RunDir(tmp_path)
    for text in ('{"lr": 1}', "{", "[]"):
        (tmp_path / "params.json").write_text(text)
        with pytest.raises(RunError, match="not a run folder of this kit"):
            RunDir(tmp_path)


def test_grids_come_back_exactly(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    run.save_grid("epoch-00003", Grid(toy_data.images[:7], 3, "epoch 3"))
    grid = run.samples(3)
    assert (grid.columns, grid.title) == (3, "epoch 3")
    assert torch.equal(grid.images, toy_data.images[:7])


def test_sample_epochs_are_spread(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    for epoch in range(200, 5001, 200):
        run.save_grid(f"epoch-{epoch:05d}", Grid(toy_data.images[:1], 1))
    assert len(run.sample_epochs()) == 25
    assert run.sample_epochs(at_most=5) == [200, 1400, 2600, 3800, 5000]
    assert run.sample_epochs(at_most=1) == [5000]


def test_a_planted_pickle_is_not_executed(toy_params, toy_data, tmp_path):
    class Malicious:
        def __reduce__(self):
            return (type(tmp_path).touch, (tmp_path / "executed",))

    run = RunDir.open(toy_params(), toy_data)
    torch.save({"generator": Malicious()}, run.path / "checkpoints" / "last.pt")
    with pytest.raises(RunError, match=r"last\.pt cannot be read"):
        run.checkpoints.load()
    assert not (tmp_path / "executed").exists()


def test_params_json_is_plain(toy_params, toy_data):
    run = RunDir.open(toy_params(), toy_data)
    described = json.loads((run.path / "params.json").read_text())
    assert described["variant"] == "dcgan"
    assert described["data"]["classes"] == ["cat", "dog"]
    assert described["data"]["count"] == 40
