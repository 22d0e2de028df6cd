import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from ganutils import convolutions
from ganutils.convolutions import LeanConv2d, LeanConvTranspose2d
from ganutils.objective import gradient_norms
from ganutils.variants.dcgan import conv_discriminator

# kernel, stride, padding, output padding, and sizes of the large and the small side
GEOMETRIES = [(4, 2, 1, 0, 6, 3), (5, 2, 2, 1, 6, 3), (5, 1, 2, 0, 3, 3), (3, 2, 0, 0, 5, 2)]


def geometry(kernel, stride, padding, more):
    return convolutions._Geometry(*((number, number) for number in (stride, padding, kernel, more)))


def doubles(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("kernel", "stride", "padding", "more", "large", "small"), GEOMETRIES)
def test_the_three_products_are_each_others_gradients(kernel, stride, padding, more, large, small):
    """To second order, against finite differences in double precision."""
    torch.manual_seed(0)
    how = geometry(kernel, stride, padding, more)
    x, y, weight, bias = (
        doubles(2, 2, large, large),
        doubles(2, 3, small, small),
        doubles(3, 2, kernel, kernel),
        doubles(3),
    )
    torch.testing.assert_close(
        convolutions._Forward.apply(x, weight, bias, how), F.conv2d(x, weight, bias, stride, padding)
    )
    for product, of in (("_Forward", (x, weight, bias)), ("_ToInput", (y, weight)), ("_ToWeight", (y, x))):
        apply = getattr(convolutions, product).apply
        assert gradcheck(lambda *of, apply=apply: apply(*of, how), of)
        assert gradgradcheck(lambda *of, apply=apply: apply(*of, how), of)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_penalty_by_the_three_products_is_torchs(monkeypatch, precision):
    """As a GPU takes them: norms, and the gradients of the penalty, beside torch's own way."""
    torch.manual_seed(0)
    critic = conv_discriminator(32, 8, batch_norm=False)
    real, fake = torch.randn(2, 4, 3, 32, 32)
    forward, used, found, counts = convolutions._Forward.apply, [], [], []
    monkeypatch.setattr(convolutions._Forward, "apply", lambda *given: (used.append(1), forward(*given))[1])
    for few in ("_FEW_POSITIONS", "_FEW_WITH_AMX", "_FEW_CHANNELS"):
        monkeypatch.setattr(convolutions, few, 0)
    for kinds in ((), ("cpu",)):
        monkeypatch.setattr(convolutions, "_TWICE_ON", kinds)
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            norms = gradient_norms(critic, real, fake)
        weights = [weight for weight in critic.parameters() if weight.ndim > 1]
        gradients = torch.autograd.grad((norms - 1).square().mean(), weights)
        found.append([norms.detach(), *gradients])
        counts.append(len(used))
    assert counts[0] == 0
    assert counts[1] >= 3  # each convolution of the trunk
    tolerance = {"rtol": 0.1, "atol": 1e-3} if precision == "bf16" else {"rtol": 1e-3, "atol": 1e-6}
    torch.testing.assert_close(found[1], found[0], **tolerance)
    assert not convolutions._is_differentiated_twice.value


@pytest.mark.parametrize(("kernel", "stride", "padding", "more", "large", "small"), GEOMETRIES)
def test_the_product_of_patches_is_the_gradient_of_the_weights(kernel, stride, padding, more, large, small):
    torch.manual_seed(0)
    x, y = doubles(2, 2, large, large), doubles(2, 3, small, small)
    how = geometry(kernel, stride, padding, more)
    expected = torch.nn.grad.conv2d_weight(x, (3, 2, kernel, kernel), y, stride, padding)
    torch.testing.assert_close(convolutions._weight_by_patches(y, x, how), expected)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(4, 2, 1), (2, 2, 0), (6, 2, 2), (3, 1, 1), (6, 3, 1)]
)
def test_the_product_with_a_kernel_to_few_channels_is_the_transposed_convolution(kernel, stride, padding):
    torch.manual_seed(0)
    y, weight = doubles(2, 5, 3, 4), doubles(5, 3, kernel, kernel)
    found = convolutions._input_by_product(y, weight, geometry(kernel, stride, padding, 0))
    torch.testing.assert_close(found, F.conv_transpose2d(y, weight, None, stride, padding))


@pytest.mark.parametrize(
    ("lean", "plain", "shape", "function"),
    [
        (LeanConv2d(3, 8, 4, 2, 1), nn.Conv2d, (5, 3, 8, 12), "_ForwardBackward"),
        (LeanConv2d(3, 8, 4, 2, 1, bias=False), nn.Conv2d, (5, 3, 8, 12), "_ForwardBackward"),
        (LeanConv2d(3, 8, 5, 2, 2), nn.Conv2d, (5, 3, 8, 12), "ConvolutionBackward0"),
        (LeanConv2d(5, 8, 4, 2, 1), nn.Conv2d, (5, 5, 8, 12), "ConvolutionBackward0"),
        (LeanConvTranspose2d(8, 3, 4, 2, 1), nn.ConvTranspose2d, (5, 8, 4, 6), "_ToInputBackward"),
        (LeanConvTranspose2d(8, 3, 5, 2, 2, 1), nn.ConvTranspose2d, (5, 8, 4, 6), "ConvolutionBackward0"),
        (LeanConvTranspose2d(8, 5, 4, 2, 1), nn.ConvTranspose2d, (5, 8, 4, 6), "ConvolutionBackward0"),
    ],
)
def test_in_fp32_layers_next_to_an_image_equal_plain_ones_to_second_order(lean, plain, shape, function):
    """Exactly, with numbers whose sums need no rounding."""
    torch.manual_seed(0)
    lean = lean.to(memory_format=torch.channels_last)
    x = torch.empty(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    of = [x, *lean.parameters()]
    with torch.no_grad():
        for tensor in of:
            tensor.copy_(torch.randint(-1, 2, tensor.shape))
    results = []
    for forward in (lean.forward, lambda x: plain.forward(lean, x)):
        y = forward(x)
        first = torch.autograd.grad(y.square().sum(), of, create_graph=True)
        slope = sum(gradient.sum() for gradient in first)
        results.append((y, *first, *torch.autograd.grad(slope, of)))
    assert type(results[0][0].grad_fn).__name__ == function
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_an_activation_in_place_may_follow_the_layer_to_an_image():
    layer, x = LeanConvTranspose2d(8, 3, 4, 2, 1), torch.randn(2, 8, 4, 4, requires_grad=True)
    (found,) = torch.autograd.grad(F.relu_(layer(x)).sum(), x)
    (expected,) = torch.autograd.grad(F.relu(nn.ConvTranspose2d.forward(layer, x)).sum(), x)
    torch.testing.assert_close(found, expected)


def test_real_images_want_no_gradient_and_pass_a_plain_convolution():
    layer = LeanConv2d(3, 8, 4, 2, 1)
    assert type(layer(torch.randn(1, 3, 8, 8)).grad_fn).__name__ == "ConvolutionBackward0"


@pytest.mark.parametrize(
    ("lean", "plain", "shape"),
    [
        (LeanConv2d(16, 8, 4, 2, 1), nn.Conv2d, (5, 16, 8, 8)),
        (LeanConv2d(16, 8, 4, 2, 1, bias=False), nn.Conv2d, (5, 16, 8, 8)),
        # The next three have few positions with AMX only.
        (LeanConv2d(16, 8, 4, 2, 1), nn.Conv2d, (5, 16, 16, 16)),
        (LeanConv2d(16, 8, 5, 2, 2), nn.Conv2d, (5, 16, 16, 16)),
        (LeanConvTranspose2d(16, 8, 5, 1, 2), nn.ConvTranspose2d, (5, 16, 8, 8)),
        (LeanConvTranspose2d(16, 8, 4, 2, 1), nn.ConvTranspose2d, (5, 16, 4, 4)),
        (LeanConvTranspose2d(16, 8, 5, 2, 2, 1), nn.ConvTranspose2d, (5, 16, 4, 4)),
    ],
)
@pytest.mark.parametrize("amx", [False, True])
def test_in_bf16_a_lean_layer_equals_the_plain_one_and_so_do_its_gradients(
    monkeypatch, lean, plain, shape, amx
):
    monkeypatch.setattr(convolutions, "has_amx", lambda: amx)
    torch.manual_seed(0)
    lean = lean.to(memory_format=torch.channels_last)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    of = [x, *lean.parameters()]
    results = []
    for forward in (lean.forward, lambda x: plain.forward(lean, x)):
        with torch.autocast("cpu", torch.bfloat16):
            y = forward(x)
            (gradient,) = torch.autograd.grad(y.float().square().sum(), x, create_graph=True)
        slope = gradient.float().square().sum()
        results.append((y, gradient, *torch.autograd.grad(slope, of, allow_unused=True)))
    for one, other in zip(*results, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            assert (one - other).float().norm() <= 0.01 * other.float().norm()


@pytest.mark.parametrize(("amx", "size"), [(False, 8), (True, 16)])
def test_only_small_outputs_in_bf16_take_the_matrix_product(monkeypatch, amx, size):
    monkeypatch.setattr(convolutions, "has_amx", lambda: amx)
    layer, transposed = LeanConv2d(4, 4, 4, 2, 1), LeanConvTranspose2d(8, 8, 4, 2, 1)
    small, large = torch.randn(1, 4, size, size), torch.randn(1, 4, 2 * size, 2 * size)
    parts = torch.randn(1, 8, size // 2, size // 2), torch.randn(1, 8, size, size)
    assert "_Forward" not in type(layer(small).grad_fn).__name__
    assert "_ToInput" not in type(transposed(parts[0]).grad_fn).__name__
    with torch.autocast("cpu", torch.bfloat16):
        assert type(layer(small).grad_fn).__name__ == "_ForwardBackward"
        assert "_Forward" not in type(layer(large).grad_fn).__name__
        assert type(transposed(parts[0]).grad_fn).__name__ == "_ToInputBackward"
        assert "_ToInput" not in type(transposed(parts[1]).grad_fn).__name__
