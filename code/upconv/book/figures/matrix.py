"""Figures of the chapter "A convolution is a matrix"."""

from __future__ import annotations

import numpy as np

from upconv.book.figures.style import (
    BLUE,
    Figure,
    arrow,
    canvas,
    cells,
    tap_colors,
)
from upconv.geometry import Geometry
from upconv.matrix import conv_matrix

__all__ = [
    "channel_blocks",
    "image_through_matrix",
    "memory",
    "sliding_window",
    "window_and_row",
]


def _taps_in_matrix(kernel: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """For each entry of C, the number of the tap that stands there, counted from 1; else 0."""
    taps = np.arange(1, kernel.size + 1).reshape(kernel.shape)
    return conv_matrix(taps, size, Geometry(kernel.shape), dense=True)


def window_and_row(x: np.ndarray, kernel: np.ndarray, row: int) -> Figure:
    """The window of one output beside the row of C that computes it.

    Args:
        x: input, (height, width), small enough to be written out.
        kernel: (k, k).
        row: which output, counted along the rows of the output.

    Example:
        >>> window_and_row(np.arange(16).reshape(4, 4), np.ones((3, 3)), 1).alt[:45]
        'A 4×4 input with the 3×3 window of output 1 f'
    """
    taps = _taps_in_matrix(kernel, x.shape)
    matrix = conv_matrix(kernel, x.shape, Geometry(kernel.shape), dense=True)
    palette = np.concatenate([[None], tap_colors(kernel.shape).ravel()])
    window = taps[row].reshape(x.shape)
    output = (matrix @ x.ravel()).reshape([n - k + 1 for n, k in zip(x.shape, kernel.shape)])  # noqa: B905

    drawing, (top, bottom) = canvas(1, rows=2, height=4.2)
    cells(top, x, colors=palette[window], outline=window > 0, title="input x")
    left = x.shape[1] + 1.6
    cells(top, kernel, at=(left, 0.5), colors=tap_colors(kernel.shape), title="kernel")
    arrow(top, (left + kernel.shape[1] + 0.5, 2), (left + kernel.shape[1] + 2, 2))
    chosen = np.arange(output.size).reshape(output.shape) == row
    cells(
        top,
        output,
        at=(left + kernel.shape[1] + 2.5, 1),
        outline=chosen,
        colors=np.where(chosen, BLUE, None),
        title="output y",
    )
    cells(
        bottom,
        matrix,
        colors=palette[taps],
        outline=np.arange(len(matrix))[:, None] == np.full(taps.shape, row),
        title=f"C, {matrix.shape[0]}×{matrix.shape[1]}: row {row} is the framed window, unrolled",
    )
    return Figure(
        drawing,
        f"A {x.shape[0]}×{x.shape[1]} input with the {kernel.shape[0]}×{kernel.shape[1]} window of "
        f"output {row} framed, the kernel, the {output.shape[0]}×{output.shape[1]} output, and below "
        f"them the {matrix.shape[0]}×{matrix.shape[1]} matrix C, whose row {row} holds the kernel's "
        "weights in the columns of the pixels under the window and zeros elsewhere.",
    )
