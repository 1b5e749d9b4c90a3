"""The still figure of ``operator``: a convolution, or its transpose, beside its matrix."""

from __future__ import annotations

import numpy as np

from upconv import definition
from upconv.book.figures.style import Figure, canvas, cells, surface, tap_colors
from upconv.geometry import Geometry
from upconv.matrix import conv_matrix

__all__ = ["still"]

MODES = ("forward", "transposed", "zero_insertion", "polyphase")
LIMITS = {
    "input_size": (1, 16),
    "kernel": (1, 5),
    "stride": (1, 4),
    "padding": (0, 3),
    "dilation": (1, 3),
    "output_padding": (0, 3),
}
LONGEST = {1: 16, 2: 8}  # of input and output along an axis, so that the matrix can be read


def still(
    mode: str = "forward",
    axes: int = 2,
    input_size: int = 4,
    kernel: int = 3,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
    first: int = 1,
    decimal: bool = False,
    focus: int = 0,
) -> Figure:
    """Input, kernel, output and matrix side by side, with all that takes part in one sum framed.

    The weights are 1, 2, 3, … along the rows of the kernel.

    Args:
        mode: "forward", "transposed", or a way to compute the latter: "zero_insertion",
            "polyphase".
        axes: 1 or 2.
        input_size, kernel, stride, padding, dilation, output_padding: along every axis, within
            the limits of the sliders; input and output have at most 16 positions on one axis, 8
            on each of two.
        first: the first input; the others count on from it.
        decimal: if there are at most four inputs, they are 1, 10, 100 and 1000.
        focus: which output is followed; the transposed mode follows an input.

    Raises:
        ValueError: for settings that are illegal, or beyond these limits.

    Example:
        >>> still(first=0, focus=1).alt[:43]
        'Input 4×4, kernel 3×3, output 2×2, and the '
    """
    settings = {"input_size": input_size, "kernel": kernel, "stride": stride, "padding": padding}
    settings |= {"dilation": dilation, "output_padding": output_padding}
    geometry, in_size, out_size = _checked(mode, axes, settings)
    count = int(np.prod(in_size))
    x = np.arange(count) + first
    if decimal and count <= 4:
        x = 10 ** np.arange(count)
    x = x.reshape(in_size)
    w = np.arange(1, kernel**axes + 1).reshape(geometry.kernel)
    forward = mode == "forward"
    compute = definition.conv if forward else definition.conv_transpose
    y = compute(x[None, None], w[None, None], geometry)[0, 0]
    # The entries of the matrix are the numbers of the taps, which are the weights too.
    small, large = (out_size, in_size) if forward else (in_size, out_size)
    numbers = _rows(w, small, large, geometry)
    matrix = numbers if forward else numbers.T
    followed = count if mode == "transposed" else y.size
    if focus not in range(followed):
        raise ValueError(f"focus: got {focus!r}; want an integer from 0 to {followed - 1}")
    return _drawn(x, w, y, matrix, focus, mode)


def _checked(mode, axes, settings):
    if mode not in MODES:
        raise ValueError(f"mode: got {mode!r}; want one of {', '.join(MODES)}")
    if axes not in (1, 2):
        raise ValueError(f"axes: got {axes!r}; want 1 or 2")
    for name, value in settings.items():
        low, high = LIMITS[name]
        if value not in range(low, high + 1):
            raise ValueError(f"{name}: got {value!r}; want an integer from {low} to {high}")
    if mode == "forward" and settings["output_padding"]:
        raise ValueError("output_padding: got one in forward mode, where it plays no part; want 0")
    input_size, kernel, *others = settings.values()
    geometry = Geometry((kernel,) * axes, *others)
    in_size = (input_size,) * axes
    out_size = (geometry.output_shape if mode == "forward" else geometry.transposed_shape)(in_size)
    longest = max(*in_size, *out_size)
    if longest > LONGEST[axes]:
        raise ValueError(
            f"input_size: got {input_size}, so that input or output has {longest} positions along "
            f"an axis; want at most {LONGEST[axes]}"
        )
    return geometry, in_size, out_size


def _rows(w: np.ndarray, small, large, geometry: Geometry) -> np.ndarray:
    """C, with the rows that belong to positions of the small side only.

    An output_padding of a stride or more leaves room for further windows.
    """
    matrix = conv_matrix(w, large, geometry, dense=True)
    windows = np.arange(len(matrix)).reshape(geometry.output_shape(large))
    return matrix[windows[tuple(slice(n) for n in small)].ravel()]


def _drawn(x, w, y, matrix, focus, mode) -> Figure:
    columns = mode == "transposed"
    chosen = np.zeros(matrix.shape, dtype=bool)
    chosen[(slice(None), focus) if columns else focus] = True
    chosen &= matrix > 0
    palette = np.concatenate([[None], tap_colors(w.shape).ravel()])
    name = "C" if mode == "forward" else "Cᵀ"
    shown = (  # title, values, colours, what takes part
        ("input", x, None, chosen.any(axis=0).reshape(x.shape)),
        ("kernel", w, palette[w], np.isin(w, matrix[chosen])),
        ("output", y, None, chosen.any(axis=1).reshape(y.shape)),
        (f"{name}, {len(matrix)}×{matrix.shape[1]}", matrix, palette[matrix], chosen),
    )
    drawing, (ax,) = canvas(1, height=1)
    left, bottom, right = 0.0, 0.0, 0.0
    for title, values, colors, framed in shown:
        values, colors, framed = (
            part if part is None else np.atleast_2d(part) for part in (values, colors, framed)
        )
        text = values.astype(str).astype(object)
        if title == shown[-1][0]:  # where no weight stands
            text[values == 0] = ""
        fontsize = 7 if max(map(len, text.ravel())) > 3 else 9
        below = title == shown[-1][0] and values.shape[1] > values.shape[0]
        at = (0.0, bottom + 2.2) if below else (left, 0.0)
        cells(ax, text, at=at, colors=colors, outline=framed, title=title, fontsize=fontsize)
        left = at[0] + max(values.shape[1], 3.2) + 0.9
        bottom = max(bottom, at[1] + values.shape[0])
        right = max(right, at[0] + max(values.shape[1], 3.2))
    surface(ax)
    ax.set_xlim(-0.6, right + 0.1)
    ax.set_ylim(bottom + 0.1, -1.3)
    drawing.set_size_inches(0.31 * (right + 0.7), 0.31 * (bottom + 1.4))
    shapes = ["×".join(map(str, part.shape)) for part in (x, w, y, matrix)]
    whole = "column" if columns else "row"
    return Figure(
        drawing,
        f"Input {shapes[0]}, kernel {shapes[1]}, output {shapes[2]}, and the {shapes[3]} matrix "
        f"{name}, with a row for each output and a column for each input. Its {whole} "
        f"{focus} is framed: {chosen.sum()} weights, and so are the inputs and outputs that they "
        "join.",
    )
