"""The still figure of the explorable "sizes"."""

from __future__ import annotations

from upconv.book.figures import meeting_sizes, number_line
from upconv.book.figures.style import Figure
from upconv.geometry import Geometry

__all__ = ["still"]

LONGEST = 32  # positions that a page can show


def still(
    input_size: int = 4,
    kernel: int = 3,
    stride: int = 2,
    padding: int = 1,
    dilation: int = 1,
    output_padding: int = 0,
    transposed: bool = True,
) -> Figure:
    """The number line of a transposed convolution, and the sizes that its convolution mixes up.

    A convolution is drawn as its transpose, which leads back to its input. A line too long for the
    page is left out: the figure shows the sizes that meet.

    Args:
        input_size: of the operation, at least 1.
        kernel, stride, padding, dilation: k, s, p, d.
        output_padding: a, smaller than the stride; a convolution does not look at it.
        transposed: whether the operation is the transposed convolution (True) or the convolution.

    Raises:
        ValueError: naming the argument, for settings that are not legal.

    Source:
        Dumoulin & Visin (2016), section 4.6. Taught in the chapter "Sizes".

    Example:
        >>> still().alt[:81]
        'An input of 4 becomes an output of 7 under kernel 3, stride 2, padding 1. A numbe'
    """
