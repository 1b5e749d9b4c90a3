"""JAX: jax.lax.conv_transpose, and jax.lax.conv_general_dilated where there are groups.

Data is (batch, *size, channels) by default. A kernel (*kernel, out, in) is what Keras stores, and
means the same only with transpose_kernel=True; without it JAX takes (*kernel, in, out), and does
not flip. Explicit padding is that of the convolution with inserted zeros, unless
use_consistent_padding=True makes it the cropping, as in the other frameworks.
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
    from_crops,
    said,
)
from upconv.geometry import Geometry, PerAxis

if TYPE_CHECKING:
    import jax

__all__ = ["code", "geometry_of", "read", "words", "write"]

NAME = "JAX"
LAYOUT = "(*kernel, out, in) with transpose_kernel=True"
LAYOUT_OF_GROUPS = "(*kernel, in / groups, out), flipped"


def geometry_of(
    kernel_size: PerAxis,
    strides: PerAxis,
    padding: str | Sequence[Sequence[int]],
    rhs_dilation: PerAxis | None = None,
    use_consistent_padding: bool = False,
) -> Geometry:
    """The geometry of jax.lax.conv_transpose with these arguments, in JAX's order.

    "SAME" and "VALID" are those of Keras. A pair (before, after) is the cropping if
    ``use_consistent_padding``; otherwise d(k − 1) minus the cropping.

    Raises:
        ValueError: for another word, or a pair that no cropping and output_padding can say.

    Source:
        https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html; found by trial
        on all small settings, and tested against JAX on them.

    Example:
        >>> geometry_of((3,), (2,), "SAME").padding
        ((0, 1),)
        >>> geometry_of((3,), (2,), [(1, 2)]) == geometry_of((3,), (2,), [(1, 0)], None, True)
        True
    """
    bare = Geometry(kernel_size, strides, dilation=1 if rhs_dilation is None else rhs_dilation)
    if isinstance(padding, str):
        if padding not in ("SAME", "VALID"):
            raise ValueError(f'padding: got {padding!r}; want "SAME", "VALID" or pairs')
        totals = [reach - s for reach, s in zip(bare.reach, bare.stride, strict=True)]
        if padding == "VALID":
            return from_crops(bare, tuple((0, min(total, 0)) for total in totals))
        befores = [max(total // 2, 0) for total in totals]
        return from_crops(
            bare, tuple((b, total - b) for b, total in zip(befores, totals, strict=True))
        )
    if len(padding) != bare.axes or any(len(pair) != 2 for pair in padding):
        raise ValueError(f"padding: got {padding!r}; want {bare.axes} pairs (before, after)")
    if use_consistent_padding:
        return from_crops(bare, tuple(tuple(pair) for pair in padding))
    return from_crops(
        bare,
        tuple(
            (reach - 1 - before, reach - 1 - after)
            for reach, (before, after) in zip(bare.reach, padding, strict=True)
        ),
    )


def words(geometry: Geometry) -> dict[str, object]:
    """The arguments of jax.lax.conv_transpose, or with groups of jax.lax.conv_general_dilated.

    Returns:
        Names and values, without those at their default.

    Example:
        >>> words(Geometry((3, 3), stride=2, padding=((0, 1), (0, 1))))
        {'strides': (2, 2), 'padding': 'SAME', 'transpose_kernel': True}
        >>> words(Geometry(3, stride=2, padding=1, output_padding=1))["padding"]
        ((1, 0),)
    """
    wanted = crops(geometry)
    dilation = {"rhs_dilation": (geometry.dilation, (1,) * geometry.axes)}
    if geometry.groups > 1:
        letters = "DHW"[3 - geometry.axes :]
        data = f"N{letters}C"
        return {
            "window_strides": (1,) * geometry.axes,
            "padding": tuple(
                (reach - 1 - before, reach - 1 - after)
                for reach, (before, after) in zip(geometry.reach, wanted, strict=True)
            ),
            "lhs_dilation": geometry.stride,
            **said(**dilation),
            "dimension_numbers": (data, f"{letters}IO", data),
            "feature_group_count": geometry.groups,
        }
    named = {
        word: crops(geometry_of(geometry.kernel, geometry.stride, word, geometry.dilation))
        for word in ("SAME", "VALID")
    }
    padding = next((word for word, cut in named.items() if cut == wanted), wanted)
    return {
        "strides": geometry.stride,
        "padding": padding,
        **said(**dilation),
        "transpose_kernel": True,
        **said(use_consistent_padding=(padding is wanted, False)),
    }


def code(geometry: Geometry, input_shape: PerAxis, channels: tuple[int, int]) -> str:
    """The call as one writes it: one expression in ``x`` and ``kernel``, needs ``import jax``.

    Args:
        geometry: what the call shall compute.
        input_shape: not looked at; here because other frameworks need it.
        channels: not looked at.

    Example:
        >>> code(Geometry(4, stride=2, padding=1), 14, (3, 8))
        'jax.lax.conv_transpose(x, kernel, strides=(2,), padding="SAME", transpose_kernel=True)'
    """
    return call(_function(geometry), "x", "kernel", **words(geometry))


def read(
    rhs: np.ndarray,
    strides: PerAxis,
    padding: str | Sequence[Sequence[int]],
    rhs_dilation: PerAxis | None = None,
    dimension_numbers: tuple[str, str, str] | None = None,
    transpose_kernel: bool = False,
    use_consistent_padding: bool = False,
) -> tuple[Geometry, np.ndarray, None]:
    """Geometry and weight of jax.lax.conv_transpose with these arguments.

    Args:
        rhs: the kernel, anything that NumPy reads.
        strides, padding, rhs_dilation, transpose_kernel, use_consistent_padding: as JAX takes
            them.
        dimension_numbers: as JAX takes them; only the kernel's letters are looked at, by default
            those of channels last.

    Returns:
        Geometry, weight (in, out, *kernel) as NumPy copy, and None: the call has no bias.

    Raises:
        ValueError: as :func:`geometry_of`, and for letters that do not fit the kernel.

    Source:
        https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html

    Example:
        >>> geometry, weight, _ = read(np.arange(3.0).reshape(3, 1, 1), (2,), "SAME")
        >>> weight.ravel()
        array([2., 1., 0.])
    """
    rhs = np.asarray(rhs)
    letters = "DHW"[5 - rhs.ndim :] + "IO" if dimension_numbers is None else dimension_numbers[1]
    if len(letters) != rhs.ndim or not {"I", "O"} <= set(letters):
        raise ValueError(
            f"dimension_numbers: got {letters!r} for a kernel of shape {rhs.shape}; want one "
            "letter per axis, I and O among them"
        )
    first, second = ("O", "I") if transpose_kernel else ("I", "O")
    weight = np.moveaxis(rhs, (letters.index(first), letters.index(second)), (0, 1))
    if not transpose_kernel:
        weight = np.flip(weight, range(2, weight.ndim))
    geometry = geometry_of(weight.shape[2:], strides, padding, rhs_dilation, use_consistent_padding)
    return geometry, weight.copy(), None


def write(
    geometry: Geometry, weight: np.ndarray, bias: np.ndarray | None = None
) -> Callable[[jax.Array], jax.Array]:
    """A function on JAX arrays that computes exactly this transposed convolution.

    Args:
        geometry: any.
        weight: (in, out // groups, *kernel).
        bias: (out,) or None.

    Returns:
        A function from (batch, *size, in) to (batch, *size, out), of the weight's dtype.

    Raises:
        ValueError: for a weight or bias that does not fit.

    Source:
        https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html
    """
    import jax

    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    check_arrays(weight, bias, geometry)
    kernel = kernel_of(weight, geometry.groups)
    function = getattr(jax.lax, _function(geometry).rpartition(".")[2])
    arguments = words(geometry)

    def apply(x: jax.Array) -> jax.Array:
        y = function(x, kernel, **arguments)
        return y if bias is None else y + bias

    return apply


def kernel_of(weight: np.ndarray, groups: int = 1) -> np.ndarray:
    """Our weight (in, out // groups, *kernel) as :func:`words` wants the kernel.

    Returns:
        (*kernel, out, in) for conv_transpose; with groups (*kernel, in // groups, out), flipped,
        for conv_general_dilated, which knows nothing of transposing.

    Example:
        >>> kernel_of(np.zeros((4, 3, 5)), groups=2).shape
        (5, 2, 6)
    """
    if groups == 1:
        return channels_last(weight)
    split = weight.reshape(groups, -1, *weight.shape[1:])
    merged = np.moveaxis(split, 0, 1).reshape(split.shape[1], -1, *weight.shape[2:])
    return np.moveaxis(np.flip(merged, range(2, weight.ndim)), (0, 1), (-2, -1))


def _function(geometry: Geometry) -> str:
    return f"jax.lax.conv_{'transpose' if geometry.groups == 1 else 'general_dilated'}"
