"""Two routes up, or four poolings and what they pass back; in numbers that can be dragged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from upconv.book.figures.style import BLUE, FILL, ORANGE, Figure, canvas, cells, number
from upconv.factor import collapse, divide
from upconv.forms import native
from upconv.geometry import Geometry
from upconv.pooling import average_pool_gradient, insert_zeros, max_pool, max_pool_gradient
from upconv.resample import interpolate

__all__ = ["still"]

Numbers = Sequence[int] | None

FIRST = (1, 2, 4, 3, 0, -1, -2, 5, -3)  # here as in routes.js, as all limits are
SMALL = {"routes": (4, 3), "pooling": (3, 2)}  # side of the small image on one axis, on two


def still(
    view: str = "routes",
    start: str = "convolution",
    scale: int = 2,
    axes: int = 1,
    kernel: int = 3,
    weight: Numbers = None,
    x: Numbers = None,
    gradient: Numbers = None,
) -> Figure:
    """One input on the two routes up and their difference; or one gradient back through poolings.

    The convolution is padded so that it keeps the upsampled size, the strided layer so that it
    reaches the same. All numbers are whole, and go row by row.

    Args:
        view: "routes", or "pooling", in which start, kernel and weight play no part.
        start: whose kernel is given: that of the "convolution" after nearest upsampling, with 1 to
            3 taps along each axis, or that of the "transposed" convolution with stride = scale,
            with scale to scale + 2.
        scale: 2 or 3.
        axes: 1 or 2.
        kernel: taps along each axis.
        weight: −3 to 3 for the convolution, up to scale ** axes times that for the transposed one;
            None for 1, 2, 3 or 1, 2, 4, ….
        x: the input, −9 to 9: 4 numbers or 3×3; for "pooling", 3 windows of the scale or 2×2. None
            for some digits.
        gradient: −12 to 12, at the output of the poolings; None for some digits.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Claims upsample-then-conv-is-transpose and transpose-is-upsample-then-conv. Taught in "When
        is one the other?" and "Pooling backwards".

    Example:
        >>> still(weight=[1, 2, 3])
        Nearest upsampling by 2 and the kernel 1, 2, 3; one layer with stride 2 and the kernel 3, \
5, 3, 1. From the input 1, 2, 4, 3 both make 5, 9, 11, 18, 22, 21, 19, 9.
    """
    _choose("view", view, ("routes", "pooling"))
    _choose("start", start, ("convolution", "transposed"))
    _choose("scale", scale, (2, 3))
    _choose("axes", axes, (1, 2))
    small = SMALL[view][axes - 1]
    if view == "pooling":
        image = _image("x", x, axes, small * scale, 9)
        return _four_poolings(image, _image("gradient", gradient, axes, small, 12), scale)
    strided = start == "transposed"
    _choose("kernel", kernel, range(scale, scale + 3) if strided else (1, 2, 3))
    limit = 3 * scale**axes if strided else 3
    return _two_routes(
        _image("weight", weight, axes, kernel, limit),
        _image("x", x, axes, small, 9),
        scale,
        strided,
    )


def _choose(name: str, value: object, allowed: Sequence) -> None:
    if isinstance(value, bool) or value not in allowed:
        raise ValueError(f"{name}: got {value!r}; want one of {', '.join(map(str, allowed))}")


def _image(name: str, values: Numbers, axes: int, side: int, limit: int) -> torch.Tensor:
    """The numbers as (1, 1, side) or (1, 1, side, side)."""
    count = side**axes
    if values is None:
        values = [min(max(FIRST[n % 9], -limit), limit) for n in range(count)]
    values = list(values)
    whole = all(type(value) is int and abs(value) <= limit for value in values)
    if len(values) != count or not whole:
        raise ValueError(f"{name}: got {values}; want {count} integers from {-limit} to {limit}")
    return torch.tensor(values).double().reshape(1, 1, *(side,) * axes)


def _two_routes(weight: torch.Tensor, x: torch.Tensor, scale: int, strided: bool) -> Figure:
    division = divide(weight, scale) if strided else None
    small = division.quotient if division else weight
    kernel = small.shape[-1]
    before = (kernel - 1) // 2
    padding = (before, kernel - 1 - before)
    collapsed = collapse(small, scale, padding=(padding,) * (x.ndim - 2))
    stamp = weight if division else collapsed.weight
    padded = F.pad(interpolate(x, scale_factor=scale), padding * (x.ndim - 2))
    two = (F.conv1d if x.ndim == 3 else F.conv2d)(padded, small)
    one = native(x, stamp, collapsed.geometry)
    kernels = {"after upsampling": small, f"with stride {scale}": stamp}
    if division:
        kernels["remainder"] = division.remainder
    outputs = {"upsampled, convolved": two, f"stride {scale}": one, "difference": one - two}
    below = [{title: y} for title, y in outputs.items()] if x.ndim == 3 else [outputs]
    drawing = _tables([{"input": x}, kernels, *below])
    make = f"both make {_list(one)}"
    if not torch.equal(one, two):
        make = (
            f"they make {_list(two)} and {_list(one)}; the remainder is {_list(division.remainder)}"
        )
    return Figure(
        drawing,
        f"Nearest upsampling by {scale} and the kernel {_list(small)}; one layer with stride "
        f"{scale} and the kernel {_list(stamp)}. From the input {_list(x)} {make}.",
    )


def _four_poolings(x: torch.Tensor, gradient: torch.Tensor, scale: int) -> Figure:
    axes, size = x.ndim - 2, tuple(x.shape[2:])
    tiles = Geometry((scale,) * axes, stride=scale)
    _, indices = max_pool(x, tiles)
    back = {
        "sum": interpolate(gradient, scale_factor=scale),
        "average": average_pool_gradient(gradient, tiles, size),
        "maximum": max_pool_gradient(gradient, indices, size),
        "slice": insert_zeros(gradient, scale, size),
    }
    told = "; ".join(f"{name} {_list(values)}" for name, values in back.items())
    first, last = list(back.items())[:2], list(back.items())[2:]
    return Figure(
        _tables([{"input": x, "gradient": gradient}, dict(first), dict(last)], framed=indices),
        f"The input {_list(x)} and the gradient {_list(gradient)} at its pooled output. What four "
        f"poolings pass back: {told}.",
    )


def _list(values: torch.Tensor) -> str:
    return ", ".join(number(value) for value in values.flatten().tolist())


def _tables(rows: Sequence[dict[str, torch.Tensor]], framed: torch.Tensor | None = None):
    """A drawing of tables, in rows, each under its title; places of the input framed."""
    tables = [[(title, np.atleast_2d(t[0, 0].numpy())) for title, t in row.items()] for row in rows]
    gap, titled = 1.5, 1.3
    wide = max(sum(max(t.shape[1], 4) + gap for _, t in row) for row in tables)
    tall = sum(max(len(t) for _, t in row) + titled for row in tables)
    drawing, (ax,) = canvas(1, width=min(0.3 * wide, 7), height=0.3 * tall)
    top = 0.0
    for row in tables:
        left = 0.0
        for title, values in row:
            tint = np.abs(values) / max(np.abs(values).max(), 1)
            colors = np.where(values < 0, ORANGE, BLUE)
            size = 9 if np.all(values == values.round()) else 6.5
            frames = None
            if title == "input" and framed is not None:
                frames = np.isin(np.arange(values.size), framed).reshape(values.shape)
            cells(
                ax,
                values,
                at=(left, top),
                colors=colors,
                opacity=FILL * tint,
                outline=frames,
                fontsize=size,
            )
            ax.text(left, top - 0.3, title, va="bottom", fontsize=9)
            left += max(values.shape[1], 4) + gap
        top += max(len(values) for _, values in row) + titled
    ax.set_xlim(-0.1, wide)
    ax.set_ylim(top - titled + 0.1, -titled)
    return drawing
