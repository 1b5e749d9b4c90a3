"""The book's figures: each function returns a :class:`Figure`, which knows its alt text."""

from upconv.book.figures.autoencoder import (
    constant_answers,
    learning_curves,
    reconstructions,
    routes,
    seeds_by_head,
)
from upconv.book.figures.checkerboards import grids, imbalance_law, overlaps, ramps_made
from upconv.book.figures.five_ways import (
    columns_landing,
    four_phases,
    inserted_zeros,
    multiplications,
    products,
    scattered,
    transposed_matrix,
)
from upconv.book.figures.interpolation import (
    axis_matrices,
    dark_border,
    enlarged,
    plane_matrices,
    sampling,
    tents,
)
from upconv.book.figures.matrix import (
    channel_blocks,
    image_through_matrix,
    matrices_on_one_axis,
    memory,
    rows_as_windows,
    window_and_row,
)
from upconv.book.figures.one_the_other import (
    border_strip,
    endless_kernel,
    four_copies,
    long_division,
    nested,
    phase_sums,
)
from upconv.book.figures.pooling_backwards import (
    same_upsampled,
    spectra,
    ways_up,
)
from upconv.book.figures.remedies import (
    blur_gains,
    grid_over_seeds,
    imbalance_over_steps,
    white_answers,
)
from upconv.book.figures.sizes import meeting_sizes, number_line
from upconv.book.figures.style import Figure
from upconv.book.figures.transpose import contributions, passes, pictures, stamps, two_directions

__all__ = [
    "Figure",
    "border_strip",
    "blur_gains",
    "axis_matrices",
    "channel_blocks",
    "columns_landing",
    "constant_answers",
    "contributions",
    "dark_border",
    "enlarged",
    "endless_kernel",
    "four_copies",
    "four_phases",
    "grid_over_seeds",
    "grids",
    "image_through_matrix",
    "imbalance_over_steps",
    "imbalance_law",
    "inserted_zeros",
    "learning_curves",
    "long_division",
    "matrices_on_one_axis",
    "meeting_sizes",
    "memory",
    "multiplications",
    "nested",
    "number_line",
    "overlaps",
    "passes",
    "phase_sums",
    "pictures",
    "plane_matrices",
    "products",
    "reconstructions",
    "routes",
    "ramps_made",
    "rows_as_windows",
    "sampling",
    "same_upsampled",
    "scattered",
    "seeds_by_head",
    "spectra",
    "stamps",
    "tents",
    "two_directions",
    "transposed_matrix",
    "white_answers",
    "ways_up",
    "window_and_row",
]
