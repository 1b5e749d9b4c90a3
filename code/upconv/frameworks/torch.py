"""PyTorch: torch.nn.ConvTranspose{1,2,3}d. Its layout is ours, and its words are ours.

It has one padding for both sides, and output_padding for the end; where that cannot say the
crop, a ZeroPad layer with negative padding cuts off the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from upconv.frameworks.shared import call, check_arrays, crops, plain, said
from upconv.geometry import Geometry, PerAxis

if TYPE_CHECKING:
    import torch

__all__ = ["code", "geometry_of", "read", "words", "write"]

NAME = "PyTorch"
LAYOUT = "(in, out / groups, *kernel)"


def geometry_of(
    kernel_size: PerAxis,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
) -> Geometry:
    """The geometry of torch.nn.ConvTranspose with these arguments, in torch's order.

    Raises:
        ValueError: as :class:`upconv.Geometry`.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html;
        Dumoulin & Visin (2016), relationship 14.

    Example:
        >>> geometry_of(3, stride=2, padding=1, output_padding=1).transposed_shape(14)
        (28,)
    """
    return Geometry(kernel_size, stride, padding, dilation, output_padding, groups)


def words(geometry: Geometry) -> dict[str, object]:
    """The arguments of torch.nn.ConvTranspose, without those at their default.

    Returns:
        Names and values, and, if one symmetric padding cannot say it, ``crop``: what must be
        cut off the result afterwards, (before, after) per axis.

    Example:
        >>> words(Geometry((3, 3), stride=2, padding=1, output_padding=1))
        {'kernel_size': 3, 'stride': 2, 'padding': 1, 'output_padding': 1}
        >>> words(Geometry(3, stride=2, padding=((0, 1),)))
        {'kernel_size': 3, 'stride': 2, 'crop': ((0, 1),)}
    """
    padding, output_padding, crop = [], [], []
    for (before, after), s, d in zip(
        crops(geometry), geometry.stride, geometry.dilation, strict=True
    ):
        if 0 <= before - after < max(s, d):
            both, more = before, before - after
        else:
            both, more = min(before, max(after, 0)), max(-after, 0)
        padding.append(both)
        output_padding.append(more)
        crop.append((before - both, after - both + more))
    return {
        "kernel_size": plain(geometry.kernel),
        **said(
            stride=(plain(geometry.stride), 1),
            padding=(plain(tuple(padding)), 0),
            output_padding=(plain(tuple(output_padding)), 0),
            groups=(geometry.groups, 1),
            dilation=(plain(geometry.dilation), 1),
            crop=(tuple(crop), ((0, 0),) * geometry.axes),
        ),
    }


def code(geometry: Geometry, input_shape: PerAxis, channels: tuple[int, int]) -> str:
    """The layer as one writes it: one expression that needs ``import torch``.

    Args:
        geometry: what the layer shall compute.
        input_shape: not looked at; here because other frameworks need it.
        channels: (in, out).

    Example:
        >>> code(Geometry((4, 4), stride=2, padding=1), 14, (3, 8))
        'torch.nn.ConvTranspose2d(3, 8, kernel_size=4, stride=2, padding=1)'
    """
    arguments = words(geometry)
    crop = arguments.pop("crop", None)
    layer = call(
        f"torch.nn.ConvTranspose{geometry.axes}d", str(channels[0]), str(channels[1]), **arguments
    )
    if crop is None:
        return layer
    return f"torch.nn.Sequential({layer}, torch.nn.ZeroPad{geometry.axes}d({_negative_pad(crop)}))"


def read(layer: torch.nn.Module) -> tuple[Geometry, np.ndarray, np.ndarray | None]:
    """Geometry, weight and bias of a torch.nn.ConvTranspose{1,2,3}d.

    Returns:
        Geometry, weight (in, out // groups, *kernel), and bias (out,) or None: NumPy copies.

    Raises:
        ValueError: for any other module.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """
    import torch

    kinds = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)
    if not isinstance(layer, kinds):
        raise ValueError(f"layer: got {type(layer).__name__}; want a torch.nn.ConvTranspose")
    geometry = geometry_of(
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.groups,
        layer.dilation,
    )
    weight, bias = (
        None if parameter is None else parameter.detach().cpu().numpy().copy()
        for parameter in (layer.weight, layer.bias)
    )
    return geometry, weight, bias


def write(
    geometry: Geometry, weight: np.ndarray, bias: np.ndarray | None = None
) -> torch.nn.Module:
    """A torch module that computes exactly this transposed convolution.

    Args:
        geometry: any.
        weight: (in, out // groups, *kernel); the layer takes over its dtype.
        bias: (out,) or None.

    Returns:
        torch.nn.ConvTranspose{1,2,3}d, followed by a ZeroPad that crops where the padding is
        not one that torch has. Input (batch, in, *size).

    Raises:
        ValueError: for a weight or bias that does not fit.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """
    import torch

    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    check_arrays(weight, bias, geometry)
    arguments = words(geometry)
    crop = arguments.pop("crop", None)
    # skip_init: the weights come next, and a reader's random numbers stay as they were.
    layer = torch.nn.utils.skip_init(
        getattr(torch.nn, f"ConvTranspose{geometry.axes}d"),
        len(weight),
        weight.shape[1] * geometry.groups,
        **arguments,
        bias=bias is not None,
        dtype=torch.from_numpy(weight[:0].copy()).dtype,
    )
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.copy()))
        if bias is not None:
            layer.bias.copy_(torch.from_numpy(bias.copy()))
    if crop is None:
        return layer
    pad = getattr(torch.nn, f"ZeroPad{geometry.axes}d")
    return torch.nn.Sequential(layer, pad(_negative_pad(crop)))


def _negative_pad(crop: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """The crop in the order of torch's padding layers: last axis first."""
    return tuple(-number for pair in reversed(crop) for number in pair)
