"""Figures of the chapter "Five ways to compute it".

All but the last show one transposed convolution: a 2×2 input a, b, c, d, a 3×3 kernel with the taps
1 to 9, stride 2. A product of an input and a tap is a square in the input's colour, marked "b7";
the product b7 is framed in every one of them.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

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
    surface,
)
from upconv.cost import Arithmetic

__all__ = [
    "columns_landing",
    "four_phases",
    "inserted_zeros",
    "multiplications",
    "products",
    "scattered",
    "transposed_matrix",
]

_STRIDE = 2
_INPUTS = np.array([["a", "b"], ["c", "d"]], dtype=object)
_COLORS = np.array([[BLUE, ORANGE], [GREEN, PURPLE]], dtype=object)
_TAPS = np.arange(1, 10).reshape(3, 3)
_FOLLOWED = ((0, 1), (2, 0))  # input b, tap 7
_SIZE = (5, 5)


def _landings() -> dict[tuple[int, int], list[tuple[tuple[int, int], tuple[int, int]]]]:
    """For each output, the (input, tap) pairs whose products it sums."""
    landings = {output: [] for output in np.ndindex(*_SIZE)}
    for source in np.ndindex(_INPUTS.shape):
        for tap in np.ndindex(_TAPS.shape):
            output = tuple(q * _STRIDE + t for q, t in zip(source, tap, strict=True))
            landings[output].append((source, tap))
    return landings


def _square(
    ax: Axes,
    at: tuple[float, float],
    size: tuple[float, float],
    text: object = "",
    color: str | None = None,
    bold: bool = False,
    faint: bool = False,
) -> None:
    if color is not None:
        ax.add_patch(Rectangle(at, *size, facecolor=color, alpha=FILL, linewidth=0))
    ax.add_patch(Rectangle(at, *size, fill=False, edgecolor=INK, alpha=0.45, linewidth=0.6))
    if bold:
        frame = Rectangle(at, *size, fill=False, edgecolor=INK, linewidth=2.2, zorder=3)
        ax.add_patch(frame)
    ax.text(
        at[0] + size[0] / 2,
        at[1] + size[1] / 2,
        str(text),
        ha="center",
        va="center",
        color=INK,
        fontsize=10,
        alpha=0.7 if faint else 1,
    )


def _product(ax, at, size, source, tap) -> None:
    """One product in its input's colour, framed if it is the followed one."""
    followed = (source, tap) == _FOLLOWED
    _square(ax, at, size, f"{_INPUTS[source]}{_TAPS[tap]}", _COLORS[source], followed)


def _output_cell(ax, at, size: float, landed) -> None:
    """One output, divided among its products as their inputs lie."""
    rows = sorted({source[0] for source, _ in landed})
    columns = sorted({source[1] for source, _ in landed})
    height, width = size / len(rows), size / len(columns)
    for source, tap in landed:
        x = at[0] + columns.index(source[1]) * width
        y = at[1] + rows.index(source[0]) * height
        _product(ax, (x, y), (width, height), source, tap)
    ax.add_patch(Rectangle(at, size, size, fill=False, edgecolor=INK, linewidth=1.2))


def _title(ax, x: float, y: float, text: str) -> None:
    ax.text(x, y - 0.3, text, ha="center", va="bottom", color=INK)


def _input(ax, at: tuple[float, float]) -> None:
    for row, column in np.ndindex(_INPUTS.shape):
        _square(
            ax, (at[0] + column, at[1] + row), (1, 1), _INPUTS[row, column], _COLORS[row, column]
        )


def _finish(ax, width: float, height: float) -> None:
    surface(ax)
    ax.set_xlim(-0.1, width + 0.1)
    ax.set_ylim(height + 0.1, -1.2)


def products() -> Figure:
    """The input, the kernel, and the 36 products at the outputs in which they are summed.

    Example:
        >>> products().alt[:37]
        'A 2×2 input with the values a, b, c, '
    """
    drawing, (ax,) = canvas(1, width=3.5, height=5.2)
    _input(ax, (0.5, 0.5))
    _title(ax, 1.5, 0.5, "input x")
    cells(ax, _TAPS, at=(4, 0), title="kernel w")
    _title(ax, 8.4, 1.35, "stride 2")
    arrow(ax, (7.6, 1.5), (9.2, 1.5))
    cell, top = 1.9, 4.6
    _title(ax, 2.5 * cell, top, "output y: 25 sums of 36 products")
    for (row, column), landed in _landings().items():
        _output_cell(ax, (column * cell, top + row * cell), cell, landed)
    _finish(ax, 5 * cell, top + 5 * cell)
    return Figure(
        drawing,
        "A 2×2 input with the values a, b, c, d in four colours, a 3×3 kernel with the taps 1 to "
        "9, and the 5×5 output. Each output is divided into the products that it sums: one at the "
        "corners, two where the stamps of two neighbours meet, and four in the middle: a9, b7, c3 "
        "and d1. The product b7 is framed.",
    )


def scattered() -> Figure:
    """Each input's stamp on the output, one grid for each.

    Example:
        >>> scattered().alt[:20]
        'Four 5×5 grids, one '
    """
    drawing, (ax,) = canvas(1, width=3.5, height=3.9)
    for source in np.ndindex(_INPUTS.shape):
        left, top = source[1] * 6, source[0] * 6.4
        _title(ax, left + 2.5, top, f"{_INPUTS[source]} times the kernel")
        for row, column in np.ndindex(*_SIZE):
            _square(ax, (left + column, top + row), (1, 1))
        for tap in np.ndindex(_TAPS.shape):
            row, column = (q * _STRIDE + t for q, t in zip(source, tap, strict=True))
            _product(ax, (left + column, top + row), (1, 1), source, tap)
    _finish(ax, 11, 11.4)
    return Figure(
        drawing,
        "Four 5×5 grids, one for each input. In each lies the kernel times that input, a 3×3 "
        "stamp: that of a at the upper left, b at the upper right, c at the lower left, d at the "
        "lower right. All four stamps cover the middle of the output; there lies b7, framed.",
    )


def transposed_matrix() -> Figure:
    """The 25×4 matrix Cᵀ, whose columns are the stamps, unrolled.

    Example:
        >>> transposed_matrix().alt[:21]
        'A matrix with 25 rows'
    """
    drawing, (ax,) = canvas(1, width=3.4, height=6.2)
    landings = _landings()
    sources = list(np.ndindex(_INPUTS.shape))
    width = 1.5
    for index, (output, landed) in enumerate(landings.items()):
        taps = dict(landed)
        for column, source in enumerate(sources):
            at = (column * width, index)
            if source in taps:
                followed = (source, taps[source]) == _FOLLOWED
                text = _TAPS[taps[source]]
                _square(ax, at, (width, 1), text, _COLORS[source], followed)
            else:
                _square(ax, at, (width, 1), "0", faint=True)
        ax.text(-0.3, index + 0.5, f"{output[0]},{output[1]}", ha="right", va="center", color=INK,
                fontsize=8)  # fmt: skip
    _title(ax, 2 * width, 0, "Cᵀ, 25×4")
    ax.text(4 * width + 0.6, 12.5, "·", ha="center", va="center", color=INK, fontsize=13)
    for number, source in enumerate(sources):
        at = (4 * width + 1.2, 10.5 + number)
        _square(ax, at, (width, 1), _INPUTS[source], _COLORS[source])
    _title(ax, 4.5 * width + 1.2, 10.5, "x")
    surface(ax)
    ax.set_xlim(-1.9, 5 * width + 1.5)
    ax.set_ylim(25.2, -1.6)
    zeros = 100 - sum(len(landed) for landed in landings.values())
    return Figure(
        drawing,
        "A matrix with 25 rows, one for each output, and 4 columns, one for each input, times the "
        "column a, b, c, d. Each column holds the nine taps in its input's colour and is zero "
        f"elsewhere: {zeros} of the 100 entries are zeros. In the row of the middle output stand "
        "9, 7, 3 and 1; the 7, in the column of b, is framed.",
    )


def inserted_zeros() -> Figure:
    """The zero-filled and padded input, with the window of the middle output, and the kernel.

    Example:
        >>> inserted_zeros().alt[:20]
        'A 7×7 grid: the inpu'
    """
    drawing, (ax,) = canvas(1, width=3.5, height=2.7)
    margin = len(_TAPS) - 1
    spread = {
        tuple(q * _STRIDE + margin for q in source): source for source in np.ndindex(_INPUTS.shape)
    }
    for place in np.ndindex(7, 7):
        row, column = place
        if place in spread:
            source = spread[place]
            _square(ax, (column, row), (1, 1), _INPUTS[source], _COLORS[source])
        else:
            inserted = all(margin <= n <= 7 - margin - 1 for n in place)
            _square(ax, (column, row), (1, 1), "0" if inserted else "·", faint=True)
    ax.add_patch(Rectangle((2, 2), 3, 3, fill=False, edgecolor=INK, linewidth=2.2))
    _title(ax, 3.5, 0, "x, spread and padded")
    left, top = 8.2, 2
    for row, column in np.ndindex(_TAPS.shape):
        tap = (2 - row, 2 - column)
        source = spread.get((row + 2, column + 2))
        at = (left + column, top + row)
        if source is None:
            _square(ax, at, (1, 1), _TAPS[tap], faint=True)
        else:
            followed = (source, tap) == _FOLLOWED
            _square(ax, at, (1, 1), _TAPS[tap], _COLORS[source], followed)
    _title(ax, left + 1.5, top, "w, flipped")
    _finish(ax, 11.3, 7)
    return Figure(
        drawing,
        "A 7×7 grid: the inputs a, b, c, d with a row and a column of zeros between them and a "
        "border of two zeros around them. The window of the middle output, 3×3, has the four "
        "inputs in its corners and five zeros. Beside it the flipped kernel, 9 to 1: its corners "
        "9, 7, 3, 1 meet a, b, c, d; the 7 that meets b is framed; the other five taps meet zeros.",
    )


def columns_landing() -> Figure:
    """The 9×4 table of all products, and where its row of tap 7 lands.

    Example:
        >>> columns_landing().alt[:20]
        'A table with nine ro'
    """
    drawing, (ax,) = canvas(1, width=3.5, height=3.1)
    sources = list(np.ndindex(_INPUTS.shape))
    chosen = _FOLLOWED[1]
    for number, tap in enumerate(np.ndindex(_TAPS.shape)):
        for column, source in enumerate(sources):
            _product(ax, (column, number), (1, 1), source, tap)
    _title(ax, 2, 0, "columns, 9×4")
    left, top = 6.4, 2.5
    for row, column in np.ndindex(*_SIZE):
        _square(ax, (left + column, top + row), (1, 1))
    for source in sources:
        row, column = (q * _STRIDE + t for q, t in zip(source, chosen, strict=True))
        _product(ax, (left + column, top + row), (1, 1), source, chosen)
    _title(ax, left + 2.5, top, "y += row of tap 7")
    arrow(ax, (4.2, 6.5), (left - 0.2, 6.5))
    _finish(ax, left + 5, 9)
    return Figure(
        drawing,
        "A table with nine rows, one for each tap, and four columns, one for each input, holding "
        "all 36 products. An arrow leads from the row of tap 7 to the 5×5 output, where its "
        "products a7, b7, c7, d7 land two apart: in rows 2 and 4, columns 0 and 2. b7 is framed.",
    )


def four_phases() -> Figure:
    """The four sub-kernels and the outputs that each of them computes.

    Example:
        >>> four_phases().alt[:20]
        'Four blocks, one for'
    """
    drawing, (ax,) = canvas(1, width=3.5, height=5.2)
    landings, cell, names = _landings(), 1.7, ("even", "odd")
    lefts, tops = (0, 3 * cell + 0.9), (0, 3 * cell + 5.2)
    for phase in np.ndindex(_STRIDE, _STRIDE):
        left, top = lefts[phase[1]], tops[phase[0]]
        kernel = _TAPS[phase[0] :: _STRIDE, phase[1] :: _STRIDE]
        outputs = [output for output in landings if all(np.mod(output, _STRIDE) == phase)]
        width = cell * (max(column for _, column in outputs) // _STRIDE + 1)
        _title(ax, left + width / 2, top, f"rows {names[phase[0]]},\ncolumns {names[phase[1]]}")
        cells(ax, kernel, at=(left + (width - kernel.shape[1]) / 2, top))
        for output in outputs:
            row, column = (m // _STRIDE for m in output)
            at = (left + column * cell, top + len(_TAPS[phase[0] :: _STRIDE]) + 0.5 + row * cell)
            _output_cell(ax, at, cell, landings[output])
    surface(ax)
    ax.set_xlim(-0.1, lefts[1] + 2 * cell + 0.3)
    ax.set_ylim(tops[1] + 1.6 + 2 * cell, -1.8)
    return Figure(
        drawing,
        "Four blocks, one for each phase of the output. Outputs with even row and even column, 3×3 "
        "of them, are made with the sub-kernel of the taps 1, 3, 7, 9; even rows and odd columns, "
        "3×2, with 2 and 8; odd rows and even columns, 2×3, with 4 and 6; odd rows and odd "
        "columns, 2×2, with 5 alone. The framed product b7 lies in the middle of the first block.",
    )


def multiplications(counts: dict[str, dict[str, Arithmetic]]) -> Figure:
    """How many multiplications each form does for each product that counts: bars, log scale.

    Args:
        counts: for each layer, by the name to be drawn, what ``upconv.arithmetic`` says of each
            form.

    Raises:
        ValueError: where there is no layer.

    Example:
        >>> multiplications({"a layer": {"columns": Arithmetic(8, 0, 4, 8)}}).alt[-27:]
        '. a layer: columns 2 times.'
    """
    if not counts:
        raise ValueError("counts: got no layer; want at least one")
    bars = max(len(forms) for forms in counts.values())
    drawing, axes = canvas(1, rows=len(counts), width=3.9, height=len(counts) * (0.9 + 0.27 * bars))
    ratios = {
        layer: {
            form: count.multiplications / (count.multiplications - count.by_zero - count.discarded)
            for form, count in forms.items()
        }
        for layer, forms in counts.items()
    }
    largest = max(max(by_form.values()) for by_form in ratios.values())
    for ax, (layer, by_form) in zip(axes, ratios.items(), strict=True):
        for place, (form, ratio) in enumerate(by_form.items()):
            vain = counts[layer][form]
            color = ORANGE if vain.by_zero else BLUE
            ax.barh(place, ratio - 1, left=1, height=0.62, color=color, alpha=0.8)
            ax.text(ratio * 1.06, place, f"{ratio:.3g}", va="center", color=INK, fontsize=10)
        ax.set_title(layer, loc="left")
        ax.set_yticks(range(len(by_form)), [form.replace("_", " ") for form in by_form])
        ax.invert_yaxis()
        ax.set_xscale("log")
        ax.set_xlim(1, largest * 2.6)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.tick_params(axis="y", length=0)
    axes[-1].set_xlabel("multiplications for each that counts")
    told = "; ".join(
        f"{layer}: "
        + ", ".join(f"{form.replace('_', ' ')} {ratio:.3g}" for form, ratio in by_form.items())
        for layer, by_form in ratios.items()
    )
    return Figure(
        drawing,
        "Bars on a logarithmic scale: how many multiplications each form does for each one that "
        f"counts. {told} times.",
    )
