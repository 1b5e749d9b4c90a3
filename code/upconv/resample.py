"""Interpolation: nearest, linear, cubic and area, as functions, as matrices, and backwards.

Each axis has one small sparse matrix, (out size, in size), and everything here follows from these:
the function multiplies by them axis after axis, the matrix of an image is their Kronecker product,
and the adjoint multiplies by their transposes. The values are those of
``torch.nn.functional.interpolate``, whose names ``linear``, ``bilinear`` and ``trilinear`` are one
mode here, and whose ``bicubic`` is ``cubic`` on any number of axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from math import isfinite
from numbers import Real

import numpy as np
import torch
from scipy import sparse

from upconv.forms import check_tensors
from upconv.geometry import PerAxis, axes_of, per_axis

__all__ = ["interpolate", "interpolate_adjoint", "interpolation_matrix"]

MODES = ("nearest", "nearest-exact", "linear", "cubic", "area")
ScaleFactor = float | Sequence[float]


def interpolate(
    x: torch.Tensor,
    *,
    size: PerAxis | None = None,
    scale_factor: ScaleFactor | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> torch.Tensor:
    """Resize images along 1 to 3 axes, up or down.

    A ``scale_factor`` s gives the size ⌊i·s⌋, and sets the distance of the samples: 1/s input
    pixels, and not i/o, where the two differ. Like torch, three cases do not heed that: area never
    does; nearest does not where o is i or 2i, nor linear where o is i.

    Args:
        x: (batch, channels, *size), of a floating dtype, which the result has too.
        size: output size o, an integer or one per axis; or
        scale_factor: a number, or one per axis. One of the two must be given.
        mode: "nearest", "nearest-exact", "linear", "cubic" or "area".
        align_corners: whether the centres of the corner pixels stay corners (True), or their outer
            edges (False); for linear and cubic.

    Returns:
        (batch, channels, *out size), differentiable.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        ``torch.nn.functional.interpolate``; for cubic, Keys (1981) with a = −0.75. For nearest,
        positions are rounded as by torch's 2-D kernels and by all its backward passes; its forward
        passes in 1-D and 3-D round otherwise at some sizes. Taught in "Interpolation".

    Example:
        >>> x = torch.tensor([[[1.0, 5.0]]])
        >>> interpolate(x, scale_factor=2)
        tensor([[[1., 1., 5., 5.]]])
        >>> interpolate(x, scale_factor=2, mode="linear")
        tensor([[[1., 2., 4., 5.]]])
        >>> interpolate(x, size=5, mode="linear", align_corners=True)
        tensor([[[1., 2., 3., 4., 5.]]])
    """
    _check_image("x", x)
    matrices = _matrices(tuple(x.shape[2:]), size, scale_factor, mode, align_corners)
    return _multiply(matrices, x)


def interpolate_adjoint(
    y: torch.Tensor,
    input_shape: PerAxis,
    *,
    size: PerAxis | None = None,
    scale_factor: ScaleFactor | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> torch.Tensor:
    """The adjoint of :func:`interpolate`: what its backward pass makes of a gradient y.

    Args:
        y: (batch, channels, *out size), of a floating dtype, which the result has too.
        input_shape: spatial size of the images that were interpolated: an integer (one axis) or
            one per axis.
        size, scale_factor, mode, align_corners: as :func:`interpolate`.

    Returns:
        (batch, channels, *input_shape), differentiable.

    Raises:
        ValueError: as :func:`interpolate`, and for a y of another size than it returns.

    Source:
        Taught in "Interpolation".

    Example:
        >>> y = torch.tensor([[[1.0, 10.0, 100.0, 1000.0]]])
        >>> interpolate_adjoint(y, 2, scale_factor=2)
        tensor([[[  11., 1100.]]])
    """
    _check_image("y", y)
    matrices = _matrices(input_shape, size, scale_factor, mode, align_corners)
    wanted = tuple(matrix.shape[0] for matrix in matrices)
    if tuple(y.shape[2:]) != wanted:
        raise ValueError(
            f"y: got shape {tuple(y.shape)}; want (batch, channels, {', '.join(map(str, wanted))}),"
            f" the size to which {input_shape} is interpolated"
        )
    return _multiply([matrix.T for matrix in matrices], y)


def interpolation_matrix(
    input_shape: PerAxis,
    *,
    size: PerAxis | None = None,
    scale_factor: ScaleFactor | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
    dense: bool = False,
) -> sparse.csr_array | np.ndarray:
    """The matrix M of :func:`interpolate`: ``M @ x.ravel()`` is the interpolated x, ravelled.

    Args:
        input_shape: spatial size: an integer (one axis) or one per axis.
        size, scale_factor, mode, align_corners: as :func:`interpolate`.
        dense: return a NumPy array in place of a SciPy sparse array.

    Returns:
        M with prod(out size) rows and prod(input_shape) columns, in float64; every row sums to 1.

    Raises:
        ValueError: as :func:`interpolate`.

    Source:
        Taught in "Interpolation".

    Example:
        >>> interpolation_matrix(2, scale_factor=2, mode="linear", dense=True)
        array([[1.  , 0.  ],
               [0.75, 0.25],
               [0.25, 0.75],
               [0.  , 1.  ]])
    """
    matrices = _matrices(input_shape, size, scale_factor, mode, align_corners)
    matrix = reduce(partial(sparse.kron, format="csr"), matrices)
    return matrix.toarray() if dense else sparse.csr_array(matrix)


def _matrices(input_shape, size, scale_factor, mode, align_corners) -> list[sparse.csr_array]:
    """The checked settings as one matrix for each axis."""
    axes = axes_of("input_shape", input_shape)
    input_shape = per_axis("input_shape", input_shape, axes, 1)
    if mode not in MODES:
        raise ValueError(
            f"mode: got {mode!r}; want {', '.join(MODES[:-1])} or {MODES[-1]}, on 1 to 3 axes"
        )
    if not isinstance(align_corners, bool):
        raise ValueError(f"align_corners: got {align_corners!r}; want True or False")
    if align_corners and mode not in ("linear", "cubic"):
        raise ValueError(
            f"align_corners: got True with mode {mode!r}; want False, or linear or cubic"
        )
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"size: got {size!r} with scale_factor {scale_factor!r}; want one of the two, and the "
            "other None"
        )
    if size is not None:
        factors = [None] * axes
        out_size = per_axis("size", size, axes, 1)
    else:
        factors = _factors(scale_factor, axes)
        out_size = [int(i * factor) for i, factor in zip(input_shape, factors, strict=True)]
        if 0 in out_size:
            raise ValueError(
                f"scale_factor: got {scale_factor!r}, which takes {input_shape} to size "
                f"{tuple(out_size)}; want a factor that leaves at least 1"
            )
    return [
        _axis_matrix(i, o, factor, mode, align_corners)
        for i, o, factor in zip(input_shape, out_size, factors, strict=True)
    ]


def _factors(scale_factor, axes: int) -> list[float]:
    factors = [scale_factor] * axes if isinstance(scale_factor, Real) else scale_factor
    if not isinstance(factors, Sequence) or len(factors) != axes:
        raise ValueError(
            f"scale_factor: got {scale_factor!r}; want one number, or {axes}, one per axis"
        )
    for factor in factors:
        positive = isinstance(factor, Real) and isfinite(factor) and factor > 0
        if not positive or isinstance(factor, bool):
            raise ValueError(f"scale_factor: got {factor!r}; want a finite number above 0")
    return [float(factor) for factor in factors]


def _axis_matrix(
    i: int, o: int, factor: float | None, mode: str, align_corners: bool
) -> sparse.csr_array:
    """Along one axis, the matrix by which each of o outputs reads its neighbours among i inputs."""
    if mode == "area":
        entries = _window_means(i, o)
    elif mode in ("nearest", "nearest-exact"):
        entries = _copies(i, o, _step(i, o, factor, mode), 0.5 if mode == "nearest-exact" else 0.0)
    else:
        outputs = np.arange(o)
        if align_corners:
            positions = outputs * ((i - 1) / max(o - 1, 1))
        else:
            positions = (outputs + 0.5) * _step(i, o, factor, mode) - 0.5
        entries = _neighbours(i, positions, *_KERNEL[mode])
    rows, columns, weights = entries
    matrix = sparse.csr_array((weights, (rows, columns)), shape=(o, i))  # adds up double entries
    matrix.eliminate_zeros()
    return matrix


def _step(i: int, o: int, factor: float | None, mode: str) -> float:
    """The distance of two samples, in input pixels."""
    plain = {"nearest": (i, 2 * i), "linear": (i,)}.get(mode, ())
    return i / o if factor is None or o in plain else 1 / factor


def _window_means(i: int, o: int) -> tuple[np.ndarray, ...]:
    """Output m is the mean of the inputs that the interval from m·i/o to (m + 1)·i/o touches."""
    outputs = np.arange(o)
    starts, stops = outputs * i // o, -(-(outputs + 1) * i // o)
    rows = np.repeat(outputs, stops - starts)
    columns = np.concatenate([np.arange(*window) for window in zip(starts, stops, strict=True)])
    return rows, columns, 1 / (stops - starts)[rows]


def _copies(i: int, o: int, step: float, offset: float) -> tuple[np.ndarray, ...]:
    """Output m is the input ⌊(m + offset)·step⌋, computed in single precision, as in torch."""
    outputs = np.arange(o)
    positions = (outputs + offset).astype(np.float32) * np.float32(step)
    return outputs, np.minimum(positions.astype(int), i - 1), np.ones(o)


def _neighbours(i: int, positions: np.ndarray, reach: int, kernel) -> tuple[np.ndarray, ...]:
    """Outputs at these positions weigh the inputs within reach by distance; the border repeats."""
    columns = np.floor(positions).astype(int)[:, None] + np.arange(1 - reach, 1 + reach)
    weights = kernel(np.abs(positions[:, None] - columns))
    rows = np.broadcast_to(np.arange(len(positions))[:, None], columns.shape)
    return rows.ravel(), columns.clip(0, i - 1).ravel(), weights.ravel()


def _hat(distance: np.ndarray) -> np.ndarray:
    return 1 - distance


def _keys(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """The cubic convolution kernel of Keys (1981), equations 4 and 8; torch's a is −0.75."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d**2 + 1
    far = ((d - 5) * d + 8) * a * d - 4 * a
    return np.where(d <= 1, near, far)


_KERNEL = {"linear": (1, _hat), "cubic": (2, _keys)}  # how many neighbours on each side, weights


def _multiply(matrices: Sequence[sparse.sparray], x: torch.Tensor) -> torch.Tensor:
    """Every axis of x times its matrix. Only nonzero entries are multiplied: 0 · ∞ is not made."""
    for axis, matrix in enumerate(matrices, start=2):
        entries = matrix.tocoo()
        rows, columns = (torch.as_tensor(index, device=x.device).long() for index in entries.coords)
        weights = torch.as_tensor(entries.data, device=x.device, dtype=x.dtype)
        products = x.index_select(axis, columns) * weights.reshape(-1, *[1] * (x.ndim - 1 - axis))
        shape = [*x.shape[:axis], matrix.shape[0], *x.shape[axis + 1 :]]
        x = x.new_zeros(shape).index_add(axis, rows, products)
    return x


def _check_image(name: str, image: object) -> None:
    check_tensors(**{name: image})
    if not image.is_floating_point():
        raise ValueError(f"{name}: got {image.dtype}; want a floating dtype")
    if not 3 <= image.ndim <= 5 or 0 in image.shape[2:]:
        raise ValueError(
            f"{name}: got shape {tuple(image.shape)}; want (batch, channels, *size) with 1 to 3 "
            "spatial axes, none of size 0"
        )
