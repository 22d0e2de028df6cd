import pytest

from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.variants import dcgan


@pytest.fixture
def made(toy_data):
    """Return a function that writes a finished run of two epochs with a known history; nothing is trained."""

    def make(name, variant=dcgan, epochs=2, finished=None, **values):
        small = {"batch_size": 20, "width": 4, "n_samples": 12, "device": "cpu", "precision": "fp32"}
        params = variant.Params(**{**small, "epochs": epochs, "run": f"runs/{name}", **values})
        run = RunDir.open(params, toy_data)
        for epoch in range(1, (epochs if finished is None else finished) + 1):
            row = {"epoch": epoch, "step": 2 * epoch, "g_step": epoch, "seconds": 30.0 * epoch}
            loss = {"step": 2 * epoch, "epoch": epoch, "d_real": 1.0 / epoch, "d_grad": 5.0, "g_fake": 2.0}
            run.append([loss], [{**row, "images_per_second": 1.0}])
            shown = Grid(toy_data.images.roll(epoch, 0)[:12], 4, f"epoch {epoch}")
            run.save_grid(f"epoch-{epoch:05d}", shown)
        run.note_environment({"device": "cpu (toy)", "system": "toy", "libraries": "torch 0", "started": ""})
        return run

    return make
