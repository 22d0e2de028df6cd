"""Random streams: one seed, a stream of its own for each purpose."""

import hashlib

import torch


def stream(seed: int, name: str, index: int = 0) -> torch.Generator:
    """Return a random stream of its own for a purpose: streams of other names or indices never overlap."""
    digest = hashlib.sha256(f"{seed}/{name}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
