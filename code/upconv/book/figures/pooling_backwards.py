"""Figures of the chapter "Pooling backwards"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from upconv.book.figures.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    Figure,
    arrow,
    canvas,
    cells,
)
from upconv.geometry import Geometry
from upconv.pooling import (
    insert_zeros,
    max_pool,
    max_pool_gradient,
    max_unpool,
    sum_pool_gradient,
)

__all__ = ["same_upsampled", "spectra", "ways_up"]

_TILES = Geometry((2, 2), stride=2)
_QUARTERS = np.array([[BLUE, ORANGE], [GREEN, PURPLE]], dtype=object)


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values.tolist(), dtype=torch.float64)[None, None]


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor[0, 0].numpy()


def _chosen(indices: torch.Tensor) -> np.ndarray:
    chosen = np.zeros(16, dtype=bool)
    chosen[indices.ravel()] = True
    return chosen.reshape(4, 4)


def _upsampled_colors() -> np.ndarray:
    return _QUARTERS.repeat(2, 0).repeat(2, 1)


def _row(ax: Axes, top: float, tables: Sequence[tuple[str, np.ndarray, dict]]) -> None:
    """4×4 tables side by side under their titles."""
    for number, (title, values, settings) in enumerate(tables):
        cells(ax, values, at=(5 * number, top), title=title, fontsize=9, **settings)


def _show(ax: Axes, width: float, bottom: float) -> None:
    ax.set_xlim(-0.1, width + 0.1)
    ax.set_ylim(bottom + 0.1, -1.4)


def ways_up(x: np.ndarray) -> Figure:
    """An image of four windows, its max pooling, and three ways up from there.

    Args:
        x: (4, 4).

    Raises:
        ValueError: for another shape.

    Example:
        >>> ways_up(np.arange(16).reshape(4, 4)).alt[:49]
        'A 4×4 image with its four maxima framed, and its '
    """
    if x.shape != (4, 4):
        raise ValueError(f"x: got shape {x.shape}; want (4, 4)")
    values, indices = max_pool(_tensor(x), _TILES)
    chosen = _chosen(indices)
    nearest = _array(sum_pool_gradient(values, _TILES, 4))
    inserted = _array(insert_zeros(values, 2, 4))
    unpooled = _array(max_unpool(values, indices, _TILES))
    colors = _upsampled_colors()
    corner = np.arange(16).reshape(4, 4) % 2 + np.arange(16).reshape(4, 4) // 4 % 2 == 0
    drawing, (ax,) = canvas(1, width=3.6, height=2.8)
    cells(ax, x, at=(1.5, 0), colors=colors, outline=chosen, title="image", fontsize=9)
    arrow(ax, (5.9, 2), (9.1, 2), "max pool")
    cells(ax, _array(values), at=(9.5, 1), colors=_QUARTERS, title="maxima", fontsize=9)
    _row(
        ax,
        6.2,
        [
            ("nearest", nearest, {"colors": colors}),
            ("zeros inserted", inserted, {"colors": np.where(corner, colors, None)}),
            ("unpooled", unpooled, {"colors": np.where(chosen, colors, None)}),
        ],
    )
    _show(ax, 14, 10.2)
    return Figure(
        drawing,
        "A 4×4 image with its four maxima framed, and its 2×2 max pooling. Below, three 4×4 "
        "images made from the pooled one: nearest copies each value to its whole 2×2 block, zero "
        "insertion writes it to the top left of the block, unpooling to where the maximum stood.",
    )


def same_upsampled(first: np.ndarray, second: np.ndarray, received: np.ndarray) -> Figure:
    """Two images, the one upsampled gradient that both have, and their two max-pool gradients.

    Args:
        first, second: (4, 4).
        received: (2, 2), the gradient at the output.

    Example:
        >>> same_upsampled(np.eye(4), np.eye(4)[::-1], np.ones((2, 2))).alt[:32]
        'Two rows of three 4×4 tables: an'
    """
    at_output, colors = _tensor(received), _upsampled_colors()
    upsampled = _array(sum_pool_gradient(at_output, _TILES, 4))
    drawing, (ax,) = canvas(1, width=3.6, height=2.9)
    for top, image, word in ((0, first, "image A"), (6, second, "image B")):
        indices = max_pool(_tensor(image), _TILES)[1]
        chosen = _chosen(indices)
        back = _array(max_pool_gradient(at_output, indices, 4))
        tables = [
            (word, image, {"outline": chosen}),
            ("upsampled", upsampled, {"colors": colors}),
            ("max gradient", back, {"colors": np.where(chosen, colors, None)}),
        ]
        _row(ax, top, tables)
    _show(ax, 14, 10)
    return Figure(
        drawing,
        "Two rows of three 4×4 tables: an image with its block maxima framed, the upsampled "
        "gradient, and the gradient of max pooling. The upsampled gradient is the same in both "
        "rows; the gradients of max pooling are not.",
    )


def spectra(routes: dict[str, list[dict]], references: dict[str, dict]) -> Figure:
    """The power of enlarged images at each frequency, before and after training.

    Args:
        routes: of each way up, what each seed gave: "before" and "after" with their "profile".
        references: "images", with its "profile".

    Raises:
        ValueError: for more than three routes, which have no colours.

    Example:
        >>> told = {"profile": [1.0, 0.1], "fine": 0.1}
        >>> seed = {"before": told, "after": told}
        >>> spectra({"a": [seed]}, {"images": told}).alt[:34]
        'Power against frequency, two panel'
    """
    colors = (BLUE, ORANGE, PURPLE)
    if len(routes) > len(colors):
        raise ValueError(f"routes: got {len(routes)}; want at most {len(colors)}")
    drawing, axes = canvas(1, rows=2, width=3.6, height=6.2)
    real = np.array(references["images"]["profile"])
    frequencies = np.arange(1, len(real) + 1) / (2 * len(real))
    said = []
    for ax, when in zip(axes, ("before", "after"), strict=True):
        ax.semilogy(frequencies, real, color=INK, linestyle="--", linewidth=1.2, label="images")
        for color, (route, seeds) in zip(colors, routes.items(), strict=False):
            lines = np.array([seed[when]["profile"] for seed in seeds])
            ax.fill_between(
                frequencies, lines.min(axis=0), lines.max(axis=0), color=color, alpha=0.2, lw=0
            )
            ax.semilogy(frequencies, np.median(lines, axis=0), color=color, label=route)
            fine = np.median([seed[when]["fine"] for seed in seeds])
            said.append(f"{when} training {route} {fine:.1%}")
        ax.set(title=f"{when} training", ylim=(1e-8, 0.3), xlim=(0, 0.5))
        ax.set(xlabel="cycles per pixel", ylabel="share of the power")
        ax.axvline(0.25, color=INK, alpha=0.4, linewidth=0.8)
        ax.yaxis.set_minor_formatter(NullFormatter())
    axes[0].legend(loc="lower left", fontsize=9, frameon=False, labelcolor=INK)
    return Figure(
        drawing,
        "Power against frequency, two panels, one line for each way up and a dashed one for the "
        "images themselves. Share at a quarter cycle per pixel and above, median over the seeds: "
        f"{'; '.join(said)}; images {references['images']['fine']:.1%}. Before training the "
        "strided routes rise steeply towards half a cycle; after it all fall below the images "
        "at the fine end, upsampling lowest.",
    )
