"""Which device, precision and memory layout a run trains with; decided once and printed once."""

import contextlib
import ctypes
import functools
import os
import platform
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganutils.errors import ParameterError, RunError
from ganutils.params import RunParams

_WARNING, _ERROR = 1, 2  # what torch answers to an algorithm that is not deterministic; 0: nothing
SMALLER = "Lower batch_size or width, or close other programs."
_NO_MEMORY = (
    *("out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED"),  # GPUs; cuBLAS and cuDNN on them
    *("valid cuDNN algorithm", "unable to find an engine"),  # cuDNN, which found no room to try one
    *("can't allocate memory", "not enough memory"),  # Linux and macOS; Windows
)


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Copy a tensor of the CPU to a device, to a CUDA GPU without waiting for it.

    Apple's GPUs may read the memory of such a copy after it was freed.
    """
    return pinned(tensor, device).to(device, non_blocking=torch.device(device).type == "cuda")


def pinned(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Put a tensor of the CPU where a CUDA GPU fetches it by itself; for other devices leave it."""
    return tensor.pin_memory() if torch.device(device).type == "cuda" else tensor


@dataclass(frozen=True)
class Hardware:
    """Where and how the arithmetic of training runs."""

    device: torch.device
    precision: str  # "fp32" or "bf16"
    name: str  # of the processor or GPU
    is_deterministic: bool  # asked for; a CPU always is
    is_replayed: bool = False  # updates are, as a CUDA graph

    def autocast(self) -> AbstractContextManager:
        """Return a context for one phase of a step.

        One phase each: autocast's cache of converted weights would serve stale ones after an update.
        """
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    @contextlib.contextmanager
    def algorithms(self) -> Iterator[None]:
        """Let a GPU take its fastest algorithms, or those that give the same numbers each time.

        Arithmetic in fp32 is exact, as `exact` has it.
        """
        cudnn, deterministic = torch.backends.cudnn, torch.utils.deterministic
        before = torch.get_deterministic_debug_mode(), cudnn.benchmark
        fills = deterministic.fill_uninitialized_memory
        if self.is_deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
        _take_deterministic(_ERROR if self.is_deterministic else 0)
        cudnn.benchmark = not self.is_deterministic
        deterministic.fill_uninitialized_memory = False  # a pass over each new tensor, which nothing reads
        try:
            with exact():
                yield
        finally:
            _take_deterministic(before[0])
            cudnn.benchmark = before[1]
            deterministic.fill_uninitialized_memory = fills

    def __str__(self) -> str:
        count = torch.get_num_threads()
        threads = f", {count} thread{'s' if count > 1 else ''}" if self.device.type == "cpu" else ""
        kind = ", CUDA graph" * self.is_replayed + ", deterministic" * self.is_deterministic
        return f"{self.device} ({self.name}{threads}), {self.precision}, channels last{kind}"


def _take_deterministic(mode: int) -> None:
    if mode != torch.get_deterministic_debug_mode():  # the call imports torch's compiler: seconds
        torch.use_deterministic_algorithms(mode > 0, warn_only=mode == _WARNING)


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Let a GPU compute in fp32 as it is: not rounded to TF32, as convolutions are by default.

    Matrix products are rounded where a script or a container asks for that.
    """
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    products = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        cudnn.allow_tf32 = before
        torch.set_float32_matmul_precision(products)


def own_random(device: torch.device) -> AbstractContextManager:
    """Return a context that leaves the global random streams, of the CPU and of a GPU in use, as they were.

    torch would ask every GPU by itself, also one that a driver is too old for.
    """
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def lacks_memory(error: RuntimeError) -> bool:
    """Say whether an error is about too little memory: those of CPUs and Apple GPUs have no type."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY)


@contextlib.contextmanager
def telling_memory(device: torch.device | str, remedy: str) -> Iterator[None]:
    """Turn torch's error about too little memory into a `RunError` that ends with a remedy."""
    try:
        yield
    except RuntimeError as error:
        if not lacks_memory(error):
            raise
        # A notebook keeps its last error, and with it the tensors of its frames, which the next try needs.
        traceback.clear_frames(error.__traceback__)
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
    if params.precision == "bf16" and device.type == "cuda" and not fast:
        raise ParameterError(
            f"precision='bf16': {device_name(device)} only emulates it. Use precision='fp32'."
        )
    if params.deterministic and device.type == "mps":  # torch refuses an embedding's gradient, for one
        raise ParameterError("deterministic=True: is not supported on mps. Use deterministic=False.")
    precision = params.precision if params.precision != "auto" else ("bf16" if fast else "fp32")
    _keep_freed_memory()
    is_replayed = params.cuda_graph and device.type == "cuda"
    return Hardware(device, precision, device_name(device), params.deterministic, is_replayed)


def _device(wanted: str) -> torch.device:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        usable = (kind for kind in ("cuda", "mps") if available[kind] and not _trouble(kind, "cpu is taken"))
        return torch.device(next(usable, "cpu"))
    device = torch.device(wanted)
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not available[device.type] or (device.index or 0) >= count:
        found = ", ".join(kind for kind, there in available.items() if there)
        raise ParameterError(f"device={wanted!r}: is not on this machine, which has {found}. Use 'auto'.")
    if why := _trouble(wanted):
        raise ParameterError(f"device={wanted!r}: cannot be used ({why}). Use 'cpu'.")
    return device


@functools.cache
def _trouble(device: str, remedy: str = "") -> str:
    """Say why a GPU that is there cannot be used, such as one too old for this torch; "" if it can.

    With a remedy it is printed, once. Raises `RunError` if its memory is full, which may pass.
    """
    try:
        (torch.ones(1, device=device) + 1).item()
    except (RuntimeError, AssertionError) as error:
        if isinstance(error, RuntimeError) and lacks_memory(error):
            raise RunError(
                f"{device} has no free memory. Close other notebooks that use it, or set device='cpu'."
            ) from None
        why = (str(error).splitlines() or [type(error).__name__])[0]
        if remedy:
            print(f"WARNING: {device} cannot be used ({why}); {remedy}.")
        return why
    return ""


def has_fast_bf16(device: torch.device) -> bool:
    """Say whether bf16 arithmetic is faster than fp32 on a device."""
    if device.type == "cuda":
        with torch.cuda.device(device):  # it asks about the current one
            return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without such instructions bf16 on a CPU is emulated and slower than fp32.
    return device.type == "cpu" and (bool(_capabilities().get("avx512_bf16")) or has_amx())


def has_amx() -> bool:
    """Say whether the CPU multiplies whole tiles of bf16 matrices, as some of Intel's do.

    Libraries that are told to leave them out (`ONEDNN_MAX_CPU_ISA`) are not asked.
    """
    return bool(_capabilities().get("amx_bf16"))


def has_vnni() -> bool:
    """Say whether the CPU multiplies and sums bytes in one instruction, as many of Intel's since 2019 do."""
    return any(_capabilities().get(name) for name in ("avx512_vnni", "avx_vnni"))


def _capabilities() -> dict[str, Any]:
    return getattr(torch.cpu, "get_capabilities", dict)()  # old torch cannot tell


def device_name(device: torch.device) -> str:
    """Return the name of a GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(_capabilities().get("cpu_name") or platform.processor() or platform.machine())


def _keep_freed_memory() -> None:
    # glibc gives large blocks back to the system at each free and faults them in anew at each step.
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)
