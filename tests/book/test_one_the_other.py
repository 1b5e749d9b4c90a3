"""Chapter 7, "When is one the other?": its theorems, its figures."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from upconv import collapse, conv_transpose, divide
from upconv.book import figures

whole = st.integers(-3, 3)


def kernel_of(taps):
    return torch.tensor(taps).double()[None, None]


def phase_sums(w, s):
    return {w[..., r::s, c::s].sum().item() for r, c in np.ndindex(s, s)}


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 2), (4, 2), (5, 2), (3, 3), (4, 3), (5, 3)])
def test_on_one_axis_divisible_means_equal_phase_sums(k, s):
    seen = set()
    for taps in product((-1, 0, 1), repeat=k):
        equal = len({sum(taps[r::s]) for r in range(s)}) == 1
        assert divide(kernel_of(taps), s).factorable == equal
        seen.add(equal)
    assert seen == {True, False}


@given(
    quotient=st.lists(st.lists(whole, min_size=3, max_size=3), min_size=3, max_size=3),
    change=st.lists(st.lists(whole, min_size=5, max_size=5), min_size=5, max_size=5),
    s=st.integers(2, 3),
)
def test_in_the_plane_divisible_means_equal_sums_in_each_row_and_column(quotient, change, s):
    k = 2 + s
    product_ = collapse(kernel_of(quotient), s).weight
    for w in (product_, product_ + kernel_of(change)[..., :k, :k]):
        rows = all(len({row[r::s].sum().item() for r in range(s)}) == 1 for row in w[0, 0])
        columns = all(len({col[r::s].sum().item() for r in range(s)}) == 1 for col in w[0, 0].T)
        assert divide(w, s).factorable == (rows and columns)
        if rows and columns:
            assert len(phase_sums(w, s)) == 1


@given(
    quotient=st.lists(st.lists(whole, min_size=3, max_size=3), min_size=3, max_size=3),
    change=st.lists(st.lists(whole, min_size=5, max_size=5), min_size=5, max_size=5),
    s=st.integers(2, 3),
)
def test_factorable_means_that_stripes_stay_stripes(quotient, change, s):
    """Images with one bright column, or row, and what is left of them along it."""
    k, i = 2 + s, 9
    middle = slice(k, i * s - k)  # away from the border
    columns = torch.zeros(1, 1, i, i).double()
    columns[..., i // 2] = 1
    product_ = collapse(kernel_of(quotient), s).weight
    for w in (product_, product_ + kernel_of(change)[..., :k, :k]):
        down = conv_transpose(columns, w, stride=s)[0, 0, middle]
        across = conv_transpose(columns.mT.contiguous(), w, stride=s)[0, 0, :, middle].T
        stripes = all(torch.equal(y, y[:1].expand_as(y)) for y in (down, across))
        assert divide(w, s).factorable == stripes


@pytest.mark.parametrize(
    ("k", "s"), [(k, s) for k, s in product(range(2, 8), range(2, 5)) if k >= s]
)
def test_dimensions_by_rank(k, s):
    n = k - s + 1
    units = torch.eye(n * n).double().reshape(n * n, 1, n, n)
    products = collapse(units, s).weight.reshape(n * n, k * k).numpy()
    taps = np.eye(k * k).reshape(k * k, k, k)
    sums = np.array([taps[:, r::s, c::s].sum((1, 2)) for r, c in np.ndindex(s, s)])
    equations = sums[1:] - sums[0]
    assert np.linalg.matrix_rank(products) == n**2
    assert k * k - np.linalg.matrix_rank(equations) == k**2 - s**2 + 1
    np.testing.assert_array_equal(equations @ products.T, 0)  # factorable, hence flat
    # The equations of the rows and of the columns leave just the products.
    alternating = [
        (np.eye(s)[r] - np.eye(s)[0])[np.arange(k) % s][:, None] * np.eye(k)[c]
        for r in range(1, s)
        for c in range(k)
    ]
    apart = np.array([row.ravel() for w in alternating for row in (w, w.T)])
    assert k * k - np.linalg.matrix_rank(apart) == n**2


def test_the_seven_lost_dimensions_are_three_and_four():
    """Of k = 4, s = 2: what w(−1, z) and w(z, −1) see, and what is left once constants are flat."""
    signs, powers = (-1.0) ** np.arange(4), np.eye(4)
    on_rows = np.array([np.outer(signs, unit).ravel() for unit in powers])  # w(−1, z₂)
    on_columns = np.array([np.outer(unit, signs).ravel() for unit in powers])  # w(z₁, −1)
    lost = np.vstack([on_rows, on_columns])
    assert np.linalg.matrix_rank(lost) == 7
    ones = np.ones(4)
    patterns = (signs, ones), (ones, signs), (signs, signs)
    constants = np.array([np.outer(a, b).ravel() for a, b in patterns])
    assert np.linalg.matrix_rank(constants) == 3
    assert np.linalg.matrix_rank(np.vstack([lost, constants])) == 7
    flat = np.linalg.svd(constants)[2][3:]  # 13 kernels that span those flat on constants
    seen = on_rows @ flat.T
    assert np.linalg.matrix_rank(seen) == 2
    assert np.linalg.matrix_rank(lost @ flat.T) == 4
    # (z² − 1)(a + bz): taps 0 and 2, and taps 1 and 3, cancel.
    np.testing.assert_allclose(seen[0] + seen[2], 0, atol=1e-12)
    np.testing.assert_allclose(seen[1] + seen[3], 0, atol=1e-12)


@given(taps=st.lists(whole, min_size=2, max_size=6), s=st.integers(2, 4))
def test_past_the_kernel_the_quotient_repeats_the_differences_of_the_phase_sums(taps, s):
    k = len(taps)
    longer = [*taps, *[0] * (3 * s + k)]
    stamp = divide(kernel_of(longer), s).quotient.flip(2)[0, 0]
    sums = [sum(taps[r::s]) for r in range(s)]
    for n in range(k, len(stamp)):
        assert stamp[n] == sums[n % s] - sums[(n - 1) % s]


@pytest.mark.parametrize(("k", "s", "i"), [(3, 2, 5), (4, 2, 4), (2, 3, 4), (5, 3, 3), (1, 2, 4)])
def test_a_kernel_as_large_as_the_image_always_does_it(k, s, i):
    rng = np.random.default_rng(0)
    w, x = (torch.tensor(rng.normal(size=(1, 1, n, n))) for n in (k, i))
    y = conv_transpose(x, w, stride=s)
    o = y.shape[-1]
    kernel = divide(F.pad(w, [0, o + s - 1 - k] * 2), s).quotient
    assert kernel.shape[2:] == (o, o)
    large = F.interpolate(x, scale_factor=s, mode="nearest")
    by_convolution = F.conv2d(F.pad(large, [o - 1, o - i * s] * 2), kernel)
    # Sums of up to 13² products, of which most cancel.
    np.testing.assert_allclose(by_convolution, y, rtol=0, atol=1e-11)
    if k > 1 and k >= s:  # on a larger image the same kernel is wrong
        larger = torch.tensor(rng.normal(size=(1, 1, i + 3, i + 3)))
        y = conv_transpose(larger, w, stride=s)
        large = F.interpolate(larger, scale_factor=s, mode="nearest")
        by_convolution = F.conv2d(F.pad(large, [o - 1, k] * 2), kernel)
        side = y.shape[-1]
        assert (by_convolution[..., :side, :side] - y).abs().max() > 0.1


NINE = np.arange(1.0, 10).reshape(3, 3)
FIGURES = {
    "four_copies": ((NINE,), ["upper left copy", "24"]),
    "long_division": (([[3, 5, 3, 1], [1, 2, 3]], 2), ["3 × box", "remainder"]),
    "phase_sums": (({"changed": np.eye(4)},), ["changed", "sums of the four phases: 2, 0, 0, 2"]),
    "nested": ((9, 13, 16), ["flat on constants", "13"]),
    "border_strip": ((np.pad(np.zeros((4, 4)), 2, constant_values=7),  2), [">7<"]),
    "endless_kernel": ((np.ones((7, 7)), 3), ["7×7"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_the_chapter(name):
    arguments, texts = FIGURES[name]
    figure = getattr(figures, name)(*arguments)
    svg = figure.svg()
    assert f'aria-label="{figure.alt[:20]}' in svg
    for text in texts:
        assert text in svg
    assert svg == getattr(figures, name)(*arguments).svg()  # the same drawing every time


def test_the_sum_of_the_copies_is_the_collapsed_kernel():
    weight = torch.tensor(NINE)[None, None]
    figure = figures.four_copies(NINE[::-1, ::-1])
    first = collapse(weight, 2).weight[0, 0, 0]
    assert ", ".join(f"{value:g}" for value in first) in figure.alt


def test_division_on_paper_is_that_of_the_package():
    rng = np.random.default_rng(0)
    for s in (2, 3):
        taps = rng.integers(-5, 6, size=5).tolist()
        quotient, remainder, _ = divide(kernel_of(taps), s)
        listed = [
            ", ".join(f"{value:g}" for value in row.tolist())
            for row in (quotient[0, 0].flip(0), remainder[0, 0])
        ]
        expected = f"gives {listed[0]}, with the remainder {listed[1]}.".replace("-0,", "0,")
        assert figures.long_division([taps], s).alt.endswith(expected)
