"""TensorFlow: tf.nn.conv{1,2,3}d_transpose.

Data is (batch, *size, channels), the filters (*kernel, out, in). There is no output_padding:
one passes the output shape, and must. Padding is "SAME" or "VALID", in 2-D also explicit pairs.
There are no groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from upconv.frameworks.shared import (
    call,
    channels_last,
    check_arrays,
    crops,
    from_channels_last,
    from_crops,
    plain,
    said,
    want_less_than_stride,
    want_one_group,
)
from upconv.geometry import Geometry, PerAxis, per_axis

if TYPE_CHECKING:
    import tensorflow

__all__ = ["code", "geometry_of", "read", "words", "write"]

NAME = "TensorFlow"
LAYOUT = "(*kernel, out, in)"


def geometry_of(
    kernel_size: PerAxis,
    input_size: PerAxis,
    output_size: PerAxis,
    strides: PerAxis = 1,
    padding: str | Sequence[Sequence[int]] = "SAME",
    dilations: PerAxis | None = None,
) -> Geometry:
    """The geometry of tf.nn.conv{1,2,3}d_transpose with these spatial sizes and arguments.

    The output is the input of the convolution that is transposed, so "SAME" is that of the
    convolution from ``output_size`` to ``input_size``: with T = (i − 1)s + d(k − 1) + 1 − o it
    crops T // 2 before and the rest after; "VALID" crops nothing before.

    Args:
        kernel_size: k.
        input_size: i; TensorFlow reads it off the input.
        output_size: o, the spatial part of ``output_shape``.
        strides: s.
        padding: "SAME", "VALID", or (2-D only) the pairs [[0, 0], [top, bottom], [left, right],
            [0, 0]].
        dilations: d.

    Raises:
        ValueError: where the convolution does not take ``output_size`` to ``input_size``, as
            TensorFlow refuses it too.

    Source:
        https://www.tensorflow.org/api_docs/python/tf/nn/conv2d_transpose; found by trial on
        all small settings, and tested against TensorFlow on them.

    Example:
        >>> [geometry_of(3, 14, o, strides=2).padding for o in (27, 28)]
        [((1, 1),), ((0, 1),)]
    """
    bare = Geometry(kernel_size, strides, dilation=1 if dilations is None else dilations)
    small = per_axis("input_size", input_size, bare.axes, 1)
    large = per_axis("output_size", output_size, bare.axes, 1)
    explicit = _pairs(padding, bare.axes)
    cut = []
    for axis, (i, o, reach, s) in enumerate(
        zip(small, large, bare.reach, bare.stride, strict=True)
    ):
        total = (i - 1) * s + reach - o
        if explicit is not None:
            before, after = explicit[axis]
            fits = o + before + after >= reach and (o + before + after - reach) // s + 1 == i
        elif padding == "SAME":
            before, fits = max(total, 0) // 2, -(-o // s) == i
        else:
            before, fits = 0, o >= reach and (o - reach) // s + 1 == i
        if not fits:
            raise ValueError(
                f"output_size: got {o} for an input of {i}; want a size that the convolution "
                f"with padding {padding!r} and stride {s} takes to {i}"
            )
        cut.append((before, total - before))
    return from_crops(bare, tuple(cut))


def words(geometry: Geometry, input_size: PerAxis) -> dict[str, object]:
    """The arguments of tf.nn.conv{1,2,3}d_transpose, spatial output size and all.

    Returns:
        ``output_size`` (the spatial part of output_shape), strides, padding, ``dilations`` if
        not 1, and ``crop`` if no padding says it (1-D and 3-D have no explicit one): what must
        be cut off the result afterwards, (before, after) per axis.

    Raises:
        ValueError: for groups, output_padding not smaller than the stride, or padding that
            leaves nothing.

    Example:
        >>> words(Geometry((3, 3), stride=2, padding=((0, 1), (0, 1))), 14)
        {'output_size': (28, 28), 'strides': 2, 'padding': 'SAME'}
        >>> words(Geometry((3, 3), stride=2, padding=1, output_padding=1), 14)["padding"]
        [[0, 0], [1, 0], [1, 0], [0, 0]]
    """
    _refuse(geometry)
    wanted = crops(geometry)
    input_size = per_axis("input_size", input_size, geometry.axes, 1)
    output_size = geometry.transposed_shape(input_size)
    choices: list = ["SAME", "VALID"]
    if geometry.axes == 2:
        choices.append([[0, 0], *([before, max(after, 0)] for before, after in wanted), [0, 0]])
    for padding in choices:
        if _says(padding, geometry, input_size, output_size):
            crop = ((0, 0),) * geometry.axes
            break
    else:
        # Everything that VALID computes, then a slice.
        padding, crop = "VALID", tuple((before, max(after, 0)) for before, after in wanted)
        output_size = tuple(
            size + before + after for size, (before, after) in zip(output_size, crop, strict=True)
        )
    return {
        "output_size": output_size,
        "strides": plain(geometry.stride),
        "padding": padding,
        **said(
            dilations=(plain(geometry.dilation), 1),
            crop=(crop, ((0, 0),) * geometry.axes),
        ),
    }


def code(geometry: Geometry, input_shape: PerAxis, channels: tuple[int, int]) -> str:
    """The call as one writes it: one expression in ``x`` and ``kernel``, for a batch of one.

    It needs ``import tensorflow as tf``; with dilation a CPU runs it only inside
    tf.function(jit_compile=True).

    Args:
        geometry: what the call shall compute.
        input_shape: spatial size of ``x``, (1, *input_shape, in).
        channels: (in, out).

    Raises:
        ValueError: as :func:`words`.

    Example:
        >>> code(Geometry((4, 4), stride=2, padding=1), 14, (3, 8))
        'tf.nn.conv2d_transpose(x, kernel, [1, 28, 28, 8], strides=2, padding="SAME")'
    """
    arguments = words(geometry, input_shape)
    crop = arguments.pop("crop", None)
    output_shape = [1, *arguments.pop("output_size"), channels[1]]
    function = f"tf.nn.conv{geometry.axes}d_transpose"
    result = call(function, "x", "kernel", str(output_shape), **arguments)
    if crop is None:
        return result
    slices = ", ".join(
        f"{before}:{size - after}"
        for size, (before, after) in zip(output_shape[1:-1], crop, strict=True)
    )
    return f"{result}[:, {slices}]"


def read(
    filters: np.ndarray,
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    strides: PerAxis,
    padding: str | Sequence[Sequence[int]] = "SAME",
    dilations: PerAxis | None = None,
) -> tuple[Geometry, np.ndarray, None]:
    """Geometry and weight of tf.nn.conv{1,2,3}d_transpose with these arguments.

    Args:
        filters: (*kernel, out, in), anything that NumPy reads.
        input_shape: shape of the input, (batch, *size, in).
        output_shape: (batch, *size, out), as TensorFlow takes it.
        strides, padding, dilations: as TensorFlow takes them, strides and dilations as one
            number or one per spatial axis.

    Returns:
        Geometry, weight (in, out, *kernel) as NumPy copy, and None: the call has no bias.

    Raises:
        ValueError: as :func:`geometry_of`.

    Source:
        https://www.tensorflow.org/api_docs/python/tf/nn/conv2d_transpose

    Example:
        >>> geometry, weight, _ = read(np.ones((3, 8, 5)), (1, 14, 5), (1, 28, 8), 2)
        >>> geometry.padding, weight.shape
        (((0, 1),), (5, 8, 3))
    """
    filters = np.asarray(filters)
    geometry = geometry_of(
        filters.shape[:-2],
        tuple(input_shape)[1:-1],
        tuple(output_shape)[1:-1],
        strides,
        padding,
        dilations,
    )
    return geometry, from_channels_last(filters).copy(), None


def write(
    geometry: Geometry, weight: np.ndarray, bias: np.ndarray | None = None
) -> Callable[[tensorflow.Tensor], tensorflow.Tensor]:
    """A function on TensorFlow tensors that computes exactly this transposed convolution.

    Args:
        geometry: one group, output_padding smaller than the stride.
        weight: (in, out, *kernel).
        bias: (out,) or None.

    Returns:
        A function from (batch, *size, in) to (batch, *size, out), of the weight's dtype. With
        dilation it is compiled by XLA: TensorFlow's own CPU kernels refuse that.

    Raises:
        ValueError: for what TensorFlow cannot say, or a weight or bias that does not fit.

    Source:
        https://www.tensorflow.org/api_docs/python/tf/nn/conv2d_transpose
    """
    import tensorflow as tf

    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    check_arrays(weight, bias, geometry)
    _refuse(geometry)
    kernel = channels_last(weight)
    transpose = getattr(tf.nn, f"conv{geometry.axes}d_transpose")

    def apply(x: tensorflow.Tensor) -> tensorflow.Tensor:
        arguments = words(geometry, tuple(x.shape[1:-1]))
        crop = arguments.pop("crop", ((0, 0),) * geometry.axes)
        size = arguments.pop("output_size")
        y = transpose(x, kernel, [x.shape[0], *size, weight.shape[1]], **arguments)
        inner = tuple(slice(b, n - a) for n, (b, a) in zip(size, crop, strict=True))
        y = y[(slice(None), *inner)]
        return y if bias is None else y + bias

    return tf.function(apply, jit_compile=True) if max(geometry.dilation) > 1 else apply


def _refuse(geometry: Geometry) -> None:
    want_one_group(geometry, NAME)
    want_less_than_stride([-after for _, after in crops(geometry)], geometry, NAME)


def _pairs(padding: object, axes: int) -> list[tuple[int, int]] | None:
    """The explicit padding of the spatial axes, or None for the two words."""
    if isinstance(padding, str):
        if padding in ("SAME", "VALID"):
            return None
    elif axes == 2 and len(padding) == 4:
        return [tuple(pair) for pair in padding[1:-1]]
    raise ValueError(
        f'padding: got {padding!r}; want "SAME" or "VALID", or in 2-D four pairs [[0, 0], '
        "[top, bottom], [left, right], [0, 0]]"
    )


def _says(padding: object, geometry: Geometry, input_size: tuple, output_size: tuple) -> bool:
    """Whether this padding gives just this geometry at these sizes."""
    try:
        said_so = geometry_of(
            geometry.kernel,
            input_size,
            output_size,
            geometry.stride,
            padding,
            geometry.dilation,
        )
    except ValueError:
        return False
    return crops(said_so) == crops(geometry)
