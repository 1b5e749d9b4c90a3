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


def transposed_cases(**wanted):
    """(geometry, input shape, weight shape) of a transposed convolution that leaves something."""
    return _cases(True, **wanted)


def conv_cases(**wanted):
    """(geometry, input shape, weight shape) of a convolution whose kernel fits its input."""
    return _cases(False, **wanted)


@st.composite
def _cases(draw, transposed, **wanted):
    geometry = draw(geometries(**wanted))
    largest = ({1: 7, 2: 4, 3: 3} if transposed else {1: 12, 2: 6, 3: 4})[geometry.axes]
    size = tuple(draw(st.integers(1, largest)) for _ in range(geometry.axes))
    try:
        (geometry.transposed_shape if transposed else geometry.output_shape)(size)
    except ValueError:
        assume(False)
    batch, channels, others = (draw(st.integers(1, 2)) for _ in range(3))
    x_channels = channels * geometry.groups
    # The first axis of a weight belongs to the small side: the input of a transposed convolution.
    weight = (x_channels, others) if transposed else (others * geometry.groups, channels)
    return geometry, (batch, x_channels, *size), (*weight, *geometry.kernel)
