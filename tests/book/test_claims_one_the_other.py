"""The claims ledger, decided: one test for each claim that "When is one the other?" settles."""

import numpy as np
import pytest
import torch
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F
from upconv import collapse, conv_transpose, divide


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_upsample_then_conv_is_transpose(rng, scale, kernel):
    """In Keras, with "same" and "valid", every output; the padded torch layers in test_factor."""
    x = rng.normal(size=(2, 6, 5, 3)).astype("float32")
    for padding in ("same", "valid"):
        two = layers.UpSampling2D(scale), layers.Conv2D(4, kernel, padding=padding)
        large = two[0](x)
        two[1].build(large.shape)
        weight, bias = rng.normal(size=(kernel, kernel, 3, 4)), rng.normal(size=4)
        two[1].set_weights([weight, bias])
        expected = two[1](large).detach().numpy()
        stamp = collapse(torch.tensor(weight).permute(3, 2, 0, 1), scale).weight
        size = kernel + scale - 1
        one = layers.Conv2DTranspose(4, size, strides=scale, padding=padding)
        one.build(x.shape)
        one.set_weights([stamp.permute(2, 3, 1, 0), bias])
        y = one(x).detach().numpy()
        crop = kernel - 1 if padding == "valid" else 0
        y = y[:, crop : y.shape[1] - crop, crop : y.shape[2] - crop]
        # float32: sums of at most 75 products of standard normals.
        assert_allclose(y, expected, rtol=0, atol=1e-4)


def best_convolution(w, scale, size, kernel):
    """How near any convolution of this kernel size, after upsampling, comes to a transposed one.

    Least squares over its taps, on all unit images of the size; the best of all crops.
    """
    units = torch.eye(size**2).double().reshape(-1, 1, size, size)
    target = conv_transpose(units, w, stride=scale)
    large = F.interpolate(units, scale_factor=scale, mode="nearest")
    o, margin = target.shape[-1], kernel + scale
    windows = F.unfold(F.pad(large, [margin] * 4), kernel)  # one column for each output
    side = large.shape[-1] + 2 * margin - kernel + 1
    windows = windows.reshape(len(units), -1, side, side)
    errors = []
    for top in range(side - o + 1):
        chosen = windows[:, :, top : top + o, top : top + o].transpose(0, 1).flatten(1).T
        solution = torch.linalg.lstsq(chosen, target.flatten()[:, None], driver="gelsd").solution
        errors.append((chosen @ solution - target.flatten()[:, None]).abs().max().item())
    return min(errors)


def test_transpose_is_upsample_then_conv(rng):
    # Along one axis: (1, 2, 3) at stride 2 leaves a remainder; its phases sum to 4 and 2.
    line = divide(torch.tensor([[[1.0, 2.0, 3.0]]]), 2)
    assert not line.factorable
    assert_array_equal(line.remainder, [[[0, 0, 2]]])
    assert divide(torch.tensor([[[1.0, 4.0, 3.0]]]), 2).factorable  # 4 and 4
    # In the plane: equal phase sums are not enough.
    collapsed = collapse(torch.tensor(rng.normal(size=(1, 1, 3, 3))), 2).weight
    changed = collapsed.clone()
    changed[0, 0, 0, 0] += 1
    changed[0, 0, 2, 2] -= 1
    for w in (collapsed, changed):
        sums = [w[0, 0, r::2, c::2].sum() for r, c in np.ndindex(2, 2)]
        assert_allclose(sums, sums[0], rtol=0, atol=1e-12)
        flat = conv_transpose(torch.ones(1, 1, 6, 6).double(), w, stride=2)[0, 0, 2:-2, 2:-2]
        assert_allclose(flat, sums[0], rtol=0, atol=1e-12)
    assert divide(collapsed, 2).factorable
    assert not divide(changed, 2).factorable
    # Without division: the best convolution of any taps, at any shift, reaches one of them only.
    assert best_convolution(collapsed, 2, size=5, kernel=3) < 1e-10
    for kernel in (2, 3, 4):
        assert best_convolution(changed, 2, size=5, kernel=kernel) > 0.1
    # On images of one size a kernel as large as the output does it for both.
    x = torch.tensor(rng.normal(size=(1, 1, 6, 6)))
    for w in (collapsed, changed):
        y = conv_transpose(x, w, stride=2)
        o = y.shape[-1]
        kernel = divide(F.pad(w, [0, o + 1 - 4] * 2), 2).quotient
        large = F.interpolate(x, scale_factor=2, mode="nearest")
        by_convolution = F.conv2d(F.pad(large, [o - 1, o - 12] * 2), kernel)
        assert_allclose(by_convolution, y, rtol=0, atol=1e-10)
