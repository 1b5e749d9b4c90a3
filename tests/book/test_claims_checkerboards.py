"""The claims that "Checkerboards" settles: one test for each, named after its id."""

import numpy as np
import torch
from numpy.testing import assert_allclose
from torch import nn
from upconv import constant_response, imbalance
from upconv.book import records, survival


def relative(layer, channels, layout="channels_first"):
    """The grid of a model for a constant input, relative to its output."""
    with torch.no_grad():
        return constant_response(layer, torch.ones(1, channels), 16, 2, layout=layout).relative


def test_transpose_makes_checkerboards():
    import keras

    # At initialisation in every learned upsampler, whether or not the stride divides the kernel.
    torch.manual_seed(0)
    for k in (2, 3, 4, 5):
        layer = nn.ConvTranspose2d(64, 64, k, 2)
        # The pooled imbalance of 4,096 pairs lies within a hundredth of the law.
        assert_allclose(imbalance(layer.weight.detach(), 2), np.sqrt(3 / 4), atol=0.02)
        # With 64 outputs for one input it varies more, and a bias takes a little away.
        assert relative(layer, 64) > 0.7
    shuffle = nn.Sequential(nn.Conv2d(64, 256, 3), nn.PixelShuffle(2))
    assert relative(shuffle, 64) > 0.7
    # The other side of the condition: equal gains, and it is gone at initialisation.
    resize = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(64, 64, 3))
    assert relative(resize, 64) < 1e-5
    # The same in Keras, whose layers have their channels last.
    keras.utils.set_random_seed(0)
    transposed = keras.layers.Conv2DTranspose(64, 4, strides=2, padding="same")
    route = [keras.layers.UpSampling2D(2), keras.layers.Conv2D(64, 3, padding="same")]
    assert relative(transposed, 64, "channels_last") > 0.7
    assert relative(keras.Sequential(route), 64, "channels_last") < 1e-5
    # After training it is the loss that decides. One seed; the record has more.
    name = "transposed, k = 4"
    found = {
        loss: survival.super_resolve(name, loss, seed=0, steps=150)[0]
        for loss in ("pixels", "halved image")
    }
    limit = records.load("checkerboards").results["real"]["99 percent"]
    assert found["pixels"][0]["median"] > 5 * limit
    assert found["pixels"][1]["median"] < limit
    assert found["halved image"][1]["median"] > 2 * limit


def test_divisible_kernel_avoids_them():
    # Not enough: the stride divides 4, and one layer in expectation is three quarters grid.
    divisible = np.array([1.0, 2.0, 3.0, 4.0])
    square = np.multiply.outer(divisible, divisible)
    assert imbalance(square[None, None], 2) > 0.2
    weights = np.random.default_rng(0).normal(size=(64, 64, 4, 4))
    assert_allclose(imbalance(weights, 2), np.sqrt(3 / 4), atol=0.02)
    # Not needed: the stride does not divide 3, and the gains are equal.
    linear = np.array([0.5, 1.0, 0.5])
    assert imbalance(np.multiply.outer(linear, linear)[None, None], 2) < 1e-12
    # What it does even out: the counts, which are the gains of equal weights.
    assert imbalance(np.ones((1, 1, 4, 4)), 2) == 0
    assert imbalance(np.ones((1, 1, 3, 3)), 2) > 0.4
