"""Chapter 5, "Interpolation": its theorem, its formulas, its figures, what it says of others."""

from functools import reduce

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from upconv import Geometry, conv_transpose, interpolate, interpolation_matrix
from upconv.book import figures

TOLERANCE = 1e-12  # weighted means of standard normals in float64


def tent(k, s):
    """k taps about their middle, with slope 1/s."""
    return 1 - np.abs(np.arange(k) - (k - 1) / 2) / s


def stamp(x, kernels, strides, paddings):
    """A transposed convolution of one channel whose kernel is the outer product of these."""
    weight = torch.from_numpy(reduce(np.multiply.outer, kernels))[None, None]
    return conv_transpose(x, weight, stride=strides, padding=paddings)


@st.composite
def images(draw):
    """A random image of 1 to 3 axes, and a whole scale for each axis."""
    axes = draw(st.integers(1, 3))
    largest = (9, 6, 3)[axes - 1]
    size = [draw(st.integers(1, largest)) for _ in range(axes)]
    scales = [draw(st.integers(1, largest)) for _ in range(axes)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return torch.from_numpy(rng.normal(size=(2, 1, *size))), scales


def linear_by_torch(x, **settings):
    return F.interpolate(x, mode=("linear", "bilinear", "trilinear")[x.ndim - 3], **settings)


@given(case=images())
def test_bilinear_is_a_transposed_convolution_with_a_tent(case):
    x, scales = case
    kernels = [tent(2 * s - s % 2, s) for s in scales]
    wanted = linear_by_torch(x, scale_factor=tuple(map(float, scales)))

    # 1. with the border repeated
    padded = F.pad(x, [1, 1] * len(scales), mode="replicate")
    paddings = [(len(w) + s) // 2 for w, s in zip(kernels, scales, strict=True)]
    y = stamp(padded, kernels, scales, paddings)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=TOLERANCE)

    # 2. without: the outer ⌊s/2⌋ of each axis are too small by a factor, and only they
    paddings = [(len(w) - s) // 2 for w, s in zip(kernels, scales, strict=True)]
    y = stamp(x, kernels, scales, paddings)
    left = []
    for i, s in zip(x.shape[2:], scales, strict=True):
        factors = np.ones(i * s)
        rim = 1 - (s - 1 - 2 * np.arange(s // 2)) / (2 * s)
        factors[: s // 2] *= rim
        factors[i * s - s // 2 :] *= rim[::-1]
        left.append(factors)
    left = reduce(np.multiply.outer, left)
    np.testing.assert_allclose(y, left * wanted.numpy(), rtol=0, atol=TOLERANCE)
    of_ones = stamp(torch.ones_like(x), kernels, scales, paddings)
    np.testing.assert_allclose(of_ones[0, 0], left, rtol=0, atol=TOLERANCE)

    # 3. aligned corners, at a size that makes the step 1/s
    kernels = [tent(2 * s - 1, s) for s in scales]
    y = stamp(x, kernels, scales, [s - 1 for s in scales])
    size = tuple((i - 1) * s + 1 for i, s in zip(x.shape[2:], scales, strict=True))
    wanted = linear_by_torch(x, size=size, align_corners=True)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=TOLERANCE)


@given(i=st.integers(2, 20), o=st.integers(1, 40))
def test_a_ramp_shows_where_the_outputs_are_read(i, o):
    ramp, m = torch.arange(i).double()[None, None], np.arange(o)
    half = interpolate(ramp, size=o, mode="linear")[0, 0]
    centres = (m + 0.5) * i / o - 0.5
    np.testing.assert_allclose(half, centres.clip(0, i - 1), atol=1e-12)
    aligned = interpolate(ramp, size=o, mode="linear", align_corners=True)[0, 0]
    np.testing.assert_allclose(aligned, m * (i - 1) / max(o - 1, 1), atol=1e-12)
    # Left edges are half the difference of the two pixels away.
    np.testing.assert_allclose(m * i / o - centres, (1 - i / o) / 2, atol=1e-12)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "cubic", "area"])
def test_the_axes_may_be_treated_in_any_order(mode):
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    first = interpolate(interpolate(x, size=(7, 6), mode=mode), size=(7, 4), mode=mode)
    last = interpolate(interpolate(x, size=(5, 4), mode=mode), size=(7, 4), mode=mode)
    np.testing.assert_allclose(first, last, atol=TOLERANCE)
    both = np.kron(*(interpolation_matrix(i, size=o, mode=mode, dense=True)
                     for i, o in ((5, 7), (6, 4))))  # fmt: skip
    np.testing.assert_allclose(both @ x.ravel().numpy(), first.ravel(), atol=TOLERANCE)


@pytest.mark.parametrize("trips", [1, 4])
def test_mixed_conventions_drift_a_quarter_of_a_pixel_a_trip(trips):
    ramp = torch.arange(32.0).double()[None, None]
    for mode, drift in (("nearest", -0.25), ("nearest-exact", 0.25), ("linear", 0)):
        x = ramp
        for _ in range(trips):
            x = F.interpolate(x, scale_factor=2, mode="linear")
            x = F.interpolate(x, scale_factor=0.5, mode=mode)
        np.testing.assert_allclose((x - ramp)[0, 0, 10:-10], trips * drift, atol=TOLERANCE)


@pytest.mark.parametrize("s", [2, 3, 4, 5])
def test_nearest_exact_drifts_at_even_factors_only(s):
    ramp = torch.arange(40.0).double()[None, None]
    x = F.interpolate(F.interpolate(ramp, scale_factor=s, mode="linear"), 40, mode="nearest-exact")
    drift = 0 if s % 2 else 1 / (2 * s)
    np.testing.assert_allclose((x - ramp)[0, 0, 2:-2], drift, atol=TOLERANCE)


@pytest.mark.parametrize("s", [2, 3, 4])
def test_antialias_stretches_the_weights_as_much_as_the_image_shrinks(s):
    units = torch.eye(6 * s, dtype=torch.float64)[:, None, None]  # images of height 1
    by_torch = F.interpolate(units, size=(1, 6), mode="bilinear", antialias=True)[:, 0, 0].T.numpy()
    centres = (np.arange(6) + 0.5) * s - 0.5
    stretched = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(6 * s)) / s)
    stretched /= stretched.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(by_torch, stretched, atol=1e-12)
    assert (by_torch != 0).any(axis=0).all()  # no pixel is skipped


def test_a_scale_factor_is_the_step_unless_corners_are_aligned():
    ramp = torch.arange(5.0).double()[None, None]
    half, aligned = (
        F.interpolate(ramp, scale_factor=1.5, mode="linear", align_corners=align)[0, 0]
        for align in (False, True)
    )
    np.testing.assert_allclose(half[1:].diff(), 1 / 1.5, atol=1e-12)
    np.testing.assert_allclose(aligned.diff(), 4 / 6, atol=1e-12)
    again = F.interpolate(ramp, scale_factor=1.5, mode="linear", recompute_scale_factor=True)
    np.testing.assert_allclose(again[0, 0, 1:-1].diff(), 5 / 7, atol=1e-12)


FIGURES = {
    "enlarged": (
        (np.array([[10.0, 20], [30, 40]]), {name: np.full((4, 4), 12.34) for name in "abc"}),
        ["12.3", ">40<"],
    ),
    "axis_matrices": (
        (
            {
                f"no. {n}": interpolation_matrix(4, size=6, mode="cubic", dense=True)
                for n in range(6)
            },
        ),
        ["no. 5", "−0.0", "no. 0 2 to 4"],
    ),  # fmt: skip
    "plane_matrices": (({"bilinear": np.eye(4)},), ["bilinear"]),
    "sampling": ((2, {"half pixels": [-0.25, 0.25, 0.75, 1.25]}), ["half pixels", "−0.25"]),
    "tents": ((np.array([2.0, 3.0]), 4, tent(8, 4)), ["without", "1.25"]),
    "dark_border": ((np.array([[0.5625, 0.75], [0.75, 1.0]]),), [">0.5625<", "0.5625, 0.75 and 1"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_interpolation(name):
    arguments, texts = FIGURES[name]
    figure = getattr(figures, name)(*arguments)
    svg = figure.svg()
    assert f'aria-label="{figure.alt[:20]}' in svg
    for text in texts:
        assert text in svg
    assert svg == getattr(figures, name)(*arguments).svg()  # the same drawing every time


def test_figures_refuse_what_does_not_fit_their_panels():
    with pytest.raises(ValueError, match="outputs: got 1; want three"):
        figures.enlarged(np.eye(2), {"one": np.eye(2)})
    with pytest.raises(ValueError, match="matrices: got 1; want six"):
        figures.axis_matrices({"one": np.eye(2)})


def test_the_dots_of_the_tents_are_the_layer():
    x, kernel = np.array([2.0, 3.0, 1.0, 2.0]), tent(8, 4)
    layer = conv_transpose(
        torch.tensor(x)[None, None], torch.tensor(kernel)[None, None], stride=4, padding=2
    )[0, 0]
    assert Geometry(8, 4, 2).transposed_shape(4) == (16,)
    said = figures.tents(x, 4, kernel).alt
    dots = said[said.index("sum is ") + 7 : said.index(" and with")].split(", ")
    np.testing.assert_allclose([float(dot) for dot in dots], layer, atol=0.006)
