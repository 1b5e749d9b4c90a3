"""Keras: keras.layers.Conv{1,2,3}DTranspose, the layer for tf.nn.conv2d_transpose.

Data is (batch, *size, channels), the kernel (*kernel, out, in). Padding is a word: "valid" crops
nothing, "same" makes the output strides times the input; a Cropping layer can cut off any rest.
There are no groups, and no dilation together with strides.

Keras has no unpooling layer: :func:`max_pool_with_indices` and :func:`max_unpool` are the two
functions that it takes, written in ``keras.ops`` alone, so that they run on every backend.
"""

from __future__ import annotations

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
    import keras
    from keras import KerasTensor

__all__ = [
    "code",
    "geometry_of",
    "max_pool_with_indices",
    "max_unpool",
    "read",
    "words",
    "write",
]

NAME = "Keras"
LAYOUT = "(*kernel, out, in)"


def geometry_of(
    kernel_size: PerAxis,
    strides: PerAxis = 1,
    padding: str = "valid",
    output_padding: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
) -> Geometry:
    """The geometry of a Keras transposed convolution with these arguments, in Keras's order.

    With K = d(k − 1) + 1, "same" crops K − s in all, half of it before, rounded down; with an
    output_padding a it crops K − K mod 2 − a instead. "valid" crops nothing; without an
    output_padding it makes the output no smaller than (i − 1)s + s.

    Raises:
        ValueError: for what Keras refuses too: another word, output_padding not smaller than
            the stride, dilation with a stride.

    Source:
        https://keras.io/api/layers/convolution_layers/convolution2d_transpose/; found by trial
        on all small settings, and tested against Keras on them.

    Example:
        >>> same = geometry_of(3, strides=2, padding="same")
        >>> same.padding, same.transposed_shape(14)
        (((0, 1),), (28,))
    """
    bare = Geometry(kernel_size, strides, dilation=dilation_rate)
    if padding not in ("valid", "same"):
        raise ValueError(f'padding: got {padding!r}; want "valid" or "same"')
    _refuse_dilation_with_stride(bare)
    if output_padding is None:
        more = (None,) * bare.axes
    else:
        # Without dilation, Geometry too wants output_padding to be smaller than the stride.
        more = Geometry(bare.kernel, bare.stride, output_padding=output_padding).output_padding
    cut = []
    for reach, s, a in zip(bare.reach, bare.stride, more, strict=True):
        if padding == "valid":
            cut.append((0, min(reach - s, 0) if a is None else -a))
        else:
            total = reach - s if a is None else reach - reach % 2 - a
            before = max(total // 2, 0)
            cut.append((before, total - before))
    return from_crops(bare, tuple(cut))


def words(geometry: Geometry) -> dict[str, object]:
    """The arguments of keras.layers.Conv{1,2,3}DTranspose, without those at their default.

    Returns:
        Names and values, and, if neither word says it, ``crop``: what must be cut off the
        result afterwards, (before, after) per axis.

    Raises:
        ValueError: for groups, dilation with a stride, or output_padding not smaller than it.

    Example:
        >>> words(Geometry((3, 3), stride=2, padding=((0, 1), (0, 1))))
        {'kernel_size': 3, 'strides': 2, 'padding': 'same'}
        >>> words(Geometry(3, stride=2, padding=1, output_padding=1))
        {'kernel_size': 3, 'strides': 2, 'crop': ((1, 0),)}
    """
    want_one_group(geometry, NAME)
    _refuse_dilation_with_stride(geometry)
    wanted = crops(geometry)
    added = tuple(max(-after, 0) for _, after in wanted)
    want_less_than_stride(added, geometry, NAME)
    by_default = tuple(
        max(s - reach, 0) for reach, s in zip(geometry.reach, geometry.stride, strict=True)
    )
    choices = [("valid", None), ("same", None)]
    odd = tuple(reach % 2 for reach in geometry.reach)
    same_added = tuple(
        reach - one - before - after
        for reach, one, (before, after) in zip(geometry.reach, odd, wanted, strict=True)
    )
    # Not 0 with an even kernel: on that the TensorFlow backend fails.
    if all(
        0 <= a < s and a + one for a, s, one in zip(same_added, geometry.stride, odd, strict=True)
    ):
        choices.append(("same", same_added))
    choices.append(("valid", None if added == by_default else added))
    for padding, output_padding in choices:
        cut = crops(
            geometry_of(
                geometry.kernel, geometry.stride, padding, output_padding, geometry.dilation
            )
        )
        if cut == wanted:
            break
    crop = tuple(
        (before - b, after - a) for (before, after), (b, a) in zip(wanted, cut, strict=True)
    )
    return {
        "kernel_size": plain(geometry.kernel),
        **said(
            strides=(plain(geometry.stride), 1),
            padding=(padding, "valid"),
            output_padding=(output_padding and plain(output_padding), None),
            dilation_rate=(plain(geometry.dilation), 1),
            crop=(crop, ((0, 0),) * geometry.axes),
        ),
    }


def code(geometry: Geometry, input_shape: PerAxis, channels: tuple[int, int]) -> str:
    """The layer as one writes it: one expression that needs ``import keras``.

    Args:
        geometry: what the layer shall compute.
        input_shape: not looked at; here because other frameworks need it.
        channels: (in, out).

    Raises:
        ValueError: as :func:`words`.

    Example:
        >>> code(Geometry((4, 4), stride=2, padding=1), 14, (3, 8))
        'keras.layers.Conv2DTranspose(8, kernel_size=4, strides=2, padding="same")'
    """
    arguments = words(geometry)
    crop = arguments.pop("crop", None)
    layer = call(f"keras.layers.Conv{geometry.axes}DTranspose", str(channels[1]), **arguments)
    if crop is None:
        return layer
    cropping = call(f"keras.layers.Cropping{geometry.axes}D", repr(_cropping(crop)))
    return f"keras.Sequential([{layer}, {cropping}])"


def read(layer: keras.Layer) -> tuple[Geometry, np.ndarray, np.ndarray | None]:
    """Geometry, weight and bias of a built keras.layers.Conv{1,2,3}DTranspose.

    The layer's activation is no part of the transposed convolution, and is not read.

    Returns:
        Geometry, weight (in, out, *kernel), and bias (out,) or None: NumPy copies.

    Raises:
        ValueError: for any other layer, or one that has not been built.

    Source:
        https://keras.io/api/layers/convolution_layers/convolution2d_transpose/
    """
    import keras

    kinds = tuple(getattr(keras.layers, f"Conv{axes}DTranspose") for axes in (1, 2, 3))
    if not isinstance(layer, kinds):
        raise ValueError(f"layer: got {type(layer).__name__}; want a keras Conv…DTranspose")
    if not layer.built:
        raise ValueError("layer: got one without weights; want one that has been built")
    geometry = geometry_of(
        layer.kernel_size, layer.strides, layer.padding, layer.output_padding, layer.dilation_rate
    )
    kernel, *bias = layer.get_weights()
    return geometry, from_channels_last(kernel).copy(), bias[0].copy() if bias else None


def write(geometry: Geometry, weight: np.ndarray, bias: np.ndarray | None = None) -> keras.Layer:
    """A built Keras layer that computes exactly this transposed convolution.

    Args:
        geometry: one group, and dilation only without stride.
        weight: (in, out, *kernel); the layer takes over its dtype.
        bias: (out,) or None.

    Returns:
        keras.layers.Conv{1,2,3}DTranspose; a keras.Sequential of it and a Cropping where
        neither "same" nor "valid" is what the padding says. Input (batch, *size, in).

    Raises:
        ValueError: for what Keras cannot say, or a weight or bias that does not fit.

    Source:
        https://keras.io/api/layers/convolution_layers/convolution2d_transpose/
    """
    import keras

    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    arguments = words(geometry)
    check_arrays(weight, bias, geometry)
    crop = arguments.pop("crop", None)
    layer = getattr(keras.layers, f"Conv{geometry.axes}DTranspose")(
        weight.shape[1],
        **arguments,
        data_format="channels_last",
        use_bias=bias is not None,
        kernel_initializer="zeros",
        dtype=str(weight.dtype),
    )
    layer.build((None, *[None] * geometry.axes, weight.shape[0]))
    layer.set_weights([channels_last(weight), *([] if bias is None else [bias])])
    if crop is None:
        return layer
    cropping = getattr(keras.layers, f"Cropping{geometry.axes}D")(
        _cropping(crop),
        dtype=str(weight.dtype),
        # Cropping1D knows no other.
        **({"data_format": "channels_last"} if geometry.axes > 1 else {}),
    )
    return keras.Sequential([layer, cropping])


def max_pool_with_indices(x: KerasTensor, pool_size: int = 2) -> tuple[KerasTensor, KerasTensor]:
    """Max pooling that also says where the maxima stood: in Keras, on any of its backends.

    Windows do not overlap, and what does not fill a window is left out, as with MaxPooling2D. An
    index counts along the rows of one channel, row × width + column, as torch counts. Among equal
    values the first is taken, in the gradient too.

    Args:
        x: (batch, height, width, channels), a tensor of the backend or a KerasTensor; the batch
            may be unknown.
        pool_size: side of the window, and the stride.

    Returns:
        Values and indices, both (batch, height // pool_size, width // pool_size, channels).

    Raises:
        ValueError: for another number of axes, an unknown size, or a pool_size out of range.

    Source:
        tensorflow#2169. Taught in "Pooling backwards".
    """
    from keras import ops

    height, width = _size(x)
    s = per_axis("pool_size", pool_size, 1, 1)[0]
    rows, columns, channels = height // s, width // s, x.shape[3]
    if rows == 0 or columns == 0:
        raise ValueError(f"pool_size: got {s}; want at most the size of x, {height}×{width}")
    windows = ops.reshape(x[:, : rows * s, : columns * s], (-1, rows, s, columns, s, channels))
    windows = ops.transpose(windows, (0, 1, 3, 2, 4, 5))
    windows = ops.reshape(windows, (-1, rows, columns, s * s, channels))
    tap = ops.argmax(windows, axis=3)
    values = ops.take_along_axis(windows, ops.expand_dims(tap, 3), axis=3)[:, :, :, 0]
    corner = s * (np.arange(rows)[:, None] * width + np.arange(columns))[:, :, None]
    tap = ops.cast(tap, "int32")
    return values, tap // s * width + tap % s + ops.convert_to_tensor(corner, "int32")


def max_unpool(
    values: KerasTensor, indices: KerasTensor, size: int | tuple[int, int], pool_size: int = 2
) -> KerasTensor:
    """Unpooling by indices, in Keras: upsampling that keeps a value only where its index says.

    Args:
        values: (batch, rows, columns, channels), those of the pooling or others in their place.
        indices: of :func:`max_pool_with_indices`, of the same shape.
        size: height and width of what was pooled.
        pool_size: of the pooling.

    Returns:
        (batch, height, width, channels): each value where its index says, and zeros elsewhere.

    Raises:
        ValueError: for shapes that differ, or a size that is not pooled to that of values.

    Source:
        tensorflow#2169; Zeiler & Fergus (2014) and SegNet (2017) use it. Taught in "Pooling
        backwards".
    """
    from keras import ops

    height, width = per_axis("size", size, 2, 1)
    s = per_axis("pool_size", pool_size, 1, 1)[0]
    rows, columns = _size(values)
    if tuple(values.shape[1:]) != tuple(indices.shape[1:]):
        raise ValueError(f"indices: got shape {indices.shape}; want {values.shape}, as values have")
    if (height // s, width // s) != (rows, columns):
        raise ValueError(
            f"size: got {(height, width)}; want one that pool_size {s} takes to {(rows, columns)}"
        )
    place = ops.reshape(ops.arange(height * width, dtype="int32"), (1, height, width, 1))
    rest = ((0, 0), (0, height - rows * s), (0, width - columns * s), (0, 0))
    spread, marked = (
        ops.pad(ops.repeat(ops.repeat(tensor, s, axis=1), s, axis=2), rest)
        for tensor in (values, indices)
    )
    return ops.where(ops.equal(place, marked), spread, 0)


def _size(x: KerasTensor) -> tuple[int, int]:
    if len(x.shape) != 4 or None in x.shape[1:]:
        raise ValueError(
            f"x: got shape {tuple(x.shape)}; want (batch, height, width, channels), known but for "
            "the batch"
        )
    return x.shape[1], x.shape[2]


def _cropping(crop: tuple[tuple[int, int], ...]) -> tuple:
    """The argument of a Keras Cropping layer: a bare pair in 1-D, else a pair per axis."""
    return crop[0] if len(crop) == 1 else crop


def _refuse_dilation_with_stride(geometry: Geometry) -> None:
    if max(geometry.dilation) > 1 and max(geometry.stride) > 1:
        raise ValueError(
            f"dilation: got {geometry.dilation} with stride {geometry.stride}; want 1 on every "
            "axis where any stride is above 1: Keras does not take both"
        )
