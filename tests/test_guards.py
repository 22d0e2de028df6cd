"""What stops a run early, and what is refused before it begins."""

import contextlib

import pytest
import torch

from ganutils import hardware
from ganutils.errors import ParameterError, RunError
from ganutils.hardware import choose, has_fast_bf16
from ganutils.objective import Terms
from ganutils.runs import RunDir
from ganutils.sampling import generate, recalibrate
from ganutils.state import TrainState
from ganutils.training import train
from ganutils.variants import build


class SteepAtZero:
    """An objective whose loss is finite and whose gradient is not: the root of a sum of squares at 0."""

    def __init__(self, objective):
        self.generator_terms, self.constrain = objective.generator_terms, objective.constrain
        self.objective = objective

    def discriminator_terms(self, discriminator, real, fake):
        terms = self.objective.discriminator_terms(discriminator, real, fake)
        length = (next(discriminator.parameters()) * 0).square().sum().sqrt()
        return Terms({**terms.losses, "length": length}, terms.watched)


def test_a_gradient_that_is_not_finite_stops_with_epoch_and_advice(toy_params, toy_data):
    params = toy_params()
    gan, run = build(params, toy_data), RunDir.open(params, toy_data)
    with pytest.raises(RunError, match=r"d_grad is nan in epoch 0\.20 \(update 1\)\. Lower learning_rate"):
        train(gan._replace(objective=SteepAtZero(gan.objective)), toy_data, params, run)
    assert run.history().updates == []


def test_an_unknown_precision_names_those_that_there_are(toy_params):
    with pytest.raises(ParameterError, match=r"precision='fp16': must be 'auto', 'fp32' or 'bf16'"):
        toy_params(precision="fp16")


def test_a_precision_that_the_device_cannot_do(toy_params, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(hardware, "_trouble", lambda *given: "")
    with pytest.raises(ParameterError, match=r"precision='bf16': is not supported on mps\. Use"):
        choose(toy_params(device="mps", precision="bf16"))


def test_the_same_numbers_each_time_are_not_promised_on_mps(toy_params, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(hardware, "_trouble", lambda *given: "")
    with pytest.raises(ParameterError, match=r"deterministic=True: is not supported on mps\. Use"):
        choose(toy_params(device="mps", deterministic=True))


def test_each_gpu_is_asked_for_its_own_bf16(monkeypatch):
    """A machine whose second GPU alone has it."""
    current = [0]

    @contextlib.contextmanager
    def on(device):
        current.append(device.index)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[-1] == 1)
    assert [has_fast_bf16(torch.device(f"cuda:{index}")) for index in (0, 1)] == [False, True]


@pytest.fixture
def old_gpu(monkeypatch):
    """A GPU that is there, and that this torch has no kernels for."""

    def no_kernels(*arguments, device="cpu", **options):
        if torch.device(device).type == "cuda":
            raise torch.AcceleratorError("CUDA error: no kernel image is available\nDetails")
        return torch.full(*arguments[:1], 1.0) if arguments else None

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch, "ones", no_kernels)
    hardware._trouble.cache_clear()
    yield
    hardware._trouble.cache_clear()


def test_auto_passes_over_a_gpu_that_cannot_compute_and_says_so_once(toy_params, old_gpu, capsys):
    assert [choose(toy_params(device="auto")).device.type for _ in range(2)] == ["cpu", "cpu"]
    assert capsys.readouterr().out.count("WARNING: cuda cannot be used (CUDA error: no kernel image") == 1


def test_a_gpu_that_is_asked_for_and_cannot_compute_is_refused(toy_params, old_gpu):
    with pytest.raises(ParameterError, match=r"device='cuda': cannot be used \(CUDA error: no kernel"):
        choose(toy_params(device="cuda"))


def test_bf16_is_refused_where_a_gpu_only_emulates_it(toy_params, monkeypatch):
    monkeypatch.setattr(hardware, "_device", lambda wanted: torch.device("cuda"))
    monkeypatch.setattr(hardware, "device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(hardware, "has_fast_bf16", lambda device: False)
    with pytest.raises(ParameterError, match=r"precision='bf16': Tesla T4 only emulates it\. Use"):
        choose(toy_params(device="cuda", precision="bf16"))
    assert choose(toy_params(device="cuda")).precision == "fp32"


def test_convolutions_are_exact_when_images_are_drawn(toy_params, toy_data):
    gan, seen = build(toy_params(), toy_data), []
    gan.generator.register_forward_hook(lambda *given: seen.append(torch.backends.cudnn.allow_tf32))
    before = torch.backends.cudnn.allow_tf32
    z, labels = gan.prior.sample(2, generator=torch.Generator())
    generate(gan.generator, z, labels)
    recalibrate(gan.generator, gan.prior, torch.Generator(), batches=1)
    assert seen == [False, False]
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.fixture
def rounded_products():
    """As a script or a container asks for that wants speed."""
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision("highest")


def test_nothing_is_rounded_while_training(toy_params, rounded_products):
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, products.allow_tf32
    assert before == (True, True)
    with choose(toy_params()).algorithms():
        assert not cudnn.allow_tf32
        assert not products.allow_tf32
    assert before == (cudnn.allow_tf32, products.allow_tf32)


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2 GiB",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "Unable to find a valid cuDNN algorithm to run convolution",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_every_way_of_lacking_memory_on_a_gpu_is_known(message):
    assert hardware.lacks_memory(RuntimeError(message))
    assert not hardware.lacks_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_gpu_that_is_full_for_a_moment_is_asked_again(toy_params, monkeypatch, device):
    ones, full = torch.ones, [True]

    def crowded(*arguments, device="cpu", **options):
        if full:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return ones(*arguments, **options)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch, "ones", crowded)
    hardware._trouble.cache_clear()
    with pytest.raises(RunError, match=r"cuda has no free memory\. Close other notebooks"):
        choose(toy_params(device=device))
    full.clear()
    assert hardware._device(device).type == "cuda"
    hardware._trouble.cache_clear()


def test_a_gpus_random_numbers_go_on_from_its_own_state(toy_params, toy_data, monkeypatch, capsys):
    """Checkpoints hold the state of the GPU that trained; older ones those of all."""
    state = TrainState(build(toy_params(), toy_data), toy_params(), torch.device("cpu"))
    state._device = torch.device("cuda:1")
    put = []
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *given: put.append(given))
    one, two = torch.tensor([1]), torch.tensor([2])
    for states in ([one], [one, two], []):
        state._restore_cuda(states)
    assert put == [(one, state._device), (two, state._device)]
    assert capsys.readouterr().out.count("WARNING") == 1


def test_a_gpu_of_a_number_that_is_not_there(toy_params, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ParameterError, match="device='cuda:2': is not on this machine"):
        choose(toy_params(device="cuda:2"))


@pytest.mark.parametrize("values", [{"device": "cuda"}, {"device": "gpu"}])
def test_a_device_that_is_not_there_leaves_no_folder(toy_params, toy_data, monkeypatch, tmp_path, values):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParameterError, match="device="):
        build(toy_params(**values), toy_data)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_choice_of_algorithms_lasts_as_long_as_training(toy_params, deterministic):
    hardware = choose(toy_params(deterministic=deterministic))
    assert str(hardware).endswith(", deterministic") is deterministic
    before = torch.backends.cudnn.benchmark
    with hardware.algorithms():
        assert torch.are_deterministic_algorithms_enabled() is deterministic
        assert torch.backends.cudnn.benchmark is not deterministic
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark is before


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_warning_about_algorithms_that_was_asked_for_is_asked_for_again(toy_params, deterministic):
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with choose(toy_params(deterministic=deterministic)).algorithms():
            assert torch.get_deterministic_debug_mode() == (2 if deterministic else 0)
        assert torch.get_deterministic_debug_mode() == 1
    finally:
        torch.use_deterministic_algorithms(False)


def test_deterministic_algorithms_change_nothing_on_a_cpu(toy_params, toy_data):
    histories = []
    for deterministic in (False, True):
        params = toy_params(
            run=f"run-{deterministic}", deterministic=deterministic, epochs=1, augment="translation"
        )
        gan, run = build(params, toy_data), RunDir.open(params, toy_data)
        histories.append(train(gan, toy_data, params, run).updates)
    assert histories[0] == histories[1]


def test_a_gpu_is_called_by_its_own_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Tesla T4 at {device}")
    assert hardware.device_name(torch.device("cuda:1")) == "Tesla T4 at cuda:1"
