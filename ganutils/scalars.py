"""Named scalars of an update, in one tensor that is read later."""

from collections.abc import Iterator, Mapping
from typing import Self

import torch
from torch import Tensor


class Scalars(Mapping[str, Tensor]):
    """A mapping from K names to scalars on the device; `numbers` (K,) holds all of them, detached."""

    def __init__(self, names: tuple[str, ...], numbers: Tensor) -> None:
        self.names, self.numbers = names, numbers

    @classmethod
    def of(cls, values: Mapping[str, Tensor]) -> Self:
        """Gather scalar tensors, in fp32."""
        return cls(tuple(values), torch.stack([value.detach().float() for value in values.values()]))

    def __getitem__(self, name: str) -> Tensor:
        """Return a scalar; `KeyError` if there is none of that name."""
        if name not in self.names:
            raise KeyError(name)
        return self.numbers[self.names.index(name)]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.names)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.names)
