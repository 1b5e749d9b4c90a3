"""The claims ledger, decided: the rows that the chapter "Interpolation" settles."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F
from upconv import interpolation_matrix

MODES = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")


def test_interpolation_has_no_parameters():
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    for mode in MODES:
        layer = torch.nn.Upsample(scale_factor=2, mode=mode)
        assert list(layer.state_dict()) == []
        # Linear: what it computes is a matrix that does not depend on the image.
        ours = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
        matrix = interpolation_matrix((5, 6), scale_factor=2, mode=ours)
        y = matrix @ x.reshape(6, -1).numpy().T
        assert_allclose(layer(x).reshape(6, -1), y.T, atol=1e-12)
    # A transposed convolution of the same scale is a layer with something to learn.
    assert list(torch.nn.ConvTranspose2d(1, 1, 2, stride=2).state_dict()) == ["weight", "bias"]


def tent(s):
    k = 2 * s - s % 2
    return 1 - np.abs(np.arange(k) - (k - 1) / 2) / s


@pytest.mark.parametrize("s", range(1, 9))
def test_transposed_conv_can_interpolate(s):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 4, 5)))
    # Nearest: a box, everywhere.
    box = torch.ones(1, 1, s, s, dtype=torch.float64)
    assert_array_equal(F.conv_transpose2d(x, box, stride=s), F.interpolate(x, scale_factor=s))
    # Bilinear: a tent, with the border repeated.
    kernel = torch.from_numpy(np.outer(tent(s), tent(s)))[None, None]
    wanted = F.interpolate(x, scale_factor=s, mode="bilinear")
    k, repeated = len(kernel[0, 0]), F.pad(x, [1] * 4, mode="replicate")
    y = F.conv_transpose2d(repeated, kernel, stride=s, padding=(k + s) // 2)
    assert_allclose(y, wanted, atol=1e-12)
    # Without: right inside, too dark in a rim of ⌊s/2⌋ pixels.
    y, rim = F.conv_transpose2d(x, kernel, stride=s, padding=(k - s) // 2), s // 2
    inside = np.s_[:, :, rim : 4 * s - rim, rim : 5 * s - rim]
    assert_allclose(y[inside], wanted[inside], atol=1e-12)
    factor = (y / wanted).numpy()
    factor[inside] = 0.9
    assert factor.max() < 1 - 1e-9
    if s > 1:
        assert_allclose(factor.min(), (0.5 + 0.5 / s) ** 2, rtol=1e-9)
    # Corners aligned, at the size (i − 1)s + 1: no border at all.
    kernel = 1 - np.abs(np.arange(1 - s, s)) / s
    kernel = torch.from_numpy(np.outer(kernel, kernel))[None, None]
    wanted = F.interpolate(x, (3 * s + 1, 4 * s + 1), mode="bilinear", align_corners=True)
    assert_allclose(F.conv_transpose2d(x, kernel, stride=s, padding=s - 1), wanted, atol=1e-12)
    # And at the size i·s no kernel does it: the response to an inner pixel changes with its place.
    if s > 1:
        aligned = interpolation_matrix(6, size=6 * s, mode="linear", align_corners=True, dense=True)
        assert not np.allclose(aligned[:-s, 2], aligned[s:, 3], atol=0.01)
        half = interpolation_matrix(6, size=6 * s, mode="linear", dense=True)
        assert_allclose(half[:-s, 2], half[s:, 3], atol=1e-12)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_upsampling2d_has_no_weights(interpolation):
    from keras import layers

    layer = layers.UpSampling2D(size=(2, 3), interpolation=interpolation)
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    by_keras = layer(x).detach()
    assert layer.count_params() == 0
    assert layer.weights == layer.trainable_weights == layer.non_trainable_weights == []
    by_torch = F.interpolate(
        torch.from_numpy(x).permute(0, 3, 1, 2), scale_factor=(2, 3), mode=interpolation
    )
    assert_allclose(by_keras, by_torch.permute(0, 2, 3, 1), atol=1e-5)
