"""The exercises of "A convolution is a matrix": answers and mistakes."""

import numpy as np
import pytest
from upconv import Geometry, conv_matrix

COUNTS = np.array([[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]])


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (COUNTS, "Right: a corner of the input is seen by one window"),
        (COUNTS.tolist(), "Right: "),
        (COUNTS.ravel(), "Not yet: the sixteen counts are right; give them the shape"),
        (np.full(4, 9), "Not yet: you counted along the rows of C"),
        (np.full((2, 2), 9), "Not yet: you counted along the rows of C"),
        (np.full((4, 4), 9), "Not yet: your array has 9 at [0, 0], want 1."),
    ],
)
def test_columns_count(said, answer, begins):
    assert said("columns-count", answer).startswith(begins)


def right(kernel, input_shape, stride):
    return conv_matrix(kernel, input_shape, Geometry(kernel.shape, stride), dense=True)


def stride_one(kernel, input_shape, stride):
    return right(kernel, input_shape, 1)


def square_only(kernel, input_shape, stride):
    return right(kernel[:2, :2], input_shape, stride)


def spoils_its_kernel(kernel, input_shape, stride):
    matrix = right(kernel, input_shape, stride)
    kernel[:] = 0
    return matrix


FIRST = "Not yet: for a 2×2 kernel, a 3×3 input and stride 1 "


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (right, "Right: one matrix does what the sliding window does"),
        (spoils_its_kernel, "Right: "),
        (lambda k, i, s: conv_matrix(k, i, Geometry(k.shape, s)), "Right: "),  # a sparse matrix
        (lambda k, i, s: right(k, i, s).T, FIRST + "you gave the transpose of C"),
        (lambda k, i, s: right(k[::-1, ::-1], i, s), FIRST + "your kernel is flipped"),
        (stride_one, "Not yet: for a 3×2 kernel, a 7×8 input and stride 2 your matrix has shape"),
        (square_only, "Not yet: for a 3×3 kernel, a 4×4 input and stride 1 your matrix has shape"),
        (lambda k, i, s: None, FIRST + "your function returned None; has it a return?"),
        (lambda k, i, s: 1 / 0, FIRST + "your function raised ZeroDivisionError: division"),
        (lambda k: k, FIRST + "your function raised TypeError"),
        (lambda k, i, s: "C", FIRST + "your matrix is no array of numbers: got str."),
        (np.eye(3), "Not yet: got ndarray; want a function."),
    ],
)
def test_conv_matrix(said, answer, begins):
    assert said("conv-matrix", answer).startswith(begins)


def test_channels_shape(said):
    geometry = Geometry((5, 5), stride=2, padding=2)
    shape = conv_matrix(np.ones((8, 3, 5, 5)), (3, 28, 28), geometry).shape
    assert said("channels-shape", shape).startswith("Right: C has 8·14·14 rows")
    assert said("channels-shape", list(shape)).startswith("Right: ")
    assert said("channels-shape", np.array(shape)).startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((2352, 1568), "which is the shape of the transpose"),
        ((8, 14, 14), "which is the output's shape"),
        ((8, 3, 5, 5), "which is the kernel's shape"),
        ((196, 784), "which is the shape for one channel"),
        ((1152, 2352), "which is the shape without padding"),
        ((6272, 2352), "which is the shape for stride 1"),
        ((3, 28, 28), "want (how many output values, how many input values)"),
    ],
)
def test_channels_shape_recognises_a_mistake(said, answer, what):
    assert said("channels-shape", answer).startswith(f"Not yet: got {answer}")
    assert what in said("channels-shape", answer)
