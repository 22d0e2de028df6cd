"""Small ablation studies for tests."""

from ganutils.ablation_plan import plan
from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.studies import ablation
from ganutils.studies.ablation import AblationRun
from ganutils.variants import dcgan

BASE = {"width": 4, "latent_size": 6, "batch_size": 20, "n_samples": 12, "epochs": 4, "precision": "fp32"}
CHANGES = [{"ema": "0.5"}, {"beta1": "0"}]
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


def finished(data, changes=CHANGES, **ways):
    """Write the finished runs of a plan on some images; what run n recorded grows with n."""
    found = plan(dcgan.Params, BASE, changes, **ways)
    return [_written(data, number, row) for number, row in enumerate(found, 1)]


def _written(data, number, row):
    params = row.params.model_copy(update={"run": f"runs/{row.folder}"})
    run = RunDir.open(params, data)
    for epoch in range(1, 5):
        loss = {"d_real": 0.1 * number, "d_fake": 0.2, "g_fake": float(number * epoch), "g_grad": 99.0}
        answers = {"D(x)": 0.5 + 0.1 * number, "D(G(z))": 0.5}
        count = {
            "epoch": epoch,
            "step": 2 * epoch,
            "g_step": 2 * epoch,
            "seconds": 30.0,
            "images_per_second": 1.0,
        }
        run.append([{"step": 2 * epoch, "epoch": epoch, **loss, **answers}], [count])
    run.save_grid("epoch-00004", Grid(data.images[:12], 4, "epoch 4"))
    return AblationRun(number, row.label, run, row=row, diverged=False)
