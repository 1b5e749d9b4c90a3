"""Pooling and its exact gradients, zero insertion, unpooling by indices.

All on torch tensors of shape (batch, channels, *size) with 1 to 3 spatial axes, on any device, and
differentiable. The windows lie as those of a convolution with the same geometry; its groups and
its output_padding play no part in pooling, which has no weights and goes one way.
Taught in the chapter "Pooling backwards".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import torch
from torch.nn import functional as F

from upconv.geometry import Geometry, PerAxis, per_axis

__all__ = [
    "average_pool",
    "average_pool_gradient",
    "insert_zeros",
    "max_pool",
    "max_pool_gradient",
    "max_unpool",
    "sum_pool",
    "sum_pool_gradient",
]


def sum_pool(x: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    """The sum of each window; padding counts as zero.

    Args:
        x: (batch, channels, *size).
        geometry: kernel, stride, padding, dilation.

    Returns:
        (batch, channels, *geometry.output_shape(size)).

    Raises:
        ValueError: for an x that is no floating-point tensor, or that the geometry does not fit.

    Source:
        A convolution with a kernel of ones in each channel. Taught in "Pooling backwards".

    Example:
        >>> sum_pool(torch.arange(6.0).reshape(1, 1, 6), Geometry(2, stride=2))
        tensor([[[1., 5., 9.]]])
    """
    _check("x", x, geometry.axes)
    return sum(_taps(x, geometry, 0))


def average_pool(x: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    """The sum of each window, divided by the size of the kernel: zeros of the padding count.

    So it is with torch's default, ``count_include_pad=True``. Keras and TensorFlow divide by the
    number of inputs in the window, which is another number where padding lies under it.

    Args:
        x, geometry: as :func:`sum_pool`.

    Raises:
        ValueError: as :func:`sum_pool`.

    Source:
        ``torch.nn.functional.avg_pool2d``. Taught in "Pooling backwards".

    Example:
        >>> average_pool(torch.arange(6.0).reshape(1, 1, 6), Geometry(2, stride=2))
        tensor([[[0.5000, 2.5000, 4.5000]]])
    """
    return sum_pool(x, geometry) / prod(geometry.kernel)


def max_pool(x: torch.Tensor, geometry: Geometry) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest value of each window, and where it stood.

    The index counts along the rows of the unpadded input, in each channel from 0. Among equal
    values the first one is taken; a NaN is larger than everything, and the last one is taken.

    Args:
        x, geometry: as :func:`sum_pool`; padding is never the largest.

    Returns:
        Values and indices (int64), both (batch, channels, *geometry.output_shape(size)).

    Raises:
        ValueError: as :func:`sum_pool`, and for a window that sees nothing but padding.

    Source:
        ``torch.nn.functional.max_pool2d`` with ``return_indices=True``. Taught in "Pooling
        backwards".

    Example:
        >>> max_pool(torch.tensor([[[1.0, 7.0, 3.0, 3.0]]]), Geometry(2, stride=2))
        (tensor([[[7., 3.]]]), tensor([[[1, 2]]]))
    """
    _check("x", x, geometry.axes)
    out = geometry.output_shape(tuple(x.shape[2:]))
    numbered = torch.arange(prod(x.shape[2:]), device=x.device).reshape(1, 1, *x.shape[2:])
    best = x.new_zeros(*x.shape[:2], *out)
    indices = torch.full_like(best, -1, dtype=torch.int64)
    seen = zip(_taps(x.detach(), geometry, 0), _taps(numbered, geometry, -1), strict=True)
    for value, place in seen:
        better = (place >= 0) & ((indices < 0) | (value > best) | value.isnan())
        best, indices = torch.where(better, value, best), torch.where(better, place, indices)
    if (indices < 0).any():
        raise ValueError(
            f"padding: got {geometry.padding}, under which a window of kernel {geometry.kernel} "
            f"sees nothing of an input of shape {tuple(x.shape[2:])}; want less padding"
        )
    return x.flatten(2).gather(2, indices.flatten(2)).reshape(best.shape), indices


def sum_pool_gradient(
    gradient: torch.Tensor, geometry: Geometry, input_shape: PerAxis
) -> torch.Tensor:
    """What sum pooling passes back: each gradient, added to every input of its window.

    Without overlap and padding, kernel = stride, that is nearest upsampling.

    Args:
        gradient: with respect to the output of :func:`sum_pool`, (batch, channels, *out).
        geometry: of the pooling.
        input_shape: spatial size of its input; an integer stands for every axis.

    Returns:
        The gradient with respect to the input, (batch, channels, *input_shape).

    Raises:
        ValueError: for a gradient that is not of the pooling's output size, or no floating-point
            tensor; and where the geometry does not fit the input_shape.

    Source:
        Claim nearest-is-sum-pool-gradient. Taught in "Pooling backwards".

    Example:
        >>> sum_pool_gradient(torch.tensor([[[1.0, 2.0]]]), Geometry(2, stride=2), 4)
        tensor([[[1., 1., 2., 2.]]])
    """
    _check("gradient", gradient, geometry.axes)
    size = per_axis("input_shape", input_shape, geometry.axes, 1)
    out = geometry.output_shape(size)
    if gradient.shape[2:] != out:
        raise ValueError(
            f"gradient: got shape {tuple(gradient.shape)}; want (batch, channels, "
            f"{', '.join(map(str, out))}), the output size of an input of shape {size}"
        )
    around = zip(size, geometry.padding, strict=True)
    padded = gradient.new_zeros(*gradient.shape[:2], *(i + b + a for i, (b, a) in around))
    for window in _windows(geometry, out):
        padded[:, :, *window] += gradient
    inside = zip(size, geometry.padding, strict=True)
    return padded[:, :, *(slice(before, before + i) for i, (before, _) in inside)]


def average_pool_gradient(
    gradient: torch.Tensor, geometry: Geometry, input_shape: PerAxis
) -> torch.Tensor:
    """What average pooling passes back: that of sum pooling, divided by the size of the kernel.

    Args:
        gradient, geometry, input_shape: as :func:`sum_pool_gradient`.

    Raises:
        ValueError: as :func:`sum_pool_gradient`.

    Source:
        Claim avgpool-gradient-is-upsampling. Taught in "Pooling backwards".

    Example:
        >>> average_pool_gradient(torch.tensor([[[1.0, 2.0]]]), Geometry(2, stride=2), 4)
        tensor([[[0.5000, 0.5000, 1.0000, 1.0000]]])
    """
    return sum_pool_gradient(gradient, geometry, input_shape) / prod(geometry.kernel)


def max_pool_gradient(
    gradient: torch.Tensor, indices: torch.Tensor, input_shape: PerAxis
) -> torch.Tensor:
    """What max pooling passes back: each gradient, added where its window had its maximum.

    Args:
        gradient: with respect to the values of :func:`max_pool`, (batch, channels, *out).
        indices: of :func:`max_pool`, of the same shape.
        input_shape: spatial size of its input; an integer stands for every axis.

    Returns:
        The gradient with respect to the input, (batch, channels, *input_shape).

    Raises:
        ValueError: for a gradient that is no floating-point tensor, or indices that are not
            int64, of the gradient's shape, or inside the input.

    Source:
        Claim maxpool-gradient-is-not. Taught in "Pooling backwards".

    Example:
        >>> max_pool_gradient(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1, 2]]]), 4)
        tensor([[[0., 1., 2., 0.]]])
    """
    size = _check_indices("gradient", gradient, indices, "input_shape", input_shape)
    empty = gradient.new_zeros(*gradient.shape[:2], prod(size))
    return empty.scatter_add(2, indices.flatten(2), gradient.flatten(2)).unflatten(2, size)


def insert_zeros(x: torch.Tensor, stride: PerAxis, size: PerAxis | None = None) -> torch.Tensor:
    """Writes stride − 1 zeros between neighbours: the gradient of the slice ``x[::s, ::s]``.

    Args:
        x: (batch, channels, *size).
        stride: s; an integer stands for every axis.
        size: of the result, one of those that the slice takes to the size of x, from
            (i − 1)s + 1, which ends on the last value, to i·s; None for the smallest.

    Returns:
        (batch, channels, *size).

    Raises:
        ValueError: for an x that is no floating-point tensor of 1 to 3 spatial axes, or a stride
            or size out of range.

    Source:
        Dumoulin & Visin (2016), section 4.5; claim zero-insertion-is-max-pool-gradient. Taught in
        "Pooling backwards".

    Example:
        >>> x = torch.tensor([[[1.0, 2.0]]])
        >>> insert_zeros(x, 2), insert_zeros(x, 2, size=4)
        (tensor([[[1., 0., 2.]]]), tensor([[[1., 0., 2., 0.]]]))
    """
    axes = _check("x", x)
    slicing = Geometry((1,) * axes, per_axis("stride", stride, axes, 1))
    allowed = slicing.ambiguous_inputs(tuple(x.shape[2:]))
    if size is None:
        size = tuple(sizes[0] for sizes in allowed)
    size = _size_within(size, allowed)
    y = x.new_zeros(*x.shape[:2], *size)
    y[:, :, *(slice(None, None, s) for s in slicing.stride)] = x
    return y


def max_unpool(
    x: torch.Tensor,
    indices: torch.Tensor,
    geometry: Geometry,
    size: PerAxis | None = None,
) -> torch.Tensor:
    """Writes each value to the place that its index names, and zeros elsewhere.

    With overlapping windows an index may come twice. As in torch the value is then written, not
    added; what torch writes if the two values differ is left to chance, and refused here.

    Args:
        x: values, (batch, channels, *pooled); those of :func:`max_pool` or others in their place.
        indices: of :func:`max_pool`, of the same shape.
        geometry: of the pooling.
        size: of the result; None for ``geometry.transposed_shape(pooled)``, which is the size
            that was pooled for ``geometry.adjoint_to(size)``. Torch wants it less than a stride
            away from the size without output_padding, along each axis, and so does this.

    Returns:
        (batch, channels, *size).

    Raises:
        ValueError: for an x that is no floating-point tensor, a size out of this range, or
            indices that are not int64, of the shape of x, and inside the size; and for an index
            that comes twice in a channel with different values.

    Source:
        ``torch.nn.functional.max_unpool2d``; Zeiler & Fergus (2014) and SegNet (2017) use it.
        Taught in "Pooling backwards".

    Example:
        >>> values, indices = torch.tensor([[[7.0, 3.0]]]), torch.tensor([[[1, 2]]])
        >>> max_unpool(values, indices, Geometry(2, stride=2))
        tensor([[[0., 7., 3., 0.]]])
    """
    _check("x", x, geometry.axes)
    pooled = tuple(x.shape[2:])
    if size is None:
        size = geometry.transposed_shape(pooled)
    else:
        poolable = geometry.ambiguous_inputs(pooled)  # torch allows the stride's sizes below too
        near = [
            range(max(sizes.stop - 2 * s + 1, 1), sizes.stop)
            for sizes, s in zip(poolable, geometry.stride, strict=True)
        ]
        size = _size_within(size, near)
    _check_indices("x", x, indices, "size", size)
    empty, places, values = x.new_zeros(*x.shape[:2], prod(size)), indices.flatten(2), x.flatten(2)
    y = empty.scatter(2, places, values)
    written = y.gather(2, places)
    lost = (written != values) & ~(written.isnan() & values.isnan())
    if lost.any():
        raise ValueError(
            f"indices: got {int(places[lost][0])} twice in one channel with different values; want "
            "one value for each place, as max pooling gives"
        )
    return y.unflatten(2, size)


def _windows(geometry: Geometry, out: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """For each tap of the kernel, row by row, the padded inputs that it meets."""
    for tap in product(*map(range, geometry.kernel)):
        yield tuple(
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, o, s in zip(tap, geometry.dilation, out, geometry.stride, strict=True)
        )


def _taps(x: torch.Tensor, geometry: Geometry, outside: int) -> Iterator[torch.Tensor]:
    """For each tap of the kernel, what it meets in all the windows: (batch, channels, *out)."""
    margins = [margin for pair in reversed(geometry.padding) for margin in pair]
    out = geometry.output_shape(tuple(x.shape[2:]))
    padded = F.pad(x, margins, value=outside)
    for window in _windows(geometry, out):
        yield padded[:, :, *window]


def _check(name: str, x: object, axes: int | None = None) -> int:
    """The number of spatial axes of a floating-point tensor, which nothing else is taken for."""
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        got = x.dtype if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"{name}: got {got}; want a floating-point torch tensor")
    if x.ndim - 2 not in ((1, 2, 3) if axes is None else (axes,)):
        raise ValueError(
            f"{name}: got shape {tuple(x.shape)}; want (batch, channels) and {axes or '1 to 3'} "
            "spatial axes"
        )
    if 0 in x.shape[1:]:
        raise ValueError(
            f"{name}: got shape {tuple(x.shape)}; want no axis of size 0 but the batch"
        )
    return x.ndim - 2


def _check_indices(
    name: str, x: torch.Tensor, indices: object, size_name: str, size: PerAxis
) -> tuple[int, ...]:
    """The size per axis, once x and indices fit each other and the indices lie within it."""
    size = per_axis(size_name, size, _check(name, x), 1)
    if not isinstance(indices, torch.Tensor) or indices.dtype != torch.int64:
        got = indices.dtype if isinstance(indices, torch.Tensor) else type(indices).__name__
        raise ValueError(f"indices: got {got}; want a torch tensor of int64")
    if (indices.shape, indices.device) != (x.shape, x.device):
        raise ValueError(
            f"indices: got shape {tuple(indices.shape)} on {indices.device}; want "
            f"{tuple(x.shape)} on {x.device}, like {name}"
        )
    outside = indices[(indices < 0) | (indices >= prod(size))]
    if len(outside):
        raise ValueError(
            f"indices: got {int(outside[0])}; want 0 to {prod(size) - 1}, for {size_name} {size}"
        )
    return size


def _size_within(size: PerAxis, allowed: list[range]) -> tuple[int, ...]:
    size = per_axis("size", size, len(allowed), 1)
    for n, sizes in zip(size, allowed, strict=True):
        if n not in sizes:
            raise ValueError(f"size: got {n} along an axis; want {sizes[0]} to {sizes[-1]}")
    return size
