"""Figures of the chapter "A convolution is a matrix"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upconv.book.figures.style import (
    BLUE,
    INK,
    Figure,
    arrow,
    canvas,
    cells,
    picture,
    signed,
    tap_colors,
)
from upconv.geometry import Geometry
from upconv.matrix import conv_matrix

__all__ = [
    "channel_blocks",
    "image_through_matrix",
    "matrices_on_one_axis",
    "memory",
    "rows_as_windows",
    "window_and_row",
]


def _palette(kernel: np.ndarray) -> np.ndarray:
    """Colours by tap number, counted from 1; number 0 stands for no tap."""
    return np.concatenate([[None], tap_colors(kernel.shape).ravel()])


def _tap_numbers(kernel: np.ndarray, size: Sequence[int], geometry: Geometry) -> np.ndarray:
    """For each entry of C the number of the tap that stands there, counted from 1; else 0."""
    numbers = np.arange(1, kernel.size + 1).reshape(kernel.shape)
    return conv_matrix(numbers, size, geometry, dense=True)


def _written(matrix: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """The entries of C as text: a number where a tap stands, nothing where none does."""
    text = np.full(matrix.shape, "", dtype=object)
    text[taps > 0] = matrix[taps > 0]
    return text


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
    geometry = Geometry(kernel.shape)
    taps = _tap_numbers(kernel, x.shape, geometry)
    matrix = conv_matrix(kernel, x.shape, geometry, dense=True)
    palette = _palette(kernel)
    window = taps[row].reshape(x.shape)
    output = (matrix @ x.ravel()).reshape(geometry.output_shape(x.shape))
    chosen = np.arange(output.size).reshape(output.shape) == row

    drawing, (top, bottom) = canvas(1, rows=2, height=4.4)
    cells(top, x, colors=palette[window], outline=window > 0, title="input x")
    left = x.shape[1] + 2
    cells(top, kernel, at=(left, 0.5), colors=tap_colors(kernel.shape), title="kernel w")
    left += kernel.shape[1]
    arrow(top, (left + 0.6, 2), (left + 2.4, 2))
    cells(top, output, at=(left + 3, 1), outline=chosen, title="output y", fontsize=9)
    cells(
        bottom,
        _written(matrix, taps),
        colors=palette[taps],
        outline=np.arange(len(matrix))[:, None] == np.full(taps.shape, row),
        title=f"C, {len(matrix)}×{matrix.shape[1]}: row {row} is the framed window, unrolled",
    )
    return Figure(
        drawing,
        f"A {x.shape[0]}×{x.shape[1]} input with the {kernel.shape[0]}×{kernel.shape[1]} window of "
        f"output {row} framed, the kernel, the {output.shape[0]}×{output.shape[1]} output, and "
        f"below them the {len(matrix)}×{matrix.shape[1]} matrix C, whose row {row} holds the "
        "kernel's weights in the columns of the pixels under the window and zeros elsewhere.",
    )


def rows_as_windows(kernel: np.ndarray, size: tuple[int, int]) -> Figure:
    """Every row of C, folded back into the shape of the input.

    Args:
        kernel: (k, k).
        size: (height, width) of the input, small enough to be written out.

    Example:
        >>> rows_as_windows(np.ones((3, 3)), (4, 4)).alt[:34]
        'The 4 rows of C, each folded back '
    """
    geometry = Geometry(kernel.shape)
    taps = _tap_numbers(kernel, size, geometry)
    matrix = conv_matrix(kernel, size, geometry, dense=True)
    drawing, axes = canvas(len(matrix), height=2.1)
    for row, ax in enumerate(axes):
        folded = _written(matrix, taps)[row].reshape(size)
        cells(ax, folded, colors=_palette(kernel)[taps[row].reshape(size)], title=f"row {row}")
    return Figure(
        drawing,
        f"The {len(matrix)} rows of C, each folded back into a {size[0]}×{size[1]} image: each is "
        "the kernel, laid at another position, with zeros around it.",
    )


def image_through_matrix(image: np.ndarray, kernel: np.ndarray) -> Figure:
    """A picture, the matrix of a convolution on it, and the picture that comes out.

    Args:
        image: (height, width), grey values.
        kernel: (k, k).

    Example:
        >>> image_through_matrix(np.eye(6), np.ones((3, 3))).alt[:40]
        'A grey picture of 6×6 pixels, the 16×36 '
    """
    geometry = Geometry(kernel.shape)
    matrix = conv_matrix(kernel, image.shape, geometry, dense=True)
    output = (matrix @ image.ravel()).reshape(geometry.output_shape(image.shape))
    drawing, axes = canvas(3, height=2.9, ratios=(1, 1.6, 1))
    picture(axes[0], image, f"x, {image.shape[0]}×{image.shape[1]}")
    signed(axes[1], matrix, f"C, {len(matrix)}×{matrix.shape[1]}")
    picture(axes[2], output, f"Cx, {output.shape[0]}×{output.shape[1]}")
    return Figure(
        drawing,
        f"A grey picture of {image.shape[0]}×{image.shape[1]} pixels, the "
        f"{len(matrix)}×{matrix.shape[1]} matrix C, which is empty but for thin diagonal bands of "
        f"positive and negative entries, and the {output.shape[0]}×{output.shape[1]} picture Cx.",
    )


def matrices_on_one_axis(kernel: np.ndarray, size: int, settings: dict[str, Geometry]) -> Figure:
    """C for several settings of a convolution along one axis.

    Args:
        kernel: (k,).
        size: input size.
        settings: title of each panel and its geometry.

    Example:
        >>> matrices_on_one_axis(np.array([1, 2, 3]), 5, {"plain": Geometry(3)}).alt
        'The matrix C on one axis of 5 inputs. Plain: 3 rows.'
    """
    matrices = {
        title: (
            conv_matrix(kernel, (size,), geometry, dense=True),
            _tap_numbers(kernel, (size,), geometry),
        )
        for title, geometry in settings.items()
    }
    most_rows = max(len(matrix) for matrix, _ in matrices.values())
    drawing, axes = canvas(2, rows=-(-len(settings) // 2), height=2.9 * -(-len(settings) // 2))
    for ax, (title, (matrix, taps)) in zip(axes, matrices.items(), strict=False):
        cells(ax, _written(matrix, taps), colors=_palette(kernel)[taps], title=title)
        ax.set_ylim(most_rows + 0.1, -1.1)  # squares of one size in all panels
    for ax in axes[len(settings) :]:
        ax.set_axis_off()
    counts = ". ".join(
        f"{title[0].upper()}{title[1:]}: {len(matrix)} rows"
        for title, (matrix, _) in matrices.items()
    )
    return Figure(drawing, f"The matrix C on one axis of {size} inputs. {counts}.")


def channel_blocks(channels_in: int, channels_out: int, groups: int, size: int) -> Figure:
    """C with several channels, with and without groups, as blocks.

    Args:
        channels_in, channels_out: channels of the input and of the output.
        groups: groups of the second panel.
        size: input size along the one axis that is drawn.

    Example:
        >>> channel_blocks(2, 2, 2, 5).alt[:41]
        'Two matrices of 2×2 blocks, each block ba'
    """
    drawing, axes = canvas(2, height=3.1)
    for ax, g, title in zip(axes, (1, groups), ("one group", f"{groups} groups"), strict=True):
        weight = np.ones((channels_out, channels_in // g, 3))
        geometry = Geometry(3, groups=g)
        matrix = conv_matrix(weight, (channels_in, size), geometry, dense=True)
        o = geometry.output_shape(size)[0]
        signed(ax, matrix, f"{title}: {len(matrix)}×{matrix.shape[1]}")
        for c in range(1, channels_out):
            ax.axhline(c * o - 0.5, color=INK, linewidth=0.8)
        for c in range(1, channels_in):
            ax.axvline(c * size - 0.5, color=INK, linewidth=0.8)
        ax.set_xlabel(f"{channels_in} input channels")
        ax.set_ylabel(f"{channels_out} output channels")
    return Figure(
        drawing,
        f"Two matrices of {channels_out}×{channels_in} blocks, each block banded like the matrix "
        f"of one channel. With one group every block is filled; with {groups} groups only the "
        "blocks that join channels of the same group are.",
    )


def memory(sizes: Sequence[int], dense: Sequence[float], stored: Sequence[float]) -> Figure:
    """Memory of C against the size of the image, dense and sparse, beside the image itself.

    Args:
        sizes: side n of the small image.
        dense: bytes of C as an array, for each size.
        stored: bytes of C as a sparse array, for each size.

    Example:
        >>> memory([8, 16], [65536, 1048576], [9000, 36000]).alt[:41]
        'A plot with logarithmic axes: memory of C'
    """
    sizes = np.asarray(sizes)
    drawing, (ax,) = canvas(1, width=6, height=3.4)
    lines = (
        ("C as an array", np.asarray(dense), BLUE, "o-"),
        ("C, nonzeros only", np.asarray(stored), "#d9701a", "s-"),
        ("the large image", 4 * (2 * sizes) ** 2, "#2a9d6a", "^-"),
        ("the kernel", np.full(len(sizes), 36), "#9a5fd0", "D-"),
    )
    for label, values, color, style in lines:
        ax.loglog(sizes, values, style, color=color, markersize=5)
        ax.annotate(
            label,
            (sizes[-1], values[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=INK,
        )
    ax.set_xlabel("n, for a convolution from 2n×2n to n×n pixels")
    ax.set_ylabel("memory")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    powers = {2**10: "1 KiB", 2**20: "1 MiB", 2**30: "1 GiB", 2**36: "64 GiB"}
    ax.set_yticks(list(powers), list(powers.values()))
    ax.grid(alpha=0.2, color=INK)
    return Figure(
        drawing,
        "A plot with logarithmic axes: memory of C as an array grows with the fourth power of the "
        "image's side, its nonzeros and the image itself with the second, and the kernel not at "
        "all.",
    )
