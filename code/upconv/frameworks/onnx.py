"""ONNX: the operator ConvTranspose, as ONNX Runtime computes it. Its layout is ours.

``pads`` holds all befores, then all afters, and may differ on the two sides; output_padding adds
at the end. ``auto_pad`` or ``output_shape`` stand in place of pads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from upconv.frameworks.shared import (
    call,
    check_arrays,
    crops,
    from_crops,
    said,
    want_less_than_stride,
)
from upconv.geometry import Geometry, PerAxis, per_axis

if TYPE_CHECKING:
    import onnx

__all__ = ["code", "geometry_of", "read", "words", "write"]

NAME = "ONNX"
LAYOUT = "(in, out / groups, *kernel)"


def geometry_of(
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    input_shape: Sequence[int] | None = None,
) -> Geometry:
    """The geometry of a ConvTranspose node with these attributes.

    auto_pad "SAME_UPPER" and "SAME_LOWER" crop T = d(k − 1) + 1 + a − s in all, the odd one after
    and before; where T < 0 ONNX Runtime crops nothing, and its output stays smaller than s times
    the input. ``output_shape`` o makes T = (i − 1)s + d(k − 1) + 1 + a − o, the odd one before
    unless auto_pad is "SAME_UPPER", and adds at the end where T < 0.

    Args:
        kernel_shape, strides, pads, auto_pad, dilations, group, output_padding, output_shape:
            the node's attributes; output_shape without batch and channels.
        input_shape: spatial size of the input, wanted with ``output_shape`` only.

    Raises:
        ValueError: for another auto_pad, wrong lengths, or as :class:`upconv.Geometry`.

    Source:
        https://onnx.ai/onnx/operators/onnx__ConvTranspose.html; found by trial on all small
        settings, and tested against ONNX Runtime on them.

    Example:
        >>> geometry_of([3], [2], auto_pad="SAME_UPPER").padding
        ((0, 1),)
        >>> geometry_of([3], [2], auto_pad="SAME_LOWER").padding
        ((1, 0),)
    """
    kernel = tuple(kernel_shape)
    axes = len(kernel)
    bare = Geometry(kernel, strides or 1, 0, dilations or 1, output_padding or 0, group)
    if auto_pad not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        raise ValueError(
            f'auto_pad: got {auto_pad!r}; want "NOTSET", "SAME_UPPER", "SAME_LOWER" or "VALID"'
        )
    whole = [reach + a for reach, a in zip(bare.reach, bare.output_padding, strict=True)]
    if output_shape is not None:
        if input_shape is None:
            raise ValueError("input_shape: got None; want the input's size, given output_shape")
        totals = [
            (i - 1) * s + size - o
            for i, s, size, o in zip(
                per_axis("input_shape", input_shape, axes, 1),
                bare.stride,
                whole,
                per_axis("output_shape", output_shape, axes, 1),
                strict=True,
            )
        ]
    elif auto_pad.startswith("SAME"):
        totals = [max(size - s, 0) for size, s in zip(whole, bare.stride, strict=True)]
    else:
        pads = [0] * 2 * axes if pads is None or auto_pad == "VALID" else list(pads)
        if len(pads) != 2 * axes:
            raise ValueError(f"pads: got {pads}; want {2 * axes} numbers, befores then afters")
        padding = tuple(zip(pads[:axes], pads[axes:], strict=True))
        return Geometry(kernel, bare.stride, padding, bare.dilation, bare.output_padding, group)
    cut = []
    for total, a in zip(totals, bare.output_padding, strict=True):
        less = max(total, 0) // 2
        before = less if auto_pad == "SAME_UPPER" else max(total, 0) - less
        cut.append((before, total - before - a))
    return from_crops(bare, tuple(cut))


def words(geometry: Geometry) -> dict[str, object]:
    """The attributes of a ConvTranspose node, without those at their default.

    Raises:
        ValueError: for output_padding not smaller than the stride, which ONNX Runtime refuses.

    Example:
        >>> words(Geometry(3, stride=2, padding=((0, 1),)))
        {'kernel_shape': [3], 'strides': [2], 'pads': [0, 1]}
        >>> words(Geometry(3, stride=2, padding=1, output_padding=1))["output_padding"]
        [1]
    """
    # The cropping after takes back output_padding only where that would be too large.
    padding, output_padding = geometry.padding, geometry.output_padding
    if any(a >= s for a, s in zip(output_padding, geometry.stride, strict=True)):
        least = from_crops(geometry, crops(geometry))
        padding, output_padding = least.padding, least.output_padding
    want_less_than_stride(output_padding, geometry, "ONNX Runtime")
    ones = [1] * geometry.axes
    befores, afters = ([pair[side] for pair in padding] for side in (0, 1))
    return {
        "kernel_shape": list(geometry.kernel),
        **said(
            strides=(list(geometry.stride), ones),
            pads=(befores + afters, [0, 0] * geometry.axes),
            dilations=(list(geometry.dilation), ones),
            group=(geometry.groups, 1),
            output_padding=(list(output_padding), [0] * geometry.axes),
        ),
    }


def code(geometry: Geometry, input_shape: PerAxis, channels: tuple[int, int]) -> str:
    """The node as one writes it: one expression that needs ``import onnx``.

    Args:
        geometry: what the node shall compute.
        input_shape: not looked at; here because other frameworks need it.
        channels: not looked at.

    Raises:
        ValueError: as :func:`words`.

    Example:
        >>> print(code(Geometry(kernel=2), 14, (3, 8)))
        onnx.helper.make_node("ConvTranspose", ["x", "weight"], ["y"], kernel_shape=[2])
    """
    return call(
        "onnx.helper.make_node",
        '"ConvTranspose"',
        '["x", "weight"]',
        '["y"]',
        **words(geometry),
    )


def read(
    model: onnx.ModelProto,
    node: onnx.NodeProto | None = None,
    input_shape: Sequence[int] | None = None,
) -> tuple[Geometry, np.ndarray, np.ndarray | None]:
    """Geometry, weight and bias of a ConvTranspose node, its weights being initializers.

    Args:
        model: the model whose graph holds the node.
        node: which one; may be left out where there is only one.
        input_shape: spatial size of the node's input, wanted if it has an output_shape.

    Returns:
        Geometry, weight (in, out // groups, *kernel), and bias (out,) or None, as NumPy.

    Raises:
        ValueError: where there is not one node, weights are not initializers, or as
            :func:`geometry_of`.

    Source:
        https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
    """
    import onnx

    if node is None:
        found = [each for each in model.graph.node if each.op_type == "ConvTranspose"]
        if len(found) != 1:
            raise ValueError(f"model: got {len(found)} ConvTranspose nodes; want one, or `node`")
        node = found[0]
    if node.op_type != "ConvTranspose":
        raise ValueError(f"node: got {node.op_type}; want ConvTranspose")
    stored = {each.name: each for each in model.graph.initializer}
    arrays = []
    for name in filter(None, node.input[1:]):
        if name not in stored:
            raise ValueError(f"node: got an input {name!r} that is computed; want an initializer")
        arrays.append(onnx.numpy_helper.to_array(stored[name]).copy())
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    if "auto_pad" in attributes:
        attributes["auto_pad"] = attributes["auto_pad"].decode()
    attributes["kernel_shape"] = arrays[0].shape[2:]
    geometry = geometry_of(**attributes, input_shape=input_shape)
    return geometry, arrays[0], arrays[1] if len(arrays) > 1 else None


def write(
    geometry: Geometry, weight: np.ndarray, bias: np.ndarray | None = None
) -> onnx.ModelProto:
    """An ONNX model of one node that computes exactly this transposed convolution.

    Args:
        geometry: output_padding smaller than the stride.
        weight: (in, out // groups, *kernel); ONNX Runtime wants float32.
        bias: (out,) or None.

    Returns:
        A checked model with input ``x`` (batch, in, *size) and output ``y``.

    Raises:
        ValueError: for what ONNX Runtime refuses, or a weight or bias that does not fit.

    Source:
        https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
    """
    import onnx

    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    check_arrays(weight, bias, geometry)
    arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    node = onnx.helper.make_node("ConvTranspose", ["x", *arrays], ["y"], **words(geometry))
    dtype = onnx.helper.np_dtype_to_tensor_dtype(weight.dtype)
    out_channels = weight.shape[1] * geometry.groups
    size = [None] * geometry.axes
    graph = onnx.helper.make_graph(
        [node],
        "transposed convolution",
        [onnx.helper.make_tensor_value_info("x", dtype, [None, len(weight), *size])],
        [onnx.helper.make_tensor_value_info("y", dtype, [None, out_channels, *size])],
        [
            onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in arrays.items()
        ],
    )
    # Opset 17 has all that is needed, and older runtimes read it too.
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model)
    return model
