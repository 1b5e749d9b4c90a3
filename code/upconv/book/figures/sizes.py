"""Figures of the chapter "Sizes, and what each framework calls them"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from upconv.book.figures.style import (
    BLUE,
    FILL,
    INK,
    ORANGE,
    PURPLE,
    Figure,
    canvas,
    surface,
    tap_colors,
)
from upconv.definition import conv_transpose
from upconv.geometry import Geometry

__all__ = ["meeting_sizes", "number_line"]

UNIT = 0.32  # inches for one position, so that ten of them fit the width of a telephone
WIDEST = 10  # positions that the words above the rows need
TEXT = 11  # points


def number_line(geometry: Geometry, size: int) -> Figure:
    """A transposed convolution on one axis: stamps, their sum on a line, and what is cropped.

    The inputs are 1, 2, 3, … and the kernel's weights are 1, 2, 3, …, so that every number can
    be checked by eye.

    Args:
        geometry: one axis.
        size: number of inputs.

    Raises:
        ValueError: for more than one axis, or where nothing is left.

    Example:
        >>> number_line(Geometry(3, stride=2, padding=1), 4).alt[-40:]
        'The output has 7 values: 2 5 4 9 6 13 8.'
    """
    (size_out,) = geometry.transposed_shape((size,))
    (kernel,), (stride,), (dilation,) = geometry.kernel, geometry.stride, geometry.dilation
    ((before, after),), (more,) = geometry.padding, geometry.output_padding
    x, weight = np.arange(1, size + 1), np.arange(1, kernel + 1)
    uncropped = replace(geometry, padding=0)
    line = conv_transpose(x[None, None], weight[None, None], uncropped)[0, 0]
    reached = len(line) - more
    kept = slice(before, before + size_out)
    colors = tap_colors((size,))
    places = np.arange(len(line))

    words = [
        f"input: {size} values",
        f"stamps {stride} apart" + f", their taps {dilation} apart" * (dilation > 1),
        f"added up: {reached} positions" + f", and {more} more" * (more > 0),
        "orange is cropped" if before + after else "nothing is cropped",
    ]
    words[-1] += f": {size_out} values"
    rows = np.cumsum([1, 2, size + 1.1, 2.1])  # how far down each row of squares begins

    width = max(len(line), WIDEST)
    drawing, (ax,) = canvas(1, width=width * UNIT, height=(rows[-1] + 1.1) * UNIT)
    for row, text in zip(rows, words, strict=True):
        ax.text(0, row - 0.2, text, va="bottom", fontsize=TEXT, color=INK)
    for q in range(size):
        _square(ax, stride * q + (geometry.reach[0] - 1) / 2, rows[0], x[q], colors[q])
        taps = stride * q + dilation * np.arange(kernel)
        for gap in taps[:-1] if dilation > 1 else ():
            ax.plot([gap + 1, gap + dilation], [rows[1] + q + 0.5] * 2, color=INK, lw=0.7)
        for place, value in zip(taps, x[q] * weight, strict=True):
            _square(ax, place, rows[1] + q, value, colors[q])
    for place in places:
        color = None if kept.start <= place < kept.stop else ORANGE
        _square(ax, place, rows[2], line[place], color, dashed=place >= reached)
    for cut in sorted({kept.start, kept.stop} - {0, len(line)}):
        ax.plot([cut, cut], [rows[2] - 0.12, rows[2] + 1.12], color=INK, lw=2)
    for place in places[kept]:
        new = place >= kept.stop - more
        _square(ax, place, rows[3], line[place], PURPLE if new else None, bold=True)
    surface(ax)
    ax.set_xlim(-0.1, width + 0.1)
    ax.set_ylim(rows[-1] + 1.1, 0)

    added = f" and {more} more, empty, at the end" * (more > 0)
    return Figure(
        drawing,
        f"A number line. Input values {_list(x)} each stamp the kernel {_list(weight)}, "
        f"{stride} positions apart"
        + f", the kernel's taps {dilation} apart"
        * (dilation > 1)
        + f". Added up they fill {reached} positions{added}: {_list(line)}. "
        f"{before} at the beginning and {after} at the end are cropped. "
        f"The output has {size_out} values: {_list(line[kept])}.",
    )


def meeting_sizes(geometry: Geometry, sizes: Sequence[int]) -> Figure:
    """Which input sizes of a convolution meet in one output size, and how each is found again.

    Args:
        geometry: one axis.
        sizes: input sizes, ascending.

    Raises:
        ValueError: for a size that the kernel does not fit.

    Example:
        >>> meeting_sizes(Geometry(3, stride=2, padding=1), [7, 8]).alt[-57:]
        '7 and 8 go to 4; they come back with output_padding 0, 1.'
    """
    outputs = [geometry.output_shape((size,))[0] for size in sizes]
    drawing, (ax,) = canvas(1, width=3.6, height=1.8)
    said = []
    for o in sorted(set(outputs)):
        group = [place for place, output in enumerate(outputs) if output == o]
        middle = 1.4 * (group[0] + group[-1]) / 2
        _square(ax, middle, 3.6, o, BLUE)
        for place in group:
            (more,) = geometry.adjoint_to((sizes[place],)).output_padding
            _square(ax, 1.4 * place, 0.9, sizes[place], PURPLE if more else None)
            ax.text(1.4 * place + 0.5, 0.7, f"a={more}", ha="center", fontsize=TEXT, color=INK)
            ax.plot([1.4 * place + 0.5, middle + 0.5], [1.95, 3.55], color=INK, lw=1)
        back = [geometry.adjoint_to((sizes[place],)).output_padding[0] for place in group]
        said.append(
            f"{' and '.join(str(sizes[place]) for place in group)} go to {o}; they come back with "
            f"output_padding {', '.join(map(str, back))}."
        )
    ax.text(-0.3, 1.4, "i", ha="right", va="center", fontsize=TEXT, color=INK, style="italic")
    ax.text(-0.3, 4.1, "o", ha="right", va="center", fontsize=TEXT, color=INK, style="italic")
    surface(ax)
    ax.set_xlim(-0.8, 1.4 * len(sizes))
    ax.set_ylim(4.7, 0)
    return Figure(
        drawing,
        f"Input sizes {_list(sizes)} of a convolution, joined by lines to the sizes of their "
        "outputs. " + " ".join(said),
    )


def _square(
    ax: Axes,
    x: float,
    y: float,
    value: object,
    color: str | None = None,
    *,
    dashed: bool = False,
    bold: bool = False,
) -> None:
    if color is not None:
        ax.add_patch(Rectangle((x, y), 1, 1, facecolor=color, alpha=FILL, linewidth=0))
    ax.add_patch(
        Rectangle(
            (x, y),
            1,
            1,
            fill=False,
            edgecolor=INK,
            alpha=0.9 if bold else 0.45,
            linewidth=1.4 if bold else 0.7,
            linestyle=(0, (3, 2)) if dashed else "-",
        )
    )
    ax.text(x + 0.5, y + 0.52, str(value), ha="center", va="center", fontsize=TEXT, color=INK)


def _list(values: Sequence[int]) -> str:
    return " ".join(str(value) for value in values)
