"""The book's figures: each function returns a :class:`Figure`, which knows its alt text."""

from upconv.book.figures.five_ways import (
    columns_landing,
    four_phases,
    inserted_zeros,
    multiplications,
    products,
    scattered,
    transposed_matrix,
)
from upconv.book.figures.matrix import (
    channel_blocks,
    image_through_matrix,
    matrices_on_one_axis,
    memory,
    rows_as_windows,
    window_and_row,
)
from upconv.book.figures.pooling_backwards import (
    pooling_gradients,
    same_upsampled,
    spectra,
    ways_up,
)
from upconv.book.figures.sizes import meeting_sizes, number_line
from upconv.book.figures.style import Figure
from upconv.book.figures.transpose import contributions, passes, pictures, stamps, two_directions

__all__ = [
    "Figure",
    "channel_blocks",
    "columns_landing",
    "contributions",
    "four_phases",
    "image_through_matrix",
    "inserted_zeros",
    "matrices_on_one_axis",
    "meeting_sizes",
    "memory",
    "multiplications",
    "number_line",
    "passes",
    "pictures",
    "pooling_gradients",
    "products",
    "rows_as_windows",
    "same_upsampled",
    "scattered",
    "spectra",
    "stamps",
    "two_directions",
    "transposed_matrix",
    "ways_up",
    "window_and_row",
]
