import os

import pytest
import torch

from ganutils import hardware
from ganutils.data import Dataset
from ganutils.hardware import Hardware
from ganutils.variants import dcgan


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Every test has a project root and cache of its own."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANUTILS_CACHE", str(tmp_path / "cache"))
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")


@pytest.fixture(autouse=True)
def every_epoch_saves(monkeypatch):
    """However long the disk takes; those of toy trainings would share a checkpoint."""
    monkeypatch.setattr("ganutils.training.SAVING_SHARE", float("inf"))


@pytest.fixture
def toy_data():
    """Return 40 random 32x32 images in two classes."""
    images = torch.randint(0, 256, (40, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    return Dataset(
        images=images.to(torch.uint8),
        labels=torch.arange(40) % 2,
        classes=("cat", "dog"),
        label="toy",
        split="train",
        source="random numbers",
    )


@pytest.fixture
def toy_params():
    """Return a function that makes DCGAN parameters small enough for a test."""

    def make(**values):
        small = {
            "batch_size": 8,
            "width": 4,
            "epochs": 2,
            "n_samples": 6,
            "precision": "fp32",
            "device": "cpu",
        }
        return dcgan.Params(**{**small, "sample_epochs": "every 1", **values})

    return make


@pytest.fixture
def projected(monkeypatch):
    """Let a quick projection stand for the Inception network when runs are measured."""
    from projection import Projection

    monkeypatch.setattr("ganutils.metrics.job.Inception", Projection)


@pytest.fixture
def cpu_alone(monkeypatch):
    """Refuse every device but a CPU that was asked for."""
    choose_device = hardware._device

    def asked(wanted):
        assert wanted == "cpu"
        return choose_device(wanted)

    monkeypatch.setattr(hardware, "_device", asked)


@pytest.fixture
def entered(monkeypatch):
    """Collect where `algorithms()` is entered."""
    found, algorithms = [], Hardware.algorithms

    def noted(chosen):
        found.append(chosen)
        return algorithms(chosen)

    monkeypatch.setattr(Hardware, "algorithms", noted)
    return found
