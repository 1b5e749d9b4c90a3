"""upconv.frameworks.tensorflow against tf.nn.conv{1,2,3}d_transpose."""

from itertools import product

import numpy as np
import pytest
from framework_cases import (
    cases,
    equals_definition,
    few,
    first,
    keras,
    last,
    longer_than_stride_allows,
    tf,
)
from hypothesis import given, settings
from upconv import Geometry
from upconv.frameworks import keras as keras_words
from upconv.frameworks import tensorflow as there


def compare_written(case):
    geometry, x, weight, bias = case
    if longer_than_stride_allows(geometry):
        with pytest.raises(ValueError, match="want it smaller than the stride"):
            there.write(geometry, weight, bias)
        return
    function = there.write(geometry, weight, bias)
    equals_definition(first(function(last(x))), geometry, x, weight, bias)


@few
@given(cases(groups=False, dilation=False))
def test_a_written_function_computes_the_definition(case):
    compare_written(case)


@settings(few, max_examples=8)
@given(cases(groups=False))
def test_with_dilation_it_does_so_too_compiled(case):
    compare_written(case)


@pytest.mark.parametrize("padding", ["SAME", "VALID", "explicit"])
def test_the_words_crop_as_said_on_all_small_settings(padding):
    """And where TensorFlow refuses the output size, so do we."""
    given = padding
    for k, s, i in product(range(1, 6), range(1, 4), (2, 3)):
        kernel = np.arange(1, k + 1, dtype="float32").reshape(k, 1, 1, 1)
        x = np.arange(1, i + 1, dtype="float32").reshape(1, 1, i, 1)
        if padding == "explicit":
            given = [[0, 0], [k // 2, k // 3], [0, 0], [0, 0]]
        for o in range(1, i * s + k + 2):
            arguments = ([1, o, 1, 1], (s, 1), given)
            try:
                y = tf.nn.conv2d_transpose(last(x), kernel, *arguments).numpy()
            except (tf.errors.InvalidArgumentError, tf.errors.AbortedError):
                with pytest.raises(ValueError, match=f"output_size: got {o} for an input of {i}"):
                    there.read(kernel, last(x).shape, *arguments)
                continue
            geometry, weight, _ = there.read(kernel, last(x).shape, *arguments)
            equals_definition(first(y), geometry, x, weight)


def test_keras_has_a_layer_for_conv2d_transpose():
    """Claim keras-layer-for-tf: the same kernel array, the same numbers."""
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (2, 5, 5, 3)).astype("float32")
    for k, s, padding in product(range(1, 6), range(1, 4), ("same", "valid")):
        layer = keras.layers.Conv2DTranspose(4, k, strides=s, padding=padding, use_bias=False)
        layer.build(x.shape)
        kernel = rng.integers(-4, 5, (k, k, 4, 3)).astype("float32")
        layer.set_weights([kernel])
        shape = layer.compute_output_shape(x.shape)
        y = tf.nn.conv2d_transpose(x, kernel, shape, s, padding.upper()).numpy()
        np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x)), y, atol=1e-3)
        geometry, _, _ = there.read(kernel, x.shape, shape, s, padding.upper())
        assert geometry == keras_words.geometry_of((k, k), s, padding)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Geometry(3, groups=2), "groups: got 2; want 1: TensorFlow"),
        (Geometry(3, dilation=2, output_padding=1), "output_padding: got 1; want it smaller"),
    ],
)
def test_what_tensorflow_cannot_say_is_refused_by_name(geometry, message):
    with pytest.raises(ValueError, match=message):
        there.write(geometry, np.ones((2, 2, 3)))


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match="padding: got 'same'"):
        there.geometry_of(3, 4, 8, padding="same")
    with pytest.raises(ValueError, match=r"padding: got \[\[0, 0\]\]"):
        there.geometry_of(3, 4, 8, padding=[[0, 0]])
    with pytest.raises(ValueError, match=r"input_size: got \(4, 4\); want one integer, or 1"):
        there.geometry_of(3, (4, 4), 8)
    with pytest.raises(ValueError, match="weight: got shape"):
        there.write(Geometry(3), np.ones((1, 1, 4)))
