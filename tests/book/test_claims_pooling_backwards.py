"""The claims of "Pooling backwards", decided: one test for each, named after its id."""

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F
from upconv.book import records
from upconv.book.smoothness import fine_share, reference, spectrum


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def gradient(pool, x, received):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(pool(x), x, received)[0]


def sum_pool(s):
    """Torch's own sum pooling."""
    return lambda x: F.avg_pool2d(x, s, divisor_override=1)


def upsampled(y, s=2):
    return F.interpolate(y, scale_factor=s, mode="nearest")


def zeros_inserted(y, s=2):
    x = y.new_zeros(*y.shape[:2], y.shape[2] * s, y.shape[3] * s)
    x[:, :, ::s, ::s] = y
    return x


def test_that_is_unmaxpooling():
    x = normal(1, 2, 8, 8)
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    assert not torch.equal(F.max_unpool2d(y, indices, 2), zeros_inserted(y))
    # They agree where every maximum sits at the top left, and only there.
    x[:, :, ::2, ::2] += 100
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    assert_array_equal(F.max_unpool2d(y, indices, 2), zeros_inserted(y))
    x[0, 0, 1, 1] += 1000
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    assert not torch.equal(F.max_unpool2d(y, indices, 2), zeros_inserted(y))


def test_nearest_is_sum_pool_gradient():
    for s in (2, 3, 4):
        x, received = normal(1, 2, 4 * s, 3 * s), normal(1, 2, 4, 3, seed=1)
        by_autograd = gradient(sum_pool(s), x, received)
        assert_array_equal(by_autograd, upsampled(received, s))  # exactly, no approximation
    # The whole route: the gradient of a convolution and then a sum pooling.
    x, weight, received = normal(1, 2, 8, 8), normal(3, 2, 3, 3), normal(1, 3, 4, 4, seed=1)
    down = gradient(lambda x: sum_pool(2)(F.conv2d(x, weight, padding=1)), x, received)
    assert_allclose(down, F.conv_transpose2d(upsampled(received), weight, padding=1), atol=1e-12)


def test_zero_insertion_is_max_pool_gradient():
    x, received = normal(1, 2, 8, 8), normal(1, 2, 4, 4, seed=1)
    sliced = gradient(lambda x: x[:, :, ::2, ::2], x, received)
    assert_array_equal(sliced, zeros_inserted(received))
    assert not torch.equal(gradient(lambda x: F.max_pool2d(x, 2), x, received), sliced)
    # The whole route: the gradient of a convolution and then a slice.
    weight = normal(3, 2, 3, 3)
    received = normal(1, 3, 4, 4, seed=1)
    down = gradient(lambda x: F.conv2d(x, weight, padding=1)[:, :, ::2, ::2], x, received)
    strided = F.conv_transpose2d(received, weight, stride=2, padding=1, output_padding=1)
    assert_allclose(down, strided, atol=1e-12)


def test_avgpool_gradient_is_upsampling():
    for s in (2, 3):
        x, received = normal(1, 2, 4 * s, 3 * s), normal(1, 2, 4, 3, seed=1)
        back = gradient(lambda x, s=s: F.avg_pool2d(x, s), x, received)
        assert_allclose(back, upsampled(received, s) / s**2, rtol=1e-15)
    # Overlapping windows: a constant gradient does not stay constant.
    back = gradient(lambda x: F.avg_pool2d(x, 3, 2), normal(1, 1, 9, 9), torch.ones(1, 1, 4, 4))
    assert_allclose((9 * back[0, 0]).unique(), [1, 2, 4])


def test_maxpool_gradient_is_not():
    received = torch.ones(1, 1, 4, 4).double()
    one, other = (normal(1, 1, 8, 8, seed=seed) for seed in (0, 1))
    backs = [gradient(lambda x: F.max_pool2d(x, 2), x, received) for x in (one, other)]
    for back in backs:
        assert (back != 0).sum() == 16
        for s in (1, 0.25):  # no multiple of the upsampled gradient, which has no zeros
            assert not torch.equal(back, s * upsampled(received))
    assert not torch.equal(*backs)


def test_a_convolution_fixes_that():
    received = torch.ones(1, 1, 2, 2).double()
    one = upsampled(normal(1, 1, 2, 2))
    one[:, :, ::2, ::2] += 1
    other = one.flip(2)[:, :, [2, 3, 0, 1]]  # the same blocks, each upside down
    assert_array_equal(F.max_pool2d(one, 2), F.max_pool2d(other, 2))
    given = [gradient(sum_pool(2), x, received) for x in (one, other)]
    wanted = [gradient(lambda x: F.max_pool2d(x, 2), x, received) for x in (one, other)]
    assert_array_equal(*given)
    assert not torch.equal(*wanted)

    # For one image alone, the best kernel that reaches all of it: maxima at one place, and not.
    scattered = one.clone()
    scattered[:, :, 1, 1] += 2
    for x, works in ((one, True), (scattered, False)):
        units = torch.eye(4).double().reshape(4, 1, 2, 2)
        images = x.expand(4, 1, 4, 4)
        met = F.unfold(upsampled(units), 7, padding=3).mT.reshape(64, 49).numpy()
        wanted = gradient(lambda x: F.max_pool2d(x, 2), images, units).flatten().numpy()
        weights = np.linalg.lstsq(met, wanted, rcond=None)[0]
        assert (np.abs(met @ weights - wanted).max() < 1e-12) == works


def test_upsampled_is_smoother():
    # Random weights, periodic borders: summed over all unit kernels, the spectra have the ratio.
    x = normal(1, 1, 8, 8)
    powers = []
    for enlarged in (upsampled(x), zeros_inserted(x)):
        power = 0
        for tap in np.ndindex(3, 3):
            kernel = torch.zeros(1, 1, 3, 3).double()
            kernel[0, 0, *tap] = 1
            y = F.conv2d(F.pad(enlarged, (1, 1, 1, 1), mode="circular"), kernel)
            power = power + torch.fft.fft2(y).abs().square()[0, 0]
        powers.append(power)
    f = torch.from_numpy(np.fft.fftfreq(16))
    low_pass = 2 * torch.cos(np.pi * f)
    assert_allclose(powers[0], powers[1] * (low_pass[:, None] * low_pass) ** 2, atol=1e-10)

    # A strided layer that holds a bilinear kernel is the smoother one.
    fixed = reference()
    assert fixed["bilinear"]["fine"] < fixed["nearest"]["fine"] / 4
    tent = torch.tensor([1, 3, 3, 1]).double() / 4
    large = normal(2, 1, 8, 8, seed=2)
    strided = F.conv_transpose2d(large, (tent[:, None] * tent)[None, None], stride=2, padding=1)
    assert fine_share(spectrum(strided)) < fine_share(spectrum(upsampled(large)))

    # Trained, by the record: smoother by a little and in most networks, and none the better for it.
    record = records.load("smoothness").results
    upsampling, strided, wide = (
        {
            (when, what): np.array([seed[when][what] for seed in seeds])
            for when in ("before", "after")
            for what in ("fine", "grid", "error")
        }
        for seeds in record["routes"].values()
    )
    for other in (strided, wide):
        before, after = (
            np.median(other[when, "fine"]) / np.median(upsampling[when, "fine"])
            for when in ("before", "after")
        )
        assert before > 5
        assert 1 < after < 1.5
        assert 0.7 < (other["after", "fine"] > upsampling["after", "fine"]).mean() < 1
        assert (other["after", "grid"] > upsampling["after", "grid"]).all()
        better = (other["after", "error"] > upsampling["after", "error"]).mean()
        assert 0.3 < better < 0.7
    images = record["references"]["images"]["fine"]
    assert max(upsampling["after", "fine"].max(), strided["after", "fine"].max()) < images / 2
