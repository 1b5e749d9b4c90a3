"""Figures of the chapter "The Keras autoencoder"."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np
from matplotlib.axes import Axes

from upconv.book.figures.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    Figure,
    canvas,
    picture,
)

__all__ = ["constant_answers", "learning_curves", "reconstructions", "routes", "seeds_by_head"]


def reconstructions(rows: dict[str, np.ndarray]) -> Figure:
    """A row of pictures for each decoder, the images themselves first.

    Args:
        rows: for each name grey pictures, (n, height, width), 0 to 255.

    Raises:
        ValueError: where there is no row, or rows of different lengths.

    Example:
        >>> black = np.zeros((2, 28, 28))
        >>> reconstructions({"image": black, "blog": black + 3}).alt[-55:]
        'an distance from the first row, in grey levels: blog 3.'
    """
    counts = {len(pictures) for pictures in rows.values()}
    if len(counts) != 1:
        raise ValueError(f"rows: got {sorted(counts)} pictures in a row; want as many in each")
    (count,) = counts
    drawing, axes = canvas(
        count + 1, rows=len(rows), width=3.8, height=0.72 * len(rows), ratios=(1.75, *[1] * count)
    )
    for row, (name, pictures) in enumerate(rows.items()):
        label, *panels = axes[row * (count + 1) : (row + 1) * (count + 1)]
        label.text(0, 0.5, _in_two_lines(name), va="center", color=INK, fontsize=9)
        label.set_axis_off()
        for ax, shown in zip(panels, pictures, strict=True):
            picture(ax, shown, limits=(0, 255))
    first, *others = rows
    told = ", ".join(f"{name} {_distance(rows[name], rows[first]):.0f}" for name in others)
    return Figure(
        drawing,
        f"Rows of {count} pictures. First the {first}, then what becomes of it under each decoder. "
        f"Mean distance from the first row, in grey levels: {told}.",
    )


def _distance(pictures: np.ndarray, others: np.ndarray) -> float:
    return np.abs(np.subtract(pictures, others, dtype=float)).mean()


def routes(encoder: Sequence[int], decoders: dict[str, Sequence[int]]) -> Figure:
    """The size of the image, layer by layer, down the encoder and up each decoder.

    Args:
        encoder: sizes from the image to the latent.
        decoders: for each name the sizes after the latent.

    Raises:
        ValueError: for more than three decoders.

    Example:
        >>> routes([4, 2], {"straight": [4], "around": [6, 4]}).alt
        'Sizes down the encoder: 4, 2. Up again, straight: 2, 4; around: 2, 6, 4.'
    """
    colors = (ORANGE, BLUE, GREEN)
    if len(decoders) > len(colors):
        raise ValueError(f"decoders: got {len(decoders)}; want at most {len(colors)}")
    drawing, (ax,) = canvas(1, width=3.9, height=2.5)
    ax.plot(range(len(encoder)), encoder, "o-", color=INK, label="encoder")
    for place, size in enumerate(encoder):
        ax.annotate(str(size), (place, size), (4, 4), textcoords="offset points", color=INK)
    start = len(encoder) - 1
    longest = max(map(len, decoders.values()))
    for below, (name, sizes), color in zip(
        (False, True, True), decoders.items(), colors, strict=False
    ):
        # All decoders end at the same place, so that equal sizes stand side by side.
        places = [start, *(start + longest - len(sizes) + 1 + n for n in range(len(sizes)))]
        ax.plot(places, [encoder[-1], *sizes], "s-" if below else "o-", color=color, label=name)
        for place, size in zip(places[1:-1], sizes, strict=False):
            offset = (5, -12) if below else (-7, 6)
            ax.annotate(str(size), (place, size), offset, textcoords="offset points", color=INK)
    end = start + longest
    ax.annotate(str(encoder[0]), (end, encoder[0]), (-4, 5), textcoords="offset points", color=INK)
    ax.set(xticks=[], ylabel="pixels along an axis", ylim=(0, 1.15 * max(encoder)))
    ax.set_xlabel("from layer to layer")
    ax.legend(loc="upper center", fontsize=9, labelcolor=INK, frameon=False)
    told = "; ".join(
        f"{name}: {', '.join(map(str, [encoder[-1], *sizes]))}" for name, sizes in decoders.items()
    )
    return Figure(
        drawing, f"Sizes down the encoder: {', '.join(map(str, encoder))}. Up again, {told}."
    )


def learning_curves(
    curves: dict[str, Sequence[Sequence[float]]], references: dict[str, float]
) -> Figure:
    """The test loss after each epoch, each seed a line, with the losses that need no network.

    Args:
        curves: for each name, and each seed, the losses after 0, 1, 2, … epochs.
        references: for each name a loss; drawn as a dashed line.

    Raises:
        ValueError: for more than four names.

    Example:
        >>> learning_curves({"adam": [[0.7, 0.4]]}, {"perfect copy": 0.24}).alt
        'Test loss against epochs. adam: from 0.700 to 0.400. Dashed: perfect copy 0.240.'
    """
    colors = (ORANGE, BLUE, GREEN, PURPLE)
    if len(curves) > len(colors):
        raise ValueError(f"curves: got {len(curves)} names; want at most {len(colors)}")
    drawing, (ax,) = canvas(1, width=3.9, height=3.4)
    epochs = len(next(iter(curves.values()))[0]) - 1
    for name, loss in references.items():
        ax.axhline(loss, color=INK, alpha=0.6, linewidth=1, linestyle="--")
        ax.text(epochs, loss - 0.006, name, ha="right", va="top", fontsize=9, color=INK)
    ends = []
    for (name, seeds), color in zip(curves.items(), colors, strict=False):
        for seed, losses in enumerate(seeds):
            ax.plot(losses, color=color, linewidth=1.4, label=None if seed else name)
        first, last = (mean(losses[n] for losses in seeds) for n in (0, -1))
        ends.append(f"{name}: from {first:.3f} to {last:.3f}")
    ax.set(xlabel="epochs", ylabel="test loss, nats a pixel", xlim=(0, epochs))
    ax.set_ylim(bottom=ax.get_ylim()[0] - 0.03)  # room for the name of the lowest reference
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), fontsize=9, labelcolor=INK, frameon=False
    )
    told = ", ".join(f"{name} {loss:.3f}" for name, loss in references.items())
    return Figure(drawing, f"Test loss against epochs. {'; '.join(ends)}. Dashed: {told}.")


def seeds_by_head(
    values: dict[str, dict[str, Sequence[float]]],
    what: str,
    *,
    marks: dict[str, float] | None = None,
    logarithmic: bool = False,
) -> Figure:
    """A line for each head with a dot for each seed, in a colour for each kind of number.

    Args:
        values: for each kind, such as "before", and each head its numbers.
        what: the axis in words.
        marks: for each name a number that is marked by a dashed line.
        logarithmic: whether the axis is.

    Raises:
        ValueError: for more than two kinds.

    Example:
        >>> seeds_by_head({"loss": {"blog": [0.3, 0.5]}}, "loss").alt
        'A line for each head: loss, smallest to largest over the seeds. loss: blog 0.3 to 0.5.'
    """
    colors = (ORANGE, BLUE)
    if len(values) > len(colors):
        raise ValueError(f"values: got {len(values)} kinds; want at most {len(colors)}")
    heads = list(next(iter(values.values())))
    drawing, (ax,) = canvas(1, width=3.9, height=0.36 * len(heads) + 0.9)
    for (kind, by_head), color, marker in zip(values.items(), colors, "os", strict=False):
        for row, head in enumerate(heads):
            label = kind if row == 0 and len(values) > 1 else None
            _dots(ax, by_head[head], row, color, marker, label)
    for row, head in enumerate(heads):
        ax.axhline(row, color=INK, alpha=0.12, linewidth=0.8)
        ax.text(0.01, row - 0.16, head, transform=ax.get_yaxis_transform(), va="bottom",
                fontsize=8.5, color=INK)  # fmt: skip
    for name, mark in (marks or {}).items():
        ax.axvline(mark, color=INK, alpha=0.6, linewidth=1, linestyle="--")
        place = (mark, -0.55)
        ax.annotate(name, place, (3, 0), textcoords="offset points", fontsize=8.5, color=INK)
    ax.set(ylim=(len(heads) - 0.4, -0.9), yticks=[], xlabel=what)
    ax.spines["left"].set_visible(False)
    if logarithmic:
        ax.set_xscale("log")
    if len(values) > 1:
        ax.legend(
            loc="lower center",
            bbox_to_anchor=(0.5, 1),
            ncols=2,
            fontsize=9,
            labelcolor=INK,
            frameon=False,
        )
    told = "; ".join(
        f"{kind}: "
        + ", ".join(f"{head} {min(n):.3g} to {max(n):.3g}" for head, n in by_head.items())
        for kind, by_head in values.items()
    )
    more = "".join(f" Dashed: {name} {mark:.3g}." for name, mark in (marks or {}).items())
    return Figure(
        drawing,
        f"A line for each head: {what}, smallest to largest over the seeds. {told}.{more}",
    )


def _dots(ax: Axes, numbers: Sequence[float], row: int, color: str, marker: str, label) -> None:
    ax.plot(
        numbers, [row] * len(numbers), marker, color=color, alpha=0.65, markersize=5, label=label
    )


def constant_answers(pieces: dict[str, tuple[np.ndarray, float]], *, range_: float = 60) -> Figure:
    """What the decoders make of a constant latent: a piece of the answer, with strong contrast.

    Args:
        pieces: for each head a piece in grey levels, (height, width), and the root mean square of
            what varies in the whole answer.
        range_: how many grey levels lie between black and white; grey is the piece's mean.

    Raises:
        ValueError: where there is no piece.

    Example:
        >>> constant_answers({"blog": (np.ones((8, 8)), 0.0)}).alt[-19:]
        'blog 0 grey levels.'
    """
    if not pieces:
        raise ValueError("pieces: got none; want at least one")
    columns = min(3, len(pieces))
    rows = -(-len(pieces) // columns)
    drawing, axes = canvas(columns, rows=rows, width=3.9, height=1.62 * rows)
    for ax, (name, (piece, amplitude)) in zip(axes, pieces.items(), strict=False):
        shown = piece - np.mean(piece, dtype=float)
        picture(ax, shown, limits=(-range_ / 2, range_ / 2))
        ax.set_title(f"{_in_two_lines(name)}\n{_levels(amplitude)}", fontsize=9)
    for ax in axes[len(pieces) :]:
        ax.set_axis_off()
    told = ", ".join(f"{name} {_levels(amplitude)}" for name, (_, amplitude) in pieces.items())
    return Figure(
        drawing,
        f"{len(pieces)} grey squares, pieces of the answers to a constant latent, their contrast "
        "much enlarged: plain where the decoder makes no grid, else chequered. "
        f"{told} grey levels.",
    )


def _levels(amplitude: float) -> str:
    return "0" if amplitude < 0.01 else f"{amplitude:.1f}"


def _in_two_lines(name: str) -> str:
    return name.replace(", ", ",\n")
