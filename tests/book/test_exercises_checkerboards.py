"""The exercises of "Checkerboards": answers and mistakes."""

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((-1, 1, 2), "Right: "),
        ((2, -1, -3), "Right: "),
        ((0.5, 1, 0.5), "Not yet: the gains are equal, but your taps all have the same sign"),
        ((0, 1, 1), "Not yet: the gains are equal, but one of your taps is zero"),
        ((1, 1, 1), "Not yet: the gains are 2 (taps 0 and 2) and 1 (tap 1)"),
        ((1, -2, 1), "Not yet: the gains 2 and -2 have the same size"),
        ((np.inf, np.inf, -1), "Not yet: your taps are not all finite"),
        ((1, 2), "Not yet: got (1, 2); want 3 numbers"),
    ],
)
def test_clean_three(said, answer, begins):
    assert said("clean-three", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((np.sqrt(2 / 3), np.sqrt(7 / 8)), "Right: "),
        ((2 / 3, 7 / 8), "Not yet: those are the shares of the energy"),
        ((np.sqrt(8 / 9), np.sqrt(3 / 4)), "Not yet: that is the law for images"),
        ((np.sqrt(2 / 3), 0), "Not yet: a stride that divides the kernel"),
        ((1, 1), "Not yet: got (1, 1); want"),
    ],
)
def test_imbalance_law(said, answer, begins):
    assert said("imbalance-law", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((5, 8), "Right: "),
        ((8, 5), "Not yet: the two numbers are right"),
        ((2, 3), "Not yet: those are the counts of one layer"),
        ((4, 9), "Not yet: counts do not multiply"),
        ((6, 6), "Not yet: got (6, 6)"),
    ],
)
def test_stacked_counts(said, answer, begins):
    assert said("stacked-counts", answer).startswith(begins)


def flatten(w, s, by_taps=True):
    taps = np.array([len(w[r::s]) for r in range(s)])
    gains = np.array([w[r::s].sum() for r in range(s)])
    common = np.average(gains, weights=1 / taps if by_taps else None)
    return w + ((common - gains) / taps)[np.arange(len(w)) % s]


def scale(w, s):
    gains = np.array([w[r::s].sum() for r in range(s)])
    return w * (gains.mean() / gains)[np.arange(len(w)) % s]


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (flatten, "Right: "),
        (lambda w, s: flatten(w, s, by_taps=False), "Not yet: for 3 taps and stride 2 your gains"),
        (scale, "Not yet: for 4 taps and stride 2 your gains are equal, but scaling"),
        (lambda w, s: w - w.mean(), "Not yet: for 4 taps and stride 2 you took the mean away"),
        (lambda w, s: w, "Not yet: for 4 taps and stride 2 the gains of your kernel are ["),
        (lambda w, s: 0 * w, "Not yet: for 4 taps and stride 2 your gains are equal, but another"),
        (lambda w, s: w[:s], "Not yet: for 4 taps and stride 2 your kernel has shape (2,)"),
        (lambda w, s: w + 1j, "Not yet: for 4 taps and stride 2 the gains of your kernel"),
    ],
)
def test_flatten(said, answer, begins):
    assert said("flatten", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((1, 3, 3, 1), "Right: "),
        ((2, 3, 0, -1), "Right: "),
        ((1, 1, 1, 1), "Not yet: constants stay constant, but ramps become stairs"),
        ((1, 2, 3, 4), "Not yet: constants already show a grid: the gains are 4 and 6"),
        ((1, 2, 1, 0), "Not yet: the first or the last of your taps is zero"),
        ((1, 2, 1), "Not yet: got (1, 2, 1); want 4 numbers"),
    ],
)
def test_ramp_kernel(said, answer, begins):
    assert said("ramp-kernel", answer).startswith(begins)
