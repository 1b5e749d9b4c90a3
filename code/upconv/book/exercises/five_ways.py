"""Exercises of the chapter "Five ways to compute it"."""

from __future__ import annotations

import operator

import numpy as np

from upconv import Geometry
from upconv.book.exercises.checking import as_array, call, compare, exercise, same
from upconv.definition import conv_transpose


@exercise(
    "phase-taps",
    shows="the phase of output m is (m + p) mod s: with padding 1 the even outputs see tap 1 "
    "alone, the odd ones taps 0 and 2.",
)
def _phase_taps(answer: object) -> str | None:
    try:
        even, odd = (sorted(operator.index(tap) for tap in taps) for taps in answer)
    except (TypeError, ValueError):
        return f"got {answer!r}; want two lists of taps, those of the even outputs first."
    if (even, odd) == ([1], [0, 2]):
        return None
    if (even, odd) == ([0, 2], [1]):
        return (
            "so it is without padding; the padding crops one output and shifts the phases by one."
        )
    if even == odd == [0, 1, 2]:
        return "of three neighbouring places in the spread input one or two hold inserted zeros."
    return f"got {even} and {odd}; write down which sums make the outputs 0 to 3."


@exercise(
    "zeros-count",
    shows="4096 multiplications for 900 useful products: 78 per cent are by zero, more than the "
    "three quarters of the limit, because windows at the border reach over it.",
)
def _zeros_count(answer: object) -> str | None:
    array = as_array(answer)
    if array is None or array.shape != (2,):
        return f"got {answer!r}; want (multiplications, those by zero)."
    made, by_zero = array.tolist()
    if made == 18**2 * 4**2:
        return "18×18 outputs is without padding; here the output is 16×16."
    if made == 8**2 * 4**2:
        return (
            "1024 are the products of scatter; zero insertion multiplies all taps at every output."
        )
    if made != 16**2 * 4**2:
        return f"{made:g} are not the multiplications of 16×16 windows with 4×4 taps."
    if by_zero == 4096 - 900:
        return None
    if by_zero == 3072:
        return "three quarters is the limit; windows at the border lie partly outside the input."
    if by_zero == 900:
        return "900 is the number of useful products; the rest is by zero."
    return (
        f"4096 is right, {by_zero:g} by zero is not: count along one axis how many pairs of an "
        "input and a tap land in the output, and square it."
    )


@exercise(
    "holes",
    shows="every third row and column sees no tap: polyphase shows it as phases without taps.",
)
def _holes(answer: object) -> str | None:
    array = as_array(answer)
    if array is None or array.shape != ():
        return f"got {answer!r}; want one number."
    number = array.item()
    mistakes = {
        4: "4 is the number along one axis; an output is zero if its row or its column is such.",
        16: "16 outputs lie in such a row and such a column; one of the two is enough.",
        100: "100 outputs are not zero.",
        125: "125 is for 15×15 outputs; after the last input there is no gap.",
    }
    if number in mistakes:
        return mistakes[number]
    return (
        None if number == 96 else f"{number:g} is not it; how large is the output along one axis?"
    )


@exercise(
    "polyphase-1d",
    shows="your outputs are those of the transposed convolution for all kernels and strides tried.",
)
def _polyphase_1d(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for i, k, s in ((4, 4, 2), (4, 3, 2), (3, 5, 3), (5, 3, 1), (4, 2, 3)):
        x, w = (rng.integers(1, 10, n).astype(float) for n in (i, k))
        case = f"{i} inputs, {k} taps and stride {s}"
        got = call(answer, case, x, w, s)
        want = _transposed_1d(x, w, s)
        wrong = compare(got, want, f"for {case} your output")
        if wrong is None:
            continue
        if same(got, _transposed_1d(x, w[::-1], s)):
            return (
                f"for {case} your kernel is flipped once too often: np.convolve flips it already."
            )
        return wrong
    return None


@exercise(
    "shuffle-any",
    shows="taps of zero at the end make the kernel's size a multiple of the stride, and the "
    "outputs that only they reach are cropped.",
)
def _shuffle_any(answer: object) -> str | None:
    import torch

    generator = torch.Generator().manual_seed(0)
    for k, s in ((4, 2), (3, 2), (5, 3), (2, 3), (3, 1)):
        x = torch.rand(2, 3, 4, 5, generator=generator, dtype=torch.float64)
        weight = torch.rand(3, 2, k, k, generator=generator, dtype=torch.float64)
        case = f"k = {k} and s = {s}"
        want = torch.nn.functional.conv_transpose2d(x, weight, stride=s).numpy()
        got = call(answer, case, x, weight, s)
        wrong = compare(got, want, f"for {case} your output")
        if wrong is None:
            continue
        array = as_array(got)
        if (
            array is not None
            and array.ndim == 4
            and same(array[..., : want.shape[2], : want.shape[3]], want)
        ):
            return f"for {case} your output is right at the upper left, and too large; crop it."
        return wrong
    return None


def _transposed_1d(x: np.ndarray, w: np.ndarray, s: int) -> np.ndarray:
    return conv_transpose(x[None, None], w[None, None], Geometry(len(w), s))[0, 0]
