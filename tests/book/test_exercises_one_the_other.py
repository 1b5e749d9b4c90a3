"""The exercises of "When is one the other?": answers and mistakes."""

import numpy as np
import pytest


def box(s):
    return np.ones(s)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (lambda kernel, s: np.convolve(kernel[::-1], box(s)), "Right: "),
        (
            lambda kernel, s: np.convolve(kernel, box(s)),
            "Not yet: for a kernel of 3 and s = 2 the taps stand in reverse",
        ),
        (
            lambda kernel, s: np.convolve(kernel[::-1], box(s)) / s,
            "Not yet: the box is of ones",
        ),
        (
            lambda kernel, s: np.repeat(kernel[::-1], s),
            "Not yet: the image is made larger, not the kernel",
        ),
        (
            lambda kernel, s: kernel,
            "Not yet: for a kernel of 3 and s = 2 your kernel has shape (3,), want (4,)",
        ),
        (3, "Not yet: got int; want a function"),
    ],
)
def test_collapse_line(said, answer, begins):
    assert said("collapse-line", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((7, 3, 3), "Right: "),
        ((7, 3, 1), "Not yet: padding makes a convolution's output larger"),
        ((7, 3, 2), "Not yet: the padding is 2"),
        ((8, 3, 3), "Not yet: the kernel has size 8"),
        ((5, 1, 1), "Not yet: the stride is 1"),
        (7, "Not yet: got 7; want three numbers"),
    ],
)
def test_collapsed_settings(said, answer, begins):
    assert said("collapsed-settings", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((2, 2, 1), "Right: "),
        ((1, 2, 2), "Not yet: that is the quotient"),
        ((1, 3), "Not yet: those are taps of one phase"),
        ((2, 1, 1), "Not yet: your kernel has 1 at [1], want 2"),
    ],
)
def test_divide_line(said, answer, begins):
    assert said("divide-line", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((9, 17, 25), "Right: "),
        ((25, 17, 9), "Not yet: the numbers are right"),
        ((9, 16, 25), "Not yet: nine sums are equal if eight"),
        ((16, 17, 25), "Not yet: the quotient has 5 − 3 + 1 taps"),
        ((9, 13, 16), "Not yet: got (9, 13, 16)"),
    ],
)
def test_kernel_dimensions(said, answer, begins):
    assert said("kernel-dimensions", answer).startswith(begins)


HIDDEN = np.zeros((3, 3))
HIDDEN[0, 0], HIDDEN[2, 2] = 1, -1
STEPS = np.outer([1, 2, 1], [1, 2, 1])


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (HIDDEN, "Right: "),
        (1e9 * HIDDEN, "Right: "),
        (HIDDEN + STEPS, "Right: "),
        (STEPS, "Not yet: the box divides it: a convolution with the 2×2 kernel 1, 1, 1, 1"),
        (np.ones((3, 3)), "Not yet: the phase sums are 4, 2, 2, 1: not equal"),
        (0 * HIDDEN, "Not yet: your kernel is all zeros"),
        (HIDDEN[:2], "Not yet: got shape (2, 3)"),
        (np.nan * HIDDEN, "Not yet: your kernel holds values that are not finite"),
        ("grid", "Not yet: got shape None"),
    ],
)
def test_hidden_grid(said, answer, begins):
    assert said("hidden-grid", answer).startswith(begins)
