"""Upsample-then-convolve is one transposed convolution, values and gradients; and the way back."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F
from upconv import collapse, conv_transpose, definition, divide

seeds = st.integers(0, 2**32 - 1)
# Sums of at most 2·5³ products of standard normals in float64, magnitudes up to about 100.
TOLERANCE = 1e-12
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@st.composite
def layers(draw, widest=None):
    """Settings of an upsampling and a convolution, and the shapes of its input and weight.

    ``widest`` is the largest padding; by default the kernel's size less 1.
    """
    axes = draw(st.integers(1, 3))
    scale = tuple(draw(st.integers(1, (5, 3, 3)[axes - 1])) for _ in range(axes))
    kernel = tuple(draw(st.integers(1, (7, 4, 2)[axes - 1])) for _ in range(axes))
    sides = [st.integers(0, k - 1 if widest is None else widest) for k in kernel]
    padding = tuple((draw(side), draw(side)) for side in sides)
    size = tuple(draw(st.integers(1, (6, 4, 3)[axes - 1])) for _ in range(axes))
    for i, s, k, pair in zip(size, scale, kernel, padding, strict=True):
        assume(i * s + sum(pair) >= k)  # the convolution has an output
    batch, channels, others, groups = (draw(st.integers(1, 2)) for _ in range(4))
    x_shape = (batch, channels * groups, *size)
    return scale, padding, groups, x_shape, (others * groups, channels, *kernel)


def normal(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]


def pads(pairs):
    """As F.pad wants them."""
    return [count for pair in reversed(pairs) for count in pair]


def upsample_then_conv(x, weight, bias, scale, padding, groups, *, mode="nearest", how="constant"):
    """Torch's own two layers."""
    mode = LINEAR[len(scale)] if mode == "linear" else mode
    large = F.interpolate(x, scale_factor=tuple(map(float, scale)), mode=mode)
    return CONV[len(scale)](F.pad(large, pads(padding), how), weight, bias, groups=groups)


def assert_equal_with_gradients(ours, theirs, leaves, seed, tolerance=TOLERANCE):
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=0, atol=tolerance
    )
    (cotangent,) = normal(seed, ours.shape)
    # A layer of which padding leaves no product does not depend on x and weight: gradient zero.
    gradients = (
        torch.autograd.grad(y, leaves, cotangent, allow_unused=True, materialize_grads=True)
        for y in (ours, theirs)
    )
    for mine, judge in zip(*gradients, strict=True):
        np.testing.assert_allclose(mine.numpy(), judge.numpy(), rtol=0, atol=10 * tolerance)


@given(case=layers(), seed=seeds)
def test_nearest_then_conv_is_one_transposed_convolution_borders_included(case, seed):
    scale, padding, groups, x_shape, weight_shape = case
    x, weight, bias = leaves = normal(seed, x_shape, weight_shape, weight_shape[:1])
    one = collapse(weight, scale, padding=padding, groups=groups)
    assert one.geometry.kernel == tuple(
        k + s - 1 for k, s in zip(weight_shape[2:], scale, strict=True)
    )
    assert one.geometry.stride == scale
    assert one.geometry.padding == tuple(
        (k - 1 - before, k - 1 - after)
        for k, (before, after) in zip(weight_shape[2:], padding, strict=True)
    )
    assert one.margin == one.strip == ((0, 0),) * len(scale)
    theirs = upsample_then_conv(x, weight, bias, scale, padding, groups)
    judged = definition.conv_transpose(
        x.detach().numpy(), one.weight.detach().numpy(), one.geometry, bias.detach().numpy()
    )
    np.testing.assert_allclose(judged, theirs.detach().numpy(), rtol=0, atol=TOLERANCE)
    assert_equal_with_gradients(one.apply(x, bias), theirs, leaves, seed)


def test_small_layers_exhaustively():
    """Every scale up to 5, kernel up to 7 and padding up to k − 1 on both sides, in one line."""
    tried = 0
    for s, k in product(range(1, 6), range(1, 8)):
        for padding in product(range(k), repeat=2):
            x, weight, bias = normal(tried, (1, 1, 7), (1, 1, k), (1,))
            one = collapse(weight, s, padding=[padding])
            theirs = upsample_then_conv(x, weight, bias, (s,), [padding], 1)
            np.testing.assert_allclose(
                one.apply(x, bias).detach().numpy(), theirs.detach().numpy(), atol=TOLERANCE
            )
            tried += 1
    assert tried == 5 * sum(k**2 for k in range(1, 8))


@pytest.mark.parametrize("padding_mode", ["replicate", "circular"])
@given(case=layers(widest=4), seed=seeds)
def test_replicate_and_circular_padding_are_exact_after_extending_the_input(
    padding_mode, case, seed
):
    scale, padding, groups, x_shape, weight_shape = case
    if padding_mode == "circular":  # torch's layer goes round once only
        for i, s, pair in zip(x_shape[2:], scale, padding, strict=True):
            assume(max(pair) <= i * s)
    x, weight, bias = leaves = normal(seed, x_shape, weight_shape, weight_shape[:1])
    one = collapse(weight, scale, padding=padding, padding_mode=padding_mode, groups=groups)
    theirs = upsample_then_conv(x, weight, bias, scale, padding, groups, how=padding_mode)
    assert_equal_with_gradients(one.apply(x, bias), theirs, leaves, seed)
    assert one.strip == ((0, 0),) * len(scale)


@given(case=layers(widest=4), seed=seeds)
def test_reflect_padding_is_replicate_padding_where_it_is_smaller_than_the_scale(case, seed):
    scale, padding, groups, x_shape, weight_shape = case
    padding = tuple(
        tuple(min(p, s - 1) for p in pair) for pair, s in zip(padding, scale, strict=True)
    )
    for i, s, k, pair in zip(x_shape[2:], scale, weight_shape[2:], padding, strict=True):
        assume(i * s + sum(pair) >= k)
    x, weight, bias = leaves = normal(seed, x_shape, weight_shape, weight_shape[:1])
    one = collapse(weight, scale, padding=padding, padding_mode="replicate", groups=groups)
    theirs = upsample_then_conv(x, weight, bias, scale, padding, groups, how="reflect")
    assert_equal_with_gradients(one.apply(x, bias), theirs, leaves, seed)


def test_reflect_padding_as_wide_as_the_scale_is_another_map():
    x, weight = normal(0, (1, 1, 4), (1, 1, 3))
    one = collapse(weight, 2, padding=2, padding_mode="replicate")
    theirs = upsample_then_conv(x, weight, None, (2,), [(2, 2)], 1, how="reflect")
    difference = (one.apply(x) - theirs).abs()[0, 0]
    assert difference[0] > 0.1
    np.testing.assert_allclose(difference[1:-1].detach(), 0, atol=TOLERANCE)


@given(case=layers(widest=4), seed=seeds)
def test_linear_then_conv_with_replicate_padding_is_one_transposed_convolution(case, seed):
    scale, padding, groups, x_shape, weight_shape = case
    x, weight, bias = leaves = normal(seed, x_shape, weight_shape, weight_shape[:1])
    settings = {"padding": padding, "groups": groups, "padding_mode": "replicate"}
    one = collapse(weight, scale, mode="linear", **settings)
    assert one.strip == ((0, 0),) * len(scale)
    theirs = upsample_then_conv(
        x, weight, bias, scale, padding, groups, mode="linear", how="replicate"
    )
    # Torch rounds the weights of its interpolation, ours are rounded once more in the kernel.
    assert_equal_with_gradients(one.apply(x, bias), theirs, leaves, seed, 2 * TOLERANCE)


@given(case=layers(), seed=seeds)
def test_linear_then_conv_with_zero_padding_differs_in_the_strip_only(case, seed):
    scale, padding, groups, x_shape, weight_shape = case
    x, weight, bias = leaves = normal(seed, x_shape, weight_shape, weight_shape[:1])
    one = collapse(weight, scale, mode="linear", padding=padding, groups=groups)
    for pair, strip, s in zip(padding, one.strip, scale, strict=True):
        assert strip == (pair if s > 1 else (0, 0))
    ours = one.apply(x, bias)
    theirs = upsample_then_conv(x, weight, bias, scale, padding, groups, mode="linear")
    assert ours.shape == theirs.shape
    inside = [
        slice(before, max(size - after, before))
        for (before, after), size in zip(one.strip, ours.shape[2:], strict=True)
    ]
    assert_equal_with_gradients(
        ours[:, :, *inside], theirs[:, :, *inside], leaves, seed, 2 * TOLERANCE
    )


def test_in_the_strip_linear_with_zero_padding_does_differ():
    x, weight = torch.ones(1, 1, 4).double(), torch.ones(1, 1, 5).double()
    one = collapse(weight, 2, mode="linear", padding=2)
    theirs = upsample_then_conv(x, weight, None, (2,), [(2, 2)], 1, mode="linear")
    np.testing.assert_array_equal((one.apply(x) - theirs)[0, 0], [2, 1, 0, 0, 0, 0, 1, 2])
    # There it is what replicate padding gives.
    replicated = upsample_then_conv(
        x, weight, None, (2,), [(2, 2)], 1, mode="linear", how="replicate"
    )
    np.testing.assert_allclose(one.apply(x), replicated, rtol=0, atol=TOLERANCE)


@given(case=layers(), seed=seeds)
def test_dividing_a_collapsed_kernel_gives_the_convolution_back(case, seed):
    scale, padding, groups, _, weight_shape = case
    (weight,) = normal(seed, weight_shape)
    one = collapse(weight, scale, padding=padding, groups=groups)
    quotient, remainder, factorable = divide(one.weight, scale, groups=groups)
    assert factorable
    # Division sums up to k/s earlier roundings along each axis.
    np.testing.assert_allclose(quotient.detach(), weight.detach(), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(remainder.detach(), 0, rtol=0, atol=TOLERANCE)
    back = collapse(quotient, scale, groups=groups)
    np.testing.assert_allclose(back.weight.detach(), one.weight.detach(), rtol=0, atol=TOLERANCE)
    assert tuple(  # the convolution's padding, from the transposed one's
        tuple(k - s - p for p in pair)
        for k, s, pair in zip(one.geometry.kernel, scale, one.geometry.padding, strict=True)
    ) == tuple(padding)


@st.composite
def kernels(draw):
    """Scale, groups and the shape of a transposed weight at least as large as the scale."""
    scale, _, groups, _, (out, channels, *kernel) = draw(layers())
    larger = (k + s - 1 for k, s in zip(kernel, scale, strict=True))
    return scale, groups, (channels * groups, out // groups, *larger)


@given(case=kernels(), seed=seeds)
def test_quotient_times_box_plus_remainder_is_the_kernel(case, seed):
    scale, groups, weight_shape = case
    (weight,) = normal(seed, weight_shape)
    quotient, remainder, factorable = divide(weight, scale, groups=groups)
    product_ = collapse(quotient, scale, groups=groups).weight
    np.testing.assert_allclose((product_ + remainder).detach(), weight.detach(), atol=TOLERANCE)
    # Division has finished: nothing is left where the quotient could still have taken it.
    first = tuple(slice(0, k - s + 1) for k, s in zip(weight_shape[2:], scale, strict=True))
    np.testing.assert_allclose(remainder[:, :, *first].detach(), 0, rtol=0, atol=TOLERANCE)
    # A random kernel is a multiple of the box only where the box is 1.
    assert factorable == all(s == 1 for s in scale)


@given(case=kernels(), seed=seeds)
def test_whole_numbers_are_divided_without_rounding(case, seed):
    scale, groups, weight_shape = case
    weight = torch.tensor(np.random.default_rng(seed).integers(-9, 10, weight_shape)).double()
    quotient, remainder, _ = divide(weight, scale, groups=groups)
    product_ = collapse(quotient, scale, groups=groups).weight
    np.testing.assert_array_equal(product_ + remainder, weight)
    np.testing.assert_array_equal(quotient, quotient.round())


@given(case=kernels(), seed=seeds)
def test_a_factorable_layer_is_upsampling_and_a_convolution(case, seed):
    """Project a kernel by taking its remainder away; what is left runs as torch's two layers."""
    scale, groups, weight_shape = case
    x, weight = normal(seed, (2, weight_shape[0], *(3 for _ in scale)), weight_shape)
    quotient, remainder, _ = divide(weight, scale, groups=groups)
    ours = conv_transpose(x, weight - remainder, stride=scale, groups=groups)
    full = [(k - 1, k - 1) for k in quotient.shape[2:]]
    theirs = upsample_then_conv(x, quotient, None, scale, full, groups)
    assert_equal_with_gradients(ours, theirs, (x, weight), seed, 10 * TOLERANCE)


@given(case=kernels(), seed=seeds)
def test_the_gradients_of_quotient_and_remainder_are_right(case, seed):
    scale, groups, weight_shape = case
    assume(np.prod(weight_shape) < 60)
    (weight,) = normal(seed, weight_shape)
    assert torch.autograd.gradcheck(lambda w: divide(w, scale, groups=groups)[:2], weight)


def test_collapse_has_right_second_derivatives():
    (weight,) = normal(0, (2, 1, 2, 3))
    assert torch.autograd.gradgradcheck(
        lambda w: collapse(w, (2, 3), mode="linear", groups=2).weight ** 2, weight
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_dtype_is_kept(dtype):
    weight = torch.randn(2, 3, 3, 3, dtype=dtype)
    one = collapse(weight, 2, mode="linear")
    division = divide(collapse(weight, 2).weight, 2, tolerance=8 * torch.finfo(dtype).eps)
    assert {one.weight.dtype, division.quotient.dtype, division.remainder.dtype} == {dtype}
    assert division.factorable


def test_the_counter_examples_are_not_factorable():
    one_axis = divide(torch.tensor([[[1.0, 2.0, 3.0]]]), 2)
    assert not one_axis.factorable
    np.testing.assert_array_equal(one_axis.remainder, [[[0, 0, 2]]])
    weight = collapse(torch.arange(1.0, 10).reshape(1, 1, 3, 3), 2).weight
    assert divide(weight, 2).factorable
    weight[0, 0, 0, 0] += 1
    weight[0, 0, 2, 2] -= 1
    assert not divide(weight, 2).factorable


def test_the_tolerance_is_a_share_of_the_largest_tap():
    weight = collapse(torch.ones(1, 1, 3).double(), 2).weight  # 1, 2, 2, 1
    weight[..., -1] += 2e-3  # a remainder of a thousandth of the largest tap
    for size in (1e-20, 1, 1e20):
        assert not divide(size * weight, 2, tolerance=0.9e-3).factorable
        assert divide(size * weight, 2, tolerance=1.1e-3).factorable
    assert divide(torch.zeros(1, 1, 4), 2).factorable
    assert not divide(torch.full((1, 1, 4), torch.nan), 2).factorable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": np.ones((1, 1, 3))}, "weight: got ndarray; want a torch tensor"),
        ({"weight": torch.ones(1, 1, 3).int()}, "weight: got torch.int32; want floating point"),
        ({"weight": torch.ones(3)}, r"weight: got shape \(3,\); want two channel axes and a kern"),
        ({"weight": torch.ones(1, 1, 0)}, r"weight: got shape \(1, 1, 0\); .* none of size 0"),
        ({"scale": 0}, "scale: got 0; want an integer of at least 1"),
        ({"scale": 2.0}, "scale: got 2.0"),
        ({"scale": (2, 2)}, r"scale: got \(2, 2\); want one integer, or 1"),
        ({"groups": 2}, r"groups: got 2 for a weight of shape \(1, 1, 3\)"),
        ({"groups": 0}, "groups: got 0"),
    ],
)
@pytest.mark.parametrize("function", [collapse, divide])
def test_both_refuse_bad_input_by_name(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(**{"weight": torch.ones(1, 1, 3), "scale": 2, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": 3}, r"padding: got \(\(3, 3\),\) for a kernel \(3,\); want at most the kern"),
        ({"padding": ((0, 3),)}, "padding: got"),
        ({"padding": -1}, "padding: got -1"),
        ({"padding": "same"}, "padding: got 'same'"),
        ({"mode": "bilinear"}, "mode: got 'bilinear'; want 'nearest' or 'linear'"),
        ({"padding_mode": "reflect"}, "padding_mode: got 'reflect'; want .* smaller than the sca"),
        (
            {"padding_mode": "circular", "mode": "linear"},
            "padding_mode: got 'circular' with mode 'linear'; .* across the seam",
        ),
    ],
)
def test_collapse_refuses_bad_input_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        collapse(**{"weight": torch.ones(1, 1, 3), "scale": 2, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 4}, r"scale: got \(4,\) for a kernel \(3,\); want no axis larger"),
        ({"tolerance": -1e-3}, "tolerance: got -0.001; want a number from 0 to below 1"),
        ({"tolerance": 1}, "tolerance: got 1; want"),
        ({"tolerance": None}, "tolerance: got None"),
        ({"tolerance": float("nan")}, "tolerance: got nan"),
    ],
)
def test_divide_refuses_bad_input_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        divide(**{"weight": torch.ones(1, 1, 3), "scale": 2, **arguments})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((1, 1, 5)), "x: got ndarray; want a torch tensor"),
        (torch.ones(1, 2, 5), "x: got 2 channels"),
        (torch.ones(5), r"x: got shape \(5,\)"),
        (torch.ones(1, 1, 5).double(), "weight: got torch.float32 .* like x"),
        (torch.ones(1, 1, 1), r"x: got size \(1,\); want at least \(2,\), which circular"),
    ],
)
def test_apply_refuses_bad_input_by_name(x, message):
    one = collapse(torch.ones(1, 1, 5), 2, padding=4, padding_mode="circular")
    with pytest.raises(ValueError, match=message):
        one.apply(x)


def test_apply_says_that_padding_leaves_nothing():
    with pytest.raises(ValueError, match="want a padding that leaves at least 1"):
        collapse(torch.ones(1, 1, 5), 2).apply(torch.ones(1, 1, 2))
