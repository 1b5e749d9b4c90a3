"""The exercises of "Pooling backwards": answers and mistakes."""

import numpy as np
import pytest

AVERAGE = np.array([1, 1, 3, 2, 5, 3, 3])


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (AVERAGE, "Right: "),
        (3 * AVERAGE, "Not yet: that is the gradient of sum pooling"),
        ([1, 1, 2, 2, 3, 3, 3], "Not yet: inputs 2 and 4 lie in two windows"),
        (1.5 * AVERAGE, "Not yet: you divided by the stride"),
        (AVERAGE[:6], "Not yet: your gradient has shape (6,), want (7,)"),
    ],
)
def test_average_gradient(said, answer, begins):
    assert said("average-gradient", answer).startswith(begins)


def spread(g):
    return g.repeat(2, 0).repeat(2, 1)


def largest(x):
    return x.reshape(len(x) // 2, 2, -1, 2).max((1, 3))


def by_place(x, g, choose):
    back = np.zeros(x.shape)
    for q, r in np.ndindex(g.shape):
        place = choose(x[2 * q : 2 * q + 2, 2 * r : 2 * r + 2].ravel())
        back[2 * q + place // 2, 2 * r + place % 2] = g[q, r]
    return back


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (lambda x, g: by_place(x, g, np.argmax), "Right: "),
        (lambda x, g: spread(g), "Not yet: that is nearest upsampling"),
        (lambda x, g: by_place(x, g, lambda block: 0), "Not yet: that is zero insertion"),
        (
            lambda x, g: np.where(x == spread(largest(x)), spread(g), 0),
            "Not yet: where two values are equal",
        ),
        (
            lambda x, g: by_place(x, g, lambda block: 3 - block[::-1].argmax()),
            "Not yet: among equal values you took the last",
        ),
        (lambda x, g: by_place(x, largest(x), np.argmax), "Not yet: that is unpooling"),
        (lambda x, g: g, "Not yet: for an image of shape (2, 2) your gradient has shape (1, 1)"),
    ],
)
def test_max_gradient(said, answer, begins):
    assert said("max-gradient", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((1, 3, 5, 3), "Right: "),
        ([3, 5, 3, 1], "Not yet: that is flipped"),
        ((1, 2, 3), "Not yet: that stamp forgets the upsampling"),
        ((1, 1, 2, 2, 3, 3), "Not yet: you upsampled the kernel"),
        ((1, 3, 5), "Not yet: got (1, 3, 5)"),
    ],
)
def test_route_down(said, answer, begins):
    assert said("route-down", answer).startswith(begins)


FIRST = np.kron(np.eye(2) + 1, [[3, 2], [1, 0]])
SECOND = np.kron(np.eye(2) + 1, [[0, 1], [2, 3]])
HALF = SECOND.copy()
HALF[:2, :2] = FIRST[:2, :2]


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((FIRST, SECOND), "Right: "),
        ((FIRST, FIRST), "Not yet: in one window both images have their maximum"),
        ((FIRST, HALF), "Not yet: in one window both images have their maximum"),
        ((FIRST, 2 * SECOND), "Not yet: the second image, pooled, has 12 at [0], want 6"),
        ((FIRST, np.ones((4, 4))), "Not yet: in the second image a window has two equal maxima"),
        ((FIRST, FIRST[:2]), "Not yet: want a tuple of two 4×4 arrays"),
        ((FIRST, np.inf * (SECOND + 1)), "Not yet: your images hold values that are not finite"),
    ],
)
def test_two_images(said, answer, begins):
    assert said("two-images", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((4, 0), "Right: "),
        ((0, 4), "Not yet: the two numbers are right"),
        ((2, 0), "Not yet: that is the factor of the amplitude"),
        ((3, 1), "Not yet: that is the formula for s = 2"),
        ((9, 0), "Not yet: got (9, 0)"),
    ],
)
def test_low_pass(said, answer, begins):
    assert said("low-pass", answer).startswith(begins)
