"""Numbers of the noise study: priors by their images, directions by their effects, ways by their lengths."""

import torch
from torch import Tensor

from ganutils.latents import contrast, diversity, pixel_statistics, standard_error
from ganutils.studies.noise_study import Study

STATISTICS = ("Latents", "Mean", "Deviation", "Brightness", "Contrast", "Diversity", "Moved", "FID, KID")


def statistics(study: Study) -> list[tuple[str | float, ...]]:
    """Return rows of `STATISTICS`: real images, every prior at equal variance, the trained one rescaled.

    The second row is the floor, what real images that were not trained on score for FID and KID.

    Moved is the mean absolute change, in grey levels, from the image of the same quantiles.
    """
    real, kinds, n = study.run.real().images, study.kinds(), study.params.study_samples
    rows = [(f"real, {len(real)} images", *_measured(real), "", "")]
    rows.append(("real, not trained on", *[""] * (len(STATISTICS) - 2), study.judge.floor))
    reference = None
    for kind, factor in [*((kind, 1) for kind in kinds), (kinds[0], 0.5), (kinds[0], 1.5)]:
        z, labels = study.latents("priors", n, kind)
        images = study.images(factor * z, labels)
        reference = images if reference is None else reference
        moved = (images.float() - reference.float()).abs().mean().item()
        name = kind if factor == 1 else f"{kind}, times {factor:g}"
        rows.append((name, *_measured(images), f"{moved:.1f}", study.judge.tell(images)))
    return rows


def _measured(images: Tensor) -> tuple[str, ...]:
    levels = (f"{value:.1f}" for value in pixel_statistics(images))
    return (*levels, "{:.2f} ± {:.2f}".format(*diversity(images)))


def with_errors(effect: Tensor) -> list[str]:
    """Return the mean of each row of an effect (K, N) with its standard error."""
    return [f"{row.mean():.1f} ± {standard_error(row):.1f}" for row in effect]


def ways_compared(study: Study) -> dict[str, dict[str, Tensor]]:
    """Return the length of the latent and the contrast of the image (steps, N) on N ways of each form."""
    pairs = study.params.study_samples // study.params.steps
    lengths, contrasts = {}, {}
    for form in ("straight", "spherical"):
        ways = list(study.ways(pairs, spherical=form == "spherical"))
        lengths[form] = torch.stack([z.norm(dim=1).cpu() for z, _ in ways], dim=1)
        contrasts[form] = torch.stack([contrast(images) for _, images in ways], dim=1)
    return {"Length of the latent": lengths, "Contrast of the image": contrasts}
