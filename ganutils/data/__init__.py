"""Image sets in memory: finding, reading and drawing them, class subsets, minibatches."""

from ganutils.data.batches import Batch, draw_flips, epoch_order, flip_some, to_float, to_uint8
from ganutils.data.cifar import cifar10
from ganutils.data.dataset import Dataset
from ganutils.data.folder import image_folder
from ganutils.data.loading import load, load_dataset

__all__ = [
    "Batch",
    "Dataset",
    "cifar10",
    "draw_flips",
    "epoch_order",
    "flip_some",
    "image_folder",
    "load",
    "load_dataset",
    "to_float",
    "to_uint8",
]
