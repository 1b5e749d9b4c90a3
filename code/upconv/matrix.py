"""Convolution as a matrix C: one row per output value, one column per input value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

import numpy as np
from scipy import sparse

from upconv.definition import check_shapes
from upconv.geometry import Geometry

__all__ = ["conv_matrix"]


def conv_matrix(
    kernel: np.ndarray, input_shape: Sequence[int], geometry: Geometry, *, dense: bool = False
) -> sparse.csr_array | np.ndarray:
    """The matrix C of a convolution: ``C @ x.ravel()`` is the convolution of x, ravelled.

    Its transpose ``C.T`` is the transposed convolution with the same kernel and the geometry
    ``geometry.adjoint_to(size)``.

    Args:
        kernel: one channel, (*kernel,), or (out_channels, channels // groups, *kernel).
        input_shape: (*size,) for a kernel of one channel, else (channels, *size).
        geometry: stride, padding, dilation and groups; its output_padding plays no part.
        dense: return a NumPy array in place of a SciPy sparse array.

    Returns:
        C with prod(output shape) rows and prod(input_shape) columns, of the kernel's dtype;
        entries of the kernel that are zero are left out of the sparse form.

    Raises:
        ValueError: for shapes that do not match each other.

    Source:
        Dumoulin & Visin (2016), section 4.1. Taught in "A convolution is a matrix".

    Example:
        >>> conv_matrix(np.array([1, 2, 3]), (5,), Geometry(3, stride=2), dense=True)
        array([[1, 2, 3, 0, 0],
               [0, 0, 1, 2, 3]])
    """
    kernel = np.asarray(kernel)
    axes = geometry.axes
    if kernel.ndim not in (axes, axes + 2) or kernel.shape[-axes:] != geometry.kernel:
        raise ValueError(
            f"kernel: got shape {kernel.shape}; want {geometry.kernel}, or two channel axes before "
            "it"
        )
    wanted = axes if kernel.ndim == axes else axes + 1
    if np.ndim(input_shape) != 1 or len(input_shape) != wanted:
        raise ValueError(
            f"input_shape: got {input_shape}; want {wanted} axes for a kernel of shape "
            f"{kernel.shape}"
        )
    if kernel.ndim == axes:
        kernel, input_shape = kernel[None, None], (1, *input_shape)
    check_shapes(
        (1, *input_shape), kernel.shape, geometry, transposed=False, names=("input_shape", "kernel")
    )
    selections = _selections(input_shape[1:], geometry, kernel.dtype)
    matrix = sum(
        reduce(
            partial(sparse.kron, format="csr"),  # without it, blocks in which 0 · ∞ is computed
            [selections[axis][t] for axis, t in enumerate(tap)],
            sparse.block_diag(np.split(kernel[:, :, *tap], geometry.groups)),
        )
        for tap in np.ndindex(*geometry.kernel)
    )
    matrix = sparse.csr_array(matrix)
    matrix.eliminate_zeros()
    return matrix.toarray() if dense else matrix


def _selections(
    size: tuple[int, ...], geometry: Geometry, dtype: np.dtype
) -> list[list[sparse.csr_array]]:
    """For each axis and tap t, the 0/1 matrix that picks input q·s + t·d − p for output q."""
    per_axis = []
    for i, o, k, s, d, (before, _) in zip(
        size,
        geometry.output_shape(size),
        geometry.kernel,
        geometry.stride,
        geometry.dilation,
        geometry.padding,
        strict=True,
    ):
        rows = np.arange(o)
        taps = []
        for t in range(k):
            columns = rows * s + t * d - before
            inside = (columns >= 0) & (columns < i)
            entries = np.ones(inside.sum(), dtype=dtype)
            taps.append(sparse.csr_array((entries, (rows[inside], columns[inside])), shape=(o, i)))
        per_axis.append(taps)
    return per_axis
