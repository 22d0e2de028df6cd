"""Small ablation studies for tests."""

from ganutils.studies import ablation

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
