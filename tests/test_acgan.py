import math

import pytest
import torch

from ganutils.data import Batch
from ganutils.variants.acgan import AuxiliaryClassifier, Params, accuracy, build


def heads(source, classes):
    return lambda images: (images * source, images[:, None] * torch.tensor(classes))


def batch(n, label):
    return Batch(torch.ones(n), torch.full((n,), label))


def test_losses_by_hand():
    """Source logit 0 everywhere; class probabilities 1/4 and 3/4."""
    terms = AuxiliaryClassifier().discriminator_terms(
        heads(0.0, [0.0, math.log(3)]), batch(2, label=1), batch(2, label=0)
    )
    values = {name: value.item() for name, value in terms.losses.items()}
    assert values == pytest.approx(
        {
            "d_real": math.log(2),
            "d_fake": math.log(2),
            "d_class_real": math.log(4 / 3),
            "d_class_fake": math.log(4),
        },
        rel=1e-6,
    )
    assert terms.watched["accuracy_real"].item() == 1
    assert terms.watched["accuracy_fake"].item() == 0


def test_fake_class_is_the_target_of_generated_images_for_the_discriminator_alone():
    objective = AuxiliaryClassifier(fake_label=2)
    discriminator = heads(0.0, [0.0, 0.0, math.log(2)])  # probabilities 1/4, 1/4, 1/2
    d_terms = objective.discriminator_terms(discriminator, batch(2, 0), batch(2, 1))
    assert d_terms.losses["d_class_real"].item() == pytest.approx(math.log(4))
    assert d_terms.losses["d_class_fake"].item() == pytest.approx(math.log(2))
    g_terms = objective.generator_terms(discriminator, batch(2, 0), batch(2, 1))
    assert g_terms.losses["g_class"].item() == pytest.approx(math.log(4))


def test_class_weight():
    terms = AuxiliaryClassifier(class_weight=0.5).generator_terms(
        heads(0.0, [0.0, 0.0]), batch(1, 0), batch(1, 0)
    )
    assert terms.losses["g_class"].item() == pytest.approx(0.5 * math.log(2))
    assert terms.losses["g_fake"].item() == pytest.approx(math.log(2))


def test_accuracy():
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0]])
    assert accuracy(logits, torch.tensor([0, 0, 0, 1])).item() == 0.75


@pytest.mark.parametrize(("fake_class", "outputs"), [(False, 10), (True, 11)])
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("condition", ["product", "concat"])
def test_shapes(fake_class, outputs, size, condition):
    gan = build(Params(fake_class=fake_class, image_size=size, width=8, condition=condition), 10)
    z, labels = gan.prior.sample(4, generator=torch.Generator().manual_seed(0))
    source, classes = gan.discriminator(gan.generator(z, labels))
    assert source.shape == (4,)
    assert classes.shape == (4, outputs)


def test_how_a_class_enters_the_generator():
    """With the rest of the generator taken away, its input is seen."""
    z, labels = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([2, 0])
    product = build(Params(width=8, latent_size=2), 3).generator
    appended = build(Params(width=8, latent_size=2, condition="concat"), 3).generator
    product.layers = appended.layers = torch.nn.Identity()
    with torch.no_grad():
        product.embedding.weight.copy_(torch.tensor([[10.0, 100.0], [0.0, 0.0], [2.0, 3.0]]))
    assert product(z, labels).tolist() == [[2.0, 6.0], [30.0, 400.0]]
    assert appended(z, labels).tolist() == [[1.0, 2.0, 0.0, 0.0, 1.0], [3.0, 4.0, 1.0, 0.0, 0.0]]


def test_the_label_changes_the_image_and_the_grid_has_a_class_in_each_row():
    gan = build(Params(width=8), 3)
    z, labels = gan.prior.grid(6, generator=torch.Generator().manual_seed(0))
    images = gan.generator.eval()(z, labels)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert torch.equal(z[0], z[2])
    assert (images[0] - images[2]).abs().max() > 1e-4
    assert Params().learning_rate == 1.5e-4
