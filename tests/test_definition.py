"""The definition against the frameworks' own convolution, and against its own transpose."""

import numpy as np
import pytest
import torch
from geometries import conv_cases, transposed_cases
from hypothesis import given
from hypothesis import strategies as st
from upconv import Geometry, definition

CONV = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}
seeds = st.integers(0, 2**32 - 1)


@given(conv_cases(), seeds)
def test_conv_is_torchs_convolution_of_the_padded_input(case, seed):
    geometry, x_shape, weight_shape = case
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=x_shape), rng.normal(size=weight_shape)
    bias = rng.normal(size=weight_shape[0])
    padded = np.pad(x, [(0, 0), (0, 0), *geometry.padding])
    expected = CONV[geometry.axes](
        torch.from_numpy(padded),
        torch.from_numpy(weight),
        torch.from_numpy(bias),
        stride=geometry.stride,
        dilation=geometry.dilation,
        groups=geometry.groups,
    )
    np.testing.assert_allclose(
        definition.conv(x, weight, geometry, bias), expected.numpy(), rtol=0, atol=1e-12
    )


@given(conv_cases(), seeds)
def test_conv_transpose_is_the_adjoint_of_conv(case, seed):
    geometry, x_shape, weight_shape = case
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=x_shape), rng.normal(size=weight_shape)
    cx = definition.conv(x, weight, geometry)
    y = rng.normal(size=cx.shape)
    cty = definition.conv_transpose(y, weight, geometry.adjoint_to(x_shape[2:]))
    assert cty.shape == x.shape
    np.testing.assert_allclose(np.vdot(cx, y), np.vdot(x, cty), rtol=0, atol=1e-11)


@given(transposed_cases(), seeds)
def test_bias_is_added_to_every_output_of_its_channel(case, seed):
    geometry, x_shape, weight_shape = case
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=x_shape), rng.normal(size=weight_shape)
    bias = rng.normal(size=weight_shape[1] * geometry.groups)
    difference = definition.conv_transpose(x, weight, geometry, bias) - definition.conv_transpose(
        x, weight, geometry
    )
    expected = bias.reshape(-1, *[1] * geometry.axes)
    np.testing.assert_allclose(
        difference, np.broadcast_to(expected, difference.shape), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("operation", [definition.conv, definition.conv_transpose])
@pytest.mark.parametrize(
    ("x", "weight", "bias", "message"),
    [
        ((1, 5), (2, 2, 3), None, r"x: got shape \(1, 5\); want \(batch, channels\) and 1 spatial"),
        ((1, 2, 5), (2, 2, 4), None, r"weight: got shape \(2, 2, 4\); want .* kernel \(3,\)"),
        ((1, 2, 5), (2, 3), None, r"weight: got shape \(2, 3\)"),
        ((1, 2, 0), (2, 2, 3), None, r"x: got shape \(1, 2, 0\); want no axis of size 0"),
        ((1, 0, 5), (2, 0, 3), None, r"x: got shape \(1, 0, 5\); want no axis of size 0"),
        ((1, 2, 5), (0, 2, 3), None, r"weight: got shape \(0, 2, 3\); want no axis of size 0"),
        ((1, 2, 5), (2, 0, 3), None, r"weight: got shape \(2, 0, 3\); want no axis of size 0"),
        ((1, 3, 5), (2, 2, 3), None, r"x: got 3 channels in shape \(1, 3, 5\); want 2"),
        ((1, 2, 5), (2, 2, 3), (1,), r"bias: got shape \(1,\); want \(2,\)"),
        ((1, 2, 5), (2, 2, 3), (3,), r"bias: got shape \(3,\); want \(2,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(operation, x, weight, bias, message):
    bias = None if bias is None else np.zeros(bias)
    with pytest.raises(ValueError, match=message):
        operation(np.zeros(x), np.zeros(weight), Geometry(3), bias)


@pytest.mark.parametrize("operation", [definition.conv, definition.conv_transpose])
@pytest.mark.parametrize("dtype", ["int64", "float32", "complex128"])
def test_the_dtype_is_kept(operation, dtype):
    arrays = [np.ones(shape, dtype) for shape in ((1, 1, 5), (1, 1, 3), (1,))]
    assert operation(*arrays[:2], Geometry(3), arrays[2]).dtype == dtype


@pytest.mark.parametrize("operation", [definition.conv, definition.conv_transpose])
@pytest.mark.parametrize("name", ["x", "weight", "bias"])
@pytest.mark.parametrize("dtype", ["bool", "str", "datetime64[s]"])
def test_what_is_no_number_is_refused(operation, name, dtype):
    arrays = {"x": np.zeros((1, 1, 5)), "weight": np.zeros((1, 1, 3)), "bias": np.zeros(1)}
    arrays[name] = arrays[name].astype(dtype)
    with pytest.raises(ValueError, match=f"{name}: got an array of .*; want numbers"):
        operation(geometry=Geometry(3), **arrays)


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match=r"groups: got 2 for a weight of shape \(3, 1, 3\)"):
        definition.conv_transpose(np.zeros((1, 3, 5)), np.zeros((3, 1, 3)), Geometry(3, groups=2))
