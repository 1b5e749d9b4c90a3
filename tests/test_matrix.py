"""C: equal to the definition, and its transpose equal to the transposed convolution."""

import numpy as np
import pytest
from geometries import conv_cases
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from upconv import Geometry, conv_matrix, definition

seeds = st.integers(0, 2**32 - 1)


@given(conv_cases(), seeds)
def test_c_is_the_convolution_and_its_transpose_the_transposed_convolution(case, seed):
    geometry, x_shape, weight_shape = case
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=x_shape), rng.normal(size=weight_shape)
    matrix = conv_matrix(weight, x_shape[1:], geometry)
    cx = definition.conv(x, weight, geometry)
    y = rng.normal(size=cx.shape)
    cty = definition.conv_transpose(y, weight, geometry.adjoint_to(x_shape[2:]))
    for x_n, cx_n, y_n, cty_n in zip(x, cx, y, cty, strict=True):
        np.testing.assert_allclose(matrix @ x_n.ravel(), cx_n.ravel(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(matrix.T @ y_n.ravel(), cty_n.ravel(), rtol=0, atol=1e-12)


@given(conv_cases(), seeds)
def test_dense_and_sparse_are_the_same_matrix(case, seed):
    geometry, x_shape, weight_shape = case
    weight = np.random.default_rng(seed).normal(size=weight_shape)
    matrix = conv_matrix(weight, x_shape[1:], geometry)
    dense = conv_matrix(weight, x_shape[1:], geometry, dense=True)
    assert sparse.issparse(matrix)
    assert isinstance(dense, np.ndarray)
    np.testing.assert_array_equal(matrix.toarray(), dense)


@given(conv_cases(axes=st.just(2), groups=st.just(1)), seeds)
def test_a_plain_kernel_is_one_channel(case, seed):
    geometry, x_shape, _ = case
    kernel = np.random.default_rng(seed).normal(size=geometry.kernel)
    plain = conv_matrix(kernel, x_shape[2:], geometry, dense=True)
    channels = conv_matrix(kernel[None, None], (1, *x_shape[2:]), geometry, dense=True)
    np.testing.assert_array_equal(plain, channels)


@pytest.mark.parametrize(
    ("kernel", "input_shape", "message"),
    [
        ((3,), (4, 4), r"kernel: got shape \(3,\); want \(3, 3\), or two channel"),
        ((2, 2), (4, 4), r"kernel: got shape \(2, 2\)"),
        ((3, 3), (1, 4, 4), r"input_shape: got \(1, 4, 4\); want 2 axes"),
        ((1, 1, 3, 3), (4, 4), r"input_shape: got \(4, 4\); want 3 axes"),
        ((3, 3), 4, r"input_shape: got 4; want 2 axes"),
        ((3, 3), None, r"input_shape: got None; want 2 axes"),
        ((3, 3), (4, 2), r"input_shape: got 2 along an axis; want at least 3"),
        ((3, 3), (4, 4.0), r"input_shape: got 4.0; want an integer"),
        ((2, 3, 3, 3), (2, 4, 4), r"input_shape: got 2 channels"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(kernel, input_shape, message):
    with pytest.raises(ValueError, match=message):
        conv_matrix(np.ones(kernel), input_shape, Geometry((3, 3)))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint64", "float32", "complex64"])
@pytest.mark.parametrize("dense", [True, False])
def test_the_kernels_dtype_is_kept(dtype, dense):
    assert conv_matrix(np.ones((3, 3), dtype), (5, 4), Geometry((3, 3)), dense=dense).dtype == dtype


def test_zeros_of_the_kernel_are_left_out():
    for kernel in ([[[0.0]], [[1.0]]], [[[0.0, 1.0]]]):
        assert conv_matrix(kernel, (1, 3), Geometry(len(kernel[0][0]))).data.all()


@pytest.mark.parametrize("weight", [np.inf, np.nan])
def test_what_is_not_finite_stays_where_it_is(weight):
    matrix = conv_matrix(np.array([weight]), (2,), Geometry(1, stride=2), dense=True)
    np.testing.assert_array_equal(matrix, [[weight, 0]])
