"""What the chapter "Interpolation" says of resizing in TensorFlow and JAX."""

import numpy as np
import pytest
import torch
from upconv import interpolate

RAMP = np.arange(4.0, dtype=np.float32)
HALF_PIXELS = [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
KEYS_HALF = [-0.0882, 0.1679, 0.7099, 1.25, 1.75, 2.2901, 2.8321, 3.0882]  # a = −0.5
CUBIC = [-0.1055, 0.1914, 0.668, 1.2969, 1.7031, 2.332, 2.8086, 3.1055]  # a = −0.75, repeated


def test_what_other_frameworks_do():
    """Half pixels for bilinear; TensorFlow and JAX: nearest-exact, and another cubic."""
    tf, jax = pytest.importorskip("tensorflow"), pytest.importorskip("jax")

    def by_tensorflow(x, size, method, **settings):
        legacy = tf.compat.v1.image.resize if settings else tf.image.resize
        return legacy(x[None, :, None, None], (size, 1), method=method, **settings).numpy().ravel()

    nine = np.arange(9.0, dtype=np.float32)
    np.testing.assert_array_equal(by_tensorflow(nine, 3, "nearest"), [1, 4, 7])
    np.testing.assert_array_equal(jax.image.resize(nine, (3,), "nearest"), [1, 4, 7])
    np.testing.assert_allclose(by_tensorflow(RAMP, 8, "bilinear"), HALF_PIXELS)
    np.testing.assert_allclose(jax.image.resize(RAMP, (8,), "linear"), HALF_PIXELS, atol=1e-6)
    # TensorFlow 1: left edges.
    legacy = by_tensorflow(RAMP, 8, "bilinear", align_corners=False)
    np.testing.assert_allclose(legacy, (np.arange(8) / 2).clip(0, 3))
    np.testing.assert_allclose(by_tensorflow(RAMP, 8, "bicubic"), KEYS_HALF, atol=1e-4)
    np.testing.assert_allclose(jax.image.resize(RAMP, (8,), "cubic"), KEYS_HALF, atol=1e-4)
    ours = interpolate(torch.tensor(RAMP)[None, None], size=8, mode="cubic")[0, 0]
    np.testing.assert_allclose(ours, CUBIC, atol=1e-4)


def test_jax_shrinks_with_antialias_unless_told_otherwise():
    jax = pytest.importorskip("jax")
    image = np.random.default_rng(0).normal(size=(1, 1, 12, 12)).astype(np.float32)
    for said, antialias in (({}, True), ({"antialias": False}, False)):
        by_jax = jax.image.resize(image, (1, 1, 3, 3), "linear", **said)
        by_torch = torch.nn.functional.interpolate(
            torch.from_numpy(image), (3, 3), mode="bilinear", antialias=antialias
        )
        np.testing.assert_allclose(by_jax, by_torch, atol=1e-5)
