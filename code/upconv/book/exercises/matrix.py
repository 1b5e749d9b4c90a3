"""Exercises of the chapter "A convolution is a matrix"."""

from __future__ import annotations

import numpy as np

from upconv import Geometry, conv_matrix
from upconv.book.exercises.checking import as_array, call, compare, exercise, same


@exercise(
    "columns-count",
    shows="a corner of the input is seen by one window, the middle by four, so the transpose "
    "collects one product at a corner and four in the middle.",
)
def _columns_count(answer: object) -> str | None:
    c = conv_matrix(np.ones((3, 3)), (4, 4), Geometry((3, 3)), dense=True)
    want = c.sum(0).reshape(4, 4)
    if same(answer, c.sum(1)) or same(answer, c.sum(1).reshape(2, 2)):
        return "you counted along the rows of C; count along its columns, one for each input value."
    if same(answer, want.ravel()):
        return "the sixteen counts are right; give them the shape of the input, (4, 4)."
    return compare(answer, want, "your array")


@exercise(
    "conv-matrix",
    shows="one matrix does what the sliding window does, for every kernel, input and stride tried.",
)
def _conv_matrix(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    cases = [((2, 2), (3, 3), 1), ((3, 3), (4, 4), 1), ((2, 3), (5, 6), 1), ((3, 2), (7, 8), 2)]
    for size, input_shape, stride in cases:
        kernel, geometry = rng.integers(1, 10, size).astype(float), Geometry(size, stride)
        case = f"a {_by(size)} kernel, a {_by(input_shape)} input and stride {stride}"
        got = call(answer, case, kernel, input_shape, stride)
        want = conv_matrix(kernel, input_shape, geometry, dense=True)
        wrong = compare(got, want, f"for {case} your matrix")
        if wrong is None:
            continue
        if same(got, want.T):
            return f"for {case} you gave the transpose of C: C has one row for each output value."
        if same(got, conv_matrix(kernel[::-1, ::-1], input_shape, geometry, dense=True)):
            return f"for {case} your kernel is flipped: frameworks lay it down as it stands."
        return wrong
    return None


@exercise(
    "channels-shape",
    shows="C has 8·14·14 rows and 3·28·28 columns: 3.7 million places for 600 different weights.",
)
def _channels_shape(answer: object) -> str | None:
    rows, columns = 8 * 14 * 14, 3 * 28 * 28
    mistakes = {
        (columns, rows): "the shape of the transpose; C has one row for each output value.",
        (8, 14, 14): "the output's shape; C has one row for each output value.",
        (8, 3, 5, 5): "the kernel's shape; C has one row for each output value.",
        (14 * 14, 28 * 28): "the shape for one channel to one; each such pair is a block of C.",
        (8 * 12 * 12, columns): "the shape without padding.",
        (8 * 28 * 28, columns): "the shape for stride 1.",
    }
    array = as_array(answer)
    shape = tuple(array.tolist()) if array is not None and array.ndim == 1 else None
    if shape == (rows, columns):
        return None
    if shape in mistakes:
        return f"got {shape}, which is {mistakes[shape]}"
    return f"got {answer!r}; want (how many output values, how many input values), all channels."


def _by(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))
