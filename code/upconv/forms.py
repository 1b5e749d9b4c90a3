"""The equal forms of the transposed convolution, on torch tensors: any device, differentiable.

Every form has the signature ``form(x, weight, geometry, bias=None)`` with x of shape
(batch, channels, *size) and weight of shape (channels, out_channels // groups, *kernel), and
returns (batch, out_channels, *geometry.transposed_shape(size)). They differ in the order in which
the same products are made and added. Taught in the chapter "Five ways to compute it".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import gcd, prod
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from upconv.definition import check_shapes, weight_axes
from upconv.geometry import Geometry, Padding, PerAxis
from upconv.matrix import conv_matrix

__all__ = [
    "Arithmetic",
    "arithmetic",
    "columns",
    "conv_transpose",
    "matrix",
    "native",
    "polyphase",
    "scatter",
    "zero_insertion",
]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def scatter(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Transposed convolution by adding every product to the output position where it belongs.

    Args:
        x, weight, bias: (batch, channels, *size); (channels, out_channels // groups, *kernel);
            (out_channels,) or None.
        geometry: stride, padding, dilation, output_padding, groups.

    Raises:
        ValueError: for tensors that do not fit each other or the geometry.

    Source:
        Zeiler et al. (2010) use it as the generative direction; taught in "Five ways".

    Example:
        >>> x, kernel = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> scatter(x, kernel, Geometry(kernel=3, stride=2))
        tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    out_size = _check(x, weight, geometry, bias)
    # Along each axis: where tap t of the kernel lands that input q stamps, shape (k, i).
    targets = [
        s * np.arange(i) + d * np.arange(k)[:, None] - before
        for i, k, s, d, (before, _) in zip(
            x.shape[2:],
            geometry.kernel,
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            strict=True,
        )
    ]
    address, inside = np.zeros((1, 1), dtype=np.int64), np.ones((1, 1), dtype=bool)
    for target, size in zip(targets, out_size, strict=True):
        taps, positions = address.shape[0] * target.shape[0], address.shape[1] * target.shape[1]
        kept = (target >= 0) & (target < size)
        address = (address[:, None, :, None] * size + target[:, None]).reshape(taps, positions)
        inside = (inside[:, None, :, None] & kept[:, None]).reshape(taps, positions)
    products = _products(x, weight, geometry.groups).flatten(2)
    kept = torch.from_numpy(np.flatnonzero(inside)).to(x.device)
    address = torch.from_numpy(address[inside]).to(x.device)
    y = products.new_zeros(*products.shape[:2], prod(out_size))
    y = y.index_add(2, address, products.index_select(2, kept))
    return _add_bias(y.unflatten(2, out_size), bias)


def matrix(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Transposed convolution as a product with Cᵀ, C being the sparse matrix of the convolution.

    Args:
        x, weight, bias: as :func:`scatter`.
        geometry: as :func:`scatter`.

    Raises:
        ValueError: as :func:`scatter`.

    Source:
        Dumoulin & Visin (2016), section 4.1; taught in "The transpose".

    Example:
        >>> x, kernel = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> matrix(x, kernel, Geometry(kernel=3, stride=2))
        tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    out_size = _check(x, weight, geometry, bias)
    out_shape = (weight.shape[1] * geometry.groups, *out_size)
    # The matrix of a kernel that holds 1, 2, 3, … says which weight stands where in C.
    numbered = np.arange(1, weight.numel() + 1).reshape(weight.shape)
    pattern = conv_matrix(numbered, out_shape, geometry)
    # An output_padding of a stride or more leaves room for windows that belong to no input.
    windows = np.arange(pattern.shape[0])
    windows = windows.reshape(len(weight), *geometry.output_shape(out_size))
    inputs = windows[:, *(slice(i) for i in x.shape[2:])].ravel()
    pattern = pattern[inputs].tocoo()
    where = torch.from_numpy(np.stack([pattern.col, pattern.row])).to(x.device)
    entries = weight.flatten()[torch.from_numpy(pattern.data.astype(np.int64) - 1).to(x.device)]
    transposed = torch.sparse_coo_tensor(where, entries, pattern.shape[::-1], check_invariants=True)
    y = torch.sparse.mm(transposed, x.flatten(1).T).T
    return _add_bias(y.unflatten(1, out_shape), bias)


def zero_insertion(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Write stride − 1 zeros between the inputs, then convolve with the flipped kernel.

    Args:
        x, weight, bias: as :func:`scatter`.
        geometry: as :func:`scatter`.

    Raises:
        ValueError: as :func:`scatter`.

    Source:
        Dumoulin & Visin (2016), sections 4.5 and 4.6; taught in "Five ways".

    Example:
        >>> x, kernel = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> zero_insertion(x, kernel, Geometry(kernel=3, stride=2))
        tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    _check(x, weight, geometry, bias)
    spread_size = [(i - 1) * s + 1 for i, s in zip(x.shape[2:], geometry.stride, strict=True)]
    spread = x.new_zeros(*x.shape[:2], *spread_size)
    spread[:, :, *(slice(None, None, s) for s in geometry.stride)] = x
    margins = [
        (reach - 1 - before, reach - 1 - after + a)
        for reach, (before, after), a in zip(
            geometry.reach, geometry.padding, geometry.output_padding, strict=True
        )
    ]
    return _CONV[geometry.axes](
        _window(spread, margins),
        _conv_weight(weight, geometry.groups).flip(_spatial(geometry)),
        bias,
        dilation=geometry.dilation,
        groups=geometry.groups,
    )


def columns(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """One matrix product for all columns (GEMM), then one addition per tap (col2im).

    Args:
        x, weight, bias: as :func:`scatter`.
        geometry: as :func:`scatter`.

    Raises:
        ValueError: as :func:`scatter`.

    Source:
        Chellapilla et al. (2006) for im2col, whose transpose this is; taught in "Five ways".

    Example:
        >>> x, kernel = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> columns(x, kernel, Geometry(kernel=3, stride=2))
        tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    _check(x, weight, geometry, bias)
    size = x.shape[2:]
    cols = _products(x, weight, geometry.groups)
    cols = cols.unflatten(3, size).unflatten(2, geometry.kernel)
    full_size = [
        (i - 1) * s + reach
        for i, s, reach in zip(size, geometry.stride, geometry.reach, strict=True)
    ]
    full = cols.new_zeros(*cols.shape[:2], *full_size)
    for tap in product(*map(range, geometry.kernel)):
        landing = (
            slice(t * d, t * d + (i - 1) * s + 1, s)
            for t, d, i, s in zip(tap, geometry.dilation, size, geometry.stride, strict=True)
        )
        full[:, :, *landing] += cols[:, :, *tap]
    margins = [
        (-before, a - after)
        for (before, after), a in zip(geometry.padding, geometry.output_padding, strict=True)
    ]
    return _add_bias(_window(full, margins), bias)


def polyphase(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """One small convolution for each of the strideⁿ phases of the output, written interleaved.

    Output positions that leave the same remainder on division by the stride see the same taps of
    the kernel: those taps are the kernel of that phase.

    Args:
        x, weight, bias: as :func:`scatter`.
        geometry: as :func:`scatter`.

    Raises:
        ValueError: as :func:`scatter`.

    Source:
        Vaidyanathan (1993), chapter 4; Shi et al. (2016); taught in "Five ways".

    Example:
        >>> x, kernel = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> polyphase(x, kernel, Geometry(kernel=3, stride=2))
        tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    out_size = _check(x, weight, geometry, bias)
    conv_weight = _conv_weight(weight, geometry.groups)
    y = x.new_zeros(len(x), len(conv_weight), *out_size)
    phases = [
        _phases(*settings)
        for settings in zip(
            x.shape[2:],
            out_size,
            geometry.kernel,
            geometry.stride,
            geometry.dilation,
            [before for before, _ in geometry.padding],
            strict=True,
        )
    ]
    for phase in product(*phases):
        outputs, taps, margins, dilation = zip(*phase, strict=True)
        y[:, :, *outputs] = _CONV[geometry.axes](
            _window(x, margins),
            conv_weight[:, :, *taps].flip(_spatial(geometry)),
            dilation=dilation,
            groups=geometry.groups,
        )
    return _add_bias(y, bias)


def native(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Torch's own transposed convolution; asymmetric padding is cropped from its result.

    Args:
        x, weight, bias: as :func:`scatter`.
        geometry: as :func:`scatter`.

    Raises:
        ValueError: as :func:`scatter`.

    Source:
        ``torch.nn.functional.conv_transpose1d``, ``2d`` and ``3d``.

    Example:
        >>> x, kernel = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> native(x, kernel, Geometry(kernel=3, stride=2))
        tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    _check(x, weight, geometry, bias)
    return native_unchecked(x, weight, geometry, bias)


def native_unchecked(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """:func:`native` for arguments that are known to fit: checks would fix the sizes of a trace."""
    common = [min(pair) for pair in geometry.padding]
    y = _CONV_TRANSPOSE[geometry.axes](
        x,
        weight,
        bias,
        stride=geometry.stride,
        padding=common,
        output_padding=geometry.output_padding,
        groups=geometry.groups,
        dilation=geometry.dilation,
    )
    crops = [
        (p - before, p - after) for p, (before, after) in zip(common, geometry.padding, strict=True)
    ]
    return _window(y, crops)


FORMS: dict[str, Callable[..., torch.Tensor]] = {
    form.__name__: form for form in (scatter, matrix, zero_insertion, columns, polyphase, native)
}


def conv_transpose(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    form: str = "auto",
) -> torch.Tensor:
    """Transposed convolution with torch's arguments, in any of the equal forms.

    The number of spatial axes is that of the weight, 1 to 3.

    Args:
        x: (batch, channels, *size) or (channels, *size).
        weight: (channels, out_channels // groups, *kernel).
        bias: (out_channels,) or None.
        stride, output_padding, dilation, groups: as
            ``torch.nn.functional.conv_transpose2d``; integers or one per axis.
        padding: what is cropped from the full output; per axis an integer or (before, after).
        form: "auto" (today torch's own), "scatter", "matrix", "zero_insertion", "columns",
            "polyphase" or "native".

    Returns:
        (batch, out_channels, *out_size), without the batch axis if x has none.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Dumoulin & Visin (2016), chapter 4. Taught in "Sizes" and "Five ways".

    Example:
        >>> x, weight = torch.ones(1, 8, 14, 14), torch.ones(8, 4, 3, 3)
        >>> conv_transpose(x, weight, stride=2, padding=((0, 1), (0, 1)), form="polyphase").shape
        torch.Size([1, 4, 28, 28])
    """
    check_tensors(x=x, weight=weight)
    if form not in ("auto", *FORMS):
        raise ValueError(f"form: got {form!r}; want one of {', '.join(['auto', *FORMS])}")
    axes = weight_axes(tuple(weight.shape))
    geometry = Geometry(tuple(weight.shape[2:]), stride, padding, dilation, output_padding, groups)
    compute = FORMS["native" if form == "auto" else form]
    if x.ndim == axes + 1:
        return compute(x[None], weight, geometry, bias)[0]
    return compute(x, weight, geometry, bias)


class Arithmetic(NamedTuple):
    """What a form multiplies and stores, in numbers of values.

    ``multiplications`` is all of them; ``by_zero`` those in which one factor is a zero that the
    form itself has written; ``discarded`` those whose product lies outside the output; ``stored``
    the values that the form writes down besides its input, its weight and its output.
    """

    multiplications: int
    by_zero: int
    discarded: int
    stored: int


def arithmetic(
    form: str, x_shape: Sequence[int], weight_shape: Sequence[int], geometry: Geometry
) -> Arithmetic:
    """How many multiplications a form does, how many in vain, and how many values it stores.

    Additions and the bias are left out. Multiplications that are neither by zero nor discarded
    are the same products in every form. Scatter is counted as a loop that adds each product where
    it belongs (the function here writes them all down first), and the uncropped output of columns
    as output, not as stored.

    Args:
        form: "scatter", "matrix" (sparse; the places of its entries are not counted as values),
            "dense_matrix", "zero_insertion", "columns" or "polyphase".
        x_shape: (batch, channels, *size).
        weight_shape: (channels, out_channels // groups, *kernel).
        geometry: stride, padding, dilation, output_padding, groups.

    Raises:
        ValueError: for an unknown form, or shapes that do not fit each other or the geometry.

    Source:
        Taught in "Five ways".

    Example:
        >>> arithmetic("zero_insertion", (1, 1, 2, 2), (1, 1, 3, 3), Geometry((3, 3), stride=2))
        Arithmetic(multiplications=225, by_zero=189, discarded=0, stored=49)
    """
    x_shape, weight_shape = tuple(x_shape), tuple(weight_shape)
    check_shapes(
        x_shape, weight_shape, geometry, transposed=True, names=("x_shape", "weight_shape")
    )
    size, kernel = x_shape[2:], geometry.kernel
    out_size = geometry.transposed_shape(size)
    befores = [before for before, _ in geometry.padding]
    axes = list(
        zip(size, out_size, kernel, geometry.stride, geometry.dilation, befores, strict=True)
    )
    in_channels = x_shape[0] * x_shape[1]  # of the whole batch
    out_channels = x_shape[0] * weight_shape[1] * geometry.groups
    pairs = in_channels * weight_shape[1]  # of channels that meet, in the whole batch
    entries = (
        x_shape[1]
        * weight_shape[1]
        * prod(
            sum(0 <= q * s + t * d - before < o for q in range(i) for t in range(k))
            for i, o, k, s, d, before in axes
        )
    )  # of the sparse matrix
    useful = x_shape[0] * entries
    every = pairs * prod(size) * prod(kernel)
    if form == "scatter":  # as a loop, which adds each product to the output at once
        return Arithmetic(every, 0, every - useful, 0)
    if form == "columns":
        return Arithmetic(every, 0, every - useful, out_channels * prod(kernel) * prod(size))
    if form == "matrix":
        return Arithmetic(useful, 0, 0, entries)
    if form == "dense_matrix":
        places = x_shape[1] * prod(size) * weight_shape[1] * geometry.groups * prod(out_size)
        return Arithmetic(places * x_shape[0], places * x_shape[0] - useful, 0, places)
    if form == "zero_insertion":
        total = pairs * prod(out_size) * prod(kernel)
        padded = prod(o + reach - 1 for o, reach in zip(out_size, geometry.reach, strict=True))
        return Arithmetic(total, total - useful, 0, in_channels * padded)
    if form == "polyphase":
        total = stored = 0
        for phase in product(*(_phases(*settings) for settings in axes)):
            count = prod(len(range(o)[p[0]]) for p, o in zip(phase, out_size, strict=True))
            taps = prod(len(range(k)[p[1]]) for p, k in zip(phase, kernel, strict=True))
            total += pairs * count * taps
            padded = prod(i + sum(p[2]) for p, i in zip(phase, size, strict=True))
            stored = max(stored, in_channels * padded)  # one phase after the other
        return Arithmetic(total, total - useful, 0, stored)
    raise ValueError(
        f"form: got {form!r}; want scatter, matrix, dense_matrix, zero_insertion, columns or "
        "polyphase"
    )


def check_tensors(**tensors) -> None:
    """Refuse, by its name, what is no torch tensor.

    Raises:
        ValueError: naming the argument.
    """
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name}: got {type(tensor).__name__}; want a torch tensor")


def _check(x, weight, geometry, bias) -> tuple[int, ...]:
    """The output size, once the tensors fit each other: nothing is cast, moved or broadcast."""
    tensors = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    check_tensors(**tensors)
    bias_shape = None if bias is None else tuple(bias.shape)
    check_shapes(tuple(x.shape), tuple(weight.shape), geometry, bias_shape, transposed=True)
    for name, tensor in tensors.items():
        if (tensor.dtype, tensor.device) != (x.dtype, x.device):
            raise ValueError(
                f"{name}: got {tensor.dtype} on {tensor.device}; want {x.dtype} on {x.device}, "
                "like x"
            )
    return geometry.transposed_shape(tuple(x.shape[2:]))


def _add_bias(y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2))


def _spatial(geometry: Geometry) -> tuple[int, ...]:
    return tuple(range(2, 2 + geometry.axes))


def _products(x: torch.Tensor, weight: torch.Tensor, groups: int) -> torch.Tensor:
    """All products, summed over input channels: (batch, out_channels, taps, positions)."""
    x = x.flatten(2).unflatten(1, (groups, -1))
    weight = weight.flatten(2).unflatten(0, (groups, -1))
    return torch.einsum("ngip,giot->ngotp", x, weight).flatten(1, 2)


def _conv_weight(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The channel axes exchanged: (out_channels, channels // groups, *kernel)."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)


def _window(x: torch.Tensor, margins: Sequence[tuple[int, int]]) -> torch.Tensor:
    """x with zeros added around it (positive margins) or cropped away (negative ones).

    What is not needed is not asked for: torch copies even where no zeros are added, and even where
    nothing is cropped the gradient is.
    """
    added = [max(margin, 0) for pair in reversed(margins) for margin in pair]
    if any(added):
        x = F.pad(x, added)
    for axis, pair in enumerate(margins, start=2):
        before, after = (max(-margin, 0) for margin in pair)
        if before or after:
            x = x.narrow(axis, before, x.shape[axis] - before - after)
    return x


def _phases(
    i: int, o: int, k: int, s: int, d: int, before: int
) -> list[tuple[slice, slice, tuple[int, int], int]]:
    """Along one axis, for each phase that holds outputs and sees taps: which outputs, which taps,
    the margins that the input needs, and the dilation of the small kernel.

    Output m = q·s + t·d − p of phase r = (m + p) mod s sees the taps t with t·d ≡ r (mod s). They
    are s / gcd(s, d) apart, and neighbours among them see inputs that are d / gcd(s, d) apart.
    """
    step, small_dilation = s // gcd(s, d), d // gcd(s, d)
    phases = []
    for first in range(min(step, k)):
        phase, shift = (first * d) % s, (first * d) // s
        start = (phase - before) % s
        count = len(range(start, o, s))
        if count == 0:
            continue
        # Output number u of this phase reads the inputs u + offset, u + offset − small_dilation, …
        offset = (start + before) // s - shift
        span = (len(range(first, k, step)) - 1) * small_dilation
        margins = (span - offset, offset + count - i)
        phases.append((slice(start, None, s), slice(first, None, step), margins, small_dilation))
    return phases
