"""Figures of the chapter "When is one the other?"."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from upconv.book.figures.style import (
    BLUE,
    FILL,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    Figure,
    arrow,
    canvas,
    cells,
    signed,
    surface,
)

__all__ = ["border_strip", "endless_kernel", "four_copies", "long_division", "nested", "phase_sums"]


def four_copies(stamp: np.ndarray) -> Figure:
    """The stamp of a convolution laid on the four copies of a pixel, and the sum of the four.

    Args:
        stamp: the flipped kernel of the convolution, (k, k).

    Example:
        >>> four_copies(np.ones((3, 3))).alt[:40]
        'One pixel becomes four copies. Each stam'
    """
    size = len(stamp) + 1
    drawing, (ax,) = canvas(1, width=3.6, height=5.4)
    left = size + 1.2
    cells(ax, np.array([["x"]]), at=(1.5, 1.5), title="a pixel")
    arrow(ax, (3.2, 2), (left + 0.6, 2))
    colors = np.array([[BLUE, ORANGE], [GREEN, PURPLE]], dtype=object)
    cells(ax, np.full((2, 2), "x"), at=(left + 1, 1), colors=colors, title="upsampled")
    total = np.zeros((size, size))
    for row, column in np.ndindex(2, 2):
        under = np.zeros((size, size), dtype=bool)
        under[row : row + len(stamp), column : column + len(stamp)] = True
        text = np.full((size, size), "", dtype=object)
        text[under] = stamp.ravel()
        total[under] += stamp.ravel()
        fill = np.where(under, colors[row, column], None)
        at = (column * left, 5.6 + row * (size + 1.3))
        copy = f"{('upper', 'lower')[row]} {('left', 'right')[column]}"
        cells(ax, text, at=at, colors=fill, title=f"{copy} copy", fontsize=9)
    middle = (left + size) / 2
    top = 5.6 + 2 * (size + 1.3) + 0.3
    cells(ax, total, at=(middle - size / 2, top), title="their sum: the one stamp", fontsize=9)
    ax.set_ylim(top + size + 0.1, -0.4)
    return Figure(
        drawing,
        f"One pixel becomes four copies. Each stamps the flipped {len(stamp)}×{len(stamp)} kernel, "
        f"one place further right or down. The sum of the four is one {size}×{size} stamp, whose "
        f"first row is {', '.join(f'{value:g}' for value in total[0])}.",
    )


def long_division(kernels: list[list[float]], scale: int) -> Figure:
    """Kernels divided by the box as one divides numbers on paper, tap after tap.

    Args:
        kernels: one-dimensional, whole numbers.
        scale: size of the box.

    Example:
        >>> long_division([[1, 2, 3]], 2).alt
        'Divided by 1, 1: 1, 2, 3 gives 1, 1, with the remainder 0, 0, 2.'
    """
    drawing, (ax,) = canvas(1, width=3.6, height=1.15 * sum(map(len, kernels)) ** 0.9)
    top, told, width = 0.0, [], max(map(len, kernels))
    for kernel in kernels:
        rest, quotient = np.array(kernel, dtype=float), []
        _taps(ax, top, 0, rest, BLUE, "kernel")
        for place in range(len(kernel) - scale + 1):
            factor = rest[place]
            quotient.append(factor)
            rest[place : place + scale] -= factor
            _taps(ax, top + place + 1, place, np.full(scale, -factor), ORANGE, "")
            ax.text(width + 0.4, top + place + 1.5, f"{factor:g} × box".replace("-", "−"),
                    va="center", color=INK)  # fmt: skip
        bottom = top + len(quotient) + 1
        ax.plot([0, len(kernel)], [bottom + 0.12] * 2, color=INK, linewidth=1)
        _taps(ax, bottom + 0.25, 0, rest, GREEN if not rest.any() else ORANGE, "remainder")
        top = bottom + 2.4
        listed = [", ".join(f"{value:g}" for value in row) for row in (kernel, quotient, rest)]
        told.append(f"{listed[0]} gives {listed[1]}, with the remainder {listed[2]}")
    surface(ax)
    ax.set_xlim(-0.1, width + 3.6)
    ax.set_ylim(top - 1, -0.2)
    box = ", ".join(["1"] * scale)
    return Figure(drawing, f"Divided by {box}: {'; '.join(told)}.")


def _taps(ax, top: float, left: int, values: np.ndarray, color: str, name: str) -> None:
    cells(ax, values[None], at=(left, top), colors=color)
    if name:
        ax.text(left + len(values) + 0.4, top + 0.5, name, va="center", color=INK)


def phase_sums(kernels: dict[str, np.ndarray]) -> Figure:
    """4×4 kernels with the sums of even and odd places of each row and each column.

    Args:
        kernels: title and (k, k) of each, for stride 2.

    Example:
        >>> phase_sums({"ones": np.ones((4, 4))}).alt[:29]
        'ones: even and odd places sum'
    """
    drawing, axes = canvas(1, rows=len(kernels), width=3.6, height=3.3 * len(kernels))
    told = []
    for ax, (title, kernel) in zip(axes, kernels.items(), strict=True):
        size = len(kernel)
        rows, columns = np.indices(kernel.shape) % 2
        colors = np.array([[BLUE, ORANGE], [GREEN, PURPLE]], dtype=object)[rows, columns]
        cells(ax, kernel, colors=colors)
        by_row = np.stack([kernel[:, r::2].sum(1) for r in (0, 1)], axis=1)
        by_column = np.stack([kernel[r::2].sum(0) for r in (0, 1)])
        unequal_rows = by_row[:, 0] != by_row[:, 1]
        unequal_columns = by_column[0] != by_column[1]
        cells(ax, by_row, at=(size + 0.6, 0), outline=np.stack([unequal_rows] * 2, axis=1))
        cells(ax, by_column, at=(0, size + 0.6), outline=np.stack([unequal_columns] * 2))
        for place, name in enumerate(("even", "odd")):
            ax.text(size + 1.1 + place, -0.2, name, ha="center", va="bottom", color=INK, fontsize=9)
            ax.text(-0.2, size + 1.1 + place, name, ha="right", va="center", color=INK, fontsize=9)
        ax.text(size / 2, -0.2, title, ha="center", va="bottom", color=INK)
        totals = [int(kernel[r::2, c::2].sum()) for r, c in np.ndindex(2, 2)]
        ax.text(0, size + 3.1, f"sums of the four phases: {', '.join(map(str, totals))}",
                va="center", color=INK, fontsize=9)  # fmt: skip
        ax.set_xlim(-1.3, size + 2.7)
        ax.set_ylim(size + 3.5, -0.9)
        told.append(
            f"{title}: even and odd places sum to the same in {(~unequal_rows).sum()} of {size} "
            f"rows and {(~unequal_columns).sum()} of {size} columns; the four phases sum to "
            f"{', '.join(map(str, totals))}"
        )
    return Figure(drawing, ". ".join(told) + ".")


def nested(factorable: int, flat: int, every: int) -> Figure:
    """The three sets of kernels, one inside the other, with their dimensions.

    Args:
        factorable, flat, every: dimensions.

    Example:
        >>> nested(9, 13, 16).alt[:46]
        'Three nested boxes. Outermost all kernels, 16 '
    """
    drawing, (ax,) = canvas(1, width=3.6, height=3.0)
    boxes = (
        (0, every, "all kernels", "the phases may sum to anything", ORANGE),
        (1, flat, "flat on constants", "all phase sums are equal", BLUE),
        (2, factorable, "upsample, then convolve", "equal in each row and column", GREEN),
    )
    for depth, dimensions, name, why, color in boxes:
        corner, width = (0.35 * depth, 2.1 * depth), 10 - 0.7 * depth
        height = 7.2 - 2.4 * depth
        ax.add_patch(Rectangle(corner, width, height, facecolor=color, alpha=FILL / 2, linewidth=0))
        ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=INK, linewidth=1))
        ax.text(corner[0] + 0.3, corner[1] + 0.65, name, va="center", color=INK, weight="bold")
        ax.text(corner[0] + 0.3, corner[1] + 1.45, why, va="center", color=INK, fontsize=10)
        ax.text(corner[0] + width - 0.3, corner[1] + 1.05, dimensions, ha="right", va="center",
                color=INK, fontsize=17)  # fmt: skip
    surface(ax)
    ax.set_xlim(-0.1, 10.1)
    ax.set_ylim(7.3, -0.1)
    return Figure(
        drawing,
        f"Three nested boxes. Outermost all kernels, {every} dimensions: the phases may sum to "
        f"anything. Inside, those flat on constants, {flat}: all phase sums are equal. Innermost, "
        f"those of upsampling and a convolution, {factorable}: the sums are equal in each row and "
        "column.",
    )


def border_strip(difference: np.ndarray, padding: int) -> Figure:
    """Where two outputs differ, and how much, as a table of numbers.

    Args:
        difference: (height, width); zero where the outputs are equal.
        padding: width of the strip that is to be seen.

    Example:
        >>> border_strip(np.pad(np.zeros((4, 4)), 1, constant_values=1), 1).alt[:39]
        'A table of 6×6 differences: 20 are not '
    """
    drawing, (ax,) = canvas(1, width=3.6, height=3.6)
    differs = difference != 0
    text = np.where(differs, difference.astype(object), "0")
    cells(ax, text, colors=np.where(differs, ORANGE, None), fontsize=9)
    inside = tuple(n - 2 * padding for n in difference.shape)
    frame = Rectangle((padding, padding), *inside[::-1], fill=False, edgecolor=INK, linewidth=2)
    ax.add_patch(frame)
    return Figure(
        drawing,
        f"A table of {difference.shape[0]}×{difference.shape[1]} differences: {differs.sum()} are "
        f"not zero, all in a strip {padding} wide along the border; the {inside[0]}×{inside[1]} "
        "outputs inside, framed, are zero.",
    )


def endless_kernel(kernel: np.ndarray, size: int) -> Figure:
    """A kernel as large as the image, its first taps framed.

    Args:
        kernel: (height, width).
        size: side of the frame: the kernel that was divided.

    Example:
        >>> endless_kernel(np.ones((5, 5)), 3).alt[:40]
        'A 5×5 kernel; blue taps are positive, or'
    """
    drawing, (ax,) = canvas(1, width=3.4, height=3.4)
    signed(ax, kernel)
    ax.add_patch(Rectangle((-0.5, -0.5), size, size, fill=False, edgecolor=INK, linewidth=2))
    far = np.abs(kernel[size:, size:])
    return Figure(
        drawing,
        f"A {kernel.shape[0]}×{kernel.shape[1]} kernel; blue taps are positive, orange negative. "
        f"The first {size}×{size} are framed. Beyond them the pattern does not fade: it repeats "
        f"itself to the far corner, with taps of up to {far.max():.2g}.",
    )
