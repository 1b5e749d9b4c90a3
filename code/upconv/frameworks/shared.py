"""What the five frameworks' files share: crops, the channels-last kernel, and calls as code."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from upconv.definition import check_weight
from upconv.geometry import Geometry

__all__ = [
    "call",
    "channels_last",
    "check_arrays",
    "crops",
    "from_channels_last",
    "from_crops",
    "plain",
    "said",
    "want_less_than_stride",
    "want_one_group",
]


def crops(geometry: Geometry) -> tuple[tuple[int, int], ...]:
    """What is cut off the whole result on each axis, (before, after); a negative after adds.

    Two geometries of one kernel, stride and dilation compute the same if these are the same:
    output_padding does no more than take back some of the cropping after.

    Example:
        >>> crops(Geometry(kernel=3, stride=2, padding=1, output_padding=1))
        ((1, 0),)
    """
    return tuple(
        (before, after - a)
        for (before, after), a in zip(geometry.padding, geometry.output_padding, strict=True)
    )


def from_crops(bare: Geometry, cut: tuple[tuple[int, int], ...]) -> Geometry:
    """The geometry with the kernel, stride, dilation and groups of ``bare`` that cuts this off.

    Raises:
        ValueError: for a negative before, or an after that no output_padding can add.

    Example:
        >>> from_crops(Geometry(kernel=1, stride=2), ((0, -1),)).output_padding
        (1,)
    """
    return Geometry(
        bare.kernel,
        bare.stride,
        tuple((before, max(after, 0)) for before, after in cut),
        bare.dilation,
        tuple(max(-after, 0) for _, after in cut),
        bare.groups,
    )


def channels_last(weight: np.ndarray) -> np.ndarray:
    """Our weight (in, out, *kernel) as Keras and TensorFlow store it, (*kernel, out, in).

    Example:
        >>> channels_last(np.zeros((3, 8, 5, 5))).shape
        (5, 5, 8, 3)
    """
    return np.moveaxis(weight, (0, 1), (-1, -2))


def from_channels_last(kernel: np.ndarray) -> np.ndarray:
    """The reverse of :func:`channels_last`.

    Example:
        >>> from_channels_last(np.zeros((5, 5, 8, 3))).shape
        (3, 8, 5, 5)
    """
    return np.moveaxis(np.asarray(kernel), (-1, -2), (0, 1))


def check_arrays(weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry) -> None:
    """Refuse a weight (in, out // groups, *kernel) or bias that does not fit the geometry.

    Raises:
        ValueError: as :func:`upconv.definition.check_weight`.

    Example:
        >>> check_arrays(np.zeros((3, 8, 5)), np.zeros(3), Geometry(kernel=5))
        Traceback (most recent call last):
        ValueError: bias: got shape (3,); want (8,)
    """
    bias_shape = None if bias is None else bias.shape
    check_weight(weight.shape, geometry, bias_shape, transposed=True)


def want_one_group(geometry: Geometry, framework: str) -> None:
    """Refuse groups, for a framework whose transposed convolution has none.

    Raises:
        ValueError: for more than one group.

    Example:
        >>> want_one_group(Geometry(kernel=3, groups=2), "Keras")
        Traceback (most recent call last):
        ValueError: groups: got 2; want 1: Keras has no groups in its transposed convolution
    """
    if geometry.groups > 1:
        raise ValueError(
            f"groups: got {geometry.groups}; want 1: {framework} has no groups in its transposed "
            "convolution"
        )


def want_less_than_stride(added: Iterable[int], geometry: Geometry, framework: str) -> None:
    """Refuse a result with as many zeros added at its end as the stride, for most frameworks.

    Only with dilation can a geometry want that. The convolution would then make more of such a
    result than the input was, so it is no longer what is transposed; PyTorch and JAX compute it.

    Raises:
        ValueError: for a number in ``added`` that is not smaller than the stride.

    Example:
        >>> want_less_than_stride([1], Geometry(kernel=3, dilation=2, output_padding=1), "Keras")
        Traceback (most recent call last):
        ValueError: output_padding: got 1; want it smaller than the stride 1: Keras refuses more
    """
    for a, s in zip(added, geometry.stride, strict=True):
        if a >= s:
            raise ValueError(
                f"output_padding: got {a}; want it smaller than the stride {s}: {framework} "
                "refuses more"
            )


def plain(values: tuple) -> object:
    """One value where all axes have the same, else the tuple: as people write it.

    Example:
        >>> plain((2, 2)), plain((2, 1))
        (2, (2, 1))
    """
    return values[0] if len(set(values)) == 1 else values


def said(**settings: tuple[object, object]) -> dict[str, object]:
    """The settings, each given as (value, default), that differ from their default.

    Example:
        >>> said(stride=(2, 1), padding=(0, 0))
        {'stride': 2}
    """
    return {name: value for name, (value, default) in settings.items() if value != default}


def call(function: str, *arguments: str, **keywords: object) -> str:
    """A call as code: arguments as they stand, keywords by their values.

    Example:
        >>> call("f", "x", stride=2, padding="same")
        'f(x, stride=2, padding="same")'
    """
    words = [f"{name}={_literal(value)}" for name, value in keywords.items()]
    return f"{function}({', '.join([*arguments, *words])})"


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)
