"""Layers that upsample faster than the pair they stand for, and initialisers for such layers.

A layer here is upsampling by whole numbers and then a convolution, with the parameters and the
values of the two. It computes them on the small image: the copies that upsampling writes are never
made, nor multiplied. Taught in "What it costs".

The initialisers are in the style of ``torch.nn.init``: they fill a weight in place, without a
trace for autograd, and return it. The stride is that of the layer; torch calls it
``upscale_factor`` where a pixel shuffle follows. Taught in "Remedies".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import ceil, prod
from typing import NamedTuple

import torch
from torch import nn
from torch.autograd.forward_ad import unpack_dual
from torch.nn import functional as F

from upconv.definition import check_shapes, weight_axes
from upconv.factor import Collapsed, collapse
from upconv.forms import check_tensors, native_unchecked
from upconv.geometry import Geometry, PerAxis, per_axis
from upconv.pooling import insert_zeros

__all__ = ["UpsampleConv1d", "UpsampleConv2d", "UpsampleConv3d", "bilinear_", "icnr_"]

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}  # torch's names, by the number of axes
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the rank of a tensor

# Measured on two cores with AVX2: see `_form`.
_FEW = 16  # fewer output channels than these leave a transposed convolution's registers empty
_MANY = 128  # from so many channels on, fewer products pay for more sums
_RATIO = 16  # with so many inputs for an output, not to upsample them is what counts
_GAIN = 1.6  # where products are not saved by this factor, the pair is as fast
_PIECE = 2**22  # bytes of values that are added to the sums of differences at a time

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")

Pairs = tuple[tuple[int, int], ...]


class _UpsampleConv:
    """What the three layers share. The other parent of each is torch's convolution: parameters,
    their initialisation and the state dict are inherited from it.
    """

    _axes: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        *,
        scale_factor: PerAxis = 2,
        mode: str = "nearest",
        padding: PerAxis | str = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        axes = self._axes
        per_axis("in_channels", in_channels, 1, 1)
        per_axis("out_channels", out_channels, 1, 1)
        kernel = per_axis("kernel_size", kernel_size, axes, 1)
        dilation = per_axis("dilation", dilation, axes, 1)
        (groups,) = per_axis("groups", groups, 1, 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups: got {groups} for {in_channels} to {out_channels} channels; want a number "
                "that divides both"
            )
        if padding not in ("same", "valid"):
            padding = per_axis("padding", padding, axes, 0)
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                f"padding_mode: got {padding_mode!r}; want zeros, reflect, replicate or circular"
            )
        self._check_mode(mode)
        scale_factor = per_axis("scale_factor", scale_factor, axes, 1)
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            padding_mode=padding_mode,
            device=device,
            dtype=dtype,
        )
        self.scale_factor = scale_factor
        self.mode = mode
        self._linear = mode not in ("nearest", "nearest-exact")
        if padding == "valid":
            padding = 0
        elif padding == "same":
            whole = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
            padding = [(width // 2, width - width // 2) for width in whole]
        self._conv = Geometry(kernel, padding=padding, dilation=dilation, groups=groups)
        self._forms = {values_only: _form(self, values_only) for values_only in (False, True)}
        self._kept = None

    @classmethod
    def _check_mode(cls, mode: str) -> None:
        modes = dict.fromkeys(("nearest", "nearest-exact", "linear", _LINEAR[cls._axes]))
        if mode not in modes:
            raise ValueError(f"mode: got {mode!r}; want one of {', '.join(modes)}")

    @classmethod
    def from_pair(cls, upsample: nn.Upsample, conv: nn.Module):
        """The layer that computes ``conv(upsample(x))``, with the parameters of ``conv`` itself.

        The parameters are shared, not copied: to train one is to train the other.

        Args:
            upsample: with a scale_factor of whole numbers.
            conv: torch.nn.Conv1d, 2d or 3d, as the name of the class says, with stride 1.

        Raises:
            ValueError: naming upsample or conv, for what is not proved to be equal: a size in place
                of a scale_factor, align_corners, another mode, a stride, hooks, subclasses.

        Example:
            >>> conv = nn.Conv2d(8, 4, 3, padding=1)
            >>> layer = UpsampleConv2d.from_pair(nn.Upsample(scale_factor=2), conv)
            >>> layer.weight is conv.weight
            True
        """
        wanted = next(base for base in cls.__mro__ if base.__module__ == nn.Conv2d.__module__)
        if not isinstance(upsample, nn.Upsample):
            raise ValueError(f"upsample: got {type(upsample).__name__}; want torch.nn.Upsample")
        if type(conv) is not wanted:
            raise ValueError(
                f"conv: got {type(conv).__name__}; want torch.nn.{wanted.__name__} itself"
            )
        for name, module in {"upsample": upsample, "conv": conv}.items():
            if any(getattr(module, kind) for kind in _HOOKS):
                raise ValueError(
                    f"{name}: got a module with hooks, which would no longer be called"
                )
        if upsample.scale_factor is None:
            raise ValueError(
                f"upsample: got size={upsample.size}; want a scale_factor, since a size is one for "
                "inputs of one size only"
            )
        if upsample.align_corners:
            raise ValueError("upsample: got align_corners=True; want False")
        factors = upsample.scale_factor
        factors = factors if isinstance(factors, tuple) else (factors,) * cls._axes
        if not all(float(factor).is_integer() for factor in factors):
            raise ValueError(f"upsample: got scale_factor={factors}; want whole numbers")
        if set(conv.stride) != {1}:
            raise ValueError(f"conv: got stride={conv.stride}; want 1")
        try:
            layer = cls(
                conv.in_channels,
                conv.out_channels,
                conv.kernel_size,
                scale_factor=tuple(map(int, factors)),
                mode=upsample.mode,
                padding=conv.padding,
                dilation=conv.dilation,
                groups=conv.groups,
                bias=conv.bias is not None,
                padding_mode=conv.padding_mode,
                device="meta",
            )
        except ValueError as error:
            raise ValueError(f"upsample: got {upsample}, which does not fit: {error}") from None
        layer.weight, layer.bias = conv.weight, conv.bias
        return layer.train(conv.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upsample and convolve.

        Args:
            x: (batch, in_channels, *size), of the dtype and on the device of the weight.

        Returns:
            (batch, out_channels, *out_size), in the memory format that the pair gives.

        Raises:
            ValueError: for an x that does not fit.
        """
        self._check(x)
        weight, bias, device = self.weight, self.bias, x.device.type
        dtype = _autocast_dtype(x) or x.dtype
        plain, on_cpu, wide = _plain(x, weight, bias), device == "cpu", dtype.itemsize >= 4
        form = self._forms[plain and on_cpu and wide]
        if form == "conv first":
            return self._upsample(self._conv_forward(x, weight, bias))
        if form == "pair" or (self._linear and self._is_small(x)):
            return self._conv_forward(self._upsample(x), weight, bias)
        layout = _layout(x) if _layout(weight) == torch.contiguous_format else _layout(weight)
        inner = layout
        if on_cpu and not wide:  # in which oneDNN is faster
            inner = torch.contiguous_format
        elif form == "differences":
            inner = _CHANNELS_LAST.get(x.ndim, layout)
        kernels = self._kernels(form, dtype, inner, plain)
        x = x.to(dtype).contiguous(memory_format=inner)
        bias = None if bias is None else bias.to(dtype)
        if form == "phases":
            y = self._with_strips(x, _by_phases(x, kernels, bias), bias)
        elif form == "differences":
            y = _by_differences(x, kernels, bias)
        else:
            x = kernels.extend(x)
            y = native_unchecked(x, kernels.weight, kernels.geometry, bias)
        return y.contiguous(memory_format=layout)

    def extra_repr(self) -> str:
        """What torch prints of the convolution, and the upsampling in place of the stride."""
        upsampling = f"scale_factor={self.scale_factor}, mode={self.mode!r}"
        return super().extra_repr().replace(f"stride={self.stride}", upsampling)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_kept": None}  # a copy prepares its own kernels

    def _check(self, x: torch.Tensor) -> None:
        check_tensors(x=x)
        weight, conv = self.weight, self._conv
        check_shapes(tuple(x.shape), tuple(weight.shape), conv, transposed=False)
        same = x.dtype == weight.dtype or _autocast_dtype(x)
        if x.device != weight.device or not same:
            raise ValueError(
                f"x: got {x.dtype} on {x.device}; want {weight.dtype} on {weight.device}, like the "
                "weight"
            )
        for i, s, reach, pair in zip(
            x.shape[2:], self.scale_factor, conv.reach, conv.padding, strict=True
        ):
            if i * s + sum(pair) < reach:
                raise ValueError(
                    f"x: got size {i} along an axis, {i * s} when upsampled, with padding {pair}; "
                    f"want a size into which a kernel that spans {reach} fits"
                )

    def _upsample(self, x: torch.Tensor) -> torch.Tensor:
        mode = _LINEAR[self._axes] if self._linear else self.mode
        return F.interpolate(x, scale_factor=tuple(map(float, self.scale_factor)), mode=mode)

    def _kernels(self, form: str, dtype: torch.dtype, layout: torch.memory_format, plain: bool):
        """What the form multiplies by, prepared anew only when the weight is another.

        As autograd's own check does, this overlooks a weight that is changed through ``.data``.
        """
        weight = self.weight
        if not plain or weight.is_inference():  # a part of the graph, or changes are not counted
            return self._prepare(form, dtype, layout)
        looks = weight.shape, weight.stride(), weight.dtype, form, dtype, layout
        state = weight._version, weight.data_ptr(), *looks
        if self._kept is None or self._kept[0] != state:
            # The weight is kept too, so that no other can come to lie at its address.
            self._kept = state, weight.detach(), self._prepare(form, dtype, layout)
        return self._kept[2]

    def _prepare(self, form: str, dtype: torch.dtype, layout: torch.memory_format):
        conv, weight = self._conv, self.weight
        if form == "differences":
            return _differences(weight, conv, self.scale_factor, layout)
        if weight.element_size() < 4:
            weight = weight.float()  # sums of taps are rounded once
        if max(conv.dilation) > 1:
            weight = insert_zeros(weight, conv.dilation)
        collapsed = collapse(
            weight,
            self.scale_factor,
            padding=conv.padding,
            mode="linear" if self._linear else "nearest",
            padding_mode="replicate" if self.padding_mode == "reflect" else self.padding_mode,
            groups=conv.groups,
        )
        weight = collapsed.weight.to(dtype)
        if form == "phases":
            return _phases(collapsed._replace(weight=weight), layout)
        # The shape is known, and the exporter to ONNX has to be told.
        shape = self.in_channels, self.out_channels // conv.groups, *collapsed.geometry.kernel
        weight = weight.reshape(shape).contiguous(memory_format=layout)
        return collapsed._replace(weight=weight)

    def _is_small(self, x: torch.Tensor) -> bool:
        """Whether a strip, as :meth:`_with_strips` computes it, is wider than the image."""
        sizes = zip(x.shape[2:], self.scale_factor, self._conv.reach, strict=True)
        return any(i * s < reach - 1 for i, s, reach in sizes)

    def _with_strips(self, x: torch.Tensor, y: torch.Tensor, bias: torch.Tensor | None):
        """The collapsed result y, its ends overwritten with what the pair makes of the ends of x.

        Linear upsampling as a transposed convolution goes on beyond the border, where the
        convolution of the pair reads zeros.
        """
        if not self._linear or self.padding_mode != "zeros":
            return y
        for axis, (s, pair) in enumerate(zip(self.scale_factor, self._conv.padding, strict=True)):
            for count, last in zip(pair, (False, True), strict=True):
                if s > 1 and count:
                    strip = y.narrow(axis + 2, y.shape[axis + 2] - count if last else 0, count)
                    strip.copy_(self._end(x, axis, count, bias, last))
        return y

    def _end(self, x, axis: int, count: int, bias, last: bool) -> torch.Tensor:
        """The first or last ``count`` outputs along an axis, by the pair."""
        conv, s, read = self._conv, self.scale_factor[axis], self._conv.reach[axis] - 1
        inputs = min((read - 1) // s + 2, x.shape[axis + 2])
        slab = self._upsample(x.narrow(axis + 2, x.shape[axis + 2] - inputs if last else 0, inputs))
        slab = slab.narrow(axis + 2, inputs * s - read if last else 0, read)
        padding = list(conv.padding)
        padding[axis] = (0, count) if last else (count, 0)
        slab = F.pad(slab, _flat(padding))
        return _CONV[conv.axes](slab, self.weight, bias, dilation=conv.dilation)


def _form(layer: _UpsampleConv, values_only: bool) -> str:
    """The way to compute a layer, from its settings alone, whatever the size of the image.

    ``values_only`` says that the processor is to compute values in float32 or float64, without
    derivatives and not for a trace.

    "pair" and "conv first" are the two operations, in either order. "transposed" is the collapsed
    kernel in torch's own transposed convolution; "phases" is the same kernel in one convolution,
    whose output channels are then interleaved: faster where they are few. "differences" has the
    fewest products.
    """
    conv, scale = layer._conv, layer.scale_factor
    axes = list(zip(scale, conv.reach, conv.padding, strict=True))
    nearest, zeros = not layer._linear, layer.padding_mode == "zeros"
    inputs, outputs = layer.in_channels, layer.out_channels
    if max(conv.reach) == 1 and not any(map(sum, conv.padding)):
        return "conv first"
    if zeros:  # with more padding, some outputs see nothing but zeros, and collapse refuses
        equal = all(max(pair) < reach for _, reach, pair in axes)
    elif layer.padding_mode == "reflect":  # within a block of copies, reflection is replication
        equal = nearest and all(max(pair) < s for s, _, pair in axes)
    else:
        equal = nearest or layer.padding_mode == "replicate"
    stamps = scale if nearest else [2 * s - s % 2 for s in scale]
    gain = prod(map(operator.mul, conv.kernel, scale)) / prod(
        reach + stamp - 1 for reach, stamp in zip(conv.reach, stamps, strict=True)
    )
    if not equal or max(scale) == 1 or gain < 1:
        return "pair"
    few = outputs // conv.groups < _FEW
    if few and values_only and conv.groups == 1 and inputs >= _RATIO * outputs:
        return "phases"
    if not nearest or (values_only and gain < _GAIN) or (few and conv.groups > 1):
        return "pair"
    if few and values_only:
        return "phases"
    spread = [(reach, pair) for s, reach, pair in axes if s > 1 and reach > 1]
    keeps_size = spread and all(sum(pair) == reach - 1 for reach, pair in spread)
    plain = zeros and conv.groups == max(conv.dilation) == 1
    if values_only and plain and keeps_size and min(inputs, outputs) >= _MANY:
        return "differences"
    return "transposed"


class _Phases(NamedTuple):
    """A transposed convolution as one convolution; the phases of its outputs are channels."""

    weight: torch.Tensor
    collapsed: Collapsed
    zeros: Pairs  # that the input needs around it; negative where it is cropped
    skipped: tuple[int, ...]  # outputs before the first that is wanted, along each axis


def _phases(collapsed: Collapsed, layout: torch.memory_format) -> _Phases:
    """Split every axis of taps into blocks of one stride: a tap of the convolution for each block.

    Where the first output is not the first of a block, some are skipped. Along the last axis
    zeros before the taps put it there: in channels_last, the phases of that axis then lie in
    memory as its outputs do.
    """
    weight, geometry = collapsed.weight, collapsed.geometry
    stride, n = geometry.stride, geometry.axes
    front = [0] * (n - 1) + [-geometry.padding[-1][0] % stride[-1]]
    added, zeros, skipped = [], [], []
    for k, s, (before, after), f in zip(
        geometry.kernel, stride, geometry.padding, front, strict=True
    ):
        blocks = ceil((f + k) / s)
        added.append((f, blocks * s - f - k))
        zeros.append((blocks - 1 - (f + before) // s, (f + k - 1 - after) // s))
        skipped.append((f + before) % s)
    weight = F.pad(weight, _flat(added))
    for axis, s in enumerate(stride):
        weight = weight.unflatten(2 + 2 * axis, (-1, s))
    taps, phases = range(2, 2 + 2 * n, 2), range(3, 3 + 2 * n, 2)
    weight = weight.flip(*taps).permute(*phases, 1, 0, *taps).flatten(0, n)
    return _Phases(weight.contiguous(memory_format=layout), collapsed, tuple(zeros), tuple(skipped))


def _by_phases(x: torch.Tensor, phases: _Phases, bias: torch.Tensor | None) -> torch.Tensor:
    """One convolution of the small image, whose channels are then interleaved."""
    stride, n = phases.collapsed.geometry.stride, x.ndim - 2
    channels = len(phases.weight) // prod(stride)
    x = phases.collapsed.extend(x)
    size = phases.collapsed.geometry.transposed_shape(tuple(x.shape[2:]))
    common = [max(min(pair), 0) for pair in phases.zeros]
    more = [(a - c, b - c) for c, (a, b) in zip(common, phases.zeros, strict=True)]
    x = F.pad(x, _flat(more)) if any(map(any, more)) else x
    bias = None if bias is None else bias.repeat(prod(stride))
    y = _CONV[n](x, phases.weight, bias, padding=common)
    blocks = y.shape[2:]
    full = [b * s for b, s in zip(blocks, stride, strict=True)]
    y = y.reshape(len(x), *stride, channels, *blocks)
    # Each block beside its phase, and the channels where they lie in memory.
    interleaved = [axis for a in range(n) for axis in (n + 2 + a, 1 + a)]
    if _layout(x) != torch.contiguous_format:
        y = y.permute(0, *interleaved, n + 1).reshape(len(x), *full, channels).movedim(-1, 1)
    else:
        y = y.permute(0, n + 1, *interleaved).reshape(len(x), channels, *full)
    for axis, (skipped, length) in enumerate(zip(phases.skipped, size, strict=True), start=2):
        y = y.narrow(axis, skipped, length)
    return y


class _Differences(NamedTuple):
    """Upsampling and a convolution, summed by parts along one axis.

    The first kernel is for the differences of the input along that axis, the second for the input
    itself, whose result is repeated along the axis, and both results are added.
    """

    axis: int
    weights: tuple[torch.Tensor, torch.Tensor]
    geometries: tuple[Geometry, Geometry]


def _differences(
    weight: torch.Tensor, conv: Geometry, scale: tuple[int, ...], layout: torch.memory_format
) -> _Differences:
    """The parts of nearest upsampling and a convolution that keeps the size along the axis.

    Let u be the upsampled input, and m an output. Where a tap sees another value than u[m], which
    tap p sees, then because of the steps d[q] = x[q − 1] − x[q] that lie between. So the sum is
    that of all taps times u[m], and a transposed convolution of the steps with the k − 1 running
    sums of the taps, less the sum of all from tap p on. These are k products for each input; the
    collapsed kernel has k + s − 1. The other axes are collapsed.
    """
    axis = next(a for a, s in enumerate(scale) if s > 1 and conv.kernel[a] > 1)
    k, (before, after) = conv.kernel[axis], conv.padding[axis]
    total = weight.sum(axis + 2, keepdim=True)
    running = weight.cumsum(axis + 2).narrow(axis + 2, 0, k - 1)
    front, back = running.split([before, after], axis + 2)
    steps = torch.cat([front, back - total], axis + 2)
    other_scale, other_padding = list(scale), list(conv.padding)
    other_scale[axis], other_padding[axis] = 1, 0
    parts = [collapse(part, other_scale, padding=other_padding) for part in (steps, total)]
    stride, padding = list(scale), list(parts[0].geometry.padding)
    padding[axis] = (after, before)
    geometry = Geometry(parts[0].geometry.kernel, stride, padding)
    weights = tuple(part.weight.contiguous(memory_format=layout) for part in parts)
    return _Differences(axis + 2, weights, (geometry, parts[1].geometry))


def _by_differences(x: torch.Tensor, how: _Differences, bias: torch.Tensor | None) -> torch.Tensor:
    """The differences first; then, piece by piece, what the values themselves add."""
    axis, (steps, total), (stamp, other) = how
    s, length = stamp.stride[axis - 2], x.shape[axis]
    size, layout = list(x.shape), _layout(x)
    size[axis] += 1
    d = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=layout)
    first, inner, last = d.split([1, length - 1, 1], axis)
    torch.neg(x.narrow(axis, 0, 1), out=first)  # beyond the border there are zeros
    torch.sub(x.narrow(axis, 0, length - 1), x.narrow(axis, 1, length - 1), out=inner)
    last.copy_(x.narrow(axis, length - 1, 1))
    y = native_unchecked(d, steps, stamp, bias)
    del d, first, inner, last
    rows = max(1, s * _PIECE * length // max(y.nbytes, 1))
    for piece, sums in zip(x.split(rows, axis), y.split(s * rows, axis), strict=True):
        copies = native_unchecked(piece, total, other).unsqueeze(axis + 1)
        sums.unflatten(axis, (-1, s)).add_(copies)
    return y


def _plain(*tensors: torch.Tensor | None) -> bool:
    """Whether values are all that is wanted: no derivative, no trace, no map over a batch."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    for tensor in tensors:
        if tensor is None:
            continue
        if torch.is_grad_enabled() and tensor.requires_grad:
            return False
        if unpack_dual(tensor).tangent is not None:
            return False
        try:
            tensor.data_ptr()
        except RuntimeError:  # under a transform of torch.func, or without memory
            return False
    return True


def _autocast_dtype(x: torch.Tensor) -> torch.dtype | None:
    """What torch would cast the input of a convolution to; None outside of autocast."""
    device = x.device.type
    if x.dtype == torch.float64 or not torch.amp.is_autocast_available(device):
        return None
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def _layout(x: torch.Tensor) -> torch.memory_format:
    """The memory format in which torch would go on."""
    last = x.ndim in _CHANNELS_LAST and x.stride(1) == 1 and x.stride(-1) >= x.shape[1]
    return _CHANNELS_LAST[x.ndim] if last else torch.contiguous_format


def _flat(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Padding as F.pad takes it: the last axis first."""
    return [count for pair in reversed(pairs) for count in pair]


class UpsampleConv1d(_UpsampleConv, nn.Conv1d):
    """Upsampling along one axis, then a convolution, in one layer: see :class:`UpsampleConv2d`.

    Example:
        >>> layer = UpsampleConv1d(8, 4, kernel_size=3, scale_factor=3, padding="same")
        >>> layer(torch.ones(1, 8, 5)).shape
        torch.Size([1, 4, 15])
    """

    _axes = 1


class UpsampleConv2d(_UpsampleConv, nn.Conv2d):
    """Upsampling by whole numbers, then a convolution, in one layer and less time.

    The values are those of ``nn.Sequential(nn.Upsample(…), nn.Conv2d(…))``, to rounding and
    borders included, for finite inputs, and so are the gradients. The parameters are those of the
    ``nn.Conv2d``: of the same names and shapes, started in the same way, so that each loads the
    other's state dict. The upsampled image is not stored. What is computed in its place follows
    from the settings; it is the pair itself where nothing is gained. Outside of training, kernels
    are kept until the weight changes, as autograd sees it: not if it is changed through
    ``weight.data``.

    Args:
        in_channels, out_channels, kernel_size, padding, dilation: as ``nn.Conv2d``.
        groups, bias, padding_mode, device, dtype: as ``nn.Conv2d``. The stride is 1.
        scale_factor: of the upsampling; a whole number of at least 1, or one per axis.
        mode: of the upsampling, as ``nn.Upsample`` names it: "nearest", "nearest-exact" (here the
            same), or "linear", which is also called "bilinear" on two axes and "trilinear" on
            three, by half pixels (``align_corners=False``).

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Claim upsample-then-conv-is-transpose. Taught in "What it costs".

    Example:
        >>> layer = UpsampleConv2d(8, 4, kernel_size=3, padding=1)
        >>> pair = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, padding=1))
        >>> pair[1].load_state_dict(layer.state_dict())
        <All keys matched successfully>
        >>> x = torch.rand(1, 8, 5, 5)
        >>> torch.allclose(layer(x), pair(x), atol=1e-6)
        True
    """

    _axes = 2


class UpsampleConv3d(_UpsampleConv, nn.Conv3d):
    """Upsampling along three axes, then a convolution, in one layer: see :class:`UpsampleConv2d`.

    Example:
        >>> layer = UpsampleConv3d(4, 2, kernel_size=3, scale_factor=(1, 2, 2), padding=1)
        >>> layer(torch.ones(1, 4, 3, 5, 5)).shape
        torch.Size([1, 2, 3, 10, 10])
    """

    _axes = 3


@torch.no_grad()
def icnr_(
    weight: torch.Tensor,
    upscale_factor: PerAxis,
    initializer: Callable[[torch.Tensor], object] = torch.nn.init.kaiming_normal_,
) -> torch.Tensor:
    """Start a sub-pixel layer, a convolution before a pixel shuffle, as nearest upsampling.

    All the sub-kernels that make one output channel, one for each phase, become equal ("initialised
    to convolution, nearest neighbour resize"). So at the start the layer is a convolution of the
    small image, then nearest upsampling, and no phase is brighter than another. The layer's bias
    has one value for each phase too: set it to zero. Training may make the phases unequal again.

    Args:
        weight: of the convolution, (out_channels · upscale_factorⁿ, channels // groups, *kernel)
            for n = 1 to 3 axes, in the order of ``torch.nn.PixelShuffle``: the phases of one output
            channel follow each other. (TensorFlow's ``depth_to_space`` has another order.)
        upscale_factor: of the pixel shuffle; an integer or one per axis.
        initializer: fills a tensor in place, as those of ``torch.nn.init`` do. It is called once,
            on (out_channels, channels // groups, *kernel), and draws no more than that.

    Returns:
        The weight itself.

    Raises:
        ValueError: for a weight that is no such weight, an upscale_factor that is no integer of at
            least 1, or an initializer that cannot be called.

    Source:
        Aitken et al. (2017), who name it. Taught in "Remedies".

    Example:
        >>> conv = torch.nn.Conv2d(16, 3 * 2**2, kernel_size=3, padding=1)
        >>> weight = icnr_(conv.weight, upscale_factor=2)
        >>> [torch.equal(weight[0], weight[phase]) for phase in (1, 2, 3, 4)]
        [True, True, True, False]
    """
    axes = _axes(weight)
    phases = prod(per_axis("upscale_factor", upscale_factor, axes, 1))
    if len(weight) % phases:
        raise ValueError(
            f"weight: got shape {tuple(weight.shape)} for {phases} phases; want a first axis that "
            f"{phases} divides"
        )
    if not callable(initializer):
        raise ValueError(f"initializer: got {initializer!r}; want a function of a tensor")
    first = weight[::phases].clone()
    initializer(first)
    return weight.copy_(first.repeat_interleave(phases, dim=0))


@torch.no_grad()
def bilinear_(weight: torch.Tensor, stride: PerAxis, groups: int = 1) -> torch.Tensor:
    """Start a transposed convolution as linear interpolation of every channel by itself.

    Along each axis the kernel is a tent, 1 in the middle and 0 at a distance of one stride; in the
    plane this is bilinear interpolation. Channel c of the output is channel c of the input, larger.

    Kernels of 2s and 2s − 1 taps hold such a tent. Of these, 2s for an even stride with padding
    s/2, and 2s − 1 for an odd one with padding (s − 1)/2, take n pixels to sn, as
    ``F.interpolate`` does with ``align_corners=False``. A kernel of 2s − 1 with padding s − 1 takes
    n pixels to s(n − 1) + 1, as it does with ``align_corners=True``. With ``align_corners=False``
    the pixels near the border differ: there the transposed convolution sees zeros.

    Args:
        weight: of the transposed convolution, (channels, channels // groups, *kernel), 1 to 3 axes.
        stride: s; an integer or one per axis.
        groups: of the layer; ``groups=channels`` stores nothing but the tents.

    Returns:
        The weight itself. To keep it from learning, ``weight.requires_grad_(False)``.

    Raises:
        ValueError: for a kernel of another size, another number of outputs than of inputs, or a
            stride or groups that are no integers of at least 1.

    Source:
        Long et al. (2015), sections 3.3 and 4.2; the size 2s − (s mod 2) is that of Caffe's filler.
        Taught in "Remedies".

    Example:
        >>> layer = torch.nn.ConvTranspose1d(1, 1, kernel_size=4, stride=2, padding=1, bias=False)
        >>> bilinear_(layer.weight, stride=2).tolist()
        [[[0.25, 0.75, 0.75, 0.25]]]
        >>> layer(torch.tensor([[[0.0, 4.0, 8.0]]])).tolist()
        [[[0.0, 1.0, 3.0, 5.0, 7.0, 6.0]]]
    """
    axes = _axes(weight)
    stride = per_axis("stride", stride, axes, 1)
    (groups,) = per_axis("groups", groups, 1, 1)
    channels, shape = len(weight), tuple(weight.shape)
    if channels != shape[1] * groups:
        raise ValueError(
            f"weight: got shape {shape} with groups {groups}, {channels} channels to "
            f"{shape[1] * groups}; want as many outputs as inputs"
        )
    tents = torch.ones((), dtype=weight.dtype, device=weight.device)
    for k, s in zip(shape[2:], stride, strict=True):
        if ceil(k / 2) != s:
            raise ValueError(
                f"weight: got a kernel of {k} along an axis with stride {s}; want {2 * s} or "
                f"{2 * s - 1} taps, since no other size holds the tent"
            )
        taps = torch.arange(k, dtype=weight.dtype, device=weight.device)
        tents = tents[..., None] * (1 - (taps - (k - 1) / 2).abs() / s)
    weight.zero_()
    channel = torch.arange(channels, device=weight.device)
    weight[channel, channel % shape[1]] = tents
    return weight


def _axes(weight: torch.Tensor) -> int:
    """Number of spatial axes of a weight that can be initialised."""
    check_tensors(weight=weight)
    if not weight.is_floating_point():
        raise ValueError(f"weight: got {weight.dtype}; want floating-point numbers")
    return weight_axes(tuple(weight.shape))
