"""Overlap and phases: how many stamps meet, what their taps add up to, and the grid they make."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
import torch
from torch.nn import functional as F

from upconv.book.figures.style import BLUE, FILL, ORANGE, Figure, canvas, cells, number, picture
from upconv.checkerboard import Response, constant_response, overlap, phase_gains, ramp_response
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
        Kernel 3, stride 2, one axis, 1 layer. In the phases meet 2, 1 stamps; their taps add \
up to 1, 1. A constant becomes a constant, a ramp a ramp.
    """
    choices = {
        "kernel": (kernel, range(1, 7)),
        "stride": (stride, range(1, 4)),
        "layers": (layers, range(1, LAYERS.get(stride, 1) + 1)),
        "axes": (axes, (1, 2)),
        "weights": (weights, ("ones", "torch", "keras", "bilinear")),
    }
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise ValueError(f"{name}: got {value!r}; want one of {', '.join(map(str, allowed))}")
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed: got {seed!r}; want an integer of at least 0")
    weight = torch.from_numpy(_weight(kernel, stride, axes, weights, seed))
    period = stride**layers
    counts = overlap((kernel,) * axes, stride, layers)
    gains = phase_gains(_composed(weight, stride, layers), period)[0, 0].numpy().round(9) + 0.0
    answers = _answers(weight, stride, layers)
    told = [", ".join(map(number, values.ravel())) for values in (counts, gains)]
    become = [
        f"a {name}" if response.relative < 1e-9 else f"a grid of {number(response.relative)}"
        for name, response in answers.items()
    ]
    return Figure(
        _drawing(counts, gains, answers),
        f"Kernel {kernel}, stride {stride}, {'one axis' if axes == 1 else 'two axes'}, "
        f"{layers} layer{'s' if layers > 1 else ''}. In the phases meet {told[0]} stamps; their "
        f"taps add up to {told[1]}. A constant becomes {become[0]}, a ramp {become[1]}.",
    )


def _drawing(counts: np.ndarray, gains: np.ndarray, answers: dict[str, Response]):
    drawing, axes = canvas(4, width=7.5, height=2.4)
    for ax, title, values in ((axes[0], "stamps that meet", counts), (axes[1], "sums", gains)):
        table = np.atleast_2d(values)
        colors = np.where(table < 0, ORANGE, BLUE).astype(object)
        opacity = FILL * np.abs(table) / (np.abs(table).max() or 1)
        cells(ax, table, colors=colors, opacity=opacity, title=title, fontsize=9)
    for ax, (name, response) in zip(axes[2:], answers.items(), strict=True):
        row = response.interior[0, 0].numpy()
        image = np.broadcast_to(row, (row.shape[-1],) * 2)  # one axis: equal rows
        limits = (min(0, image.min()), max(0, image.max()))
        grid = "no grid" if response.relative < 1e-9 else f"grid {number(response.relative)}"
        picture(ax, np.kron(image, np.ones((6, 6))), f"a {name}: {grid}", limits=limits)
    return drawing


def _answers(weight: torch.Tensor, stride: int, layers: int) -> dict[str, Response]:
    """What the layers make of a constant and of a ramp, away from the border."""
    period = stride**layers
    side = 24 if period < 5 else 4 * period
    kernel = weight.shape[-1]
    crop = max(kernel - stride, 0)  # what the border reaches
    size = side
    for _ in range(layers):
        size = -((kernel - 2 * crop - size) // stride) + 1

    def model(x):
        for _ in range(layers):
            x = _transposed(x, weight, stride, crop)
        return x[(..., *(slice(side),) * (x.ndim - 2))]

    settings = model, torch.ones(1, 1).double(), (size,) * (weight.ndim - 2), period
    return {
        "constant": constant_response(*settings, margin=0),
        "ramp": ramp_response(*settings, margin=0),
    }


def _composed(weight: torch.Tensor, stride: int, layers: int) -> torch.Tensor:
    """The one kernel that all the layers are together."""
    composed = weight
    for _ in range(layers - 1):
        composed = _transposed(composed, weight, stride, 0)
    return composed


def _transposed(x: torch.Tensor, weight: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
    convolve = F.conv_transpose1d if x.ndim == 3 else F.conv_transpose2d
    return convolve(x, weight, stride=stride, padding=padding)


def _weight(kernel: int, stride: int, axes: int, weights: str, seed: int) -> np.ndarray:
    """(1, 1, *kernel), the very numbers that the script starts with."""
    shape = (1, 1, *(kernel,) * axes)
    if weights == "ones":
        return np.ones(shape)
    if weights == "bilinear":
        return bilinear_(torch.ones(shape).double(), stride).numpy()
    bound = sqrt((1 if weights == "torch" else 3) / kernel**axes)
    taps = bound * (2 * np.fromiter(_uniform(seed), float, kernel**axes) - 1)
    return taps.round(2).reshape(shape)


def _uniform(seed: int) -> Iterator[float]:
    """The numbers from 0 to 1 that ``random(seed)`` of arithmetic.js gives: Mulberry32."""
    state = seed
    while True:
        state = state + 0x6D2B79F5 & 0xFFFFFFFF
        bits = (state ^ state >> 15) * (state | 1) & 0xFFFFFFFF
        bits ^= bits + (bits ^ bits >> 7) * (bits | 61) & 0xFFFFFFFF
        yield (bits ^ bits >> 14) / 2**32
