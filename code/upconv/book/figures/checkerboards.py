"""Figures of the chapter "Checkerboards".

An image whose single pixels matter is drawn eight times enlarged, so that its grid does not
alias with that of the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from upconv.book.figures.style import BLUE, FILL, GREEN, INK, ORANGE, Figure, canvas, cells, picture
from upconv.checkerboard import imbalance, overlap

__all__ = ["grids", "imbalance_law", "overlaps", "ramps_made"]

_ENLARGED = np.ones((8, 8))


def grids(images: Mapping[str, np.ndarray], told: str, *, columns: int = 3, limits=None) -> Figure:
    """Small images side by side, pixel by pixel.

    Args:
        images: (height, width) each, by the title that is written above.
        told: the alt text.
        columns: how many stand in a row.
        limits: (black, white), by default each image's own; an image with one value is then grey.

    Raises:
        ValueError: where there is no image.

    Example:
        >>> grids({"a": np.eye(4), "b": np.ones((4, 4))}, "Two images.")
        Two images.
    """
    if not images:
        raise ValueError("images: got none; want at least one")
    rows = -(-len(images) // columns)
    drawing, axes = canvas(columns, rows=rows, width=1.3 * columns, height=1.6 * rows)
    for ax, (title, image) in zip(axes, images.items(), strict=False):
        own = (image.min() - 1, image.max() + 1) if np.ptp(image) == 0 else None
        picture(ax, np.kron(image, _ENLARGED), title, limits=limits or own)
        ax.title.set_fontsize(9)
    for ax in axes[len(images) :]:
        ax.set_axis_off()
    return Figure(drawing, told)


def overlaps(cases: Sequence[tuple[int, int]], size: int = 6) -> Figure:
    """How many stamps meet in each pixel of a piece of the interior, for several kernels.

    Args:
        cases: (kernel, stride) of each, along both axes.
        size: pixels of the piece along each axis.

    Example:
        >>> overlaps([(3, 2), (4, 2)]).alt[:63]
        'Tables of counts in the interior. Kernel 3, stride 2: 4, 2; 2, '
    """
    drawing, axes = canvas(len(cases), width=1.8 * len(cases), height=2.2)
    told = []
    for ax, (k, s) in zip(axes, cases, strict=True):
        counts = overlap((k, k), s)
        piece = np.tile(counts, (size, size))[:size, :size]
        colors = np.full(piece.shape, BLUE, dtype=object)
        cells(
            ax,
            piece,
            colors=colors,
            opacity=FILL * piece / counts.max(),
            title=f"k = {k}, s = {s}",
            fontsize=9,
        )
        rows = "; ".join(", ".join(map(str, row)) for row in counts.tolist())
        told.append(f"Kernel {k}, stride {s}: {rows} in one period of {s}×{s}")
    return Figure(drawing, f"Tables of counts in the interior. {'. '.join(told)}.")


def imbalance_law(measured: Mapping[int, Mapping[int, float]]) -> Figure:
    """The imbalance of random kernels by size, beside the law and what overlap counts foretell.

    Args:
        measured: for each stride, by the size of the kernel, the measured imbalance.

    Example:
        >>> imbalance_law({2: {3: 0.87, 4: 0.86}}).alt[-61:]
        ' Stride 2: law 0.866, measured 0.860 to 0.870, counts 0 at 4.'
    """
    drawing, (ax,) = canvas(1, width=3.9, height=3.3)
    told = []
    for (s, by_size), color in zip(measured.items(), (BLUE, ORANGE, GREEN), strict=False):
        law, sizes = np.sqrt(1 - 1 / s**2), list(by_size)
        counted = [imbalance(np.ones((1, 1, k, k)), s) for k in sizes]
        ax.axhline(law, color=color, linewidth=1, alpha=0.6)
        ax.plot(sizes, list(by_size.values()), "o", color=color, label=f"stride {s}")
        ax.plot(sizes, counted, ":", color=color, marker="x", markersize=5)
        zeros = ", ".join(str(k) for k, value in zip(sizes, counted, strict=True) if value < 1e-9)
        told.append(
            f"Stride {s}: law {law:.3f}, measured {min(by_size.values()):.3f} to "
            f"{max(by_size.values()):.3f}, counts 0 at {zeros}."
        )
    ax.set(xlabel="kernel size k", ylabel="imbalance", ylim=(-0.03, 1.03))
    ax.set_xticks(sizes)
    ax.legend(loc="center right", fontsize=9, labelcolor=INK, frameon=False)
    return Figure(
        drawing,
        "Dots, the measured imbalance of random kernels, lie on horizontal lines, the law, for "
        "every kernel size. Dotted lines with crosses, the imbalance of the overlap counts, fall "
        f"to 0 wherever the stride divides the size. {' '.join(told)}",
    )


def ramps_made(answers: Mapping[str, np.ndarray], told: str) -> Figure:
    """What kernels make of a constant and of a ramp along one axis: values along the axis.

    Args:
        answers: by title, (2, n): the answer to the constant, then the answer to the ramp.
        told: the alt text.

    Example:
        >>> ramps_made({"kernel": np.ones((2, 6))}, "Two level lines.")
        Two level lines.
    """
    drawing, axes = canvas(len(answers), width=1.75 * len(answers), height=2.3)
    top = max(np.max(answer) for answer in answers.values())
    for ax, (title, (constant, ramp)) in zip(axes, answers.items(), strict=True):
        style = {"marker": "o", "markersize": 3, "linewidth": 1}
        ax.plot(constant, color=BLUE, label="constant", **style)
        ax.plot(ramp, color=ORANGE, label="ramp", **style)
        ax.set(xticks=[], yticks=[], ylim=(0, 1.08 * top))
        ax.set_title(title, fontsize=9)
    axes[0].legend(fontsize=8, labelcolor=INK, loc="upper left", handlelength=1, frameon=False)
    return Figure(drawing, told)
