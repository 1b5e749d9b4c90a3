"""Exercises of the chapter "The transpose"."""

from __future__ import annotations

import numpy as np

from upconv import Geometry, conv_matrix
from upconv.book.exercises.checking import as_array, call, compare, exercise, same


@exercise(
    "overlap",
    shows="two stamps meet along each axis inside, four in the plane; only one lies on a corner.",
)
def _overlap(answer: object) -> str | None:
    if same(answer, np.array([4, 1])):
        return None
    if same(answer, np.array([1, 4])):
        return "the two numbers are right; the largest comes first."
    if same(answer, np.array([2, 1])):
        return "that is the answer along one axis; the plane has two."
    if same(answer, np.array([9, 1])) or same(answer, np.array([16, 1])):
        return "not all stamps meet in one pixel: they lie 2 apart and are 4 wide."
    return f"got {answer!r}; write down 3 stamps of 4 ones, each 2 further on, and add them up."


@exercise("adjoint", shows="⟨f(x), y⟩ = ⟨x, g(y)⟩ for all the random vectors tried.")
def _adjoint(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 6):
        y = rng.normal(size=n - 1)
        got = call(answer, f"{n - 1} numbers", y)
        want = np.diff(np.eye(n), axis=0).T @ y
        wrong = compare(got, want, f"for {n - 1} numbers your g(y)")
        if wrong is None:
            continue
        if same(got, -want):
            return "the sign is wrong: f adds x[1:] and subtracts x[:-1]."
        if same(got, np.concatenate([[0], np.cumsum(y)])):
            return "that is an inverse of f, not its adjoint."
        return wrong
    return None


@exercise(
    "invisible",
    shows="your image and the empty one give the same output: nothing can tell them apart again.",
)
def _invisible(answer: object) -> str | None:
    image = as_array(answer)
    if image is None or image.shape != (4, 4):
        return f"got shape {None if image is None else image.shape}; want a 4×4 array of numbers."
    if not np.isfinite(image).all():
        return "your image holds values that are not finite."
    scale = np.abs(image).max()
    if scale == 0:
        return "your image is all zeros; every convolution takes that to zeros."
    seen = conv_matrix(np.ones((3, 3)), (4, 4), Geometry((3, 3))) @ image.ravel()
    if np.abs(seen).max() > 1e-6 * scale:
        place = int(np.abs(seen).argmax())
        return f"the output is not zero: window {place} sums to {seen[place]:.6g}."
    return None


@exercise(
    "lost",
    shows="one channel of 14×14 keeps 196 of 784 dimensions; eight could keep them all.",
)
def _lost(answer: object) -> str | None:
    if same(answer, np.array([784 - 196, 0])):
        return None
    if same(answer, np.array([196, 784])) or same(answer, np.array([196, 1568])):
        return "those are dimensions kept; the null space has the rest of the 784."
    if same(answer, np.array([588, 784 - 1568])):
        return "no space has fewer than 0 dimensions: the rank is at most 784, the input's size."
    return f"got {answer!r}; want (columns − rank) for 196 rows and for 8·196 rows, 784 columns."
