"""The still figure of the explorable "sizes"."""

from __future__ import annotations

from upconv.book.figures import meeting_sizes, number_line
from upconv.book.figures.style import Figure
from upconv.geometry import Geometry

__all__ = ["still"]

# Where the sliders end, here as in sizes.js.
MOST = {"input_size": 1024, "kernel": 7, "stride": 4, "padding": 3, "dilation": 3}
LONGEST = 32  # positions of a line that the figure shows


def still(
    input_size: int = 4,
    kernel: int = 3,
    stride: int = 2,
    padding: int = 1,
    dilation: int = 1,
    output_padding: int = 0,
    transposed: bool = True,
) -> Figure:
    """The number line of a transposed convolution, or of the one that leads a convolution back.

    A line of more than 32 positions is left out: the figure then shows the input sizes of the
    convolution that meet.

    Args:
        input_size: of the operation, 1 to 1024.
        kernel, stride, padding, dilation: k up to 7, s up to 4, p up to 3, d up to 3.
        output_padding: a, smaller than the stride; a convolution does not look at it.
        transposed: whether the operation is the transposed convolution (True) or the convolution.

    Raises:
        ValueError: naming the argument, for settings that are not legal or beyond the sliders.

    Source:
        Dumoulin & Visin (2016), section 4.6. Taught in the chapter "Sizes".

    Example:
        >>> print(still(input_size=1, kernel=2, padding=0).alt)
        An input of 1 becomes an output of 2 under kernel 2, stride 2. A number line. \
Input values 1 each stamp the kernel 1 2, 2 positions apart. Added up they fill 2 positions: 1 2. \
0 at the beginning and 0 at the end are cropped. The output has 2 values: 1 2.
    """
    given = dict(
        input_size=input_size, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
    geometry = Geometry(kernel, stride, padding, dilation, output_padding)
    if not isinstance(transposed, bool):
        raise ValueError(f"transposed: got {transposed!r}; want True or False")
    for name, most in MOST.items():
        if given[name] > most:
            raise ValueError(f"{name}: got {given[name]}; want at most {most}")
    if output_padding >= stride:
        raise ValueError(
            f"output_padding: got {output_padding}; want it smaller than the stride {stride}, of "
            "whose sizes it says which is meant"
        )
    shape = geometry.transposed_shape if transposed else geometry.output_shape
    (output_size,) = shape(input_size)
    back = geometry if transposed else geometry.adjoint_to(input_size)
    small, large = (input_size, output_size) if transposed else (output_size, input_size)
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    settings["output_padding"] = output_padding if transposed else 0
    usual = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
    words = [f"{name} {value}" for name, value in settings.items() if value != usual[name]]
    if large + 2 * padding <= LONGEST:
        figure = number_line(back, small)
    else:
        figure = meeting_sizes(geometry, geometry.ambiguous_inputs(small)[0])
    return Figure(
        figure.drawing,
        f"An input of {input_size} becomes an output of {output_size} under "
        + ", ".join([f"kernel {kernel}", *words])
        + ". "
        + ("" if transposed else "The way back: ")
        + figure.alt,
    )
