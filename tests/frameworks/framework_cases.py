"""Random geometries with weights and inputs, and the one comparison that the tests here make.

All numbers are small integers, so that float32 sums are exact in whatever order they are made:
the tolerance is for kernels that go by way of a transform.
"""

from importlib import import_module

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from upconv import Geometry
from upconv.definition import conv_transpose


class Lazy:
    """A framework, imported when first used: every worker reads these files, one runs them."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, attribute):
        if attribute.startswith("_"):  # pytest, looking for tests in whatever a module holds
            raise AttributeError(attribute)
        return getattr(import_module(self.name), attribute)


jax, keras, onnx, onnxruntime, tf = map(Lazy, ("jax", "keras", "onnx", "onnxruntime", "tensorflow"))

few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def geometries(draw, axes=None, groups=True, dilation=True, both=True):
    """Any geometry; without groups, dilation, or both dilation and stride where asked."""
    axes = draw(st.integers(1, 3)) if axes is None else axes

    def per_axis(low, high):
        return st.tuples(*[st.integers(low, high)] * axes)

    kernel, stride = draw(per_axis(1, 4 if axes < 3 else 3)), draw(per_axis(1, 3))
    dilations = draw(per_axis(1, 3 if dilation else 1))
    if not both and max(dilations) > 1:
        stride = (1,) * axes
    return Geometry(
        kernel,
        stride,
        tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(axes)),
        dilations,
        tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilations, strict=True)),
        draw(st.sampled_from([1, 1, 2, 3])) if groups else 1,
    )


@st.composite
def cases(draw, **wanted):
    """(geometry, x, weight, bias), such that something is left after cropping."""
    geometry = draw(geometries(**wanted))
    smallest = [
        max(1, -(-(before + after - a + 1 - reach) // s) + 1)
        for (before, after), a, reach, s in zip(
            geometry.padding, geometry.output_padding, geometry.reach, geometry.stride, strict=True
        )
    ]
    size = [draw(st.integers(least, least + 2)) for least in smallest]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    ins, outs = (draw(st.integers(1, 2)) for _ in range(2))

    def integers(*shape):
        return rng.integers(-4, 5, shape).astype("float32")

    weight = integers(ins * geometry.groups, outs, *geometry.kernel)
    bias = integers(outs * geometry.groups) if draw(st.booleans()) else None
    return geometry, integers(2, len(weight), *size), weight, bias


def longer_than_stride_allows(geometry):
    """Whether the result has stride zeros or more at its end: only torch and JAX go so far."""
    return any(
        a - after >= s
        for a, (_, after), s in zip(
            geometry.output_padding, geometry.padding, geometry.stride, strict=True
        )
    )


def last(x):
    """Channels last, as Keras, TensorFlow and JAX take data."""
    return np.moveaxis(np.asarray(x), 1, -1)


def first(y):
    """Channels first, as the definition has them."""
    return np.moveaxis(np.asarray(y), -1, 1)


def equals_definition(y, geometry, x, weight, bias=None):
    """Assert that y is what the definition computes, size and values."""
    expected = conv_transpose(x, weight, geometry, bias)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, atol=1e-3)
