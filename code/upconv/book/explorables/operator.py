"""The still figure of the explorable ``operator``: a convolution, or its transpose, and its matrix."""

from __future__ import annotations

from itertools import product

import numpy as np

from upconv import definition
from upconv.book.figures.style import Figure, canvas, cells, surface, tap_colors
from upconv.geometry import Geometry

__all__ = ["still"]

MODES = ("forward", "transposed", "zero_insertion", "polyphase")
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
    return Figure(canvas(1, height=1)[0], "x")
