"""Pooling, its gradients and unpooling equal the definition and torch, on random geometries."""

import numpy as np
import pytest
import torch
from geometries import conv_cases
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F
from upconv import (
    Geometry,
    average_pool,
    average_pool_gradient,
    definition,
    insert_zeros,
    max_pool,
    max_pool_gradient,
    max_unpool,
    sum_pool,
    sum_pool_gradient,
)

seeds = st.integers(0, 2**32 - 1)
# Sums of at most 27 standard normals in float64.
TOLERANCE = 1e-12
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
UNPOOL = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}
ONE_GROUP = st.just(1)


def equal(actual, expected, tolerance=0):
    """Equal to the tolerance, NaN to NaN; exactly where nothing is added."""
    actual, expected = actual.detach().numpy(), np.asarray(expected)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def normal(shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).requires_grad_()


def with_ties(shape, seed, nans=False):
    """Values among −1, 0, 1 and −∞, so that maxima are equal; and NaN, if wanted."""
    values = np.random.default_rng(seed).choice(
        [-1.0, 0.0, 1.0, -np.inf] + [np.nan] * nans, size=shape
    )
    return torch.from_numpy(values).requires_grad_()


@st.composite
def torch_cases(draw, dilated=True):
    """(geometry, input shape) of a pooling that torch too can do: equal padding, at most k/2."""
    axes = draw(st.integers(1, 3))

    def per_axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel = per_axis(1, 5 if axes == 1 else 3)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    dilation = per_axis(1, 3) if dilated else (1,) * axes
    geometry = Geometry(kernel, per_axis(1, 4), padding, dilation)
    size = per_axis(1, {1: 12, 2: 7, 3: 4}[axes])
    # Where a dilated kernel finds nothing but padding, we refuse, and torch has no index.
    for i, k, d, p in zip(size, kernel, geometry.dilation, padding, strict=True):
        assume(i + 2 * p >= d * (k - 1) + 1)
    return geometry, (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *size)


def torchs(geometry):
    """The arguments of torch's poolings but dilation."""
    padding = [before for before, _ in geometry.padding]
    return {"kernel_size": geometry.kernel, "stride": geometry.stride, "padding": padding}


def maxima_by_loops(x, geometry):
    """Values and indices from the definition's connections; None for an empty window."""
    size, out = x.shape[2:], geometry.output_shape(x.shape[2:])
    values, indices = np.zeros((*x.shape[:2], *out)), np.full((*x.shape[:2], *out), -1)
    for small, _, large in definition._connections(geometry, out, size):
        place = np.ravel_multi_index(large, size)
        for image in np.ndindex(x.shape[:2]):
            value, at = x[(*image, *large)], (*image, *small)
            if indices[at] < 0 or value > values[at] or np.isnan(value):
                values[at], indices[at] = value, place
    return None if (indices < 0).any() else (values, indices)


# ----------------------------------------------------------------------------------------- Pooling


@given(case=conv_cases(groups=ONE_GROUP), seed=seeds)
def test_sum_pooling_is_a_convolution_with_ones_and_its_gradient_the_transpose(case, seed):
    geometry, x_shape, _ = case
    geometry = Geometry(
        geometry.kernel, geometry.stride, geometry.padding, geometry.dilation, groups=x_shape[1]
    )
    x = normal(x_shape, seed)
    ones = np.ones((x_shape[1], 1, *geometry.kernel))
    y = sum_pool(x, geometry)
    equal(y, definition.conv(x.detach().numpy(), ones, geometry), TOLERANCE)
    received = normal(y.shape, seed + 1).detach()
    (by_autograd,) = torch.autograd.grad(y, x, received)
    transposed = definition.conv_transpose(received.numpy(), ones, geometry.adjoint_to(x_shape[2:]))
    ours = sum_pool_gradient(received, geometry, x_shape[2:])
    equal(ours, transposed, TOLERANCE)
    equal(ours, by_autograd, TOLERANCE)


@given(case=torch_cases(dilated=False), seed=seeds)
def test_average_pooling_and_its_gradient_are_torchs(case, seed):
    geometry, x_shape = case
    # Torch's alone wants the kernel to fit the input without its padding, in three axes.
    assume(geometry.axes < 3 or all(np.less_equal(geometry.kernel, x_shape[2:])))
    x = normal(x_shape, seed)
    expected = AVERAGE[geometry.axes](x, **torchs(geometry), count_include_pad=True)
    equal(average_pool(x, geometry), expected.detach(), TOLERANCE)
    received = normal(expected.shape, seed + 1).detach()
    (by_autograd,) = torch.autograd.grad(expected, x, received)
    equal(average_pool_gradient(received, geometry, x_shape[2:]), by_autograd, TOLERANCE)


@pytest.mark.parametrize("nans", [False, True])
@given(case=torch_cases(), seed=seeds)
def test_max_pooling_its_indices_and_its_gradient_are_torchs(nans, case, seed):
    """Ties and NaN included: nothing is added but gradients, of integers here, so all is exact."""
    geometry, x_shape = case
    x = with_ties(x_shape, seed, nans)
    if maxima_by_loops(x.detach().numpy(), geometry) is None:
        with pytest.raises(ValueError, match="padding: got .* want less padding"):
            max_pool(x, geometry)
        return
    expected, places = MAXIMUM[geometry.axes](
        x, **torchs(geometry), dilation=geometry.dilation, return_indices=True
    )
    values, indices = max_pool(x, geometry)
    equal(values, expected.detach())
    equal(indices, places)
    received = torch.from_numpy(
        np.random.default_rng(seed).integers(-9, 10, expected.shape).astype(float)
    )
    (by_torch,) = torch.autograd.grad(expected, x, received)
    (by_autograd,) = torch.autograd.grad(values, x, received)
    equal(by_autograd, by_torch)
    equal(max_pool_gradient(received, indices, x_shape[2:]), by_torch)


@given(case=conv_cases(groups=ONE_GROUP), seed=seeds)
def test_max_pooling_is_the_definition_with_any_padding(case, seed):
    geometry, x_shape, _ = case
    x = with_ties(x_shape, seed, nans=True)
    expected = maxima_by_loops(x.detach().numpy(), geometry)
    if expected is None:
        with pytest.raises(ValueError, match="padding: got .* want less padding"):
            max_pool(x, geometry)
        return
    for actual, wanted in zip(max_pool(x, geometry), expected, strict=True):
        equal(actual, wanted)


@given(case=torch_cases(dilated=False), seed=seeds)
def test_without_overlap_the_gradient_of_sum_pooling_is_nearest_upsampling(case, seed):
    geometry, y_shape = case
    tiles = Geometry(geometry.stride, geometry.stride)
    y = normal(y_shape, seed)
    size = tuple(o * s for o, s in zip(y_shape[2:], geometry.stride, strict=True))
    upsampled = F.interpolate(y, scale_factor=tuple(map(float, geometry.stride)), mode="nearest")
    equal(sum_pool_gradient(y, tiles, size), upsampled.detach())
    equal(
        average_pool_gradient(y, tiles, size) * float(np.prod(geometry.stride)),
        upsampled.detach(),
        TOLERANCE,
    )


# ------------------------------------------------------------------- Zero insertion and unpooling


@given(
    shape=st.lists(st.integers(1, 4), min_size=3, max_size=5).map(tuple),
    data=st.data(),
    seed=seeds,
)
def test_zero_insertion_is_the_gradient_of_strided_slicing(shape, data, seed):
    stride = tuple(data.draw(st.integers(1, 4)) for _ in shape[2:])
    size = tuple(
        data.draw(st.integers((i - 1) * s + 1, i * s))
        for i, s in zip(shape[2:], stride, strict=True)
    )
    large = torch.zeros(*shape[:2], *size, dtype=torch.float64, requires_grad=True)
    sliced = large[:, :, *(slice(None, None, s) for s in stride)]
    received = normal(shape, seed)
    (by_autograd,) = torch.autograd.grad(sliced, large, received.detach())
    spread = insert_zeros(received, stride, size)
    equal(spread, by_autograd)
    (back,) = torch.autograd.grad(spread, received, large.detach() + 1)
    equal(back, np.ones(shape))
    smallest = tuple((i - 1) * s + 1 for i, s in zip(shape[2:], stride, strict=True))
    equal(insert_zeros(received, stride), insert_zeros(received, stride, smallest).detach())


@given(case=torch_cases(dilated=False), data=st.data(), seed=seeds)
def test_unpooling_is_torchs_in_values_gradients_and_sizes(case, data, seed):
    """Windows may overlap, and any size may be asked for, one too small or too large included."""
    geometry, x_shape = case
    values, indices = max_pool(with_ties(x_shape, seed), geometry)
    values = values.detach().requires_grad_()
    size = None
    if data.draw(st.booleans()):
        size = tuple(
            data.draw(st.integers(max(i - s - 1, 1), i + s + 1))
            for i, s in zip(x_shape[2:], geometry.stride, strict=True)
        )
    try:
        expected = UNPOOL[geometry.axes](values, indices, **torchs(geometry), output_size=size)
    except (ValueError, RuntimeError):  # a size, or an index outside of it
        with pytest.raises(
            ValueError, match="size: got|indices: got|padding: got .* crops|want at least"
        ):
            max_unpool(values, indices, geometry, size)
        return
    actual = max_unpool(values, indices, geometry, size)
    equal(actual, expected.detach())
    received = normal(expected.shape, seed).detach()
    (by_torch,) = torch.autograd.grad(expected, values, received)
    (by_autograd,) = torch.autograd.grad(actual, values, received)
    equal(by_autograd, by_torch)


@given(case=torch_cases(dilated=False), seed=seeds)
def test_unpooling_with_the_adjoint_geometry_gives_the_size_back(case, seed):
    geometry, x_shape = case
    values, indices = max_pool(with_ties(x_shape, seed), geometry)
    unpooled = max_unpool(values, indices, geometry.adjoint_to(x_shape[2:]))
    assert unpooled.shape == x_shape


@given(case=torch_cases(dilated=False), seed=seeds)
def test_without_overlap_unpooling_is_the_gradient_of_max_pooling(case, seed):
    geometry, x_shape = case
    tiles = Geometry(geometry.kernel, geometry.kernel)
    assume(all(i >= k for i, k in zip(x_shape[2:], geometry.kernel, strict=True)))
    _, indices = max_pool(normal(x_shape, seed), tiles)
    others = normal(indices.shape, seed + 1)
    unpooled = max_unpool(others, indices, tiles, x_shape[2:])
    equal(unpooled, max_pool_gradient(others, indices, x_shape[2:]).detach())


def test_an_index_that_comes_twice_is_written_once_and_its_gradient_added():
    """One maximum in two windows: unpooling writes it, the gradient of pooling adds."""
    x = torch.tensor([[[0.0, 5.0, 0.0]]])
    geometry = Geometry(2)
    values, indices = max_pool(x, geometry)
    equal(indices, [[[1, 1]]])
    equal(max_unpool(values, indices, geometry), [[[0, 5, 0]]])
    equal(max_pool_gradient(values, indices, 3), [[[0, 10, 0]]])


@pytest.mark.parametrize("pair", [(1.0, 2.0), (float("nan"), 1.0), (1.0, float("nan"))])
def test_an_index_that_comes_twice_with_two_values_is_refused(pair):
    x, twice = torch.tensor([[pair]]), torch.tensor([[[1, 1]]])
    with pytest.raises(ValueError, match="indices: got 1 twice in one channel with different"):
        max_unpool(x, twice, Geometry(2))
    apart = x.reshape(1, 2, 1), twice.reshape(1, 2, 1)  # in two channels they do not meet
    equal(max_unpool(*apart, Geometry(2, 2)), [[[0, pair[0]], [0, pair[1]]]])


def test_nan_twice_is_one_value():
    nan = torch.full((1, 1, 2), float("nan"))
    equal(max_unpool(nan, torch.tensor([[[0, 0]]]), Geometry(2)), [[[np.nan, 0, 0]]])


# ---------------------------------------------------------------------------- What holds for all

X = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))
G = Geometry((3, 2), (2, 1), ((1, 0), (0, 1)), (1, 2))
INDICES = max_pool(X, G)[1]
Y = torch.randn(INDICES.shape, generator=torch.Generator().manual_seed(1))
TILES = Geometry((3, 2), (3, 2))
ALL = {
    "sum_pool": (X, lambda x: sum_pool(x, G)),
    "average_pool": (X, lambda x: average_pool(x, G)),
    "max_pool": (X, lambda x: max_pool(x, G)[0]),
    "sum_pool_gradient": (Y, lambda y: sum_pool_gradient(y, G, (6, 5))),
    "average_pool_gradient": (Y, lambda y: average_pool_gradient(y, G, (6, 5))),
    "max_pool_gradient": (Y, lambda y: max_pool_gradient(y, INDICES[: len(y)], (6, 5))),
    "insert_zeros": (Y, lambda y: insert_zeros(y, 3)),
    "max_unpool": (
        max_pool(X, TILES)[0],
        lambda y: max_unpool(y, max_pool(X, TILES)[1][: len(y)], TILES, (6, 5)),
    ),
}
every = pytest.mark.parametrize("name", ALL)


@every
def test_second_derivatives_are_right(name):
    x, function = ALL[name]
    x = x.double().requires_grad_()
    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_every_floating_dtype_is_kept(name, dtype):
    x, function = ALL[name]
    x = x.to(dtype)
    y = function(x)
    assert y.dtype == dtype
    # Sums of at most 6 values of size about 1, each rounded to the precision of the type.
    equal(y.double(), function(x.double()), 36 * torch.finfo(dtype).eps)


@every
def test_how_the_values_lie_in_memory_plays_no_part(name):
    x, function = ALL[name]
    equal(function(x.to(memory_format=torch.channels_last)), function(x))
    equal(function(x.transpose(0, 3).contiguous().transpose(0, 3)), function(x))


@every
def test_nothing_of_the_input_is_changed(name):
    x, function = ALL[name]
    before = x.clone()
    function(x)
    equal(x, before)


@every
def test_an_empty_batch_gives_an_empty_batch(name):
    x, function = ALL[name]
    assert function(x[:0]).shape == (0, *function(x).shape[1:])


G1, G2 = Geometry(2, stride=2), Geometry((2, 2), stride=2)
V, PLACES = torch.zeros(1, 1, 2), torch.tensor([[[0, 3]]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sum_pool(np.zeros((1, 1, 4)), G1), "x: got ndarray; want a floating-point torch"),
        (lambda: sum_pool(torch.ones(1, 1, 4, dtype=int), G1), "x: got torch.int64; want a float"),
        (lambda: average_pool(torch.zeros(1, 1, 4), G2), r"x: got shape .* and 2 spatial axes"),
        (lambda: max_pool(torch.zeros(1, 0, 4), G1), "x: got shape .* no axis of size 0"),
        (lambda: max_pool(torch.zeros(4), G1), r"x: got shape \(4,\); want \(batch, channels\)"),
        (lambda: max_pool(torch.zeros(1, 1, 1), G1), "input_shape: got 1 along an axis; want at"),
        (
            lambda: max_pool(torch.zeros(1, 1, 4), Geometry(2, 1, padding=((0, 2),))),
            r"padding: got \(\(0, 2\),\), under which a window of kernel \(2,\) sees nothing",
        ),
        (lambda: sum_pool_gradient(V, G1, 6), r"gradient: got .* want \(batch, channels, 3\)"),
        (lambda: sum_pool_gradient(V, G1, (4, 4)), r"input_shape: got \(4, 4\); want one integer"),
        (lambda: average_pool_gradient(None, G1, 4), "gradient: got NoneType"),
        (
            lambda: max_pool_gradient(V, PLACES, 0),
            "input_shape: got 0; want an integer of at least 1",
        ),
        (
            lambda: max_pool_gradient(V, PLACES, 3),
            r"indices: got 3; want 0 to 2, for input_shape \(3,\)",
        ),
        (lambda: max_pool_gradient(V, PLACES - 1, 4), "indices: got -1; want 0 to 3"),
        (
            lambda: max_pool_gradient(V, PLACES.int(), 4),
            "indices: got torch.int32; want .* of int64",
        ),
        (lambda: max_pool_gradient(V, [[[0, 3]]], 4), "indices: got list; want a torch tensor"),
        (
            lambda: max_pool_gradient(V, PLACES[..., :1], 4),
            r"indices: got shape \(1, 1, 1\) on cpu",
        ),
        (
            lambda: max_pool_gradient(V, PLACES.to("meta"), 4),
            "indices: got .* on meta; want .* on cpu",
        ),
        (lambda: insert_zeros(V, 0), "stride: got 0; want an integer of at least 1"),
        (lambda: insert_zeros(V, (2, 2)), r"stride: got \(2, 2\); want one integer, or 1"),
        (lambda: insert_zeros(V, 2, 5), "size: got 5 along an axis; want 3 to 4"),
        (lambda: insert_zeros(torch.zeros(1, 1), 2), "x: got shape .* and 1 to 3 spatial axes"),
        (lambda: max_unpool(V, PLACES, G1, 6), "size: got 6 along an axis; want 3 to 5"),
        (lambda: max_unpool(V, PLACES, G1, (4, 4)), r"size: got \(4, 4\); want one integer, or 1"),
        (lambda: max_unpool(V, PLACES, G1, 3), r"indices: got 3; want 0 to 2, for size \(3,\)"),
        (lambda: max_unpool(V, None, G1), "indices: got NoneType; want a torch tensor of int64"),
        (lambda: max_unpool(V, PLACES, G2), "x: got shape .* and 2 spatial axes"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
