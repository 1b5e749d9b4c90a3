"""The equal forms of the transposed convolution, on torch tensors: any device, differentiable.

Every form has the signature ``form(x, weight, geometry, bias=None)`` with x of shape
(batch, channels, *size) and weight of shape (channels, out_channels // groups, *kernel), and
returns (batch, out_channels, *geometry.transposed_shape(size)). They differ in the order in which
the same products are made and added. Taught in the chapter "Five ways to compute it".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import product
from math import prod

import numpy as np
import torch
from torch.nn import functional as F

from upconv.cost import Choice, choose, phase_taps, phases_of
from upconv.definition import check_shapes, weight_axes
from upconv.fastest import fastest
from upconv.geometry import Geometry, Padding, PerAxis
from upconv.matrix import conv_matrix

__all__ = [
    "columns",
    "conv_transpose",
    "matrix",
    "native",
    "polyphase",
    "scatter",
    "shuffle",
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
    spread = _spread(x, geometry.stride)
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
    out_size = _check(x, weight, geometry, bias)
    size = x.shape[2:]
    cols = _products(x, weight, geometry.groups)
    cols = cols.unflatten(3, size).unflatten(2, geometry.kernel)
    # Position u·stride + r of the uncropped output is place r of block u.
    axes, last = geometry.axes, _channels_last(x)
    blocks = [i + t - 1 for i, t in zip(size, phase_taps(geometry), strict=True)]
    pairs = [length for pair in zip(blocks, geometry.stride, strict=True) for length in pair]
    full = _zeros(cols, cols.shape[1], pairs, last)
    full = full.permute(0, 1, *range(2, 2 + 2 * axes, 2), *range(3, 3 + 2 * axes, 2))
    for landing in product(*map(_landings, geometry.kernel, geometry.stride, geometry.dilation)):
        taps, shifts, places = zip(*landing, strict=True)
        rows = (slice(shift, shift + i) for shift, i in zip(shifts, size, strict=True))
        stamps = cols[:, :, *taps].movedim(_spatial(geometry), tuple(range(-axes, 0)))
        full[:, :, *rows, *places].add_(stamps)
    return _add_bias(_interleave(full, last, out_size, geometry), bias)


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
    y = _zeros(x, len(conv_weight), out_size, _channels_last(x))
    phases = [
        phases_of(*settings)
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


def shuffle(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """One convolution for all the strideⁿ phases at once, as channels, then a pixel shuffle.

    Every phase gets a kernel of the same size, with zeros where it has fewer taps, and a window
    that reaches over the border as far as any of them; the shuffle's border is cropped.

    Args:
        x, weight, bias: as :func:`scatter`.
        geometry: as :func:`scatter`.

    Raises:
        ValueError: as :func:`scatter`.

    Source:
        Shi et al. (2016); taught in "Five ways".

    Example:
        >>> x, kernel = torch.tensor([[[1.0, 10.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> shuffle(x, kernel, Geometry(kernel=3, stride=2))
        tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    out_size = _check(x, weight, geometry, bias)
    axes, groups, taps = geometry.axes, geometry.groups, phase_taps(geometry)
    small = _phase_kernels(weight, geometry, taps)  # (groups, *stride, out, in, *taps)
    if bias is not None:
        bias = bias.reshape(groups, *[1] * axes, -1).expand(small.shape[: axes + 2]).flatten()
    last = _channels_last(x)
    if last:  # the order into which torch would copy it
        small = small.movedim(axes + 2, -1).flatten(0, axes + 1).contiguous().movedim(-1, 1)
    else:
        small = small.flatten(0, axes + 1)
    z = _CONV[axes](x, small, bias, padding=[t - 1 for t in taps], groups=groups)
    z = z.unflatten(1, (groups, *geometry.stride, -1))
    z = z.movedim(tuple(range(2, 2 + axes)), tuple(range(-axes, 0))).flatten(1, 2)
    return _interleave(z, last, out_size, geometry)


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
    common, crops = _common_padding(geometry)
    y = _CONV_TRANSPOSE[x.ndim - 2](
        x,
        weight,
        bias,
        geometry.stride,
        common,
        geometry.output_padding,
        geometry.groups,
        geometry.dilation,
    )
    return _window(y, crops)


FORMS: dict[str, Callable[..., torch.Tensor]] = {
    form.__name__: form
    for form in (scatter, matrix, zero_insertion, columns, polyphase, shuffle, native)
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
        form: "auto" takes the form, and the order of the values in memory, that
            :func:`upconv.cost.choose` expects to be fastest: of float32 images on a CPU, torch's
            own call for everything else. "fastest" times them, once for each geometry, shapes,
            memory formats, dtype, device and number of threads, and remembers; see
            :func:`upconv.fastest.remember`. Or "scatter", "matrix", "zero_insertion", "columns",
            "polyphase", "shuffle", "native".

    Returns:
        (batch, out_channels, *out_size), without the batch axis if x has none. With "auto" and
        "fastest" it lies in memory as torch's own result would, and gradients are computed by
        torch's own call whichever form is taken.

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
    if form not in ("auto", "fastest", *FORMS):
        raise ValueError(f"form: got {form!r}; want one of auto, fastest, {', '.join(FORMS)}")
    axes = weight_axes(tuple(weight.shape))
    settings = stride, padding, dilation, output_padding, groups
    make = _known_geometry if _eager() and _are_integers(settings) else Geometry
    geometry = make(tuple(weight.shape[2:]), *settings)
    if x.ndim == axes + 1:
        return _compute(x[None], weight, bias, geometry, form)[0]
    return _compute(x, weight, bias, geometry, form)


def _compute(x, weight, bias, geometry, form) -> torch.Tensor:
    """A form by its name, or the one that "auto" or "fastest" takes for these tensors."""
    if form in FORMS:
        return FORMS[form](x, weight, geometry, bias)
    _check(x, weight, geometry, bias)
    here = _channels_last(x)
    choice = (_expected if form == "auto" else _timed)(x, weight, geometry)
    if choice == ("native", here):
        return native_unchecked(x, weight, geometry, bias)
    return _NativeGradient.apply(x, weight, bias, geometry, choice)


class _NativeGradient(torch.autograd.Function):
    """The chosen form forwards and torch's own gradient backwards, which is fast in any case."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, weight, bias, geometry, choice):
        return _in_layout(x, weight, bias, geometry, choice)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, bias, ctx.geometry, _ = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)
        ctx.bias_shape = None if bias is None else list(bias.shape)

    @staticmethod
    def backward(ctx, gradient):
        (x, weight), geometry = ctx.saved_tensors, ctx.geometry
        common, crops = _common_padding(geometry)
        gradients = torch.ops.aten.convolution_backward(
            _window(gradient, [(-before, -after) for before, after in crops]),
            x,
            weight,
            ctx.bias_shape,
            geometry.stride,
            common,
            geometry.dilation,
            True,  # transposed
            geometry.output_padding,
            geometry.groups,
            list(ctx.needs_input_grad[:3]),
        )
        return *gradients, None, None

    @staticmethod
    def jvp(ctx, x_tangent, weight_tangent, bias_tangent, *_):
        (x, weight), geometry = ctx.saved_tensors, ctx.geometry
        y = 0
        if x_tangent is not None:
            y = native(x_tangent, weight, geometry, bias_tangent)
        elif bias_tangent is not None:
            y = native(torch.zeros_like(x), weight, geometry, bias_tangent)
        return y if weight_tangent is None else y + native(x, weight_tangent, geometry)


def _in_layout(x, weight, bias, geometry, choice) -> torch.Tensor:
    """The result of a choice, in the memory format that torch's own call would give it."""
    y = FORMS[choice.form](_ordered(x, choice.channels_last), weight, geometry, bias)
    return _ordered(y, _channels_last(x) or _channels_last(weight))


def _eager() -> bool:
    return not (torch.compiler.is_compiling() or torch.jit.is_tracing())


def _are_integers(settings: object) -> bool:
    """Whether all of it is integers and tuples: then what is equal is also of the same types."""
    return type(settings) is int or (type(settings) is tuple and all(map(_are_integers, settings)))


_known_geometry = lru_cache(maxsize=4096)(Geometry)  # a small layer takes less than its checks


def _plain(x: torch.Tensor) -> bool:
    """Whether this call may choose: eager, and the values lie in one of torch's two orders."""
    return _eager() and x.numel() > 0 and (x.is_contiguous() or _channels_last(x))


def _expected(x: torch.Tensor, weight: torch.Tensor, geometry: Geometry) -> Choice:
    """What "auto" takes: torch's own call where the rates of the prediction were not measured."""
    here = _channels_last(x)
    measured = x.is_cpu and x.dtype == torch.float32 and x.ndim == 4
    if not (measured and _plain(x) and torch.backends.mkldnn.enabled):
        return Choice("native", here)
    return choose(x.shape, weight.shape, geometry, here)


TIMED = ("native", "columns", "polyphase", "shuffle")
"""The forms among which "fastest" chooses, each in each order of the values in memory."""


def _timed(x: torch.Tensor, weight: torch.Tensor, geometry: Geometry) -> Choice:
    """What "fastest" takes: the candidates are timed on these very tensors."""
    here = _channels_last(x)
    if x.device.type not in ("cpu", "cuda") or not _plain(x):
        return Choice("native", here)
    layouts = (False, True) if x.ndim > 3 else (False,)
    choices = {
        form + last * ", channels_last": Choice(form, last) for form in TIMED for last in layouts
    }
    x, weight = x.detach(), weight.detach()
    calls = {
        name: partial(torch.no_grad()(_in_layout), x, weight, None, geometry, choice)
        for name, choice in choices.items()
    }
    lie = [("contiguous", "channels_last")[_channels_last(tensor)] for tensor in (x, weight)]
    situation = f"{tuple(x.shape)} {lie[0]}, {tuple(weight.shape)} {lie[1]}, {x.dtype}, {geometry}"
    return choices[fastest(situation, calls, device=x.device)]


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
    tensors = {"x": x, "weight": weight}
    if bias is not None:
        tensors["bias"] = bias
    check_tensors(**tensors)
    fit = _known_fit if _eager() else _fit
    out_size = fit(x.shape, weight.shape, geometry, None if bias is None else bias.shape)
    for name, tensor in tensors.items():
        if tensor.dtype != x.dtype or tensor.device != x.device:
            raise ValueError(
                f"{name}: got {tensor.dtype} on {tensor.device}; want {x.dtype} on {x.device}, "
                "like x"
            )
    return out_size


def _fit(x_shape, weight_shape, geometry, bias_shape) -> tuple[int, ...]:
    """The output size, once the shapes fit each other and the geometry."""
    bias_shape = None if bias_shape is None else tuple(bias_shape)
    check_shapes(tuple(x_shape), tuple(weight_shape), geometry, bias_shape, transposed=True)
    return geometry.transposed_shape(tuple(x_shape[2:]))


_known_fit = lru_cache(maxsize=4096)(_fit)


def _add_bias(y: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2))


def _common_padding(geometry: Geometry) -> tuple[list[int], list[tuple[int, int]]]:
    """The padding that torch takes, the same on both sides, and the margins left to crop away."""
    common = [min(pair) for pair in geometry.padding]
    return common, [
        (p - before, p - after) for p, (before, after) in zip(common, geometry.padding, strict=True)
    ]


def _spatial(geometry: Geometry) -> tuple[int, ...]:
    return tuple(range(2, 2 + geometry.axes))


def _products(x: torch.Tensor, weight: torch.Tensor, groups: int) -> torch.Tensor:
    """All products, summed over input channels: (batch, out_channels, taps, positions)."""
    last = _channels_last(x)
    x = x.flatten(2).unflatten(1, (groups, -1))  # n g i p
    # Either order of outputs and taps will do: the one in which the weight lies is not copied.
    taps_last = not _channels_last(weight)
    weight = weight.flatten(2).unflatten(0, (groups, -1))  # g i o t
    matrix = (weight if taps_last else weight.transpose(2, 3)).flatten(2)
    if last:
        rows = x.permute(1, 0, 3, 2)  # g n p i
        y = rows.flatten(1, 2) @ matrix
        y = y.unflatten(1, rows.shape[1:3]).permute(1, 0, 3, 2)
    elif groups == 1:
        y = (matrix[0].T @ x[:, 0])[:, None]
    else:
        y = matrix.transpose(1, 2) @ x
    # n g (o t) p, or n g (t o) p
    if taps_last:
        y = y.unflatten(2, weight.shape[2:])
    else:
        y = y.unflatten(2, weight.shape[:1:-1]).transpose(2, 3)
    return y.flatten(1, 2)


def _conv_weight(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The channel axes exchanged: (out_channels, channels // groups, *kernel)."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)


def _phase_kernels(weight: torch.Tensor, geometry: Geometry, taps: Sequence[int]) -> torch.Tensor:
    """The flipped kernel of each phase, filled with zeros: (groups, *stride, out, in, *taps)."""
    stride = geometry.stride
    kernel = _spread(weight, geometry.dilation)
    ends = [t * s - reach for t, s, reach in zip(taps, stride, geometry.reach, strict=True)]
    kernel = _window(kernel, [(0, end) for end in ends]).unflatten(0, (geometry.groups, -1))
    for axis, pair in enumerate(zip(taps, stride, strict=True)):
        kernel = kernel.unflatten(3 + 2 * axis, pair)
    tap_axes = range(3, kernel.ndim, 2)
    kernel = kernel.flip(tuple(tap_axes)) if max(taps) > 1 else kernel
    return kernel.permute(0, *range(4, kernel.ndim, 2), 2, 1, *tap_axes)


def _spread(x: torch.Tensor, distances: Sequence[int]) -> torch.Tensor:
    """x with zeros between its values, which come to lie so far apart."""
    if max(distances) == 1:
        return x
    size = [(i - 1) * d + 1 for i, d in zip(x.shape[2:], distances, strict=True)]
    spread = _zeros(x, x.shape[1], size, _channels_last(x))
    spread[:, :, *(slice(None, None, d) for d in distances)] = x
    return spread


def _zeros(x: torch.Tensor, channels: int, size: Sequence[int], last: bool) -> torch.Tensor:
    """Zeros of x's type and batch, the channels lying first or last."""
    if last:
        return x.new_zeros(len(x), *size, channels).movedim(-1, 1)
    return x.new_zeros(len(x), channels, *size)


def _channels_last(x: torch.Tensor) -> bool:
    """Whether the channels of a value lie side by side, as in torch's channels_last."""
    return x.ndim in (4, 5) and not x.is_contiguous() and x.movedim(1, -1).is_contiguous()


def _ordered(x: torch.Tensor, last: bool) -> torch.Tensor:
    """x with its channels last in memory, or first: as it is if it lies so, or else a copy."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1) if last else x.contiguous()


def _landings(k: int, s: int, d: int) -> list[tuple[slice, int, slice]]:
    """Along one axis: taps that land side by side, how many blocks further, and at which places."""
    if d == 1:
        return [(slice(t, min(t + s, k)), t // s, slice(0, min(s, k - t))) for t in range(0, k, s)]
    return [(slice(t, t + 1), t * d // s, slice(t * d % s, t * d % s + 1)) for t in range(k)]


def _interleave(
    full: torch.Tensor, last: bool, out_size: Sequence[int], geometry: Geometry
) -> torch.Tensor:
    """(batch, channels, *blocks, *stride) to (batch, channels, *out_size): the border is cropped.

    What `last` says of the channels' place in memory keeps the copy short, and is kept itself.
    """
    axes = geometry.axes
    order = [axis for block in range(2, 2 + axes) for axis in (block, block + axes)]
    full = full.permute(0, *order, 1) if last else full.permute(0, 1, *order)
    for axis in range(1 if last else 2, axes + (1 if last else 2)):
        full = full.flatten(axis, axis + 1)
    full = full.movedim(-1, 1) if last else full
    return _window(
        full,
        [
            (-before, before + length - blocks)
            for (before, _), length, blocks in zip(
                geometry.padding, out_size, full.shape[2:], strict=True
            )
        ],
    )


def _window(x: torch.Tensor, margins: Sequence[tuple[int, int]]) -> torch.Tensor:
    """x with zeros added around it (positive margins) or cropped away (negative ones).

    What is not needed is not asked for: torch copies even where no zeros are added, and even where
    nothing is cropped the gradient is.
    """
    if not any(map(any, margins)):
        return x
    added = [max(margin, 0) for pair in reversed(margins) for margin in pair]
    if any(added):
        x = F.pad(x, added)
    for axis, pair in enumerate(margins, start=2):
        before, after = (max(-margin, 0) for margin in pair)
        if before or after:
            x = x.narrow(axis, before, x.shape[axis] - before - after)
    return x
