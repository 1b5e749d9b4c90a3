"""Figures of the chapter "Interpolation"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle

from upconv.book.figures.style import (
    BLUE,
    FILL,
    GREEN,
    INK,
    ORANGE,
    Figure,
    canvas,
    cells,
    number,
    signed,
    surface,
    tap_colors,
)

__all__ = ["axis_matrices", "dark_border", "enlarged", "plane_matrices", "sampling", "tents"]


def enlarged(x: np.ndarray, outputs: Mapping[str, np.ndarray]) -> Figure:
    """A small image and what several kinds of interpolation make of it, in numbers.

    Args:
        x: small image, (height, width), of values from 0 to about 100.
        outputs: title and (out height, out width) of each, three of them.

    Raises:
        ValueError: for another number of outputs than three.

    Example:
        >>> x = np.array([[10, 20], [30, 40]])
        >>> enlarged(x, {"one": x, "two": x, "three": x}).alt
        'A 2×2 image, 10 20 30 40, and it enlarged to 2×2 by one, two and three.'
    """
    if len(outputs) != 3:
        raise ValueError(f"outputs: got {len(outputs)}; want three, one a panel")
    drawing, axes = canvas(2, rows=2, width=3.9, height=4.2)
    size = next(iter(outputs.values())).shape
    for ax, (title, y) in zip(axes, {"input": x, **outputs}.items(), strict=True):
        text = np.vectorize(lambda value: number(round(float(value), 1)), otypes=[object])(y)
        shades = FILL * np.clip(y / 50, 0, 1)
        at = ((size[1] - y.shape[1]) / 2, (size[0] - y.shape[0]) / 2)
        cells(ax, text, at=at, colors=BLUE, opacity=shades, title=title, fontsize=9)
        ax.set_xlim(-0.1, size[1] + 0.1)
        ax.set_ylim(size[0] + 0.1, -1.1)
    *first, last = outputs
    return Figure(
        drawing,
        f"A {x.shape[0]}×{x.shape[1]} image, {' '.join(map(number, x.ravel()))}, and it enlarged "
        f"to {size[0]}×{size[1]} by {', '.join(first)} and {last}.",
    )


def axis_matrices(matrices: Mapping[str, np.ndarray]) -> Figure:
    """The matrices of one axis, their entries written into the squares.

    Args:
        matrices: title and (outputs, inputs) of each, six of them.

    Raises:
        ValueError: for another number of matrices than six.

    Example:
        >>> axis_matrices({str(n): np.eye(2) for n in range(6)}).alt[:40]
        'Six 2×2 matrices. Nonzeros in a row: 0 1'
    """
    if len(matrices) != 6:
        raise ValueError(f"matrices: got {len(matrices)}; want six, one a panel")
    drawing, axes = canvas(3, rows=2, height=8)
    said = []
    for ax, (title, matrix) in zip(axes, matrices.items(), strict=True):
        text = np.vectorize(_entry, otypes=[object])(matrix)
        colors = np.where(matrix < 0, ORANGE, np.where(matrix > 0, BLUE, None))
        cells(ax, text, colors=colors, opacity=FILL * np.abs(matrix), title=title, fontsize=9)
        counts = (matrix != 0).sum(axis=1)
        most = f" to {counts.max()}" if counts.max() > counts.min() else ""
        said.append(f"{title} {counts.min()}{most}")
    rows, columns = matrix.shape
    return Figure(drawing, f"Six {rows}×{columns} matrices. Nonzeros in a row: {'; '.join(said)}.")


def _entry(value: float) -> str:
    return "" if value == 0 else f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def plane_matrices(matrices: Mapping[str, np.ndarray]) -> Figure:
    """Matrices too large for numbers, in colour.

    Args:
        matrices: title and (outputs, inputs) of each, all of one shape.

    Example:
        >>> plane_matrices({"bilinear": np.eye(4)}).alt
        'Matrices in colour, 4×4. Nonzeros in a row: bilinear up to 1.'
    """
    rows, columns = next(iter(matrices.values())).shape
    drawing, axes = canvas(len(matrices), width=1.3 * len(matrices), height=4.6)
    said = []
    for ax, (title, matrix) in zip(axes, matrices.items(), strict=True):
        signed(ax, matrix, title)
        most = (matrix != 0).sum(axis=1).max()
        said.append(f"{title} up to {most}")
    return Figure(
        drawing, f"Matrices in colour, {rows}×{columns}. Nonzeros in a row: {'; '.join(said)}."
    )


def sampling(i: int, positions: Mapping[str, Sequence[float]]) -> Figure:
    """The pixels of one axis, and where the outputs of each convention lie among them.

    Args:
        i: number of input pixels; pixel n reaches from n − ½ to n + ½.
        positions: title and the positions of the outputs, in input pixels.

    Example:
        >>> sampling(2, {"half pixels": [-0.25, 0.25, 0.75, 1.25]}).alt
        'A line of 2 pixels. Below it, half pixels: outputs at −0.25, 0.25, 0.75, 1.25.'
    """
    rows = 2.1 + 1.7 * np.arange(len(positions))
    unit = 0.9
    drawing, (ax,) = canvas(1, width=unit * i, height=0.55 * (rows[-1] + 1))
    colors = tap_colors((i,))
    for pixel in range(i):
        ax.add_patch(
            Rectangle((pixel - 0.5, 0), 1, 0.9, facecolor=colors[pixel], alpha=FILL, linewidth=0)
        )
        ax.add_patch(Rectangle((pixel - 0.5, 0), 1, 0.9, fill=False, edgecolor=INK, linewidth=0.8))
        ax.text(pixel, 0.45, str(pixel), ha="center", va="center", color=INK)
        ax.plot([pixel] * 2, [0.95, rows[-1] + 0.35], color=INK, lw=0.6, alpha=0.35, ls=(0, (2, 3)))
    for edge in (-0.5, i - 0.5):
        ax.plot([edge] * 2, [0, rows[-1] + 0.35], color=INK, lw=1)
    for row, (title, places) in zip(rows, positions.items(), strict=True):
        ax.text(-0.42, row - 0.42, title, ha="left", va="bottom", color=INK)
        ax.plot([-0.5, i - 0.5], [row] * 2, color=INK, lw=0.8)
        inside = [0 <= place <= i - 1 for place in places]
        for place, between in zip(places, inside, strict=True):
            ax.plot(place, row, "o", color=BLUE if between else ORANGE, ms=7, mec=INK, mew=0.8)
    ax.set_xlim(-0.6, i - 0.4)  # with room for a dot on the edge
    ax.set_ylim(rows[-1] + 0.5, -0.1)
    ax.set_axis_off()
    said = (
        f"{title}: outputs at {', '.join(number(float(place)) for place in places)}"
        for title, places in positions.items()
    )
    return Figure(drawing, f"A line of {i} pixels. Below it, {'; '.join(said)}.")


def tents(x: np.ndarray, stride: int, kernel: np.ndarray) -> Figure:
    """A scaled copy of a kernel for each pixel of a line, their sum, and what the border lacks.

    Args:
        x: values of one axis.
        stride: s.
        kernel: tent of slope 1/s, of size k with k − s even; cropped so that x becomes s times
            as long.

    Example:
        >>> tents(np.array([2.0, 2.0]), 2, np.array([1, 3, 3, 1]) / 4).alt[-44:]
        'their sum is 1.5, 2, 2, 1.5 and with them 2.'
    """
    k, i, o = len(kernel), len(x), len(x) * stride
    padded = np.concatenate([x[:1], x, x[-1:]])
    stamps = np.zeros((i + 2, (i + 1) * stride + k))
    for row, value in enumerate(padded):
        stamps[row, row * stride : row * stride + k] = value * kernel
    first = (k + stride) // 2  # the place that becomes output 0
    drawing, (ax,) = canvas(1, width=3.9, height=3.1)
    for row, value in enumerate(padded):
        color = ORANGE if row in (0, i + 1) else BLUE
        peak = row * stride + (k - 1) / 2 - first  # between two outputs if k is even
        ends, heights = peak + np.array([-stride, 0, stride]), (0, value, 0)
        ax.fill_between(ends, heights, color=color, alpha=0.2, linewidth=0)
        ax.plot(ends, heights, color=color, lw=1.2)
    kept = slice(first, first + o)
    whole, bare = stamps[:, kept].sum(axis=0), stamps[1:-1, kept].sum(axis=0)
    ax.plot(np.arange(o), whole, "o", mfc="none", color=INK, ms=8, label="with the border repeated")
    ax.plot(np.arange(o), bare, "o", color=INK, ms=4, label="without")
    for edge in (-0.5, o - 0.5):
        ax.axvline(edge, color=INK, lw=1)
    ax.set(xlabel="output pixel", ylabel="value", ylim=(0, 1.55 * whole.max()))
    ax.set_xlim(-stride - 0.5, o + stride - 0.5)
    ax.set_xticks(range(0, o, stride))
    ax.legend(loc="upper center", labelcolor=INK, frameon=False, handletextpad=0.2)
    return Figure(
        drawing,
        f"Tents, one for each of {i} pixels, {stride} outputs apart, in orange one more at each "
        f"end for a repeated border pixel. Without these two {_sum(bare)} and with them "
        f"{_values(whole)}.",
    )


def _sum(values: np.ndarray) -> str:
    return f"their sum is {_values(values)}"


def _values(values: np.ndarray) -> str:
    rounded = [number(float(value)) for value in values]
    return rounded[0] if len(set(rounded)) == 1 else ", ".join(rounded)


def dark_border(y: np.ndarray) -> Figure:
    """What a layer makes of an image of ones; what is not 1 is coloured.

    Args:
        y: (height, width).

    Example:
        >>> dark_border(np.array([[0.75, 1.0]])).alt
        'An image of 1×2 values; its values are 0.75 and 1, the smallest at the border.'
    """
    drawing, (ax,) = canvas(1, width=0.48 * y.shape[1], height=0.48 * y.shape[0])
    colors = np.where(np.isclose(y, 1), GREEN, ORANGE)
    opacity = np.where(np.isclose(y, 1), 0.12, np.minimum(0.4, 1.0 - y))
    text = np.vectorize(_decimals, otypes=[object])(y)
    cells(ax, text, colors=colors, opacity=opacity, fontsize=8.5)
    surface(ax)
    *others, last = [_decimals(value) for value in np.unique(y.round(6))]
    return Figure(
        drawing,
        f"An image of {y.shape[0]}×{y.shape[1]} values; its values are {', '.join(others)} and "
        f"{last}, the smallest at the border.",
    )


def _decimals(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
