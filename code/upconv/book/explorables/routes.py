"""Two routes up: the figure that stands in print, and its settings."""

from __future__ import annotations
from upconv.book.figures.style import Figure, canvas


def still(*, view="routes", start="convolution", scale=2, axes=1, kernel=3, weight=None, x=None, gradient=None) -> Figure:
    drawing, _ = canvas(1, height=1)
    return Figure(drawing, "x")
