"""The exercises of "The transpose": answers and mistakes."""

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((4, 1), "Right: "),
        ((1, 4), "Not yet: the two numbers are right"),
        ((2, 1), "Not yet: that is the answer along one axis"),
        ((9, 1), "Not yet: not all stamps meet"),
        ((4, 2), "Not yet: got (4, 2)"),
    ],
)
def test_overlap(said, answer, begins):
    assert said("overlap", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (lambda y: np.diff(np.eye(len(y) + 1), axis=0).T @ y, "Right: "),
        (lambda y: -np.diff(np.eye(len(y) + 1), axis=0).T @ y, "Not yet: the sign is wrong"),
        (lambda y: np.concatenate([[0], np.cumsum(y)]), "Not yet: that is an inverse"),
        (lambda y: np.diff(y), "Not yet: for 1 numbers your g(y) has shape (0,), want (2,)"),
    ],
)
def test_adjoint(said, answer, begins):
    assert said("adjoint", answer).startswith(begins)


INVISIBLE = np.zeros((4, 4))
INVISIBLE[1, 1], INVISIBLE[2, 2] = 1, -1


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (INVISIBLE, "Right: "),
        (1e9 * INVISIBLE, "Right: "),
        (0 * INVISIBLE, "Not yet: your image is all zeros"),
        (np.ones((4, 4)), "Not yet: the output is not zero: window 0 sums to 9"),
        (INVISIBLE[:3], "Not yet: got shape (3, 4)"),
        (np.nan * INVISIBLE, "Not yet: your image holds values that are not finite"),
    ],
)
def test_invisible(said, answer, begins):
    assert said("invisible", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((588, 0), "Right: "),
        ((196, 784), "Not yet: those are dimensions kept"),
        ((588, -784), "Not yet: no space has fewer than 0"),
        ((588, 588), "Not yet: got (588, 588)"),
    ],
)
def test_lost(said, answer, begins):
    assert said("lost", answer).startswith(begins)
