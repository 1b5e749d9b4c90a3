"""The upsampling layers: in values, gradients and manners the pair that they stand for."""

import copy
import io
import pickle
import warnings
from contextlib import contextmanager
from math import prod

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.autograd import forward_ad
from upconv import UpsampleConv1d, UpsampleConv2d, UpsampleConv3d, collapse, layers

LAYER = {1: UpsampleConv1d, 2: UpsampleConv2d, 3: UpsampleConv3d}
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@st.composite
def pairs(draw):
    """An nn.Upsample, an nn.Conv in float64, and an input, of random settings."""
    n = draw(st.integers(1, 3))

    def per_axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(n))

    kernel, scale = per_axis(1, 5 if n == 1 else 3), per_axis(1, 4 if n < 3 else 3)
    size = per_axis(1, {1: 8, 2: 5, 3: 3}[n])
    groups = draw(st.sampled_from([1, 1, 2]))
    conv = CONV[n](
        groups * draw(st.integers(1, 2)),
        groups * draw(st.integers(1, 3)),
        kernel,
        padding=draw(st.sampled_from(["same", "valid", per_axis(0, 3)])),
        dilation=draw(st.sampled_from([1, 1, per_axis(1, 2)])),
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=draw(
            st.sampled_from(["zeros", "zeros", "zeros", "replicate", "circular", "reflect"])
        ),
        dtype=torch.float64,
    )
    mode = draw(st.sampled_from(["nearest", "nearest", "nearest-exact", LINEAR[n]]))
    x = torch.randn(draw(st.integers(1, 2)), conv.in_channels, *size, dtype=torch.float64)
    if n in CHANNELS_LAST and draw(st.booleans()):
        x = x.contiguous(memory_format=CHANNELS_LAST[n])
    return nn.Upsample(scale_factor=tuple(map(float, scale)), mode=mode), conv, x


# What the settings choose, and each form wherever it is right, however slow it may be there.
THRESHOLDS = {
    "as chosen": {},
    "phases": {"_FEW": 1e9, "_RATIO": 0},
    "transposed": {"_FEW": 0, "_GAIN": 0, "_MANY": 1e9},
    "differences": {"_FEW": 0, "_GAIN": 0, "_MANY": 0, "_PIECE": 300},
}


@contextmanager
def preferred(form):
    """Lets the layers prefer a form."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in THRESHOLDS[form].items():
            patch.setattr(layers, name, value)
        yield


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch's
@pytest.mark.parametrize("form", THRESHOLDS)
@given(pair=pairs())
def test_values_and_gradients_are_those_of_the_pair(form, pair):
    with preferred(form):
        upsample, conv, x = pair
        layer = LAYER[x.ndim - 2].from_pair(upsample, conv)
        try:
            wanted = conv(upsample(x))
        except (
            RuntimeError
        ):  # torch: the kernel does not fit, or the padding is wider than the image
            with pytest.raises((ValueError, RuntimeError)):
                layer(x)
            return
        with torch.no_grad():
            y = layer(x)
            assert y.is_contiguous() or y.is_contiguous(memory_format=CHANNELS_LAST[x.ndim - 2])
        np.testing.assert_allclose(y, wanted.detach(), rtol=0, atol=1e-12)
        x.requires_grad_()
        tensors = [x, *conv.parameters()]
        y, wanted = layer(x), conv(upsample(x))
        np.testing.assert_allclose(y.detach(), wanted.detach(), rtol=0, atol=1e-12)
        out = torch.randn_like(y)
        for got, right in zip(
            torch.autograd.grad(y, tensors, out),
            torch.autograd.grad(wanted, tensors, out),
            strict=True,
        ):
            np.testing.assert_allclose(got, right, rtol=0, atol=1e-11)


@st.composite
def linear_cases(draw):
    """Settings and sizes with which linear upsampling can be collapsed, its border by the pair."""
    n = draw(st.integers(1, 2))
    axes = [
        (k, s, draw(st.integers(0, k - 1)), draw(st.integers(1, 6)))
        for k, s in (draw(st.tuples(st.integers(2, 4), st.integers(2, 5))) for _ in range(n))
    ]
    return zip(*axes, strict=True)


@given(case=linear_cases())
def test_the_border_of_linear_upsampling_is_that_of_the_pair(case):
    kernel, scale, padding, size = case
    n = len(kernel)
    with preferred("phases"):
        settings = {"kernel_size": kernel, "padding": padding, "scale_factor": scale}
        layer, pair = layer_and_pair((2, 3), cls=LAYER[n], mode=LINEAR[n], **settings)
        assume(
            all(i * s + 2 * p >= k for k, s, p, i in zip(kernel, scale, padding, size, strict=True))
        )
        x = random(2, 2, *size)
        with torch.no_grad():
            close(layer(x), pair(x))


def layer_and_pair(channels=(4, 4), *, cls=UpsampleConv2d, dtype=torch.float64, **settings):
    """A layer, and a function of x that computes the same with torch's two operations."""
    settings = {"kernel_size": 3, "padding": 1, **settings}
    layer = cls(*channels, dtype=dtype, **settings)
    upsampling = {name: settings.pop(name) for name in ("scale_factor", "mode") if name in settings}
    upsample = nn.Upsample(**{"scale_factor": 2, **upsampling})
    conv = CONV[layer._axes](*channels, dtype=dtype, **settings)
    conv.load_state_dict(layer.state_dict())
    return layer, lambda x: conv(upsample(x))


def random(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype)


def close(y, wanted, atol=1e-12):
    np.testing.assert_allclose(y.detach(), wanted.detach(), rtol=0, atol=atol)


# ------------------------------------------------------------------------------------ derivatives


# Torch itself scripts what it knows no forward derivative of.
forward_mode = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


@forward_mode
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_derivatives_are_exact_to_the_second_order(mode):
    layer, _ = layer_and_pair((2, 1), mode=mode)

    def compute(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    tensors = [random(1, 2, 2, 3), *(p.detach().clone() for p in layer.parameters())]
    for tensor in tensors:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(compute, tensors, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(compute, tensors)


def test_a_step_of_training_is_that_of_the_pair():
    layer, _ = layer_and_pair(scale_factor=3)
    pair = nn.Sequential(nn.Upsample(scale_factor=3), nn.Conv2d(4, 4, 3, padding=1).double())
    pair[1].load_state_dict(layer.state_dict())
    x = random(2, 4, 5, 5)
    for model in (layer, pair):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            (model(x) ** 2).mean().backward()
            optimizer.step()
    close(layer.weight, pair[1].weight)
    close(layer.bias, pair[1].bias)


@forward_mode
@pytest.mark.parametrize("channels", [(2, 1), (4, 20)])
def test_tangents_pass_without_gradients(channels):
    layer, pair = layer_and_pair(channels)
    x, tangent = random(1, channels[0], 3, 3), random(1, channels[0], 3, 3)
    step = torch.randn_like(layer.weight)
    wanted = torch.func.jvp(pair, (x,), (tangent,))[1]
    with torch.no_grad():
        layer(x)  # kernels are kept, which a tangent of the weight must not fall back on
        close(torch.func.jvp(layer, (x,), (tangent,))[1], wanted)
        with forward_ad.dual_level():
            weight = forward_ad.make_dual(layer.weight, step)
            y = torch.func.functional_call(layer, {"weight": weight}, (x,))
            along_weight = forward_ad.unpack_dual(y).tangent
    layer.weight.data += step
    close(along_weight, layer(x) - pair(x))  # linear in the weight


@pytest.mark.parametrize("channels", [(2, 1), (4, 20), (128, 128)])
def test_it_maps_over_a_batch_of_images_and_of_weights(channels):
    layer, pair = layer_and_pair(channels)
    x = random(3, 1, channels[0], 3, 3)
    with torch.no_grad():
        close(torch.vmap(layer)(x), torch.stack([pair(one) for one in x]))
        weights = torch.stack([layer.weight, 2 * layer.weight])
        y = torch.vmap(lambda w: torch.func.functional_call(layer, {"weight": w}, (x[0],)))(weights)
        close(y[0], pair(x[0]))
        close(y[1] - y[0], pair(x[0]) - layer.bias[:, None, None])


# --------------------------------------------------------------- kernels that are prepared once


def prepared(monkeypatch):
    """Counts how often kernels are prepared."""
    count = []
    original = layers._UpsampleConv._prepare
    monkeypatch.setattr(
        layers._UpsampleConv,
        "_prepare",
        lambda *arguments: count.append(1) or original(*arguments),
    )
    return count


def by_optimizer(layer):
    layer(random(1, 4, 3, 3)).sum().backward()
    torch.optim.Adam(layer.parameters(), foreach=True).step()


CHANGES = {
    "in place": lambda layer: layer.weight.mul_(2),
    "initialised": lambda layer: nn.init.normal_(layer.weight),
    "loaded": lambda layer: layer.load_state_dict(
        {name: random(*tensor.shape) for name, tensor in layer.state_dict().items()}
    ),
    "assigned": lambda layer: layer.load_state_dict(
        {name: random(*tensor.shape) for name, tensor in layer.state_dict().items()}, assign=True
    ),
    "new data": lambda layer: setattr(layer.weight, "data", random(4, 4, 3, 3)),
    "another view": lambda layer: setattr(layer.weight, "data", layer.weight.data.transpose(2, 3)),
    "new parameter": lambda layer: setattr(layer, "weight", nn.Parameter(random(4, 4, 3, 3))),
    "there and back": lambda layer: layer.float().double(),
    "channels_last": lambda layer: layer.to(memory_format=torch.channels_last),
    "optimizer": torch.enable_grad()(by_optimizer),
}


@pytest.mark.parametrize("change", CHANGES)
def test_kernels_are_prepared_once_and_again_when_the_weight_changes(monkeypatch, change):
    layer, _ = layer_and_pair()
    count, x = prepared(monkeypatch), random(1, 4, 3, 3)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            layer(x)
            layer(x)
    assert len(count) == 1
    with torch.no_grad():
        CHANGES[change](layer)
        fresh = UpsampleConv2d.from_pair(nn.Upsample(scale_factor=2), as_conv(layer))
        close(layer(x), fresh(x))
        layer.bias.add_(1)
        close(layer(x), fresh(x) + 0)  # the bias is shared


def as_conv(layer):
    conv = nn.Conv2d(4, 4, 3, padding=1)
    conv.weight, conv.bias = layer.weight, layer.bias
    return conv


def test_an_address_that_is_used_again_is_no_old_weight():
    layer, _ = layer_and_pair()
    x = random(1, 4, 3, 3)
    with torch.no_grad():
        layer(x)
        for _ in range(20):
            layer.weight.data = random(4, 4, 3, 3)
            layer.weight.data = random(4, 4, 3, 3)
            close(
                layer(x), UpsampleConv2d.from_pair(nn.Upsample(scale_factor=2), as_conv(layer))(x)
            )


def test_weights_that_count_no_changes_are_never_kept():
    with torch.inference_mode():
        layer, pair = layer_and_pair()
        x = random(1, 4, 3, 3)
        before = layer(x)
        layer.weight.mul_(2)
        layer.bias.mul_(2)
        close(layer(x), 2 * before)


def test_kernels_made_in_inference_mode_do_not_get_in_the_way_of_training():
    layer, pair = layer_and_pair()
    x = random(1, 4, 3, 3)
    with torch.inference_mode():
        layer(x)
    layer(x).sum().backward()
    layer.requires_grad_(False)
    close(layer(x), pair(x))
    x.requires_grad_()
    close(*(torch.autograd.grad(model(x).sum(), x)[0] for model in (layer, pair)))


# ------------------------------------------------------------------------ copies, files and state


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
    ids=["deepcopy", "pickle"],
)
def test_copies_compute_the_same_and_go_their_own_way(copied):
    layer, pair = layer_and_pair()
    x = random(1, 4, 3, 3)
    with torch.no_grad():
        layer(x)
        other = copied(layer)
        close(other(x), pair(x))
        other.weight = nn.Parameter(2 * other.weight)
        other.bias = nn.Parameter(2 * other.bias)
        close(other(x), 2 * pair(x))
        close(layer(x), pair(x))


def test_a_file_holds_the_parameters_alone():
    layer, _ = layer_and_pair()
    empty, full = io.BytesIO(), io.BytesIO()
    torch.save(layer, empty)
    with torch.no_grad():
        layer(random(1, 4, 3, 3))
    torch.save(layer, full)
    assert len(full.getvalue()) == len(empty.getvalue())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_parameters_are_those_of_the_convolution(n):
    settings = {"kernel_size": 3, "padding": "same", "dilation": 2, "groups": 2}
    torch.manual_seed(0)
    conv = CONV[n](4, 6, **settings)
    after = torch.rand(1)
    torch.manual_seed(0)
    layer = LAYER[n](4, 6, **settings)
    assert torch.equal(torch.rand(1), after)
    assert list(layer.state_dict()) == list(conv.state_dict()) == ["weight", "bias"]
    for ours, theirs in zip(layer.parameters(), conv.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    conv.load_state_dict(layer.state_dict())
    layer.load_state_dict(conv.state_dict())
    assert layer.padding == conv.padding


def test_from_pair_shares_the_parameters_and_draws_nothing():
    conv = nn.Conv2d(4, 6, (3, 1), padding=(1, 0), bias=False, padding_mode="circular").eval()
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    layer = UpsampleConv2d.from_pair(nn.UpsamplingNearest2d(scale_factor=(2, 3)), conv)
    assert torch.equal(torch.rand(1), wanted)
    assert layer.weight is conv.weight
    assert layer.bias is None
    assert not layer.training
    assert repr(layer) == (
        "UpsampleConv2d(4, 6, kernel_size=(3, 1), scale_factor=(2, 3), mode='nearest', "
        "padding=(1, 0), bias=False, padding_mode=circular)"
    )


# --------------------------------------------------------------------- dtypes and memory formats


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("channels", [(2, 1), (4, 20), (128, 128)])
def test_narrow_and_mixed_precision_round_as_the_pair_does(channels, mode):
    layer, pair = layer_and_pair(channels, dtype=torch.float32, mode=mode)
    x = random(1, channels[0], 5, 5, dtype=torch.float32)
    exact = pair(x).detach()
    # The input, the taps or their sums, and the output are rounded to 8 bits: of the largest.
    atol = 4 * 2**-8 * exact.abs().max()
    for grad in (torch.no_grad, torch.enable_grad):
        with grad(), torch.autocast("cpu"):
            y = layer(x)
            assert y.dtype == pair(x).dtype == torch.bfloat16
            close(y.float(), exact, atol=atol)
    y = layer.bfloat16()(x.bfloat16())
    assert y.dtype == torch.bfloat16
    close(y.float(), exact, atol=atol)


def test_sums_of_narrow_taps_are_rounded_once():
    layer, _ = layer_and_pair((4, 20), dtype=torch.bfloat16)
    with torch.no_grad():
        layer(random(1, 4, 3, 3, dtype=torch.bfloat16))
        wanted = collapse(layer.weight.float(), 2, padding=1).weight.bfloat16()
    assert torch.equal(layer._kept[2].weight, wanted)


@pytest.mark.parametrize("channels", [(3, 2), (3, 20), (64, 64), (128, 128)])
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_memory_format_is_that_of_the_pair(channels, n, padding):
    layer, pair = layer_and_pair(channels, cls=LAYER[n], padding=padding, dtype=torch.float32)
    x = random(2, channels[0], *[3] * n, dtype=torch.float32)
    for image in (x, x.to(memory_format=CHANNELS_LAST[n]), x.expand(2, -1, *[3] * n)[:, :, 1:]):
        for grad in (torch.no_grad, torch.enable_grad):
            with grad():
                assert layer(image).stride() == pair(image).stride()
    layer.to(memory_format=CHANNELS_LAST[n])
    with torch.no_grad():
        assert layer(x).is_contiguous(memory_format=CHANNELS_LAST[n])


def test_shapes_are_known_without_memory():
    for channels in ((2, 1), (4, 20), (128, 128)):
        layer = UpsampleConv2d(*channels, 3, padding=1, device="meta", dtype=torch.float64)
        x = torch.empty(2, channels[0], 3, 3, device="meta", dtype=torch.float64)
        with torch.no_grad():
            assert layer(x).shape == (2, channels[1], 6, 6)


def test_an_empty_batch_stays_empty():
    for channels in ((2, 1), (4, 20), (128, 128)):
        layer, pair = layer_and_pair(channels)
        x = random(0, channels[0], 3, 3)
        with torch.no_grad():
            assert layer(x).shape == pair(x).shape


# ------------------------------------------------------------------------- which form, and why


def chosen(channels, values_only=True, **settings):
    settings = {"kernel_size": 3, "padding": 1, **settings}
    return layers._form(UpsampleConv2d(*channels, device="meta", **settings), values_only)


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        ("phases", {"channels": (16, 1)}),
        ("phases", {"channels": (8, 8)}),
        ("phases", {"channels": (16, 1), "mode": "bilinear"}),
        ("transposed", {"channels": (64, 64)}),
        ("transposed", {"channels": (64, 64), "groups": 4}),
        ("transposed", {"channels": (256, 256), "values_only": False}),
        ("transposed", {"channels": (256, 256), "padding_mode": "replicate"}),
        ("transposed", {"channels": (256, 256), "padding": 0}),
        ("transposed", {"channels": (256, 256), "padding_mode": "reflect"}),
        ("transposed", {"channels": (16, 1), "values_only": False}),
        ("differences", {"channels": (256, 256)}),
        ("conv first", {"channels": (64, 64), "kernel_size": 1, "padding": 0}),
        ("conv first", {"channels": (64, 64), "kernel_size": 1, "padding": 0, "mode": "linear"}),
        ("pair", {"channels": (64, 64), "scale_factor": 1}),
        ("pair", {"channels": (64, 64), "mode": "bilinear"}),
        ("pair", {"channels": (64, 64), "groups": 64}),
        ("pair", {"channels": (64, 64), "padding": 3}),
        ("pair", {"channels": (64, 64), "padding": 2, "padding_mode": "reflect"}),
        ("pair", {"channels": (16, 1), "mode": "bilinear", "padding_mode": "circular"}),
        ("pair", {"channels": (64, 64), "scale_factor": (1, 2)}),
    ],
)
def test_the_form_follows_from_the_settings(form, settings):
    assert chosen(**settings) == form


def test_differences_need_fewer_products_than_the_collapsed_kernel():
    with torch.no_grad():
        kept = []
        for channels in ((128, 128), (64, 64)):
            layer, _ = layer_and_pair(channels, scale_factor=3)
            layer(random(1, channels[0], 2, 2))
            kept.append(layer._kept[2])
    differences, collapsed = kept
    taps = [prod(geometry.kernel) for geometry in differences.geometries]
    assert taps == [2 * 5, 1 * 5]
    assert prod(collapsed.geometry.kernel) == 5 * 5


# ----------------------------------------------------------------------------------- exporting


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"channels": (16, 1)},
        {"channels": (128, 128)},
        {"channels": (2, 1), "mode": "bilinear"},
        {"padding_mode": "replicate", "scale_factor": 3},
        {"padding": "valid", "kernel_size": 2},
    ],
)
class TestTraced:
    def test_torch_export_with_any_size(self, settings):
        layer, pair = layer_and_pair(**settings)
        dim = torch.export.Dim
        shapes = {"x": {0: dim("n"), 2: dim("h", min=4), 3: dim("w", min=4)}}
        for grad in (torch.no_grad, torch.enable_grad):
            with grad():
                x = random(2, layer.in_channels, 5, 6)
                program = torch.export.export(layer, (x,), dynamic_shapes=shapes)
                x = random(3, layer.in_channels, 7, 4)
                close(program.module()(x), pair(x))

    def test_torch_compile_in_one_graph(self, settings):
        layer, pair = layer_and_pair(**settings)
        torch.compiler.reset()
        compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
        for size in (5, 6, 7):
            x = random(1, layer.in_channels, size, size)
            close(compiled(x), pair(x))
            with torch.no_grad():
                close(compiled(x), pair(x))
        compiled(x).sum().backward()
        assert layer.weight.grad is not None

    def test_onnx(self, settings, tmp_path):
        layer, pair = layer_and_pair(dtype=torch.float32, **settings)
        path, x = str(tmp_path / "layer.onnx"), torch.randn(2, layer.in_channels, 5, 6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's: this exporter is the old one
            torch.onnx.export(
                layer, (x,), path, dynamo=False, input_names=["x"], dynamic_axes={"x": [0, 2, 3]}
            )
        session = onnxruntime.InferenceSession(path)
        for image in (x, torch.randn(1, layer.in_channels, 7, 4)):
            (y,) = session.run(None, {"x": image.numpy()})
            np.testing.assert_allclose(y, pair(image).detach(), rtol=0, atol=1e-5)


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "in_channels: got 0; want an integer of at least 1"),
        ({"out_channels": 2.0}, "out_channels: got 2.0; want an integer"),
        ({"kernel_size": 0}, "kernel_size: got 0; want an integer of at least 1"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size: got .* want one integer, or 2"),
        ({"scale_factor": 1.5}, "scale_factor: got 1.5; want an integer of at least 1"),
        ({"scale_factor": 0}, "scale_factor: got 0; want an integer of at least 1"),
        ({"scale_factor": (2, 2, 2)}, "scale_factor: got .* want one integer, or 2"),
        ({"mode": "bicubic"}, "mode: got 'bicubic'; want .*nearest-exact, linear, bilinear"),
        ({"mode": "trilinear"}, "mode: got 'trilinear'; want .*bilinear"),
        ({"padding": -1}, "padding: got -1; want an integer of at least 0"),
        ({"padding": "full"}, "padding: got 'full'"),
        ({"padding": ((0, 1), (0, 1))}, "padding: got"),
        ({"dilation": 0}, "dilation: got 0; want an integer of at least 1"),
        ({"groups": 0}, "groups: got 0; want an integer of at least 1"),
        ({"groups": 3}, "groups: got 3 for 4 to 6 channels; want a number that divides both"),
        ({"padding_mode": "zero"}, "padding_mode: got 'zero'; want zeros, reflect"),
    ],
)
def test_the_layer_refuses_by_name(arguments, message):
    good = {"in_channels": 4, "out_channels": 6, "kernel_size": 3}
    with pytest.raises(ValueError, match=message):
        UpsampleConv2d(**{**good, **arguments})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 4, 3, 3)), "x: got ndarray; want a torch tensor"),
        (torch.zeros(4, 3, 3), r"x: got shape \(4, 3, 3\); want \(batch, channels\) and 2"),
        (torch.zeros(1, 3, 3, 3), "x: got 3 channels .* want 4"),
        (torch.zeros(1, 4, 0, 3), "x: got shape .* want no axis of size 0"),
        (torch.zeros(1, 4, 3, 3).double(), "x: got torch.float64 on cpu; want torch.float32"),
        (torch.zeros(1, 4, 3, 3, device="meta"), "x: got torch.float32 on meta; want .* on cpu"),
        (torch.zeros(1, 4, 3, 1), "x: got size 1 along an axis, 2 when upsampled, .* spans 5"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_name(x, message):
    with pytest.raises(ValueError, match=message):
        UpsampleConv2d(4, 6, 5, padding=1)(x)


def hooked(conv):
    conv.register_forward_hook(lambda *_: None)
    return conv


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize(
    ("upsample", "conv", "message"),
    [
        (nn.Identity(), None, "upsample: got Identity; want torch.nn.Upsample"),
        (nn.Upsample(size=8), None, "upsample: got size=8; want a scale_factor"),
        (nn.UpsamplingBilinear2d(scale_factor=2), None, "upsample: got align_corners=True"),
        (nn.Upsample(scale_factor=1.5), None, "upsample: got scale_factor=.*1.5.*; want whole"),
        (nn.Upsample(scale_factor=0.5), None, "upsample: got scale_factor=.*0.5.*; want whole"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), None, "upsample: got .* mode: got 'bicubic'"),
        (nn.Upsample(scale_factor=(2, 2, 2)), None, "upsample: got .* scale_factor: got"),
        (hooked(nn.Upsample(scale_factor=2)), None, "upsample: got a module with hooks"),
        (None, nn.Conv1d(4, 4, 3), "conv: got Conv1d; want torch.nn.Conv2d itself"),
        (None, nn.ConvTranspose2d(4, 4, 3), "conv: got ConvTranspose2d; want torch.nn.Conv2d"),
        (None, nn.LazyConv2d(4, 3), "conv: got LazyConv2d; want torch.nn.Conv2d itself"),
        (None, UpsampleConv2d(4, 4, 3), "conv: got UpsampleConv2d; want torch.nn.Conv2d itself"),
        (None, nn.Conv2d(4, 4, 3, stride=2), "conv: got stride=.*2, 2.*; want 1"),
        (None, hooked(nn.Conv2d(4, 4, 3)), "conv: got a module with hooks"),
        (None, nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)), "conv: got Parametrized"),
    ],
)
def test_from_pair_refuses_by_name_what_is_not_proved_equal(upsample, conv, message):
    with pytest.raises(ValueError, match=message):
        UpsampleConv2d.from_pair(
            nn.Upsample(scale_factor=2) if upsample is None else upsample,
            nn.Conv2d(4, 4, 3) if conv is None else conv,
        )
