"""Initialisers for upsampling layers, in the style of ``torch.nn.init``.

They fill a weight in place, without a trace for autograd, and return it. The stride is that of the
layer; torch calls it ``upscale_factor`` where a pixel shuffle follows. Taught in "Remedies".
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, prod

import torch

from upconv.definition import weight_axes
from upconv.forms import check_tensors
from upconv.geometry import PerAxis, per_axis

__all__ = ["bilinear_", "icnr_"]


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
            channel follow each other. (Tensorflow's ``depth_to_space`` has another order.)
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
