"""Chapter 4, "Five ways to compute it": its second theorem, its formulas, its figures."""

from math import ceil

import numpy as np
import pytest
from upconv import Geometry, arithmetic, conv_matrix
from upconv.book import figures

FIGURES = {
    "products": ["36 products", "b7"],
    "scattered": ["b7"],
    "transposed_matrix": ["25×4"],
    "inserted_zeros": ["flipped"],
    "columns_landing": ["b7", "9×4"],
    "four_phases": ["b7", "rows odd,"],
}


@pytest.mark.parametrize(
    ("k", "s", "p", "d"), [(3, 2, 0, 1), (4, 2, 1, 1), (5, 3, 2, 1), (2, 3, 0, 1), (4, 4, 0, 2)]
)
def test_an_output_sees_the_taps_of_its_phase(k, s, p, d):
    i = 6
    geometry = Geometry(k, s, p, d)
    (o,) = geometry.transposed_shape(i)
    taps = conv_matrix(np.arange(1, k + 1), (o,), geometry, dense=True).T  # of output and input
    for m in range(o):
        seen = set((taps[m][taps[m] > 0] - 1).tolist())
        phase = {t for t in range(k) if t * d % s == (m + p) % s}
        assert seen <= phase
        u, r = divmod(m + p, s)
        reached = {t for t in phase if 0 <= u - (t * d - r) // s < i}  # the others see the border
        assert seen == reached
        if d == 1:  # the formula: tap r + js meets input u − j
            assert phase == set(range(r, k, s))
            for q in np.flatnonzero(taps[m]):
                assert taps[m, q] - 1 == r + (u - q) * s
            assert len(phase) in (k // s, ceil(k / s))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("i", "k", "s"), [(2, 3, 2), (8, 4, 2), (5, 3, 1), (4, 2, 3), (32, 16, 8)])
def test_share_by_zero_without_padding(axes, i, k, s):
    counts = arithmetic(
        "zero_insertion", (1, 2, *[i] * axes), (2, 3, *[k] * axes), Geometry((k,) * axes, s)
    )
    o = (i - 1) * s + k
    np.testing.assert_allclose(counts.by_zero / counts.multiplications, 1 - (i / o) ** axes)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_the_five_forms(name):
    figure = getattr(figures, name)()
    svg = figure.svg()
    assert f'aria-label="{figure.alt[:20]}' in svg
    for text in FIGURES[name]:
        assert text in svg
    assert svg == getattr(figures, name)().svg()  # the same drawing every time


@pytest.mark.parametrize(
    ("name", "times"),
    [("products", 1), ("scattered", 1), ("columns_landing", 2), ("four_phases", 1)],
)
def test_one_product_is_followed_through_the_figures(name, times):
    svg = getattr(figures, name)().svg()
    assert svg.count(">b7<") == svg.count("stroke-width: 2.2") == times


def test_the_bars_say_what_they_show():
    shapes = (1, 1, 2, 2), (1, 1, 3, 3)
    geometry = Geometry((3, 3), stride=2)
    forms = ("zero_insertion", "columns")
    counts = {"small": {form: arithmetic(form, *shapes, geometry) for form in forms}}
    figure = figures.multiplications(counts)
    assert figure.alt.endswith("small: zero insertion 6.25, columns 1 times.")  # 225 / 36
    assert ">6.25<" in figure.svg()
    with pytest.raises(ValueError, match="counts: got no layer"):
        figures.multiplications({})
