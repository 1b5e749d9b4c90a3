"""Exercises of the chapter "When is one the other?"."""

from __future__ import annotations

import numpy as np
import torch

from upconv import divide
from upconv.book.exercises.checking import as_array, call, compare, exercise, same


@exercise(
    "collapse-line",
    shows="your stamp is the flipped kernel times the box, for every kernel and scale tried.",
)
def _collapse_line(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for k, s in ((3, 2), (2, 3), (4, 1), (1, 4)):
        kernel = rng.normal(size=k)
        case = f"a kernel of {k} and s = {s}"
        got = call(answer, case, kernel, s)
        want = np.convolve(kernel[::-1], np.ones(s))
        wrong = compare(got, want, f"for {case} your kernel")
        if wrong is None:
            continue
        if same(got, np.convolve(kernel, np.ones(s))):
            return f"for {case} the taps stand in reverse: a convolution stamps its kernel flipped."
        if same(got, want / s):
            return "the box is of ones: upsampling copies, it does not take a mean."
        if same(got, np.repeat(kernel[::-1], s)):
            return "the image is made larger, not the kernel: add s shifted copies of the kernel."
        return wrong
    return None


@exercise("collapsed-settings", shows="size 5 + 3 − 1, stride 3, padding 5 − 1 − 1.")
def _collapsed_settings(answer: object) -> str | None:
    got = as_array(answer)
    if got is None or got.shape != (3,):
        return f"got {answer!r}; want three numbers, (kernel_size, stride, padding)."
    kernel, stride, padding = got
    if stride != 3:
        return f"the stride is {stride:g}; an input pixel becomes 3 pixels, so stamps lie 3 apart."
    if kernel != 7:
        return f"the kernel has size {kernel:g}; add 3 stamps of 5, each one pixel further on."
    if padding == 1:
        return "padding makes a convolution's output larger, and a transposed one's smaller."
    return None if padding == 3 else f"the padding is {padding:g}; want what makes the sizes agree."


@exercise("divide-line", shows="times the box it is 1, 3, 4, 2 again, once it is flipped.")
def _divide_line(answer: object) -> str | None:
    if same(answer, np.array([2, 2, 1])):
        return None
    if same(answer, np.array([1, 2, 2])):
        return "that is the quotient; the convolution's kernel is the quotient flipped."
    if same(answer, np.array([1, 3])) or same(answer, np.array([3, 2])):
        return "those are taps of one phase; divide all four by the box 1, 1."
    return compare(answer, np.array([2, 2, 1]), "your kernel")


@exercise(
    "kernel-dimensions",
    shows="(5 − 3 + 1)², 5² − 3² + 1 and 5²: sixteen dimensions are lost after upsampling.",
)
def _kernel_dimensions(answer: object) -> str | None:
    if same(answer, np.array([9, 17, 25])):
        return None
    if same(answer, np.array([25, 17, 9])):
        return "the numbers are right; the smallest space comes first."
    if same(answer, np.array([9, 16, 25])):
        return "nine sums are equal if eight of them equal the first: eight equations, not nine."
    if same(answer, np.array([16, 17, 25])):
        return "the quotient has 5 − 3 + 1 taps along an axis, not 4: the box is 3 wide."
    return f"got {answer!r}; want (k − s + 1)², then k² less the equations among s² sums, then k²."


@exercise(
    "hidden-grid",
    shows="a constant input stays flat, and yet no convolution after upsampling does the same.",
)
def _hidden_grid(answer: object) -> str | None:
    kernel = as_array(answer)
    if kernel is None or kernel.shape != (3, 3):
        return f"got shape {None if kernel is None else kernel.shape}; want a 3×3 array of numbers."
    if not np.isfinite(kernel).all():
        return "your kernel holds values that are not finite."
    size = np.abs(kernel).max()
    if size == 0:
        return "your kernel is all zeros, which is upsampling and a convolution with zeros."
    sums = [kernel[r::2, c::2].sum() for r, c in np.ndindex(2, 2)]
    if np.ptp(sums) > 1e-6 * size:
        return f"the phase sums are {', '.join(f'{value:.6g}' for value in sums)}: not equal."
    quotient, _, factorable = divide(torch.tensor(kernel[None, None]).double(), 2)
    if factorable:
        small = ", ".join(f"{value:.3g}" for value in quotient.ravel().tolist())
        return f"the box divides it: a convolution with the 2×2 kernel {small} does the same."
    return None
