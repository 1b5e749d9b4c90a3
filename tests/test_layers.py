"""The initialisers: what a layer computes when it starts, judged by torch's own resizing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from upconv import bilinear_, icnr_

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
axes_and_strides = st.integers(1, 3).flatmap(lambda n: st.tuples(*[st.integers(1, 4)] * n))


def random(*shape):
    return torch.randn(shape, dtype=torch.float64)


def shuffle(x, stride):
    """Torch's pixel shuffle for any number of axes and strides: phases of a channel together."""
    n = len(stride)
    y = x.unflatten(1, (-1, *stride))
    order = [axis for a in range(n) for axis in (2 + n + a, 2 + a)]
    y = y.permute(0, 1, *order)
    return y.reshape(*y.shape[:2], *(i * s for i, s in zip(x.shape[2:], stride, strict=True)))


def phase_sums(weight, stride):
    """The sum of the taps of every phase, (in, out, phases)."""
    sums = [
        weight[(..., *(slice(r, None, s) for r, s in zip(phase, stride, strict=True)))]
        .flatten(2)
        .sum(2)
        for phase in np.ndindex(*stride)
    ]
    return torch.stack(sums, dim=-1)


# ------------------------------------------------------------------------------------------- ICNR


def test_the_shuffle_of_these_tests_is_torchs():
    x = random(2, 12, 3, 4)
    assert torch.equal(shuffle(x, (2, 2)), F.pixel_shuffle(x, 2))


@given(stride=axes_and_strides, channels=st.integers(1, 3), kernel=st.integers(1, 3))
def test_icnr_starts_as_a_convolution_and_nearest_upsampling(stride, channels, kernel):
    n = len(stride)
    weight = random(channels * int(np.prod(stride)), 2, *(kernel,) * n)
    icnr_(weight, stride, nn.init.normal_)
    x = random(1, 2, *(3,) * n)
    first = CONV[n](x, weight[:: int(np.prod(stride))], padding=1)
    wanted = F.interpolate(first, scale_factor=stride, mode="nearest")
    y = shuffle(CONV[n](x, weight, padding=1), stride)
    # At most 2 · 27 products of normals in float64, added in another order.
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12)


def test_icnr_makes_torchs_layer_flat_on_constants():
    layer = nn.Sequential(nn.Conv2d(8, 3 * 4, 3), nn.PixelShuffle(2)).double()
    nn.init.zeros_(layer[0].bias)
    before = layer(torch.ones(1, 8, 5, 5).double())
    assert before[0, 0].std() > 0.01  # what it is to mend
    icnr_(layer[0].weight, 2)
    y = layer(torch.ones(1, 8, 5, 5).double())
    assert y.flatten(2).std(dim=2).max() < 1e-14


def test_icnr_of_a_grouped_layer_is_nearest_upsampling_too():
    conv = nn.Conv2d(4, 4 * 4, 3, padding=1, groups=2, bias=False).double()
    icnr_(conv.weight, 2)
    x = random(1, 4, 5, 5)
    y = F.pixel_shuffle(conv(x), 2)
    np.testing.assert_array_equal(
        y.detach(), F.interpolate(y[:, :, ::2, ::2], scale_factor=2).detach()
    )


def test_icnr_draws_what_its_initializer_draws_for_one_phase():
    torch.manual_seed(0)
    wanted = nn.init.orthogonal_(torch.empty(3, 8, 3, 3))
    after = torch.rand(1)
    torch.manual_seed(0)
    weight = icnr_(torch.empty(3 * 4, 8, 3, 3).fill_(7), 2, nn.init.orthogonal_)
    assert torch.equal(weight[::4], wanted)
    assert torch.equal(torch.rand(1), after)


def test_icnr_starts_with_kaiming_normal_unless_told_otherwise():
    torch.manual_seed(0)
    wanted = nn.init.kaiming_normal_(torch.empty(3, 8, 3, 3))
    torch.manual_seed(0)
    assert torch.equal(icnr_(torch.empty(12, 8, 3, 3).fill_(7), 2)[::4], wanted)


# --------------------------------------------------------------------------------------- bilinear


def interior(y, margin):
    return y[(..., *(slice(m, n - m) for m, n in zip(margin, y.shape[2:], strict=True)))]


@given(stride=axes_and_strides, channels=st.integers(1, 3))
def test_bilinear_is_interpolation_by_half_pixels_in_the_interior(stride, channels):
    n = len(stride)
    kernel = [2 * s - s % 2 for s in stride]
    weight = bilinear_(torch.empty(channels, channels, *kernel).double(), stride)
    x = random(2, channels, *(3,) * n)
    padding = [(k - s) // 2 for k, s in zip(kernel, stride, strict=True)]
    y = CONV_TRANSPOSE[n](x, weight, stride=stride, padding=padding)
    wanted = F.interpolate(x, scale_factor=stride, mode=LINEAR[n], align_corners=False)
    # The first ⌊s/2⌋ outputs lie before the first input: there torch repeats it, and zeros are
    # what a transposed convolution sees.
    margin = [s // 2 for s in stride]
    np.testing.assert_allclose(interior(y, margin), interior(wanted, margin), rtol=0, atol=1e-12)
    extended = F.pad(x, [1] * 2 * n, mode="replicate")
    whole = CONV_TRANSPOSE[n](
        extended, weight, stride=stride,
        padding=[p + s for p, s in zip(padding, stride, strict=True)],
    )  # fmt: skip
    np.testing.assert_allclose(whole, wanted, rtol=0, atol=1e-12)


@given(stride=axes_and_strides)
def test_an_odd_bilinear_kernel_is_interpolation_with_aligned_corners(stride):
    n = len(stride)
    weight = bilinear_(torch.empty(2, 2, *(2 * s - 1 for s in stride)).double(), stride)
    x = random(1, 2, *(3,) * n)
    y = CONV_TRANSPOSE[n](x, weight, stride=stride, padding=[s - 1 for s in stride])
    size = [s * 2 + 1 for s in stride]
    wanted = F.interpolate(x, size=size, mode=LINEAR[n], align_corners=True)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12)  # borders and all


@given(stride=axes_and_strides, shorter=st.integers(0, 1))
def test_every_phase_of_a_bilinear_kernel_sums_to_one(stride, shorter):
    weight = bilinear_(torch.empty(3, 3, *(2 * s - shorter for s in stride)).double(), stride)
    sums = phase_sums(weight, stride)
    wanted = torch.eye(3).double()[..., None].expand_as(sums)
    np.testing.assert_allclose(sums, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_bilinear_takes_every_channel_to_itself_whatever_the_groups(groups):
    layer = nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=groups, bias=False).double()
    bilinear_(layer.weight, 2, groups)
    x = random(1, 4, 5, 5)
    wanted = F.interpolate(x, scale_factor=2, mode="bilinear")
    np.testing.assert_allclose(
        interior(layer(x), (1, 1)).detach(), interior(wanted, (1, 1)), rtol=0, atol=1e-12
    )


# ------------------------------------------------------------------------------ in torch's style


@pytest.mark.parametrize("fill", [lambda w: icnr_(w, 2), lambda w: bilinear_(w, 2)])
def test_they_fill_in_place_without_autograd_and_return_the_weight(fill):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        weight = nn.Parameter(torch.full((4, 4, 4, 4), torch.nan, dtype=dtype))
        version = weight._version
        assert fill(weight) is weight
        assert weight._version > version
        assert weight.isfinite().all()
        assert weight.dtype == dtype
        assert weight.requires_grad
        assert weight.is_leaf
        assert weight.grad_fn is None


def test_bilinear_draws_nothing():
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    bilinear_(torch.empty(2, 2, 4), 2)
    assert torch.equal(torch.rand(1), wanted)


@pytest.mark.parametrize(
    "fill", [lambda w: icnr_(w, 2), lambda w: bilinear_(w.transpose(0, 1), 2).transpose(0, 1)]
)
def test_a_view_is_filled_through_to_its_memory(fill):
    memory = torch.full((3, 3, 4, 8), torch.nan)
    view = memory.permute(3, 2, 0, 1)[:4]
    fill(view)
    assert memory[..., :4].isfinite().all()
    assert memory[..., 4:].isnan().all()


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": np.zeros((4, 1, 3))}, "weight: got ndarray; want a torch tensor"),
        ({"weight": torch.zeros(4, 1)}, r"weight: got shape \(4, 1\); want two channel axes"),
        ({"weight": torch.zeros(4, 1, 1, 1, 1, 1)}, "weight: got shape .* kernel of 1 to 3 axes"),
        ({"weight": torch.zeros(4, 0, 3)}, r"weight: got shape \(4, 0, 3\); .* none of size 0"),
        ({"weight": torch.zeros(4, 1, 3).int()}, "weight: got torch.int32; want floating-point"),
        ({"weight": torch.zeros(6, 1, 3, 3)}, "weight: got .* for 4 phases; want .* 4 divides"),
        ({"upscale_factor": 0}, "upscale_factor: got 0; want an integer of at least 1"),
        ({"upscale_factor": 2.0}, "upscale_factor: got 2.0"),
        ({"upscale_factor": (2, 2, 1)}, "upscale_factor: got .* want one integer, or 2"),
        ({"initializer": "orthogonal"}, "initializer: got 'orthogonal'; want a function"),
    ],
)
def test_icnr_refuses_by_name(arguments, message):
    good = {"weight": torch.zeros(4, 1, 3, 3), "upscale_factor": 2}
    with pytest.raises(ValueError, match=message):
        icnr_(**{**good, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": None}, "weight: got NoneType; want a torch tensor"),
        ({"weight": torch.zeros(2, 2)}, r"weight: got shape \(2, 2\); want two channel axes"),
        ({"weight": torch.zeros(2, 2, 4, 4).long()}, "weight: got torch.int64; want floating"),
        ({"weight": torch.zeros(2, 3, 4, 4)}, "weight: got .* 2 channels to 3; want as many"),
        ({"weight": torch.zeros(4, 2, 4, 4)}, "weight: got .* 4 channels to 2; want as many"),
        ({"groups": 2}, "weight: got .* with groups 2, 2 channels to 4; want as many"),
        ({"groups": 0}, "groups: got 0; want an integer of at least 1"),
        ({"weight": torch.zeros(2, 2, 4, 5)}, "weight: got a kernel of 5 .* want 4 or 3 taps"),
        ({"weight": torch.zeros(2, 2, 2, 2)}, "weight: got a kernel of 2 along an axis with str"),
        ({"stride": 3}, "weight: got a kernel of 4 along an axis with stride 3; want 6 or 5"),
        ({"stride": 0}, "stride: got 0; want an integer of at least 1"),
        ({"stride": (2, 2, 2)}, "stride: got .* want one integer, or 2"),
    ],
)
def test_bilinear_refuses_by_name(arguments, message):
    good = {"weight": torch.zeros(2, 2, 4, 4), "stride": 2}
    with pytest.raises(ValueError, match=message):
        bilinear_(**{**good, **arguments})
