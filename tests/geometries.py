"""Random geometries, shared by the tests: every legal combination, small enough to be quick."""

from hypothesis import assume
from hypothesis import strategies as st
from upconv import Geometry

ONE_TO_THREE = st.integers(1, 3)


@st.composite
def geometries(draw, axes=ONE_TO_THREE, groups=ONE_TO_THREE):
    """A Geometry of 1 to 3 axes with groups, dilation, output_padding and asymmetric padding."""
    n = draw(axes)

    def per_axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(n))

    stride, dilation = per_axis(1, 4), per_axis(1, 3)
    return Geometry(
        kernel=per_axis(1, 5 if n == 1 else 3),
        stride=stride,
        padding=tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(n)),
        dilation=dilation,
        output_padding=tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        ),
        groups=draw(groups),
    )


@st.composite
def transposed_cases(draw, **kwargs):
    """(geometry, input shape, weight shape) of a transposed convolution that leaves something."""
    geometry = draw(geometries(**kwargs))
    largest = {1: 7, 2: 4, 3: 3}[geometry.axes]
    size = tuple(draw(st.integers(1, largest)) for _ in range(geometry.axes))
    try:
        geometry.transposed_shape(size)
    except ValueError:
        assume(False)
    channels, out_channels = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    x_shape = (draw(st.integers(1, 2)), channels * geometry.groups, *size)
    return geometry, x_shape, (channels * geometry.groups, out_channels, *geometry.kernel)


@st.composite
def conv_cases(draw, **kwargs):
    """(geometry, input shape, weight shape) of a convolution whose kernel fits its input."""
    geometry = draw(geometries(**kwargs))
    largest = {1: 12, 2: 6, 3: 4}[geometry.axes]
    size = tuple(draw(st.integers(1, largest)) for _ in range(geometry.axes))
    try:
        geometry.output_shape(size)
    except ValueError:
        assume(False)
    channels, out_channels = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    x_shape = (draw(st.integers(1, 2)), channels * geometry.groups, *size)
    return geometry, x_shape, (out_channels * geometry.groups, channels, *geometry.kernel)
