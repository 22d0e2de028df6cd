import numpy as np
import pytest
import torch
from compared_runs import measured, read

from ganutils import comparison_figures, comparison_tables
from ganutils.sheets import tiles
from ganutils.studies import compare
from ganutils.variants import acgan, wgan


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
    assert comparison_figures.losses(read()).get_figheight() < 8


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
