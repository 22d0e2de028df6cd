import math

import pytest
import torch

from ganutils import latent_figures, latent_numbers, variants
from ganutils.data import Dataset
from ganutils.errors import ParameterError, RunError
from ganutils.latents import ranking
from ganutils.metrics.frechet import fid
from ganutils.metrics.references import Floor, Reference
from ganutils.runs import RunDir
from ganutils.studies import noise_study
from ganutils.training import train
from ganutils.variants import acgan, dcgan

TOY = {"width": 4, "batch_size": 8, "epochs": 1, "n_samples": 6, "precision": "fp32", "device": "cpu"}
STUDY = {"steps": 5, "base_latents": 2, "study_samples": 50}


@pytest.fixture
def finished(toy_data):
    """Return a function that trains a run of a variant and returns its name."""

    def make(variant, **values):
        params = variant.Params(**{**TOY, "latent_size": 6, "run": "runs/mine", **values})
        run = RunDir.open(params, toy_data)
        train(variants.build(params, toy_data), toy_data, params, run)
        return "runs/mine"

    return make


def open_study(**values):
    return noise_study.open_study(noise_study.Params(**{**STUDY, **values}))


def test_a_run_that_the_study_trains_is_a_dcgan_run():
    values = {**TOY, "dataset": "shapes", "n_images": 40, "latent_size": 6}
    study = open_study(**values)
    assert study.run.described["variant"] == "dcgan"
    params = dcgan.Params(**values)
    assert study.params.trained_params() == params
    assert study.run.described["params"] == params.model_dump()
    again = open_study(**values)
    assert again.run.path == study.run.path


@pytest.mark.parametrize("variant", [dcgan, acgan])
def test_runs_of_every_kind_of_generator_are_studied(finished, variant):
    study = open_study(run=finished(variant))
    facts = dict(study.facts())
    assert facts["Variant"].startswith(variant.Params.variant)
    assert facts["Parameters of training"] == "in the run folder"
    z, labels = study.latents("test", 3)
    assert study.varied(z[0], labels[0], 2).shape == (5, 3, 32, 32)
    assert study.effects().shape == (6, 2)
    rows = latent_numbers.statistics(study)
    assert {len(row) for row in rows} == {len(latent_numbers.STATISTICS)}
    assert [row[0] for row in rows][1:3] == ["real, not trained on", "normal"]
    assert rows[2][-2] == "0.0"
    assert [row[-1] for row in rows][1:] == ["not measured"] * 8


@pytest.mark.parametrize("wanted", [40, 50])  # of 40 training images
def test_fid_and_kid_of_each_row_are_those_of_its_first_images(finished, monkeypatch, wanted):
    """A network that returns the mean colour, so that numbers are known without it."""

    class Colours:
        digest, precision, arithmetic = "colours", "fp32", "fp32"

        def __init__(self, device):
            pass

        def features(self, images, advance=None):
            return torch.nn.functional.pad(images.float().mean((2, 3)) * 1000, (0, 2045))

    monkeypatch.setattr("ganutils.metrics.inception.Inception", Colours)
    study = open_study(run=finished(dcgan), measure_samples=wanted)
    drawn = study.images(*study.latents("priors", 50))[:40].contiguous()
    real = Reference(Dataset(drawn, torch.zeros(40).long(), ("a",), "toy", "train", "made here"), "")
    moved = drawn.clone()
    moved[:, 2] = drawn[:, 2] // 2
    held_out = Dataset(moved, torch.zeros(40).long(), ("a",), "toy", "test", "made here")
    monkeypatch.setattr("ganutils.metrics.references.training_images", lambda run: real)
    monkeypatch.setattr(
        "ganutils.metrics.references.floor", lambda run, real, n: Floor(held_out, "held out", real)
    )
    rows = latent_numbers.statistics(study)
    assert rows[0][-1] == ""
    floor, own, *_, last = (float(row[-1].split(",")[0]) for row in rows[1:])
    assert own == pytest.approx(0.0, abs=0.1)  # the trained prior against its own images
    assert float(rows[2][-1].split(", ")[1].split(" ± ")[0]) <= 0
    assert last > 1
    features = (Colours("cpu").features(images)[:, :3] for images in (moved, drawn))
    assert floor == pytest.approx(fid(*features), rel=1e-3)
    assert study.judge.protocol.startswith("FID and KID: 40 images against 40 real ones")
    assert study.judge.protocol.endswith("Floor: held out.")


def test_the_middle_of_a_row_is_the_unchanged_image(finished):
    study = open_study(run=finished(dcgan))
    z, labels = study.latents("test", 1)
    offsets = study.offsets()
    assert offsets.tolist() == [-3, -1.5, 0, 1.5, 3]
    moved = study.moved(z[0], labels[0], torch.eye(6)[4])
    assert torch.equal(moved[2], study.images(z, labels)[0])
    z[0, 4] = 0
    assert torch.equal(study.varied(z[0], labels[0], 4)[2], study.images(z, labels)[0])


def test_latents_have_the_variance_of_training_and_share_their_numbers(finished):
    study = open_study(run=finished(dcgan, prior="uniform"))
    assert study.deviation == pytest.approx(math.sqrt(1 / 3))
    assert study.kinds()[0] == "uniform"
    uniform, normal = (study.latents("test", 2000, kind)[0] for kind in ("", "normal"))
    assert uniform.abs().max() <= 1
    assert normal.var().item() == pytest.approx(1 / 3, rel=0.05)
    assert torch.equal(uniform.argsort(dim=0), normal.argsort(dim=0))
    assert not torch.equal(uniform, study.latents("other", 2000)[0])
    assert study.offsets()[-1].item() == pytest.approx(math.sqrt(3))


def test_fewer_latents_are_the_first_of_more(finished):
    study = open_study(run=finished(dcgan))
    more, labels = study.latents("test", 37)
    for count in (1, 4, 25):
        fewer, theirs = study.latents("test", count)
        assert torch.equal(fewer, more[:count])
        assert torch.equal(theirs, labels[:count])


def test_the_named_dimension_is_the_one_that_is_varied(finished):
    study = open_study(run=finished(dcgan))
    z, labels = study.latents("test", 1)
    by_hand = z.repeat(5, 1)
    by_hand[:, 3] = torch.tensor([-3, -1.5, 0, 1.5, 3])
    assert torch.equal(study.varied(z[0], labels[0], 3), study.images(by_hand, labels))


def test_statistics_of_a_prior_are_those_of_its_images(finished):
    study = open_study(run=finished(dcgan))
    with torch.no_grad():  # after so short a training all images are nearly the same grey
        for weight in study.gan.generator.parameters():
            weight.mul_(10 if weight.ndim == 4 else 1)
    rows = {
        row[0]: dict(zip(latent_numbers.STATISTICS, row, strict=True))
        for row in latent_numbers.statistics(study)
    }
    n = study.params.study_samples
    normal, laplace = (
        study.images(*study.latents("priors", n, kind)).float() for kind in ("normal", "laplace")
    )
    assert float(rows["laplace"]["Mean"]) == pytest.approx(laplace.mean().item(), abs=0.06)
    assert float(rows["laplace"]["Deviation"]) == pytest.approx(laplace.std().item(), abs=0.06)
    assert float(rows["laplace"]["Moved"]) == pytest.approx((laplace - normal).abs().mean().item(), abs=0.06)
    assert float(rows["laplace"]["Moved"]) > 1


def test_effects_count_in_standard_deviations(finished):
    study = open_study(run=finished(dcgan))
    effect = study.effects()
    torch.testing.assert_close(study.effects(torch.eye(6)), effect)
    assert sorted(ranking(effect)) == list(range(6))
    assert latent_numbers.with_errors(torch.tensor([[1.0, 3.0], [2.0, 2.0]])) == ["2.0 ± 1.0", "2.0 ± 0.0"]


def test_ways_join_the_same_pairs(finished):
    study = open_study(run=finished(dcgan))
    straight, spherical = (list(study.ways(2, spherical=form)) for form in (False, True))
    for (a, images_a), (b, images_b) in zip(straight, spherical, strict=True):
        torch.testing.assert_close(a[[0, -1]], b[[0, -1]])
        assert images_a.shape == images_b.shape == (5, 3, 32, 32)
    panels = latent_numbers.ways_compared(study)
    for lines in panels.values():
        assert [values.shape for values in lines.values()] == [(5, 10), (5, 10)]


def test_a_run_that_is_not_there_names_its_neighbour(finished):
    finished(dcgan)
    with pytest.raises(RunError, match=r"not a run folder.*did you mean 'runs/mine'"):
        open_study(run="runs/mime")


def test_a_run_without_a_checkpoint(toy_params, toy_data):
    RunDir.open(toy_params(run="runs/empty"), toy_data)
    with pytest.raises(RunError, match="has no checkpoint yet"):
        open_study(run="runs/empty")


def test_a_dimension_beyond_the_latents(finished, tmp_path):
    with pytest.raises(ParameterError, match="dimension=6: must be below 6"):
        open_study(run=finished(dcgan), dimension=6)
    with pytest.raises(ParameterError, match="must be below latent_size"):
        open_study(dimension=100)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["mine"]


def test_rows_show_every_pixel_under_their_names():
    images = torch.randint(0, 256, (2, 3, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    rows = {"one": images[0].to(torch.uint8), "two": images[1].to(torch.uint8)}
    (axis,) = latent_figures.varied_rows(rows, ["a", "b", "c"], "value").axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["one", "two"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["a", "b", "c"]
    shown = axis.images[0].get_array()
    for (x, y), image in {(0, 0): images[0, 0], (2, 1): images[1, 2]}.items():
        tile = shown[10 * y : 10 * y + 8, 10 * x : 10 * x + 8]
        assert (torch.from_numpy(tile.copy()) == image.permute(1, 2, 0)).all()
        assert 10 * x < axis.get_xticks()[x] < 10 * x + 8


def test_ranked_effects_fall_and_name_their_ends():
    effect = torch.tensor([[1.0, 3.0], [7.0, 9.0], [4.0, 4.0]])
    (axis,) = latent_figures.ranked_effects(effect, "grey levels", names=1).axes
    assert axis.lines[0].get_ydata().tolist() == [8, 4, 2]
    assert axis.texts[0].get_text() == "ranked first: 1\nranked last: 0"


def test_lines_along_a_way_are_means():
    values = torch.tensor([[1.0, 3.0], [5.0, 5.0], [2.0, 4.0]])
    figure = latent_figures.along({"A": {"straight": values}, "B": {"straight": values}}, "t")
    assert [axis.get_title() for axis in figure.axes] == ["A", "B"]
    assert figure.axes[1].lines[0].get_xydata().tolist() == [[0, 2], [0.5, 5], [1, 3]]
