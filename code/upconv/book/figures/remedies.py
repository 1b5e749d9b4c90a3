"""Figures of the chapter "Remedies"."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np
from matplotlib.ticker import FuncFormatter

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

__all__ = ["blur_gains", "grid_over_seeds", "imbalance_over_steps", "white_answers"]


def white_answers(
    patterns: dict[str, tuple[Sequence, Sequence]], *, range_: float = 32, periods: int = 4
) -> Figure:
    """What each model makes of a white image, before and after training, with strong contrast.

    Args:
        patterns: for each name one period of the answer before and one after, in grey levels,
            each (s, s).
        range_: how many grey levels lie between black and white; grey is the period's mean.
        periods: how many periods are drawn along each axis.

    Raises:
        ValueError: where there is no pattern.

    Example:
        >>> white_answers({"a layer": ([[1, 1], [1, 1]], [[0, 2], [2, 0]])}).alt[-50:]
        'a layer: 0.0 grey levels at first, 1.0 at the end.'
    """
    if not patterns:
        raise ValueError("patterns: got none; want at least one")
    drawing, axes = canvas(
        3, rows=len(patterns), width=3.8, height=1.02 * len(patterns), ratios=(1.7, 1, 1)
    )
    told = []
    for row, (name, pair) in enumerate(patterns.items()):
        label, *panels = axes[3 * row : 3 * row + 3]
        grids = [float(np.std(period)) for period in pair]
        label.text(0, 0.66, name, va="center", color=INK, fontsize=10)
        label.text(0, 0.22, f"{grids[0]:.1f} → {grids[1]:.1f}", va="center", color=INK, fontsize=10)
        label.set_axis_off()
        for ax, period, title in zip(panels, pair, ("start", "trained"), strict=True):
            period = np.asarray(period, dtype=float)
            shown = np.tile(period - period.mean(), (periods, periods))
            limits = (-range_ / 2, range_ / 2)
            picture(ax, shown, title if row == 0 else "", limits=limits)
        plain = name.replace("\n", " ")
        told.append(f"{plain}: {grids[0]:.1f} grey levels at first, {grids[1]:.1f} at the end")
    return Figure(
        drawing,
        f"Two columns of {len(patterns)} small grey squares: a piece of the answer to a white "
        "image before and after training, its contrast much enlarged. Where the model makes a grid "
        f"the square is chequered or striped, else plain. {'; '.join(told)}.",
    )


def grid_over_seeds(values: dict[str, Sequence[float]], what: str) -> Figure:
    """One line for each remedy, with a dot for each seed and a bar at the mean.

    Args:
        values: for each remedy its numbers.
        what: the axis in words.

    Raises:
        ValueError: where there is no remedy.

    Example:
        >>> grid_over_seeds({"k = 4": [1.0, 3.0]}, "grid").alt[-24:]
        'k = 4: 1.00 to 3.00 (2).'
    """
    if not values:
        raise ValueError("values: got none; want at least one remedy")
    drawing, (ax,) = canvas(1, width=3.8, height=0.42 * len(values) + 0.6)
    for row, (name, numbers) in enumerate(values.items()):
        clean = max(numbers) < 0.01
        color = GREEN if clean else ORANGE
        ax.axhline(row, color=INK, alpha=0.12, linewidth=0.8)
        ax.plot(numbers, [row] * len(numbers), "o", color=color, alpha=0.5, markersize=5)
        ax.plot([mean(numbers)] * 2, [row - 0.25, row + 0.25], color=INK, linewidth=1.6)
        ax.text(0, row - 0.28, name, va="bottom", color=INK, fontsize=9)
    ax.set_ylim(len(values) - 0.5, -0.95)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(what)
    told = "; ".join(
        f"{name}: {min(numbers):.2f} to {max(numbers):.2f} ({len(numbers)})"
        for name, numbers in values.items()
    )
    return Figure(
        drawing,
        f"A line for each remedy with a dot for each seed: {what}. From smallest to largest, with "
        f"the number of seeds: {told}.",
    )


def imbalance_over_steps(
    steps: Sequence[int], curves: dict[str, Sequence[Sequence[float]]]
) -> Figure:
    """How the imbalance of a head changes during training: one thin line a seed, bold their mean.

    Args:
        steps: where it was measured.
        curves: for each head and each seed one number a step.

    Raises:
        ValueError: for a curve of another length.

    Example:
        >>> imbalance_over_steps([0, 9], {"ICNR": [[0.0, 0.3]]}).alt[-27:]
        'ICNR from 0.00 to 0.30 (1).'
    """
    for name, runs in curves.items():
        for run in runs:
            if len(run) != len(steps):
                raise ValueError(f"curves: got {len(run)} numbers for {name!r}; want {len(steps)}")
    drawing, (ax,) = canvas(1, width=3.8, height=3.2)
    colors = (ORANGE, PURPLE, BLUE, GREEN)
    for (name, runs), color in zip(curves.items(), colors, strict=False):
        for run in runs:
            ax.plot(steps, run, color=color, alpha=0.5, linewidth=0.7)
        middle = np.mean(runs, axis=0)
        ax.plot(steps, middle, color=color, linewidth=2)
        ax.annotate(
            name, (steps[-1], middle[-1]), (-2, 8), textcoords="offset points",
            ha="right", va="bottom", color=INK, fontsize=10,
        )  # fmt: skip
    ax.set_xscale("symlog", linthresh=2)
    ax.set_xticks([s for s in (0, 2, 10, 100, steps[-1]) if s <= steps[-1]])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.minorticks_off()
    ax.set_xlim(0, steps[-1] * 1.1)
    ax.set_ylim(-0.03, 1)
    ax.set_xlabel("steps of training")
    ax.set_ylabel("phase imbalance of the head")
    told = "; ".join(
        f"{name} from {np.mean(runs, axis=0)[0]:.2f} to {np.mean(runs, axis=0)[-1]:.2f} "
        f"({len(runs)})"
        for name, runs in curves.items()
    )
    return Figure(
        drawing,
        "Curves of the phase imbalance over the steps of training, one for each seed, and their "
        f"mean. With the number of seeds: {told}.",
    )


def blur_gains(kernels: dict[str, Sequence[float]]) -> Figure:
    """By how much each kernel multiplies every frequency, along one axis.

    Args:
        kernels: taps, by the name to be drawn.

    Example:
        >>> blur_gains({"(½, ½)": [0.5, 0.5]}).alt[-37:]
        'checkerboard, at the right: (½, ½) 0.'
    """
    drawing, (ax,) = canvas(1, width=3.8, height=3.0)
    frequency = np.linspace(0, 1, 201)
    colors = (GREEN, BLUE, PURPLE, ORANGE)
    told = []
    for (name, taps), color in zip(kernels.items(), colors, strict=False):
        waves = np.exp(-1j * np.pi * np.outer(frequency, np.arange(len(taps))))
        gain = np.abs(waves @ np.asarray(taps, dtype=float))
        ax.plot(frequency, gain, color=color, linewidth=2, label=name)
        ax.plot(1, gain[-1], "o", color=color, clip_on=False)
        told.append(f"{name} {round(gain[-1], 2) + 0:g}")
    ax.set_xticks([0, 0.5, 1], ["0\nconstant", "¼", "½\ncheckerboard"])
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.5 * ax.get_ylim()[1])  # room for the legend
    ax.set_xlabel("cycles per pixel")
    ax.set_ylabel("gain")
    ax.legend(loc="upper left", labelcolor=INK, fontsize=10, frameon=False)
    return Figure(
        drawing,
        "Curves of the gain of each kernel over the frequency, from a constant to the pattern that "
        "changes at every pixel. What each leaves of this pattern, the checkerboard, at the "
        f"right: {', '.join(told)}.",
    )
