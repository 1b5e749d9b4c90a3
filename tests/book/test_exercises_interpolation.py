"""The exercises of "Interpolation": answers and mistakes."""

import numpy as np
import pytest

HALF, ALIGNED = [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25], [0, 0.4, 0.8, 1.2, 1.6, 2]


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((HALF, ALIGNED), "Right: "),
        ((ALIGNED, HALF), "Not yet: the two lists are right, in the wrong order"),
        ((np.clip(HALF, 0, 2), ALIGNED), "Not yet: that is what is read at the border"),
        ((np.arange(6) / 2, ALIGNED), "Not yet: m·i/o are the left edges"),
        ((HALF, np.arange(6) / 2), "Not yet: from corner to corner there are 5 steps"),
        ((HALF, HALF), "Not yet: your second list has -0.25 at [0], want 0."),
        ((HALF[:5], ALIGNED), "Not yet: your first list has shape (5,), want (6,)."),
        (3, "Not yet: want two lists of six positions"),
    ],
)
def test_sample_places(said, answer, begins):
    assert said("sample-places", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (lambda i, o: [(2 * m + 1) * i // (2 * o) for m in range(o)], "Right: "),
        (lambda i, o: np.floor((np.arange(o) + 0.5) * i / o), "Right: "),
        (lambda i, o: [m * i // o for m in range(o)], "Not yet: for i = 9, o = 3 that is mode"),
        (
            lambda i, o: np.round((np.arange(o) + 0.5) * i / o).astype(int),
            "Not yet: position (m + ½)·i/o is counted from the left edge",
        ),
        (lambda i, o: np.arange(o), "Not yet: for i = 9, o = 3 your list has 0 at [0], want 1."),
        (lambda i, o: [0], "Not yet: for i = 9, o = 3 your list has shape (1,)"),
    ],
)
def test_nearest_exact(said, answer, begins):
    assert said("nearest-exact", answer).startswith(begins)


def tent(s):
    size = 2 * s - s % 2
    return 1 - np.abs(np.arange(size) - (size - 1) / 2) / s


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (tent, "Right: "),
        (lambda s: np.convolve(np.ones(s), np.ones(s)) / s, "Not yet: for s = 2 your kernel has 3"),
        (lambda s: np.ones(2 * s), "Not yet: for s = 1 your kernel has 2 taps; for odd s"),
        (lambda s: tent(s) / tent(s).sum(), "Not yet: for s = 2 your kernel sums to 1"),
        (
            lambda s: np.ones(2 * s - s % 2),
            "Not yet: for s = 2 your kernel has 1 at [0], want 0.25",
        ),
        (lambda s: None, "Not yet: for s = 1 your function returned None"),
    ],
)
def test_tent(said, answer, begins):
    assert said("tent", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (25 / 64, "Right: "),
        (0.625, "Not yet: that is the middle of an edge"),
        (0.5625, "Not yet: that is the corner for s = 2"),
        (39 / 64, "Not yet: that is how much is lost"),
        (0.375, "Not yet: that is how far"),
        (1, "Not yet: got 1; along one axis"),
    ],
)
def test_dark_corner(said, answer, begins):
    assert said("dark-corner", answer).startswith(begins)
