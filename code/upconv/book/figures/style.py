"""The house style: figures that follow the page's light and dark theme, with alt text.

A figure is drawn by matplotlib and shown as inline SVG. What is drawn in ``INK`` takes the colour
of the page's text; fills are translucent, so that text on them stays readable in both themes.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.patches import FancyArrowPatch, Rectangle

# A colour that nothing else uses; it becomes ``currentColor`` in the SVG.
INK = "#010203"
BLUE, ORANGE, GREEN, PURPLE = "#2f7fd1", "#d9701a", "#2a9d6a", "#9a5fd0"
FILL = 0.38  # opacity under which ink stays readable on every fill, light and dark

_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "upconv",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


class Figure:
    """A drawing with its alt text: inline SVG in the page, the alt text in plain output.

    Args:
        drawing: the matplotlib figure.
        alt: what is to be seen, for those who cannot see it.

    Raises:
        ValueError: where the alt text is empty.

    Example:
        >>> drawing, axes = canvas(1, width=2, height=1)
        >>> Figure(drawing, "An empty drawing.")
        An empty drawing.
    """

    def __init__(self, drawing: MatplotlibFigure, alt: str) -> None:
        if not alt.strip():
            raise ValueError(f"alt: got {alt!r}; want a sentence that says what is to be seen")
        self.drawing, self.alt = drawing, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        # A narrow figure can be read at the width of a telephone; a wide one scrolls there.
        narrow = " upconv-narrow" if self.drawing.get_figwidth() < 4 else ""
        return f'<div class="upconv-figure{narrow}">{self.svg()}</div>'

    def svg(self) -> str:
        """The drawing as an SVG element whose text and lines take the page's colour.

        Example:
            >>> drawing, axes = canvas(1, width=2, height=1)
            >>> Figure(drawing, "An empty drawing.").svg()[:46]
            '<svg role="img" aria-label="An empty drawing."'
        """
        buffer = io.StringIO()
        with mpl.rc_context(_RC):
            self.drawing.savefig(
                buffer, format="svg", bbox_inches="tight", pad_inches=0.04, metadata={"Date": None}
            )
        svg = buffer.getvalue()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
        svg = svg.replace(INK, "currentColor")
        digest = hashlib.sha256(svg.encode()).hexdigest()[:8]
        referenced = set(re.findall(r"#([\w-]+)", svg))
        svg = re.sub(
            r' id="([\w-]+)"',
            lambda match: f' id="{digest}-{match[1]}"' if match[1] in referenced else "",
            svg,
        )
        svg = re.sub(r'(url\(|href=")#', rf"\1#{digest}-", svg)
        width = float(re.search(r'width="([\d.]+)pt"', svg)[1])
        view_box = re.search(r'viewBox="([^"]+)"', svg)[1]
        opening = (
            f'<svg role="img" aria-label="{html.escape(self.alt)}" '
            f'viewBox="{view_box}" '
            f'style="width: 100%; max-width: {width * 4 / 3:.0f}px" '
            'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        )
        return re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1).strip()

    def save(self, path: str | Path) -> None:
        """Write the drawing as an SVG file that follows the viewer's light or dark setting.

        Args:
            path: of the file.
        """
        ink = "svg{color:#1f2328} @media (prefers-color-scheme:dark){svg{color:#e6edf3}}"
        start, end = self.svg().split(">", 1)
        Path(path).write_text(f"{start}><style>{ink}</style>{end}\n", encoding="utf-8")


def canvas(
    columns: int, *, width: float = 7.0, height: float, rows: int = 1, ratios=None
) -> tuple[MatplotlibFigure, list[Axes]]:
    """A figure in the house style and its axes, in reading order.

    Args:
        columns, rows: number of axes.
        width, height: inches; the page is about 7 inches wide.
        ratios: relative widths of the columns.

    Example:
        >>> drawing, axes = canvas(2, height=3)
        >>> len(axes)
        2
    """
    with mpl.rc_context(_RC):
        drawing = MatplotlibFigure(figsize=(width, height), layout="constrained")
        axes = drawing.subplots(rows, columns, squeeze=False, width_ratios=ratios)
    return drawing, list(axes.flat)


def cells(
    ax: Axes,
    values: np.ndarray,
    *,
    at: tuple[float, float] = (0, 0),
    colors: np.ndarray | str | None = None,
    opacity: np.ndarray | float = FILL,
    outline: np.ndarray | None = None,
    title: str = "",
    fontsize: float = 10,
) -> None:
    """Draw a table of numbers as unit squares, row 0 at the top.

    Args:
        ax: turned into a plain drawing surface on which y grows downwards.
        values: (rows, columns); what is written into the squares, "" for nothing.
        at: (x, y) of the upper left corner.
        colors: one colour, or an array of them like ``values``, None for no fill; fills are
            translucent.
        opacity: of the fills, one number or an array of them; above 0.4 text is hard to read.
        outline: squares to frame boldly, boolean like ``values``.
        title: written above.
        fontsize: points.
    """
    values = np.asarray(values)
    rows, columns = values.shape
    colors = np.broadcast_to(np.asarray(colors, dtype=object), values.shape)
    opacity = np.broadcast_to(opacity, values.shape)
    x0, y0 = at
    for row, column in np.ndindex(rows, columns):
        color = colors[row, column]
        corner = (x0 + column, y0 + row)
        if color is not None:
            ax.add_patch(
                Rectangle(
                    corner, 1, 1, facecolor=color, alpha=float(opacity[row, column]), linewidth=0
                )
            )
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=INK, alpha=0.45, linewidth=0.6))
        ax.text(
            corner[0] + 0.5,
            corner[1] + 0.5,
            number(values[row, column]),
            ha="center",
            va="center",
            fontsize=fontsize,
            color=INK,
        )
    if outline is not None:
        for row, column in np.argwhere(outline):
            square = Rectangle(
                (x0 + column, y0 + row), 1, 1, fill=False, edgecolor=INK, linewidth=1.8
            )
            ax.add_patch(square)
    if title:
        ax.text(x0 + columns / 2, y0 - 0.35, title, ha="center", va="bottom", color=INK)
    surface(ax)
    ax.update_datalim([(x0, y0 - (1.1 if title else 0)), (x0 + columns, y0 + rows)])
    ax.autoscale_view()


def number(value: object) -> str:
    """A value as it is written into a square: integers without a point, a true minus sign.

    Example:
        >>> number(2.0), number(-0.25), number("")
        ('2', '−0.25', '')
    """
    if isinstance(value, str):
        return value
    return f"{value:.3g}".replace("-", "−")


def surface(ax: Axes) -> None:
    """Make the axes a plain drawing surface: equal units, y downwards, no frame.

    Args:
        ax: the axes.
    """
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.margins(0.02)
    if not ax.yaxis_inverted():
        ax.invert_yaxis()


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """An arrow between two points of a drawing surface, with a word above its middle.

    Args:
        ax: the axes.
        start, end: (x, y).
        text: the word.
    """
    ax.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=INK, linewidth=1)
    )
    if text:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 0.2)
        ax.text(*middle, text, ha="center", va="bottom", color=INK)


def picture(ax: Axes, image: np.ndarray, title: str = "", *, limits=None) -> None:
    """Show a grey image, smallest value black, largest white.

    Args:
        ax: the axes.
        image: (height, width).
        title: written above.
        limits: (black, white), by default the image's own.
    """
    low, high = limits or (None, None)
    ax.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="none")
    _frame(ax, title)


def signed(ax: Axes, values: np.ndarray, title: str = "") -> None:
    """Show a large matrix: positive blue, negative orange, zero clear; opacity is the magnitude.

    Args:
        ax: the axes.
        values: (rows, columns).
        title: written above.
    """
    largest = np.abs(values).max() or 1
    rgba = np.zeros((*values.shape, 4))
    for mask, color in ((values > 0, BLUE), (values < 0, ORANGE)):
        rgba[mask, :3] = mpl.colors.to_rgb(color)
    rgba[..., 3] = np.sqrt(np.abs(values) / largest)  # so that small entries are seen
    ax.imshow(rgba, interpolation="none")
    _frame(ax, title)


def _frame(ax: Axes, title: str) -> None:
    ax.set(xticks=[], yticks=[], title=title)
    for spine in ax.spines.values():
        spine.set(visible=True, alpha=0.45)


def tap_colors(kernel: Sequence[int]) -> np.ndarray:
    """One colour for each tap of a kernel, an array of the kernel's shape.

    Args:
        kernel: its size.

    Example:
        >>> tap_colors((1, 2)).tolist()
        [['#db4d4d', '#4ddbdb']]
    """
    count = int(np.prod(kernel))
    hues = np.arange(count) / count
    rgb = mpl.colors.hsv_to_rgb(
        np.stack([hues, np.full(count, 0.65), np.full(count, 0.86)], axis=1)
    )
    return np.array([mpl.colors.to_hex(color) for color in rgb], dtype=object).reshape(kernel)
