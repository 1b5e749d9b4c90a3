"""Exercises of the chapter "Remedies"."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from upconv.book.exercises.checking import as_array, call, compare, exercise, same


@exercise(
    "grid-nulled",
    shows="a kernel wipes out the grid of stride 2 if its even taps and its odd taps have equal "
    "sums; a mean of three does not, and a sharpening makes it worse.",
)
def _grid_nulled(answer: object) -> str | None:
    got = as_array(answer)
    if got is None or got.shape != (5,) or not np.isin(got, (0, 1)).all():
        return "want five values, each True or False, in the order of the kernels."
    kernels = ((1, 2, 1), (1, 1, 1), (1, 0, 1), (1, 3, 3, 1), (-1, 4, -1))
    for kernel, said in zip(kernels, got, strict=True):
        even, odd = sum(kernel[::2]), sum(kernel[1::2])
        if bool(said) != (even == odd):
            return f"look again at {kernel}: its even taps sum to {even}, its odd taps to {odd}."
    return None


@exercise(
    "blur-for-three",
    shows="three equal taps are the shortest blur that wipes out every pattern of period 3.",
)
def _blur_for_three(answer: object) -> str | None:
    if same(answer, np.full(3, 1 / 3)):
        return None
    if same(answer, np.ones(3)):
        return "the shape is right, but it makes the image three times as bright."
    taps = as_array(answer)
    if taps is None or taps.ndim != 1 or not 1 <= len(taps) <= 99:
        return f"got {answer!r}; want the taps along one axis, as a list."
    padded = np.concatenate([taps, np.zeros(-len(taps) % 3)]).reshape(-1, 3).sum(axis=0)
    if not np.allclose(padded, padded.mean()):
        sums = ", ".join(f"{value:.3g}" for value in padded)
        return f"the taps of the three phases sum to {sums}; they must be equal."
    if not np.isclose(taps.sum(), 1):
        return f"your taps sum to {taps.sum():.3g}, and so change the brightness; want 1."
    return f"that works, but {len(taps)} taps are more than it needs."


@exercise(
    "icnr-transposed",
    shows="every tap repeated s times along both axes: the layer starts as a transposed "
    "convolution of stride 1 and nearest upsampling.",
)
def _icnr_transposed(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for m, s in ((2, 2), (1, 3), (3, 2)):
        case = f"sub-kernels of {m}×{m} and s = {s}"
        small = torch.tensor(rng.normal(size=(2, 3, m, m)))
        got = as_array(call(answer, case, small.clone(), s))
        wanted = (2, 3, m * s, m * s)
        if got is None or got.shape != wanted:
            shape = None if got is None else got.shape
            return f"for {case} your kernel has shape {shape}, want {wanted}."
        if m > 1 and same(got, small.repeat(1, 1, s, s).numpy()):
            return (
                "you have laid copies of the sub-kernel side by side; neighbouring taps, one for "
                "each phase, have to be equal."
            )
        x = torch.tensor(rng.normal(size=(1, 2, 4, 4)))
        y = F.conv_transpose2d(x, torch.tensor(got).double(), stride=s)
        want = F.interpolate(F.conv_transpose2d(x, small), scale_factor=s)
        if same(s**2 * y, want.numpy()):
            return (
                "your kernel is s² times too small: nearest upsampling repeats, it shares nothing."
            )
        if wrong := compare(y, want.numpy(), f"for {case} your layer's output"):
            return wrong
    return None


@exercise(
    "merge-blur",
    shows="one transposed convolution does what the layer and the blur did, and costs what its "
    "larger kernel costs.",
)
def _merge_blur(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for k, taps in ((4, (0.5, 0.5)), (3, (0.2, 0.3, 0.5)), (2, (0.1, 0.2, 0.3, 0.4))):
        case = f"a kernel of {k}×{k} and a blur of {len(taps)}×{len(taps)}"
        weight = torch.tensor(rng.normal(size=(3, 2, k, k)))
        blur = torch.outer(*(torch.tensor(taps, dtype=torch.float64),) * 2)
        got = as_array(call(answer, case, weight.clone(), blur.clone()))
        size = k + len(taps) - 1
        if got is None or got.shape != (3, 2, size, size):
            shape = None if got is None else got.shape
            return f"for {case} your kernel has shape {shape}, want {(3, 2, size, size)}."
        want = _merged(weight, blur).numpy()
        if same(got, want):
            continue
        if same(got, _merged(weight, blur.flip(0, 1)).numpy()):
            return (
                "your kernel is right for the blur turned around: torch's conv2d does not flip "
                "its kernel, and a transposed convolution lays it down as a stamp."
            )
        return compare(got, want, f"for {case} your kernel")
    return None


def _merged(weight: torch.Tensor, blur: torch.Tensor) -> torch.Tensor:
    """The kernel of the layer and of ``F.conv2d`` with the blur, fully padded, in one."""
    images = weight.flatten(0, 1)[:, None]
    merged = F.conv2d(images, blur[None, None], padding=len(blur) - 1)
    return merged[:, 0].unflatten(0, weight.shape[:2])
