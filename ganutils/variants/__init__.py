"""One file a GAN: its `Params`, networks, objective and `build(params, classes)`; found by file name."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ganutils.checkpoints import State
from ganutils.data import Dataset
from ganutils.hardware import choose
from ganutils.names import unknown
from ganutils.objective import Gan
from ganutils.params import RunParams
from ganutils.runs import RunDir
from ganutils.sampling import recalibrate
from ganutils.streams import stream


def names() -> list[str]:
    """Return the names of all variants: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def get(name: str) -> ModuleType:
    """Return the module of a variant; `ParameterError` if there is none of that name."""
    if name not in names():
        raise unknown("variant", name, names())
    return importlib.import_module(f"{__name__}.{name}")


def build(params: RunParams, dataset: Dataset) -> Gan:
    """Build the networks, objective and prior of `params.variant` for a data set's number of classes.

    The weights depend on `params.seed` alone; the global random stream is left as it was. Raises
    `ParameterError` for a device or precision that this machine cannot offer.
    """
    choose(params)  # fails here, before a run folder is made
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(params.seed)  # the CPU's alone
        return get(params.variant).build(params, len(dataset.classes))


def params_of(run: RunDir, **others: Any) -> RunParams:
    """Return a run's parameters, `others` in the place of its own; `ParameterError` if one is refused."""
    described = run.described
    return get(described["variant"]).Params(**{**described["params"], **others})


def load(run: RunDir, device: torch.device | str = "cpu", state: State | None = None) -> Gan:
    """Rebuild a run's trained networks, in eval mode; the generator is its moving average if it has one.

    They are those of the checkpoint `state`, by default of the last one. Raises `RunError` if there is none.
    """
    state = state or run.checkpoints.load()
    if state is None:
        raise run.missing_checkpoint()
    params = params_of(run)
    gan = get(params.variant).build(params, len(run.described["data"]["classes"]))
    average = state.get("average")
    weights = state["generator"] if average is None else _without_wrapper(average)
    gan.generator.load_state_dict(weights)
    gan.discriminator.load_state_dict(state["discriminator"])
    for network in (gan.generator, gan.discriminator):
        network.to(device, memory_format=torch.channels_last).eval()
    if average is not None:
        recalibrate(gan.generator, gan.prior, stream(params.seed, "recalibration"))
    return gan


def _without_wrapper(average: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): value for name, value in average.items() if name != "n_averaged"}
