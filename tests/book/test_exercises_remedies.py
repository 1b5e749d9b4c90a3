"""The exercises of "Remedies": answers and mistakes."""

import pytest
import torch
from torch.nn import functional as F


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ([True, False, False, True, False], "Right: "),
        ((1, 0, 0, 1, 0), "Right: "),
        ([True, True, False, True, False], "Not yet: look again at (1, 1, 1): its even taps sum"),
        ([False] * 5, "Not yet: look again at (1, 2, 1): its even taps sum to 2, its odd taps"),
        ([True, False], "Not yet: want five values"),
        ([2, 0, 0, 1, 0], "Not yet: want five values"),
    ],
)
def test_grid_nulled(said, answer, begins):
    assert said("grid-nulled", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ([1 / 3, 1 / 3, 1 / 3], "Right: "),
        (torch.full((3,), 1 / 3), "Right: "),
        ([1, 1, 1], "Not yet: the shape is right, but it makes the image three times as bright"),
        ([0.5, 0.5], "Not yet: the taps of the three phases sum to 0.5, 0.5, 0;"),
        ([0.25, 0.5, 0.25], "Not yet: the taps of the three phases sum to 0.25, 0.5, 0.25;"),
        ([2 / 3, 2 / 3, 2 / 3], "Not yet: your taps sum to 2"),
        ([1 / 6, 1 / 3, 1 / 3, 1 / 6], "Not yet: that works, but 4 taps are more"),
        (1 / 3, "Not yet: got 0.333"),
        ([0, 0, 0], "Not yet: your taps sum to 0"),
    ],
)
def test_blur_for_three(said, answer, begins):
    assert said("blur-for-three", answer).startswith(begins)


def blocks(small, s):
    return small.repeat_interleave(s, dim=2).repeat_interleave(s, dim=3)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (blocks, "Right: "),
        (
            lambda small, s: F.interpolate(small, scale_factor=s, mode="nearest").numpy(),
            "Right: ",
        ),
        (lambda small, s: small.repeat(1, 1, s, s), "Not yet: you have laid copies"),
        (lambda small, s: blocks(small, s) / s**2, "Not yet: your kernel is s² times too small"),
        (lambda small, s: blocks(small, s).flip(2), "Not yet: for sub-kernels of 2×2 and s = 2 "),
        (lambda small, s: small, "Not yet: for sub-kernels of 2×2 and s = 2 your kernel has shape"),
        (lambda small: small, "Not yet: for sub-kernels of 2×2 and s = 2 your function raised"),
    ],
)
def test_icnr_transposed(said, answer, begins):
    assert said("icnr-transposed", answer).startswith(begins)


def merge(weight, blur):
    stamps = weight.flatten(0, 1)[:, None]
    return F.conv2d(stamps, blur[None, None], padding=len(blur) - 1)[:, 0].unflatten(
        0, weight.shape[:2]
    )


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (merge, "Right: "),
        (lambda w, b: merge(w, b.flip(0, 1)), "Not yet: your kernel is right for the blur turned"),
        (lambda w, b: 2 * merge(w, b), "Not yet: for a kernel of 4×4 and a blur of 2×2 your kern"),
        (lambda w, b: w, "Not yet: for a kernel of 4×4 and a blur of 2×2 your kernel has shape"),
    ],
)
def test_merge_blur(said, answer, begins):
    assert said("merge-blur", answer).startswith(begins)
