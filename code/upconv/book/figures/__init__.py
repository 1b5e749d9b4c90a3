"""The book's figures: each function returns a :class:`Figure`, which knows its alt text."""

from upconv.book.figures.matrix import window_and_row
from upconv.book.figures.style import Figure

__all__ = ["Figure", "window_and_row"]
