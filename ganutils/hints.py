"""Parameters that a notebook does not have: what they are called there, or which notebook has them."""

from collections.abc import Collection

from ganutils import studies, variants
from ganutils.names import nearest

# What example scripts call them.
_CUSTOMARY = {
    "b1": "beta1",
    "bs": "batch_size",
    "critic_iters": "d_steps",
    "img_size": "image_size",
    "lambda_gp": "penalty",
    "latent_dim": "latent_size",
    "lr": "learning_rate",
    "n_critic": "d_steps",
    "n_epochs": "epochs",
    "ndf": "width",
    "ngf": "width",
    "num_epochs": "epochs",
    "nz": "latent_size",
    "z_dim": "latent_size",
}


def hint(name: str, known: Collection[str]) -> str:
    """Return the rest of a sentence about a `name` that is none of the `known` parameters, with its end."""
    customary = _CUSTOMARY.get(name.casefold())
    if customary in known:
        return f": it is called {customary!r}."
    owners = [
        notebook
        for notebook in sorted([*variants.names(), *studies.names()])
        if name in studies.params_class(notebook).model_fields
    ]
    if owners:
        return f" here, but in {' and '.join(owners)}."
    return nearest(name, known) or "."
