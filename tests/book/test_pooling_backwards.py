"""Chapter 6, "Pooling backwards": its theorems, its figures, its record and what measures it."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from upconv import Geometry, average_pool_gradient, max_pool, max_pool_gradient, sum_pool_gradient
from upconv.book import figures, records, smoothness

IMAGE = np.array([[1, 3, 2, 0], [5, 2, 1, 4], [0, 1, 6, 2], [2, 7, 3, 1]])
RECEIVED = np.array([[8, 4], [-4, 12]])


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 2), (3, 1), (2, 3), (4, 2)])
def test_pooling_gradients_are_sums_over_windows(k, s):
    rng = np.random.default_rng(0)
    geometry = Geometry((k, k), s)
    x = rng.permutation(81).astype(float).reshape(9, 9)
    out = geometry.output_shape(x.shape)
    g = rng.normal(size=out)
    sums, most = np.zeros_like(x), np.zeros_like(x)
    for q in np.ndindex(*out):
        window = tuple(slice(s * n, s * n + k) for n in q)
        sums[window] += g[q]
        winner = np.unravel_index(x[window].argmax(), (k, k))
        most[tuple(s * n + m for n, m in zip(q, winner, strict=True))] += g[q]
    at_output = torch.tensor(g[None, None])
    indices = max_pool(torch.tensor(x[None, None]), geometry)[1]
    for ours, wanted in (
        (sum_pool_gradient(at_output, geometry, 9), sums),
        (average_pool_gradient(at_output, geometry, 9), sums / k**2),
        (max_pool_gradient(at_output, indices, 9), most),
    ):
        np.testing.assert_allclose(ours[0, 0], wanted, atol=1e-13)


@pytest.mark.parametrize("s", [2, 3])
@pytest.mark.parametrize("k", [1, 3, 4])
def test_random_weights_after_upsampling_are_low_passed(k, s):
    """The expectation, exactly: independent weights add the powers of the unit kernels."""
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 2, 6, 6)))
    nearest = F.interpolate(x, scale_factor=s, mode="nearest")
    zeros = torch.zeros_like(nearest)
    zeros[:, :, ::s, ::s] = x
    power = []
    for enlarged in (nearest, zeros):
        padded = F.pad(enlarged, (0, k - 1, 0, k - 1), mode="circular")
        units = torch.eye(k * k).double().reshape(k * k, 1, k, k).repeat(2, 1, 1, 1)
        y = F.conv2d(padded, units, groups=2)  # every unit kernel on every channel
        power.append(torch.fft.fft2(y).abs().square().sum((0, 1)).numpy())
    f = np.fft.fftfreq(6 * s)
    with np.errstate(invalid="ignore"):
        box = np.where(f == 0, s, np.sin(np.pi * s * f) / np.sin(np.pi * f))
    np.testing.assert_allclose(power[0], power[1] * (box[:, None] * box) ** 2, atol=1e-9)


TOLD = {"profile": [0.1, 0.01, 1e-5], "fine": 0.125}
DRAWN = {
    "ways_up": (lambda: figures.ways_up(IMAGE), ["nearest", "zeros inserted", "unpooled", ">7<"]),
    "same_upsampled": (
        lambda: figures.same_upsampled(IMAGE, IMAGE[::-1], RECEIVED),
        ["image A", "image B", "max gradient"],
    ),
    "spectra": (
        lambda: figures.spectra({"a route": [{"before": TOLD, "after": TOLD}]}, {"images": TOLD}),
        ["a route 12.5%", "cycles per pixel"],
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_figures_of_the_poolings(name):
    draw, texts = DRAWN[name]
    svg = draw().svg()
    for text in texts:
        assert text in svg
    assert svg == draw().svg()  # the same drawing every time


@pytest.mark.parametrize(
    ("name", "number", "times"),
    [
        ("ways_up", "7", 1 + 1 + 4 + 1 + 1),  # image, maxima, nearest, zeros inserted, unpooled
        ("ways_up", "0", 2 + 0 + 0 + 12 + 12),
        ("same_upsampled", "12", 2 * (4 + 1)),  # upsampled, max
        ("same_upsampled", "−4", 2 * (4 + 1)),
    ],
)
def test_the_figures_show_the_right_operation(name, number, times):
    assert DRAWN[name][0]().svg().count(f">{number}<") == times


def test_the_framed_places_are_those_of_the_maxima():
    for name, maxima in (("ways_up", 4), ("same_upsampled", 8)):
        assert DRAWN[name][0]().svg().count("stroke-width: 1.8") == maxima


def test_figures_refuse_what_they_cannot_draw():
    with pytest.raises(ValueError, match=r"x: got shape \(2, 2\); want \(4, 4\)"):
        figures.ways_up(RECEIVED)
    with pytest.raises(ValueError, match="routes: got 4; want at most 3"):
        figures.spectra(dict.fromkeys("abcd"), {"images": TOLD})


def test_a_spectrum_tells_slow_from_fine_and_every_other_row():
    """Waves of one frequency each: their power is at that frequency and nowhere else."""
    position = torch.arange(28.0)
    for cycles, fine, grid in ((3, 0, 0), (6, 0, 0), (7, 1, 0), (10, 1, 0), (14, 1, 1)):
        wave = torch.cos(2 * np.pi * cycles * position / 28).expand(1, 1, 28, 28)
        power = smoothness.spectrum(5 + wave)
        np.testing.assert_allclose(smoothness.fine_share(power), fine, atol=1e-6)
        np.testing.assert_allclose(smoothness.grid_share(power), grid, atol=1e-6)
        assert smoothness.profile(power).argmax() == cycles - 1


def test_the_record_is_of_todays_settings():
    record = records.load("smoothness")
    assert list(record.results["routes"]) == list(smoothness.ROUTES)
    assert all(
        len(seeds) == record.settings["seeds"] for seeds in record.results["routes"].values()
    )
    for name in ("channels", "images", "batch", "steps", "rate", "seeds"):
        assert record.settings[name] == getattr(smoothness, name.upper())
    for name, told in smoothness.reference().items():
        for what in ("fine", "grid", "error"):
            recorded = record.results["references"][name][what]
            np.testing.assert_allclose(told[what], recorded, rtol=1e-3, atol=1e-9)


def test_the_first_two_routes_have_equally_many_parameters():
    counts = [sum(p.numel() for p in route().parameters()) for route in smoothness.ROUTES.values()]
    assert counts == [73, 73, 129]


def test_the_first_route_is_a_4x4_layer_and_the_second_lies_half_a_pixel_off():
    """S0's two lines in Keras: where their stamps lie, and the kernel that holds the first."""
    from keras import layers

    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 5, 6, 3)).astype("float32")
    kernel = rng.normal(size=(3, 3, 2, 3)).astype("float32")
    box = np.zeros((4, 4, 2, 3), dtype="float32")
    for row, column in np.ndindex(2, 2):
        box[row : row + 3, column : column + 3] += kernel

    def output(x, weight, stride):
        layer = layers.Conv2DTranspose(
            2, len(weight), strides=stride, padding="same", use_bias=False
        )
        layer.build(x.shape)
        layer.set_weights([weight])
        return layer(torch.tensor(x)).detach()

    def first(x):
        return output(layers.UpSampling2D(2)(torch.tensor(x)).numpy(), kernel, 1)

    np.testing.assert_allclose(first(x), output(x, box, 2), atol=1e-5)

    def rows(y):
        return (y != 0).any(-1).any(-1)[0].nonzero().double()

    impulse = np.zeros((1, 5, 5, 3), dtype="float32")
    impulse[0, 2, 2] = 1
    centre = rows(first(impulse)).mean()
    assert rows(output(impulse, kernel, 2)).mean() == centre + 0.5  # Keras
    in_torch = F.conv_transpose2d(
        torch.tensor(impulse).permute(0, 3, 1, 2), torch.tensor(kernel).permute(3, 2, 0, 1),
        stride=2, padding=1, output_padding=1,
    )  # fmt: skip
    assert rows(in_torch.permute(0, 2, 3, 1)).mean() == centre - 0.5


def test_an_unknown_route_is_refused():
    with pytest.raises(ValueError, match="route: got 'up'; want one of upsampling, 3×3"):
        smoothness.train("up", 0)
