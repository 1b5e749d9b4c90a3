"""A transposed convolution in the words, layouts and numbers of each framework.

One file each for PyTorch, Keras, TensorFlow, JAX and ONNX, with the same functions:

- ``geometry_of(...)``: the framework's arguments as a :class:`upconv.Geometry`;
- ``words(geometry)``: the reverse, the arguments as one writes them there;
- ``code(geometry, input_shape, channels)``: the whole call as code;
- ``read(...)``: a layer there as (geometry, weight, bias), the weight in our layout;
- ``write(geometry, weight, bias)``: a layer there that computes exactly that.

Only ``read`` and ``write`` import the framework, and the unpooling of ``keras``. To take a layer
from one to another is ``torch.write(*keras.read(layer))``, with the files of this package.
"""

from __future__ import annotations

from typing import NamedTuple

from upconv.frameworks import jax, keras, onnx, tensorflow, torch
from upconv.frameworks.shared import crops
from upconv.geometry import Geometry, PerAxis

__all__ = ["Row", "Same", "jax", "keras", "onnx", "same_table", "table", "tensorflow", "torch"]

CHANNELS_FIRST = (torch, onnx)


class Row(NamedTuple):
    """How one framework says a geometry: see :func:`table`."""

    framework: str
    code: str
    weight: str
    output_shape: tuple[int, ...] | None
    note: str


def table(geometry: Geometry, input_shape: PerAxis, channels: tuple[int, int]) -> list[Row]:
    """One geometry in every framework's code: PyTorch, Keras, TensorFlow, JAX, ONNX.

    Args:
        geometry: what all of them shall compute.
        input_shape: spatial size of the input.
        channels: (in, out).

    Returns:
        Rows of the framework's name; the call as code; the layout in which it stores the
        weight; the shape of its output for a batch of one, in its own order of axes; and a
        note. Where a framework has no words for the geometry, code is empty, output_shape is
        None and the note says why. No framework needs to be installed.

    Raises:
        ValueError: for an input_shape that does not fit, or where nothing is left of it.

    Source:
        Each file's source. Taught in the chapter "Sizes".

    Example:
        >>> rows = table(Geometry((4,), stride=2, padding=1), input_shape=14, channels=(1, 8))
        >>> rows[1].output_shape
        (1, 28, 8)
        >>> print(rows[1].code)
        keras.layers.Conv1DTranspose(8, kernel_size=4, strides=2, padding="same")
    """
    size = geometry.transposed_shape(input_shape)
    rows = []
    for module in (torch, keras, tensorflow, jax, onnx):
        try:
            code, note = module.code(geometry, input_shape, channels), _note(module, geometry)
        except ValueError as error:
            rows.append(Row(module.NAME, "", module.LAYOUT, None, str(error)))
            continue
        shape = (channels[1], *size) if module in CHANNELS_FIRST else (*size, channels[1])
        layout = module.LAYOUT
        if module is jax and geometry.groups > 1:
            layout = jax.LAYOUT_OF_GROUPS
        rows.append(Row(module.NAME, code, layout, (1, *shape), note))
    return rows


def _note(module: object, geometry: Geometry) -> str:
    dilated = max(geometry.dilation) > 1
    if module is torch and "crop" in torch.words(geometry):
        return "padding is the same on both sides: the rest is cropped by a second layer"
    if module is keras and "crop" in keras.words(geometry):
        return "no word for this padding: the rest is cropped by a second layer"
    if module is tensorflow and dilated:
        return "on a CPU only inside tf.function(jit_compile=True)"
    if module is tensorflow:
        return "the output shape is an argument"
    if module is jax and geometry.groups > 1:
        return "no groups in conv_transpose: a convolution with inserted zeros"
    return ""


class Same(NamedTuple):
    """What one framework's "same" does on one axis: see :func:`same_table`."""

    framework: str
    words: str
    before: int
    after: int
    output_size: int


def same_table(kernel: int, stride: int, input_size: int, dilation: int = 1) -> list[Same]:
    """What each framework's word for "same" crops off one axis, and the size that is left.

    PyTorch has no such word; its row is what people write in its place, padding that would
    keep the size at stride 1 and the output_padding that makes the output s times the input.

    Args:
        kernel, stride, dilation: k, s, d, integers.
        input_size: i.

    Returns:
        Rows of the framework's name, its words, what it crops before and after (a negative
        after adds), and the size of the output. A framework that refuses the setting, or
        cannot reach the size, is left out.

    Raises:
        ValueError: for settings that :class:`upconv.Geometry` refuses.

    Source:
        Each file's ``geometry_of``. Taught in the chapter "Sizes".

    Example:
        >>> for row in same_table(kernel=3, stride=2, input_size=14):
        ...     print(*row)
        Keras padding="same" 0 1 28
        TensorFlow padding="SAME" 0 1 28
        JAX padding="SAME" 0 1 28
        ONNX auto_pad="SAME_UPPER" 0 1 28
        ONNX auto_pad="SAME_LOWER" 1 0 28
        PyTorch padding=1, output_padding=1 1 0 28
    """
    bare = Geometry((kernel,), stride, dilation=dilation)
    k, s, d = bare.kernel, bare.stride, bare.dilation
    total = bare.reach[0] - stride
    padding = max(-(-total // 2), 0)
    more = 2 * padding - total
    found = []
    if stride == 1 or dilation == 1:
        found.append((keras, 'padding="same"', keras.geometry_of(k, s, "same", None, d)))
    found += [
        (
            tensorflow,
            'padding="SAME"',
            tensorflow.geometry_of(k, input_size, input_size * stride, s, "SAME", d),
        ),
        (jax, 'padding="SAME"', jax.geometry_of(k, s, "SAME", d)),
    ]
    for word in ("SAME_UPPER", "SAME_LOWER"):
        found.append((onnx, f'auto_pad="{word}"', onnx.geometry_of(k, s, None, word, d)))
    if more < max(stride, dilation):
        said = f"padding={padding}, output_padding={more}"
        found.append((torch, said, torch.geometry_of(k, s, padding, more, 1, d)))
    rows = []
    for module, said, geometry in found:
        ((before, after),) = crops(geometry)
        rows.append(Same(module.NAME, said, before, after, *geometry.transposed_shape(input_size)))
    return rows
