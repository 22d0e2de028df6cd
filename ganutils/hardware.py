"""Which device, precision and memory layout a run trains with; decided once and printed once."""

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from ganutils.errors import ParameterError, RunError
from ganutils.params import RunParams

SMALLER = "Lower batch_size or width, or close other programs."


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Copy a tensor of the CPU to a device; for a CUDA GPU without waiting for it, where the driver can.

    Apple's GPUs may read the memory of such a copy after it was freed.
    """
    return tensor.to(device, non_blocking=torch.device(device).type == "cuda")


@dataclass(frozen=True)
class Hardware:
    """Where and how the arithmetic of training runs."""

    device: torch.device
    precision: str  # "fp32" or "bf16"
    name: str  # of the processor or GPU
    is_deterministic: bool  # asked for; a CPU always is

    def autocast(self) -> AbstractContextManager:
        """Return a context for one phase of a step.

        One phase each: autocast's cache of converted weights would serve stale ones after an update.
        """
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    @contextlib.contextmanager
    def algorithms(self) -> Iterator[None]:
        """Let a GPU take its fastest algorithms, or those that give the same numbers each time.

        Convolutions in fp32 are not rounded to TF32, as they are by default.
        """
        cudnn = torch.backends.cudnn
        before = torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, cudnn.allow_tf32
        if self.is_deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
        torch.use_deterministic_algorithms(self.is_deterministic)
        cudnn.benchmark, cudnn.allow_tf32 = not self.is_deterministic, False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0])
            cudnn.benchmark, cudnn.allow_tf32 = before[1:]

    def __str__(self) -> str:
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        kind = ", deterministic" if self.is_deterministic else ""
        return f"{self.device} ({self.name}{threads}), {self.precision}, channels last{kind}"


@contextlib.contextmanager
def telling_memory(device: torch.device | str, remedy: str) -> Iterator[None]:
    """Turn torch's error about too little memory into a `RunError` that ends with a remedy."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{device} has too little memory ({reason}). {remedy}") from None


def choose(params: RunParams) -> Hardware:
    """Choose the device and precision that `params` name, or the fastest safe ones for `auto`.

    Raises `ParameterError` if the device is not there or cannot do the precision.
    """
    device = _device(params.device)
    fast = has_fast_bf16(device)
    if params.precision == "bf16" and device.type == "mps":
        raise ParameterError("precision='bf16': is not supported on mps. Use precision='fp32'.")
    if params.deterministic and device.type == "mps":  # torch refuses an embedding's gradient, for one
        raise ParameterError("deterministic=True: is not supported on mps. Use deterministic=False.")
    precision = params.precision if params.precision != "auto" else ("bf16" if fast else "fp32")
    _keep_freed_memory()
    return Hardware(device, precision, _name(device), params.deterministic)


def _device(wanted: str) -> torch.device:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    device = torch.device(wanted)
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not available[device.type] or (device.index or 0) >= count:
        found = ", ".join(kind for kind, there in available.items() if there)
        raise ParameterError(f"device={wanted!r}: is not on this machine, which has {found}. Use 'auto'.")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Say whether bf16 arithmetic is faster than fp32 on a device."""
    if device.type == "cuda":
        with torch.cuda.device(device):  # it asks about the current one
            return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without such instructions bf16 on a CPU is emulated and slower than fp32; old torch cannot tell.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return str(capabilities.get("cpu_name") or platform.processor() or platform.machine())


def _keep_freed_memory() -> None:
    # glibc gives large blocks back to the system at each free and faults them in anew at each step.
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)
