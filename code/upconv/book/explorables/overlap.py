"""Overlap and phases: how many stamps meet, what their taps add up to, and the grid they make."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
import torch
from torch.nn import functional as F

from upconv.book.figures.style import BLUE, FILL, ORANGE, Figure, canvas, cells, number, picture
from upconv.checkerboard import constant_response, overlap, phase_gains, ramp_response
from upconv.layers import bilinear_

__all__ = ["still"]

LAYERS = {1: 3, 2: 3, 3: 2}  # at most, by stride


def still(
    kernel: int = 4,
    stride: int = 2,
    layers: int = 1,
    axes: int = 2,
    weights: str = "torch",
    seed: int = 38,
) -> Figure:
    """What equal layers with one kernel, one channel to one, make of a constant and a ramp.

    Args:
        kernel: size along each axis, 1 to 6.
        stride: 1 to 3.
        layers: how many such layers follow each other: 1 to 3, with stride 3 to 2.
        axes: 1 or 2.
        weights: "ones"; "torch" or "keras", uniform random numbers as these frameworks draw them;
            or "bilinear", for kernels of 2s and 2s − 1 taps.
        seed: of the random numbers, an integer of at least 0.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Claims divisible-kernel-avoids-them and transpose-makes-checkerboards. Taught in
        "Checkerboards".

    Example:
        >>> still(kernel=3, weights="bilinear", axes=1)
        Kernel 3, stride 2, along one axis. In the phases meet 2, 1 stamps; their taps add up to \
1, 1. A constant becomes a constant, a ramp a ramp.
    """
    for name, value, choices in (
        ("kernel", kernel, range(1, 7)),
        ("stride", stride, range(1, 4)),
        ("layers", layers, range(1, LAYERS.get(stride, 1) + 1)),
        ("axes", axes, (1, 2)),
        ("weights", weights, ("ones", "torch", "keras", "bilinear")),
    ):
        if value not in choices:
            raise ValueError(f"{name}: got {value!r}; want one of {', '.join(map(str, choices))}")
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed: got {seed!r}; want an integer of at least 0")
    weight = torch.from_numpy(_weight(kernel, stride, axes, weights, seed))
    period = stride**layers
    counts = overlap((kernel,) * axes, stride, layers)
    gains = phase_gains(_composed(weight, stride, layers), period)[0, 0].numpy()
    side = 24 if period < 5 else 4 * period
    constant, ramp = (
        response(_model(weight, stride, layers, side), torch.ones(1, 1).double(),
                 (_input_size(kernel, stride, layers, side),) * axes, period, margin=0)
        for response in (constant_response, ramp_response)
    )  # fmt: skip
    drawing, panels = canvas(4, width=7.5, height=2.4)
    for ax, title, values, tint in (
        (panels[0], "stamps that meet", counts, counts / counts.max()),
        (panels[1], "sum of their taps", gains, np.abs(gains) / (np.abs(gains).max() or 1)),
    ):
        table = np.atleast_2d(values.round(9))
        colors = np.where(table < 0, ORANGE, BLUE).astype(object)
        cells(ax, table, colors=colors, opacity=FILL * np.atleast_2d(tint), title=title, fontsize=9)
    for ax, title, response in ((panels[2], "a constant", constant), (panels[3], "a ramp", ramp)):
        image = np.broadcast_to(response.interior[0, 0].numpy(), (side, side))
        limits = (min(0, image.min()), max(0, image.max()))
        picture(ax, np.kron(image, np.ones((6, 6))), f"{title}: {_grid(response.relative)}", limits=limits)
    stack = f", {layers} layers" if layers > 1 else ""
    told = [", ".join(map(number, values.ravel().round(9) + 0.0)) for values in (counts, gains)]
    become = [
        f"a grid of {number(response.relative)}" if response.relative > 1e-9 else f"a {name}"
        for name, response in (("constant", constant), ("ramp", ramp))
    ]
    return Figure(
        drawing,
        f"Kernel {kernel}, stride {stride}{stack}, along {'one axis' if axes == 1 else 'two axes'}. "
        f"In the phases meet {told[0]} stamps; their taps add up to {told[1]}. "
        f"A constant becomes {become[0]}, a ramp {become[1]}.",
    )


def _grid(relative: float) -> str:
    return f"grid {number(relative)}" if relative > 1e-9 else "no grid"


def _weight(kernel: int, stride: int, axes: int, weights: str, seed: int) -> np.ndarray:
    """(1, 1, *kernel), the very numbers that the script starts with."""
    shape = (1, 1, *(kernel,) * axes)
    if weights == "ones":
        return np.ones(shape)
    if weights == "bilinear":
        return bilinear_(torch.ones(shape).double(), stride).numpy()
    bound = sqrt((1 if weights == "torch" else 3) / kernel**axes)
    uniform = _uniform(seed)
    return np.array([round(bound * (2 * next(uniform) - 1), 2) for _ in range(kernel**axes)]).reshape(shape)


def _uniform(seed: int) -> Iterator[float]:
    """The numbers from 0 to 1 that ``random(seed)`` of arithmetic.js gives: Mulberry32."""
    state = seed
    while True:
        state = state + 0x6D2B79F5 & 0xFFFFFFFF
        bits = (state ^ state >> 15) * (state | 1) & 0xFFFFFFFF
        bits ^= bits + (bits ^ bits >> 7) * (bits | 61) & 0xFFFFFFFF
        yield (bits ^ bits >> 14) / 2**32


def _composed(weight: torch.Tensor, stride: int, layers: int) -> torch.Tensor:
    """The one kernel that all the layers are together."""
    all_layers = weight
    for _ in range(layers - 1):
        all_layers = _transposed(all_layers, weight, stride, 0)
    return all_layers


def _model(weight: torch.Tensor, stride: int, layers: int, side: int):
    """The layers as a callable; each crops what its border reaches, and the last to the side."""
    crop = max(weight.shape[-1] - stride, 0)

    def model(x):
        for _ in range(layers):
            x = _transposed(x, weight, stride, crop)
        return x[(..., *(slice(side),) * (x.ndim - 2))]

    return model


def _transposed(x, weight, stride, padding):
    convolve = F.conv_transpose1d if x.ndim == 3 else F.conv_transpose2d
    return convolve(x, weight, stride=stride, padding=padding)


def _input_size(kernel: int, stride: int, layers: int, side: int) -> int:
    """The size that the layers enlarge to the side, or a little more."""
    crop = max(kernel - stride, 0)
    for _ in range(layers):
        side = -((kernel - 2 * crop - side) // stride) + 1
    return side
