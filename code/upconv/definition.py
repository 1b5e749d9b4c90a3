"""Convolution and its transpose as the textbook defines them: slow, short, the judge of the rest.

Along each axis, tap t of the kernel connects position q of the small side with position
``q * stride + t * dilation - padding`` of the large side. The convolution reads the large side
and sums into the small one; the transposed convolution reads the small side and adds into the
large one, along the same connections and with the same weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from upconv.geometry import Geometry

__all__ = ["conv", "conv_transpose"]


def conv(
    x: np.ndarray, weight: np.ndarray, geometry: Geometry, bias: np.ndarray | None = None
) -> np.ndarray:
    """Convolution (cross-correlation, as in every framework) by loops.

    Args:
        x: input, (batch, channels, *size).
        weight: (out_channels, channels // groups, *kernel).
        geometry: stride, padding, dilation and groups; its output_padding plays no part.
        bias: (out_channels,) or None.

    Returns:
        (batch, out_channels, *geometry.output_shape(size)).

    Raises:
        ValueError: for shapes that do not match each other.

    Source:
        Dumoulin & Visin (2016), section 1.1. Taught in "A convolution is a matrix".

    Example:
        >>> x, ones = np.arange(5.0).reshape(1, 1, 5), np.ones((1, 1, 3))
        >>> conv(x, ones, Geometry(kernel=3))
        array([[[3., 6., 9.]]])
    """
    x, weight, bias = _checked(x, weight, geometry, bias, transposed=False)
    out_size = geometry.output_shape(x.shape[2:])
    y = np.zeros((len(x), len(weight), *out_size), np.result_type(x, weight))
    for small, tap, large in _connections(geometry, out_size, x.shape[2:]):
        for read, write in _groups(geometry, x.shape[1], len(weight)):
            y[:, write, *small] += x[:, read, *large] @ weight[write, :, *tap].T
    return y if bias is None else y + bias.reshape(-1, *[1] * geometry.axes)


def conv_transpose(
    x: np.ndarray, weight: np.ndarray, geometry: Geometry, bias: np.ndarray | None = None
) -> np.ndarray:
    """Transposed convolution by loops: each input value adds a scaled copy of the kernel.

    The weight is the very array of the convolution that is transposed; its first axis, the
    outputs of that convolution, are the inputs here.

    Args:
        x: input, (batch, channels, *size).
        weight: (channels, out_channels // groups, *kernel).
        geometry: stride, padding (cropped from the output), dilation, output_padding, groups.
        bias: (out_channels,) or None.

    Returns:
        (batch, out_channels, *geometry.transposed_shape(size)).

    Raises:
        ValueError: for shapes that do not match each other, or padding that leaves nothing.

    Source:
        Dumoulin & Visin (2016), chapter 4. Taught in "The transpose".

    Example:
        >>> x, kernel = np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 3.0]]])
        >>> conv_transpose(x, kernel, Geometry(kernel=3, stride=2))
        array([[[ 1.,  2., 13., 20., 30.]]])
    """
    x, weight, bias = _checked(x, weight, geometry, bias, transposed=True)
    out_size = geometry.transposed_shape(x.shape[2:])
    out_channels = weight.shape[1] * geometry.groups
    y = np.zeros((len(x), out_channels, *out_size), np.result_type(x, weight))
    for small, tap, large in _connections(geometry, x.shape[2:], out_size):
        for write, read in _groups(geometry, out_channels, x.shape[1]):
            y[:, write, *large] += x[:, read, *small] @ weight[read, :, *tap]
    return y if bias is None else y + bias.reshape(-1, *[1] * geometry.axes)


def _connections(
    geometry: Geometry, small_size: tuple[int, ...], large_size: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Every (position on the small side, tap, position on the large side) that are connected."""
    for small in np.ndindex(*small_size):
        for tap in np.ndindex(*geometry.kernel):
            large = tuple(
                q * s + t * d - before
                for q, s, t, d, (before, _) in zip(
                    small, geometry.stride, tap, geometry.dilation, geometry.padding, strict=True
                )
            )
            if all(0 <= m < size for m, size in zip(large, large_size, strict=True)):
                yield small, tap, large


def _groups(
    geometry: Geometry, large_channels: int, small_channels: int
) -> Iterator[tuple[slice, slice]]:
    """For each group, its channels on the large side and on the small side."""
    large, small = large_channels // geometry.groups, small_channels // geometry.groups
    for g in range(geometry.groups):
        yield slice(g * large, (g + 1) * large), slice(g * small, (g + 1) * small)


def _numbers(name, value):
    array = np.asarray(value)
    if array.dtype.kind in "bSUmM":  # the sum of truth values would be their "or"
        raise ValueError(f"{name}: got an array of {array.dtype}; want numbers")
    return array


def _checked(x, weight, geometry, bias, transposed):
    x, weight = _numbers("x", x), _numbers("weight", weight)
    bias = None if bias is None else _numbers("bias", bias)
    bias_shape = None if bias is None else bias.shape
    check_shapes(x.shape, weight.shape, geometry, bias_shape, transposed=transposed)
    return x, weight, bias


def weight_axes(weight_shape: tuple[int, ...], name: str = "weight") -> int:
    """How many spatial axes a weight has; refuses one that is none.

    Args:
        weight_shape: two channel axes, then the kernel's.
        name: what the caller calls the weight.

    Raises:
        ValueError: naming the weight, for anything but 1 to 3 spatial axes, or an empty axis.

    Example:
        >>> weight_axes((8, 4, 3, 3))
        2
    """
    if not 3 <= len(weight_shape) <= 5 or 0 in weight_shape:
        raise ValueError(
            f"{name}: got shape {weight_shape}; want two channel axes and a kernel of 1 to 3 axes, "
            "none of size 0"
        )
    return len(weight_shape) - 2


def check_weight(
    weight_shape: tuple[int, ...],
    geometry: Geometry,
    bias_shape: tuple[int, ...] | None = None,
    *,
    transposed: bool,
    name: str = "weight",
) -> None:
    """Refuse a weight, or a bias, that does not fit the geometry.

    Args:
        weight_shape: its first axis is the input's channels if ``transposed``, else the output's.
        geometry: gives kernel and groups.
        bias_shape: shape of the bias, None for none.
        transposed: which of the two operations is meant.
        name: what the caller calls the weight.

    Raises:
        ValueError: naming the weight, ``groups`` or ``bias``, what came and what is wanted.

    Example:
        >>> check_weight((3, 8, 5), Geometry(kernel=3), transposed=True)
        Traceback (most recent call last):
        ValueError: weight: got shape (3, 8, 5); want two channel axes and the kernel (3,)
    """
    groups = geometry.groups
    if len(weight_shape) != geometry.axes + 2 or weight_shape[2:] != geometry.kernel:
        raise ValueError(
            f"{name}: got shape {weight_shape}; want two channel axes and the kernel "
            f"{geometry.kernel}"
        )
    if 0 in weight_shape:
        raise ValueError(f"{name}: got shape {weight_shape}; want no axis of size 0")
    if weight_shape[0] % groups:
        raise ValueError(
            f"groups: got {groups} for a {name} of shape {weight_shape}; want a divisor of "
            f"its first axis, {weight_shape[0]}"
        )
    out_channels = weight_shape[1] * groups if transposed else weight_shape[0]
    if bias_shape is not None and bias_shape != (out_channels,):
        raise ValueError(f"bias: got shape {bias_shape}; want ({out_channels},)")


def check_shapes(
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    geometry: Geometry,
    bias_shape: tuple[int, ...] | None = None,
    *,
    transposed: bool,
    names: tuple[str, str] = ("x", "weight"),
) -> None:
    """Refuse an input and a weight that do not fit each other or the geometry.

    Args:
        x_shape: shape of the input, (batch, channels, *size).
        weight_shape: shape of the weight; its first axis is the input's channels if
            ``transposed``, else its second times the groups.
        geometry: gives kernel and groups.
        bias_shape: shape of the bias, None for none.
        transposed: which of the two operations is meant.
        names: what the caller calls input and weight.

    Raises:
        ValueError: naming the input, or as :func:`check_weight`.

    Example:
        >>> check_shapes((1, 4, 9), (3, 2, 3), Geometry(3), transposed=True)
        Traceback (most recent call last):
        ValueError: x: got 4 channels in shape (1, 4, 9); want 3, for a weight of shape (3, 2, 3)
    """
    axes, groups, (x_name, weight_name) = geometry.axes, geometry.groups, names
    if len(x_shape) != axes + 2:
        raise ValueError(
            f"{x_name}: got shape {x_shape}; want (batch, channels) and {axes} spatial axes"
        )
    if 0 in x_shape[1:]:
        raise ValueError(f"{x_name}: got shape {x_shape}; want no axis of size 0 but the batch")
    check_weight(weight_shape, geometry, bias_shape, transposed=transposed, name=weight_name)
    channels = weight_shape[0] if transposed else weight_shape[1] * groups
    if x_shape[1] != channels:
        raise ValueError(
            f"{x_name}: got {x_shape[1]} channels in shape {x_shape}; want {channels}, for a "
            f"{weight_name} of shape {weight_shape}"
            + (f" in {groups} groups" if groups > 1 else "")
        )
