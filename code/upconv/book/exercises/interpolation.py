"""Exercises of the chapter "Interpolation"."""

from __future__ import annotations

import numpy as np

from upconv.book.exercises.checking import as_array, call, compare, exercise, same


@exercise(
    "sample-places",
    shows="half pixels reach beyond the outer centres; aligned corners never do, and step shorter.",
)
def _sample_places(answer: object) -> str | None:
    half, aligned = (np.arange(6) + 0.5) / 2 - 0.5, np.arange(6) * 2 / 5
    try:
        first, second = answer
    except (TypeError, ValueError):
        return "want two lists of six positions: for align_corners=False, then for True."
    if same(first, half) and same(second, aligned):
        return None
    if same(first, aligned) and same(second, half):
        return "the two lists are right, in the wrong order: False comes first."
    if same(first, half.clip(0, 2)):
        return "that is what is read at the border; the positions themselves reach beyond it."
    if same(first, np.arange(6) / 2):
        return "m·i/o are the left edges of the outputs; half pixels compare their centres."
    if same(second, np.arange(6) / 2):
        return "from corner to corner there are 5 steps over a distance of 2, not 6 over 3."
    return compare(first, half, "your first list") or compare(second, aligned, "your second list")


@exercise("nearest-exact", shows="the pixel that holds the centre of each output, at every size.")
def _nearest_exact(answer: object) -> str | None:
    for i, o in ((9, 3), (5, 7), (10, 4), (3, 8), (8, 3)):
        got = call(answer, f"i = {i}, o = {o}", i, o)
        outputs = np.arange(o)
        want = (2 * outputs + 1) * i // (2 * o)
        wrong = compare(got, want, f"for i = {i}, o = {o} your list")
        if wrong is None:
            continue
        if same(got, outputs * i // o):
            return f'for i = {i}, o = {o} that is mode "nearest": you took left edges, not centres.'
        if same(got, np.round((outputs + 0.5) * i / o).astype(int)):
            return (
                "position (m + ½)·i/o is counted from the left edge: cut it off, do not round it."
            )
        return wrong
    return None


@exercise(
    "tent", shows="a transposed convolution with your kernels is bilinear inside, at every scale."
)
def _tent(answer: object) -> str | None:
    for s in (1, 2, 3, 4, 5, 8):
        got = as_array(call(answer, f"s = {s}", s))
        size = 2 * s - s % 2
        want = 1 - np.abs(np.arange(size) - (size - 1) / 2) / s
        if got is not None and got.shape == (2 * s - 1,) and s % 2 == 0:
            return f"for s = {s} your kernel has {len(got)} taps; for even s it has 2s = {2 * s}."
        if got is not None and got.shape == (2 * s,) and s % 2:
            return f"for s = {s} your kernel has {len(got)} taps; for odd s it has 2s − 1."
        wrong = compare(got, want, f"for s = {s} your kernel")
        if wrong is None:
            continue
        if same(got, want / want.sum()):
            return f"for s = {s} your kernel sums to 1; each of the s phases must, so it sums to s."
        return wrong
    return None


@exercise(
    "dark-corner",
    shows="⅝ of the value is left along each axis, and the two axes multiply in the corner.",
)
def _dark_corner(answer: object) -> str | None:
    if same(answer, np.array(25 / 64)):
        return None
    if same(answer, np.array(5 / 8)):
        return "that is the middle of an edge; in the corner both axes lose."
    if same(answer, np.array(9 / 16)):
        return "that is the corner for s = 2; here s = 4."
    if same(answer, np.array(39 / 64)):
        return "that is how much is lost; how much is left?"
    if same(answer, np.array(3 / 8)):
        return "that is how far the first output lies beyond the outermost centre."
    return f"got {answer!r}; along one axis, 1 − d is left at a distance d beyond the last centre."
