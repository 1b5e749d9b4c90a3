"""Figures of the chapter "The transpose"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upconv import definition
from upconv.book.figures.style import (
    BLUE,
    INK,
    ORANGE,
    Figure,
    arrow,
    canvas,
    cells,
    number,
    picture,
    surface,
    tap_colors,
)
from upconv.geometry import Geometry
from upconv.matrix import conv_matrix

__all__ = ["contributions", "passes", "pictures", "stamps", "two_directions"]


def stamps(y: np.ndarray, kernel: np.ndarray, stride: int = 1) -> Figure:
    """Each value of a small input stamps a scaled kernel on the output; the stamps add up.

    Args:
        y: input of the transposed convolution, four values (2, 2).
        kernel: (k, k).
        stride: distance between neighbouring stamps.

    Example:
        >>> stamps(np.ones((2, 2)), np.ones((3, 3))).alt[:43]
        'The 4 values of a 2×2 input, each beside th'
    """
    geometry = Geometry(kernel.shape, stride)
    size = geometry.transposed_shape(y.shape)
    colors = tap_colors(y.shape)
    drawing, axes = canvas(3, rows=2, height=4.6)
    cells(axes[0], y, colors=colors, title="input")
    for (row, column), ax in zip(np.ndindex(y.shape), axes[1:5], strict=True):
        single = np.zeros_like(y)
        single[row, column] = y[row, column]
        stamp = definition.conv_transpose(single[None, None], kernel[None, None], geometry)[0, 0]
        under = np.zeros(size, dtype=bool)
        under[
            row * stride : row * stride + kernel.shape[0],
            column * stride : column * stride + kernel.shape[1],
        ] = True
        text = np.where(under, stamp.astype(object), "")
        fill = np.where(under, colors[row, column], None)
        cells(ax, text, colors=fill, title=f"{y[row, column]} × kernel", fontsize=9)
    total = definition.conv_transpose(y[None, None], kernel[None, None], geometry)[0, 0]
    cells(axes[5], total, title="their sum: the output", fontsize=9)
    return Figure(
        drawing,
        f"The {y.size} values of a {y.shape[0]}×{y.shape[1]} input, each beside the "
        f"{kernel.shape[0]}×{kernel.shape[1]} patch that it stamps on a {size[0]}×{size[1]} "
        "output: the kernel times that value. The last panel is the sum of the stamps.",
    )


def two_directions(x: np.ndarray, y: np.ndarray, kernel: np.ndarray, chosen: int) -> Figure:
    """A convolution above its transpose: nine values into one, one value into nine.

    Args:
        x: large image, (height, width).
        y: small image, of the convolution's output size.
        kernel: (k, k).
        chosen: which value of the small image is followed, counted along its rows.

    Example:
        >>> two_directions(np.ones((4, 4)), np.ones((2, 2)), np.ones((3, 3)), 0).alt[:41]
        'Above, a convolution: the 9 framed values'
    """
    geometry = Geometry(kernel.shape)
    matrix = conv_matrix(kernel, x.shape, geometry, dense=True)
    window = (matrix[chosen] != 0).reshape(x.shape)
    follow = (np.arange(y.size) == chosen).reshape(y.shape)
    down = (matrix @ x.ravel()).reshape(y.shape)
    up = (matrix.T @ y.ravel()).reshape(x.shape).astype(object)
    added = matrix[chosen].reshape(x.shape) * y.ravel()[chosen]
    up[window] = [f"+{number(value)}" for value in added[window]]
    rows = (
        ("convolution: y = Cx", x, window, BLUE, down, follow, ORANGE),
        ("transposed convolution: x = Cᵀy", y, follow, ORANGE, up, window, BLUE),
    )
    drawing, axes = canvas(1, rows=2, height=5.4)
    for ax, (title, left, on_left, left_color, right, on_right, right_color) in zip(
        axes, rows, strict=True
    ):
        middle = x.shape[0] / 2
        cells(
            ax,
            left,
            at=(x.shape[1] - left.shape[1], middle - left.shape[0] / 2),
            colors=np.where(on_left, left_color, None),
            outline=on_left,
        )
        arrow(ax, (x.shape[1] + 0.5, middle), (x.shape[1] + 4.0, middle), "kernel")
        cells(
            ax,
            right,
            at=(x.shape[1] + 4.5, middle - right.shape[0] / 2),
            colors=np.where(on_right, right_color, None),
            outline=on_right,
            fontsize=9,
        )
        ax.text(x.shape[1] + 2.25, -0.7, title, ha="center", va="bottom", color=INK, weight="bold")
        ax.set_xlim(-0.1, 2 * x.shape[1] + 4.6)
        ax.set_ylim(x.shape[0] + 0.1, -1.4)
    return Figure(
        drawing,
        f"Above, a convolution: the {window.sum()} framed values of a {x.shape[0]}×{x.shape[1]} "
        f"image give the one framed value of a {y.shape[0]}×{y.shape[1]} image. Below, the "
        f"transposed convolution: one framed value of a {y.shape[0]}×{y.shape[1]} image is spread "
        f"over {window.sum()} framed places of a {x.shape[0]}×{x.shape[1]} image, each with the "
        "number that is added there.",
    )


def contributions(size: int, kernel: int, strides: Sequence[int]) -> Figure:
    """How many windows each pixel of the large side lies under, for several strides.

    Args:
        size: side of the large image.
        kernel: kernel size k.
        strides: one panel each.

    Example:
        >>> contributions(7, 3, [1]).alt
        'Counts on a 7×7 image: under how many 3×3 windows each pixel lies. Stride 1: 1 to 9.'
    """
    drawing, axes = canvas(len(strides), height=7.4 / len(strides))
    said = []
    for stride, ax in zip(strides, axes, strict=True):
        matrix = conv_matrix(
            np.ones((kernel, kernel)), (size, size), Geometry((kernel, kernel), stride)
        )
        counts = matrix.sum(axis=0).astype(int).reshape(size, size)
        shades = 0.4 * counts / kernel**2
        cells(ax, counts, colors=BLUE, opacity=shades, title=f"stride {stride}", fontsize=9)
        said.append(f"Stride {stride}: {counts.min()} to {counts.max()}")
    return Figure(
        drawing,
        f"Counts on a {size}×{size} image: under how many {kernel}×{kernel} windows each pixel "
        f"lies. {'. '.join(said)}.",
    )


def passes() -> Figure:
    """Which matrix each of the two layers uses forward and backward.

    Example:
        >>> passes().alt[:54]
        'Two rows. Convolution: forward C, from the large image'
    """
    drawing, axes = canvas(1, rows=2, height=3.0)
    rows = (("convolution", "C", "Cᵀ"), ("transposed convolution", "Cᵀ", "C"))
    for ax, (name, forward, backward) in zip(axes, rows, strict=True):
        left, right = ("large", "small") if forward == "C" else ("small", "large")
        for x, word in ((1.4, left), (8.6, right)):
            ax.text(x, 1.5, f"{word}\nimage", ha="center", va="center", color=INK)
        ax.text(5, 0.1, name, ha="center", va="bottom", color=INK, weight="bold")
        arrow(ax, (2.4, 1.2), (7.6, 1.2), f"forward: {forward}")
        arrow(ax, (7.6, 1.9), (2.4, 1.9))
        ax.text(5, 2.1, f"backward: {backward}", ha="center", va="top", color=INK)
        surface(ax)
        ax.set_xlim(0, 10)
        ax.set_ylim(2.9, -0.5)
    return Figure(
        drawing,
        "Two rows. Convolution: forward C, from the large image to the small; backward Cᵀ, from "
        "small to large. Transposed convolution: forward Cᵀ, from small to large; backward C, from "
        "large to small.",
    )


def pictures(images: dict[str, np.ndarray], alt: str, *, shared: Sequence[str] = ()) -> Figure:
    """Grey pictures side by side.

    Args:
        images: title and (height, width) of each.
        alt: what is to be seen.
        shared: titles of the pictures that share one scale from black to white.

    Raises:
        ValueError: for a shared title without picture.

    Example:
        >>> pictures({"x": np.eye(3)}, "A white diagonal on black.")
        A white diagonal on black.
    """
    if missing := set(shared) - set(images):
        raise ValueError(f"shared: got {sorted(missing)}; want titles among {list(images)}")
    drawing, axes = canvas(len(images), height=7.4 / len(images))
    together = [images[title] for title in shared]
    limits = (min(i.min() for i in together), max(i.max() for i in together)) if together else None
    for ax, (title, image) in zip(axes, images.items(), strict=True):
        picture(ax, image, title, limits=limits if title in shared else None)
    return Figure(drawing, alt)
