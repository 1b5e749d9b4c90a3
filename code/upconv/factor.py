"""Upsample-then-convolve as one transposed convolution, and back.

Along each axis a kernel is a polynomial, tap t the coefficient of zᵗ. Nearest upsampling by s
stamps the box 1 + z + … + z^(s−1), linear upsampling a tent. Collapsing multiplies the flipped
kernel of the convolution with that stamp; dividing asks whether a transposed kernel is a multiple
of the box.
Taught in the chapter "When is one the other?".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional as F

from upconv.definition import check_shapes, check_weight, weight_axes
from upconv.forms import check_tensors, native
from upconv.geometry import Geometry, Padding, PerAxis, per_axis

__all__ = ["Collapsed", "Division", "collapse", "divide"]

Pairs = tuple[tuple[int, int], ...]


class Collapsed(NamedTuple):
    """Upsampling and a convolution as one transposed convolution.

    ``weight`` is (channels, out_channels // groups, *kernel) and ``geometry`` its stride, padding
    and groups; the bias stays that of the convolution. ``margin`` says how many values the input
    must first be extended by, (before, after) per axis, in the way of ``margin_mode``; all zeros
    for nearest upsampling and zero padding. ``strip`` counts the outputs (before, after) at the
    ends of each axis that are *not* those of upsample-then-convolve; all others are.
    """

    weight: torch.Tensor
    geometry: Geometry
    margin: Pairs
    margin_mode: str
    strip: Pairs

    def apply(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Extend x by the margin and run the transposed convolution.

        Args:
            x: (batch, channels, *size).
            bias: (out_channels,) or None.

        Returns:
            (batch, out_channels, *out_size), of the size that upsample-then-convolve gives.

        Raises:
            ValueError: for tensors that do not fit, an axis shorter than a circular margin, or
                padding that leaves nothing.

        Source:
            Claim upsample-then-conv-is-transpose.

        Example:
            >>> ones = torch.ones(1, 1, 3)
            >>> collapse(ones, 2, padding=1, padding_mode="replicate").apply(ones)
            tensor([[[3., 3., 3., 3., 3., 3.]]])
        """
        return native(self.extend(x), self.weight, self.geometry, bias)

    def extend(self, x: torch.Tensor) -> torch.Tensor:
        """Extend x by the margin.

        Args:
            x: (batch, channels, *size).

        Raises:
            ValueError: as :meth:`apply`.

        Example:
            >>> kernel = torch.ones(1, 1, 3)
            >>> collapse(kernel, 2, padding=1, padding_mode="circular").extend(kernel.cumsum(2))
            tensor([[[3., 1., 2., 3., 1.]]])
        """
        check_tensors(x=x)
        check_shapes(tuple(x.shape), tuple(self.weight.shape), self.geometry, transposed=True)
        flat = [count for pair in reversed(self.margin) for count in pair]
        if any(flat):
            shortest = tuple(max(pair) for pair in self.margin)
            if self.margin_mode == "circular" and any(
                size < least for size, least in zip(x.shape[2:], shortest, strict=True)
            ):
                raise ValueError(
                    f"x: got size {tuple(x.shape[2:])}; want at least {shortest}, which circular "
                    "padding copies from the other end"
                )
            x = F.pad(x, flat, self.margin_mode)
        return x


def collapse(
    weight: torch.Tensor,
    scale: PerAxis,
    *,
    padding: Padding = 0,
    mode: str = "nearest",
    padding_mode: str = "zeros",
    groups: int = 1,
) -> Collapsed:
    """The transposed convolution that equals upsampling by ``scale``, then this convolution.

    Differentiable: a loss on the collapsed kernel has its gradient on ``weight``. With nearest
    upsampling the result is exact at every output, the border included. With linear upsampling
    (half pixels, ``align_corners=False``) and replicate padding too; with linear upsampling and
    zero padding everywhere but in a border as wide as the padding (``Collapsed.strip``), in which
    the result is that of replicate padding along each axis that is upsampled (scale above 1).

    Args:
        weight: of the convolution (stride and dilation 1), as torch.nn.Conv1d, 2d and 3d store
            it: (out_channels, channels // groups, *kernel), floating point.
        scale: s, whole number of at least 1 per axis.
        padding: of the convolution; per axis an integer or (before, after). Zero padding is at most
            kernel − 1: what lies further out sees nothing but zeros.
        mode: "nearest" or "linear" (bilinear on two axes, trilinear on three).
        padding_mode: what the convolution reads outside: "zeros", "replicate" or, after nearest
            upsampling, "circular".
        groups: of the convolution.

    Returns:
        A :class:`Collapsed`. For nearest upsampling and zero padding its kernel has size
        k + s − 1, its padding is k − 1 − padding, and margin and strip are zero.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Claim upsample-then-conv-is-transpose. Taught in "When is one the other?".

    Example:
        >>> weight, geometry, *_ = collapse(torch.tensor([[[1.0, 2.0, 3.0]]]), 2, padding=1)
        >>> weight, geometry.stride, geometry.padding
        (tensor([[[3., 5., 3., 1.]]]), (2,), ((1, 1),))
    """
    conv, scale = _settings(weight, scale, padding, groups)
    check_weight(tuple(weight.shape), conv, transposed=False)
    _check_modes(conv, mode, padding_mode)
    axes, k = range(conv.axes), conv.kernel
    stamps = [_box(s) if mode == "nearest" else _tent(s) for s in scale]
    # A stamp begins so far before the first of the s outputs of its input, and ends as far behind.
    over = [(len(stamp) - s + 1) // 2 for stamp, s in zip(stamps, scale, strict=True)]
    zeros = padding_mode == "zeros"
    # A box does not reach over the border, so that beyond it zeros come by themselves.
    read = [(0, 0) if zeros and not over[n] else conv.padding[n] for n in axes]
    margin = tuple(
        tuple((beyond + scale[n] - 1 + over[n]) // scale[n] for beyond in read[n]) for n in axes
    )
    cropped = [
        tuple(k[n] - 1 - p + over[n] + scale[n] * more for p, more in zip(*pairs, strict=True))
        for n, pairs in enumerate(zip(conv.padding, margin, strict=True))
    ]
    kernel = _convolved(_exchanged(weight, groups), stamps)
    geometry = Geometry(tuple(kernel.shape[2:]), scale, cropped, groups=groups)
    strip = tuple(conv.padding[n] if zeros and over[n] else (0, 0) for n in axes)
    margin_mode = "circular" if padding_mode == "circular" else "replicate"
    return Collapsed(kernel, geometry, margin, margin_mode, strip)


class Division(NamedTuple):
    """A transposed kernel divided by the box.

    ``quotient`` is the weight of the convolution that follows nearest upsampling, in the layout of
    torch.nn.Conv: (out_channels, channels // groups, *(kernel − scale + 1)); ``remainder`` has the
    shape of the divided weight, which is the collapsed quotient plus the remainder; ``factorable``
    says whether the remainder is zero to the tolerance.
    """

    quotient: torch.Tensor
    remainder: torch.Tensor
    factorable: bool


def divide(
    weight: torch.Tensor, scale: PerAxis, *, groups: int = 1, tolerance: float = 1e-5
) -> Division:
    """Divide a transposed kernel by 1 + z + … + z^(s−1) along each axis.

    The division goes from the first tap to the last, as long division goes through the digits of a
    number; what is left stands in the last s − 1 taps of some axis. It is zero exactly when the
    transposed convolution with stride ``scale`` is nearest upsampling followed by a convolution,
    whose weight is then the quotient and whose padding is kernel − scale less the transposed
    padding (where that is negative, crop the result instead). Quotient and remainder are
    differentiable.

    Args:
        weight: of the transposed convolution, (channels, out_channels // groups, *kernel), floating
            point, at least as large as the scale along each axis.
        scale: s, the stride of the transposed convolution.
        groups: its groups.
        tolerance: largest remainder, as a share of the largest tap, that counts as zero. The
            default is above the rounding of float32; narrower types need a larger one.

    Returns:
        A :class:`Division`.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Claim transpose-is-upsample-then-conv. Taught in "When is one the other?".

    Example:
        >>> divide(torch.tensor([[[3.0, 5.0, 3.0, 1.0]]]), 2).quotient
        tensor([[[1., 2., 3.]]])
        >>> division = divide(torch.tensor([[[1.0, 2.0, 3.0]]]), 2)
        >>> division.remainder, division.factorable
        (tensor([[[0., 0., 2.]]]), False)
    """
    geometry, scale = _settings(weight, scale, 0, groups)
    check_weight(tuple(weight.shape), geometry, transposed=True)
    if any(k < s for k, s in zip(geometry.kernel, scale, strict=True)):
        raise ValueError(
            f"scale: got {scale} for a kernel {geometry.kernel}; want no axis larger than the "
            "kernel's: a smaller kernel is no multiple of the box"
        )
    if (
        isinstance(tolerance, bool)
        or not isinstance(tolerance, float | int)
        or not 0 <= tolerance < 1
    ):
        raise ValueError(f"tolerance: got {tolerance!r}; want a number from 0 to below 1")
    quotient = weight
    for axis, s in enumerate(scale, start=2):
        quotient = _divided(quotient, axis, s)
    remainder = weight - _convolved(quotient, [_box(s) for s in scale])
    small = remainder.detach().abs().max() <= tolerance * weight.detach().abs().max()
    return Division(_exchanged(quotient, groups), remainder, bool(small))


def _settings(weight, scale, padding, groups) -> tuple[Geometry, tuple[int, ...]]:
    """The geometry of a convolution with this weight, at stride 1, and the scale of each axis."""
    check_tensors(weight=weight)
    if not weight.is_floating_point():
        raise ValueError(f"weight: got {weight.dtype}; want floating point")
    weight_axes(tuple(weight.shape))
    conv = Geometry(tuple(weight.shape[2:]), padding=padding, groups=groups)
    return conv, per_axis("scale", scale, conv.axes, 1)


def _check_modes(conv: Geometry, mode: str, padding_mode: str) -> None:
    if mode not in ("nearest", "linear"):
        raise ValueError(f"mode: got {mode!r}; want 'nearest' or 'linear'")
    if padding_mode not in ("zeros", "replicate", "circular"):
        raise ValueError(
            f"padding_mode: got {padding_mode!r}; want 'zeros', 'replicate' or 'circular' "
            "('reflect' mirrors single outputs, not blocks; after nearest upsampling it is "
            "'replicate' where the padding is smaller than the scale)"
        )
    if mode == "linear" and padding_mode == "circular":
        raise ValueError(
            "padding_mode: got 'circular' with mode 'linear'; want 'zeros' or 'replicate': the "
            "upsampling does not interpolate across the seam"
        )
    if padding_mode == "zeros" and any(
        max(pair) >= k for pair, k in zip(conv.padding, conv.kernel, strict=True)
    ):
        raise ValueError(
            f"padding: got {conv.padding} for a kernel {conv.kernel}; want at most the kernel's "
            "size less 1: outputs further out see nothing but zeros"
        )


def _box(s: int) -> list[float]:
    return [1.0] * s


def _tent(s: int) -> list[float]:
    """What linear upsampling by s makes of a single 1: 2s values for even s, 2s − 1 for odd s."""
    first = -(s // 2)
    return [1 - abs(n + (1 - s) / 2) / s for n in range(first, first + 2 * s - s % 2)]


def _exchanged(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Between the layouts of torch.nn.Conv and ConvTranspose: channel axes exchanged, taps flipped.

    It is its own inverse.
    """
    swapped = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    return swapped.flip(tuple(range(2, weight.ndim)))


def _convolved(kernel: torch.Tensor, stamps: list[list[float]]) -> torch.Tensor:
    """The product of the polynomials: along each axis, a sum of shifted copies."""
    for axis, stamp in enumerate(stamps, start=2):
        inner, last = [0, 0] * (kernel.ndim - 1 - axis), len(stamp) - 1  # F.pad begins at the end
        kernel = sum(value * F.pad(kernel, [*inner, t, last - t]) for t, value in enumerate(stamp))
    return kernel


def _divided(kernel: torch.Tensor, axis: int, s: int) -> torch.Tensor:
    """The quotient by the box along one axis: each tap less what the s − 1 before it have taken."""
    quotient = []
    for tap in kernel.unbind(axis)[: kernel.shape[axis] - s + 1]:
        quotient.append(tap - sum(quotient[max(len(quotient) - s + 1, 0) :]))
    return torch.stack(quotient, axis)
