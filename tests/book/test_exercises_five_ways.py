"""The exercises of "Five ways to compute it": answers and mistakes."""

import numpy as np
import pytest
import torch
from upconv import Geometry, arithmetic


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (([1], [0, 2]), "Right: the phase of output m is (m + p) mod s"),
        ([np.array([1]), (2, 0)], "Right: "),
        (([0, 2], [1]), "Not yet: so it is without padding; the padding crops"),
        (([0, 1, 2], [0, 1, 2]), "Not yet: of three neighbouring places in the spread input"),
        (([1], [0]), "Not yet: got [1] and [0]; write down which sums"),
    ],
)
def test_phase_taps(said, answer, begins):
    assert said("phase-taps", answer).startswith(begins)


def test_zeros_count(said):
    geometry = Geometry((4, 4), stride=2, padding=1)
    counts = arithmetic("zero_insertion", (1, 1, 8, 8), (1, 1, 4, 4), geometry)
    assert said("zeros-count", counts[:2]).startswith("Right: 4096 multiplications for 900 useful")
    assert said("zeros-count", list(counts[:2])).startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((4096, 3072), "three quarters is the limit"),
        ((4096, 900), "900 is the number of useful products"),
        ((4096, 3000), "4096 is right, 3000 by zero is not"),
        ((1024, 0), "1024 are the products of scatter"),
        ((5184, 4160), "18×18 outputs is without padding"),
        ((2, 3), "2 are not the multiplications of 16×16 windows"),
        (4096, "got 4096; want (multiplications, those by zero)."),
    ],
)
def test_zeros_count_recognises_a_mistake(said, answer, what):
    assert said("zeros-count", answer).startswith("Not yet: ")
    assert what in said("zeros-count", answer)


def test_holes(said):
    y = torch.nn.functional.conv_transpose2d(
        torch.ones(1, 1, 5, 5), torch.ones(1, 1, 2, 2), stride=3
    )
    assert said("holes", (y == 0).sum()).startswith("Right: every third row and column")
    assert said("holes", 96.0).startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (4, "Not yet: 4 is the number along one axis"),
        (16, "Not yet: 16 outputs lie in such a row and such a column"),
        (100, "Not yet: 100 outputs are not zero."),
        (125, "Not yet: 125 is for 15×15 outputs"),
        (7, "Not yet: 7 is not it; how large is the output"),
        ((9, 6), "Not yet: got (9, 6); want one number."),
    ],
)
def test_holes_recognises_a_mistake(said, answer, begins):
    assert said("holes", answer).startswith(begins)


def polyphase_1d(x, w, s):
    y = np.zeros((len(x) - 1) * s + len(w))
    for r in range(min(s, len(w))):
        y[r::s] = np.convolve(x, w[r::s])
    return y


def polyphase_without_care(x, w, s):
    y = np.zeros((len(x) - 1) * s + len(w))
    for r in range(s):
        y[r::s] = np.convolve(x, w[r::s])
    return y


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (polyphase_1d, "Right: your outputs are those of the transposed"),
        (lambda x, w, s: polyphase_1d(x, w, s).tolist(), "Right: "),
        (
            lambda x, w, s: polyphase_1d(x, w[::-1], s),
            "Not yet: for 4 inputs, 4 taps and stride 2 your kernel is flipped once too often",
        ),
        (
            polyphase_without_care,
            "Not yet: for 4 inputs, 2 taps and stride 3 your function raised ValueError",
        ),
        (
            lambda x, w, s: polyphase_1d(x, w, s)[1:-1],
            "Not yet: for 4 inputs, 4 taps and stride 2 your output has shape (8,), want (10,).",
        ),
    ],
)
def test_polyphase_1d(said, answer, begins):
    assert said("polyphase-1d", answer).startswith(begins)


def shuffle_any(x, weight, s, crop=True):
    c_in, c_out, k, _ = weight.shape
    n = -(-k // s)
    weight = torch.nn.functional.pad(weight, [0, n * s - k] * 2)
    taps = weight.reshape(c_in, c_out, n, s, n, s).permute(1, 3, 5, 0, 2, 4).flip(4, 5)
    small = taps.reshape(c_out * s * s, c_in, n, n)
    y = torch.pixel_shuffle(torch.nn.functional.conv2d(x, small, padding=n - 1), s)
    height, width = ((i - 1) * s + k for i in x.shape[2:])
    return y[:, :, :height, :width] if crop else y


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (shuffle_any, "Right: taps of zero at the end make the kernel's size a multiple"),
        (
            lambda x, w, s: shuffle_any(x, w, s, crop=False),
            "Not yet: for k = 3 and s = 2 your output is right at the upper left, and too large",
        ),
        (
            lambda x, w, s: shuffle_any(x, w.flip(2, 3), s),
            "Not yet: for k = 4 and s = 2 your output has",
        ),
        (lambda x, w, s: x[0, 0], "Not yet: for k = 4 and s = 2 your output has shape (4, 5)"),
    ],
)
def test_shuffle_any(said, answer, begins):
    assert said("shuffle-any", answer).startswith(begins)
