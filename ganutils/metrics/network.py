"""The Inception network of FID up to its last pooling layer, batch norm folded into the convolutions.

It is the network that was released on 2015-12-05 with the Inception paper (Szegedy 2015, arXiv 1512.00567)
and became part of FID (Heusel 2017, arXiv 1706.08500, code). It is not torchvision's: there, average pooling
counts the padding, and the last block pools by the mean.
"""

from torch import Tensor, cat, nn

FEATURES = 2048
EPSILON = 1e-3  # of the original's batch norms


class Branches(nn.Module):
    """Branches on the same input, their channels one after another."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, sum of the branches' channels, H', W')."""
        return cat([branch(images) for branch in self.branches], 1)


def inception() -> nn.Sequential:
    """Build the network with arbitrary weights: images (N, 3, 299, 299) in [-1, 1] to features (N, 2048).

    The order of its convolutions is that of the weights in the original graph.
    """
    return nn.Sequential(
        *(_conv(3, 32, 3, stride=2), _conv(32, 32, 3), _conv(32, 64, 3, padding=1), nn.MaxPool2d(3, 2)),
        *(_conv(64, 80, 1), _conv(80, 192, 3), nn.MaxPool2d(3, 2)),
        *(_block_35(192, 32), _block_35(256, 64), _block_35(288, 64)),
        _reduction_17(),
        *(_block_17(128), _block_17(160), _block_17(160), _block_17(192)),
        _reduction_8(),
        *(_block_8(1280, _mean()), _block_8(2048, nn.MaxPool2d(3, 1, padding=1))),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def _conv(
    inner: int, outer: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | tuple[int, int] = 0
) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, kernel, stride, padding), nn.ReLU(inplace=True))


def _mean() -> nn.AvgPool2d:
    return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)


def _across(inner: int, outer: int, length: int) -> nn.Sequential:
    return _conv(inner, outer, (1, length), padding=(0, length // 2))


def _down(inner: int, outer: int, length: int) -> nn.Sequential:
    return _conv(inner, outer, (length, 1), padding=(length // 2, 0))


def _block_35(inner: int, pooled: int) -> Branches:
    return Branches(
        _conv(inner, 64, 1),
        nn.Sequential(_conv(inner, 48, 1), _conv(48, 64, 5, padding=2)),
        nn.Sequential(_conv(inner, 64, 1), _conv(64, 96, 3, padding=1), _conv(96, 96, 3, padding=1)),
        nn.Sequential(_mean(), _conv(inner, pooled, 1)),
    )


def _reduction_17() -> Branches:
    return Branches(
        _conv(288, 384, 3, stride=2),
        nn.Sequential(_conv(288, 64, 1), _conv(64, 96, 3, padding=1), _conv(96, 96, 3, stride=2)),
        nn.MaxPool2d(3, 2),
    )


def _block_17(width: int) -> Branches:
    return Branches(
        _conv(768, 192, 1),
        nn.Sequential(_conv(768, width, 1), _across(width, width, 7), _down(width, 192, 7)),
        nn.Sequential(
            *(_conv(768, width, 1), _down(width, width, 7), _across(width, width, 7)),
            *(_down(width, width, 7), _across(width, 192, 7)),
        ),
        nn.Sequential(_mean(), _conv(768, 192, 1)),
    )


def _reduction_8() -> Branches:
    return Branches(
        nn.Sequential(_conv(768, 192, 1), _conv(192, 320, 3, stride=2)),
        nn.Sequential(
            _conv(768, 192, 1), _across(192, 192, 7), _down(192, 192, 7), _conv(192, 192, 3, stride=2)
        ),
        nn.MaxPool2d(3, 2),
    )


def _block_8(inner: int, pool: nn.Module) -> Branches:
    return Branches(
        _conv(inner, 320, 1),
        nn.Sequential(_conv(inner, 384, 1), Branches(_across(384, 384, 3), _down(384, 384, 3))),
        nn.Sequential(
            *(_conv(inner, 448, 1), _conv(448, 384, 3, padding=1)),
            Branches(_across(384, 384, 3), _down(384, 384, 3)),
        ),
        nn.Sequential(pool, _conv(inner, 192, 1)),
    )
