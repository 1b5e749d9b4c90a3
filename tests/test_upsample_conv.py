"""The upsampling layers: in values, gradients and manners the pair that they stand for."""

import copy
import io
import pickle
from contextlib import contextmanager

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from upconv import UpsampleConv1d, UpsampleConv2d, UpsampleConv3d, layers

LAYER = {1: UpsampleConv1d, 2: UpsampleConv2d, 3: UpsampleConv3d}
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@st.composite
def pairs(draw):
    """An nn.Upsample, an nn.Conv in float64, and an input, of random settings."""
    n = draw(st.integers(1, 3))

    def per_axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(n))

    kernel, scale = per_axis(1, 5 if n == 1 else 3), per_axis(1, 4 if n < 3 else 3)
    size = per_axis(1, {1: 8, 2: 5, 3: 3}[n])
    groups = draw(st.sampled_from([1, 1, 2]))
    conv = CONV[n](
        groups * draw(st.integers(1, 2)),
        groups * draw(st.integers(1, 3)),
        kernel,
        padding=draw(st.sampled_from(["same", "valid", per_axis(0, 3)])),
        dilation=draw(st.sampled_from([1, 1, per_axis(1, 2)])),
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=draw(
            st.sampled_from(["zeros", "zeros", "zeros", "replicate", "circular", "reflect"])
        ),
        dtype=torch.float64,
    )
    mode = draw(st.sampled_from(["nearest", "nearest", "nearest-exact", LINEAR[n]]))
    x = torch.randn(draw(st.integers(1, 2)), conv.in_channels, *size, dtype=torch.float64)
    if n in CHANNELS_LAST and draw(st.booleans()):
        x = x.contiguous(memory_format=CHANNELS_LAST[n])
    return nn.Upsample(scale_factor=tuple(map(float, scale)), mode=mode), conv, x


# What the settings choose, and each form wherever it is right, however slow it may be there.
THRESHOLDS = {
    "as chosen": {},
    "phases": {"_FEW": np.inf},
    "transposed": {"_FEW": 0, "_MANY": np.inf},
    "differences": {"_FEW": 0, "_MANY": 0, "_PIECE": 300},
}


@contextmanager
def preferred(form):
    """Lets the layers prefer a form."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in THRESHOLDS[form].items():
            patch.setattr(layers, name, value)
        yield


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch's
@pytest.mark.parametrize("form", THRESHOLDS)
@given(pair=pairs())
def test_values_and_gradients_are_those_of_the_pair(form, pair):
    with preferred(form):
        upsample, conv, x = pair
        layer = LAYER[x.ndim - 2].from_pair(upsample, conv)
        try:
            wanted = conv(upsample(x))
        except RuntimeError:  # torch: the kernel does not fit, or the padding is wider than the image
            with pytest.raises((ValueError, RuntimeError)):
                layer(x)
            return
        with torch.no_grad():
            y = layer(x)
            assert y.is_contiguous() or y.is_contiguous(memory_format=CHANNELS_LAST[x.ndim - 2])
        np.testing.assert_allclose(y, wanted.detach(), rtol=0, atol=1e-12)
        x.requires_grad_()
        tensors = [x, *conv.parameters()]
        y, wanted = layer(x), conv(upsample(x))
        np.testing.assert_allclose(y.detach(), wanted.detach(), rtol=0, atol=1e-12)
        out = torch.randn_like(y)
        for got, right in zip(
            torch.autograd.grad(y, tensors, out), torch.autograd.grad(wanted, tensors, out), strict=True
        ):
            np.testing.assert_allclose(got, right, rtol=0, atol=1e-11)
