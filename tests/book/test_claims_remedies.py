"""The claims that the chapter "Remedies" settles: one test for each, named after its id."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from upconv import constant_response, ramp_response
from upconv.book import records, remedies

RESIZE = ("nearest, then 3×3", "bilinear, then 3×3")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_resize_conv_minimises():
    features = torch.randn(8, 3, dtype=torch.float64)
    for mode in ("nearest", "bilinear"):
        for k, s in ((1, 2), (3, 2), (4, 3), (5, 4)):
            head = nn.Sequential(nn.Upsample(scale_factor=s, mode=mode), nn.Conv2d(3, 2, k))
            head = head.double()
            # The condition: constant features. No grid, to the rounding of at most 75 products.
            assert constant_response(head, features, 12, s).relative < 1e-13
            # The other side: a ramp. Bilinear has none, nearest has stairs.
            ramp = ramp_response(head, features, 16, s).relative
            if mode == "bilinear":
                assert ramp < 1e-13
            else:
                assert ramp > 1e-4
    # Trained models, as recorded, and others with a grid for comparison.
    results = records.load("remedies").results
    for name in RESIZE:
        # In single precision white is 255 grey levels, so rounding is about 1e-5 of them.
        assert max(remedies.Summary(results[name]).values("white")) < 1e-3
    for name in ("transposed, k = 3", "transposed, k = 4", "depth-to-space"):
        assert min(remedies.Summary(results[name]).values("white")) > 0.1


def test_follow_with_a_convolution():
    features = torch.randn(8, 3, dtype=torch.float64)
    layer = nn.ConvTranspose2d(3, 1, 4, stride=2, padding=1, bias=False).double()
    alone = constant_response(layer, features, 16, 2)
    assert alone.relative > 0.3

    def follow(taps):
        conv = nn.Conv2d(1, 1, len(taps), bias=False).double()
        conv.weight.data = torch.outer(*(torch.tensor(taps, dtype=torch.float64),) * 2)[None, None]
        return constant_response(nn.Sequential(layer, conv), features, 16, 2)

    # Equal phase sums: nothing is left.
    for taps in ((0.5, 0.5), (0.25, 0.5, 0.25), (0.125, 0.375, 0.375, 0.125), (0.5, -0.3, 0, 0.8)):
        assert sum(taps[::2]) == pytest.approx(sum(taps[1::2]))
        assert follow(taps).amplitude < 1e-14
    # Unequal ones: some is left, and it may be more than before.
    assert 0.01 < follow((1 / 3, 1 / 3, 1 / 3)).amplitude < alone.amplitude
    assert follow((-0.5, 2, -0.5)).amplitude > 2 * alone.amplitude
    wave = (-1.0) ** np.arange(10)  # three times as strong, along one axis
    assert_allclose(np.convolve(wave, (-0.5, 2, -0.5), mode="valid"), -3 * wave[:-2])
    # What training makes of it: a grid off the data, in every seed of the record.
    results = records.load("remedies").results
    for name in ("k = 4, then a 3×3 convolution", "k = 4, 16 channels, ReLU, then 3×3"):
        assert min(remedies.Summary(results[name]).values("white")) > 0.1
