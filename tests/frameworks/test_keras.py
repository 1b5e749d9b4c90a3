"""upconv.frameworks.keras against Keras, on the torch backend, and on its two others apart.

A process has one Keras backend, so the others run the closed form of "same" in processes of
their own.
"""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch
from framework_cases import (
    cases,
    equals_definition,
    few,
    first,
    keras,
    last,
    longer_than_stride_allows,
)
from hypothesis import given
from torch.nn import functional as F
from upconv import Geometry
from upconv.definition import conv
from upconv.frameworks import keras as there

BACKEND = os.environ["KERAS_BACKEND"]


def run(layer, x):
    return first(keras.ops.convert_to_numpy(layer(last(x))))


@few
@given(cases(groups=False, both=False))
def test_a_written_layer_computes_the_definition(case):
    geometry, x, weight, bias = case
    if longer_than_stride_allows(geometry):
        with pytest.raises(ValueError, match="want it smaller than the stride"):
            there.write(geometry, weight, bias)
        return
    layer = there.write(geometry, weight, bias)
    equals_definition(run(layer, x), geometry, x, weight, bias)
    if not isinstance(layer, keras.Sequential):
        read, array, read_bias = there.read(layer)
        np.testing.assert_array_equal(array, weight)
        equals_definition(run(layer, x), read, x, array, read_bias)


def test_the_words_crop_as_said_on_all_small_settings():
    for k, s, d, padding in product(range(1, 6), range(1, 4), (1, 2), ("valid", "same")):
        for more in (None, *range(s + 1)):
            arguments = {"strides": s, "padding": padding, "output_padding": more}
            arguments |= {"dilation_rate": d, "use_bias": False}
            if (more is not None and more >= s) or (s > 1 and d > 1):
                with pytest.raises(ValueError, match="output_padding|dilation"):
                    keras.layers.Conv1DTranspose(1, k, **arguments)
                with pytest.raises(ValueError, match="output_padding|dilation"):
                    there.geometry_of(k, s, padding, more, d)
                continue
            layer = keras.layers.Conv1DTranspose(1, k, **arguments)
            layer.build((None, None, 1))
            layer.set_weights([np.arange(1, k + 1, dtype="float32").reshape(k, 1, 1)])
            x = np.arange(1, 4, dtype="float32").reshape(1, 1, 3)
            if BACKEND == "tensorflow" and padding == "same" and more == 0 and k % 2 == 0 == d - 1:
                with pytest.raises(Exception, match="Conv1DTranspose"):
                    run(layer, x)
                continue
            geometry, weight, _ = there.read(layer)
            equals_definition(run(layer, x), geometry, x, weight)
            if padding == "same" and more is None:
                assert geometry.transposed_shape(3) == (3 * s,)


@pytest.mark.skipif(BACKEND != "torch", reason="this is a run on another backend")
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_the_other_backends_compute_the_same(backend):
    tests = (
        test_the_words_crop_as_said_on_all_small_settings,
        test_unpooling_in_keras_is_torchs,
        test_unpooling_runs_in_a_layer_of_unknown_batch,
    )
    chosen = [f"{__file__}::{test.__name__}" for test in tests]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen],
        # TensorFlow dilates with oneDNN alone, which it turns on by itself on some processors only.
        env=os.environ | {"KERAS_BACKEND": backend, "TF_ENABLE_ONEDNN_OPTS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


def gradient(function, x, received):
    """The gradient with respect to x of Σ function(x) · received, on the backend of this run."""
    if BACKEND == "torch":
        x = torch.tensor(x, requires_grad=True)
        return torch.autograd.grad(function(x), x, torch.tensor(received))[0]
    if BACKEND == "jax":
        import jax

        return jax.vjp(function, x)[1](received)[0]
    import tensorflow

    x = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x, received)


@pytest.mark.parametrize(
    ("size", "pool_size"),
    [((5, 7), 2), ((5, 8), 3), ((3, 4), 1), ((3, 3), 3)],
)
def test_unpooling_in_keras_is_torchs(size, pool_size):
    """Values, indices and gradients; few values, so that many maxima are equal."""
    rng = np.random.default_rng(0)
    x = rng.integers(-1, 2, (2, *size, 3)).astype("float32")
    theirs = torch.tensor(first(x), requires_grad=True)
    expected, places = F.max_pool2d(theirs, pool_size, return_indices=True)
    values, indices = there.max_pool_with_indices(keras.ops.convert_to_tensor(x), pool_size)
    np.testing.assert_array_equal(first(keras.ops.convert_to_numpy(values)), expected.detach())
    np.testing.assert_array_equal(first(keras.ops.convert_to_numpy(indices)), places)

    others = rng.normal(size=values.shape).astype("float32")
    unpooled = there.max_unpool(keras.ops.convert_to_tensor(others), indices, size, pool_size)
    by_torch = F.max_unpool2d(torch.tensor(first(others)), places, pool_size, output_size=size)
    np.testing.assert_array_equal(first(keras.ops.convert_to_numpy(unpooled)), by_torch)

    # The gradient of the pooling is the unpooling, and the gradient of that gathers again.
    back = gradient(lambda x: there.max_pool_with_indices(x, pool_size)[0], x, others)
    (by_autograd,) = torch.autograd.grad(expected, theirs, torch.tensor(first(others)))
    np.testing.assert_array_equal(first(keras.ops.convert_to_numpy(back)), by_autograd)
    received = rng.normal(size=x.shape).astype("float32")
    back = gradient(lambda v: there.max_unpool(v, indices, size, pool_size), others, received)
    gathered = torch.tensor(first(received)).flatten(2).gather(2, places.flatten(2))
    np.testing.assert_array_equal(
        first(keras.ops.convert_to_numpy(back)), gathered.reshape(places.shape)
    )


@pytest.mark.parametrize("wrapped", [True, False])
def test_unpooling_runs_in_a_layer_of_unknown_batch(wrapped):
    """In a layer of one's own, and on Keras's symbolic tensors themselves; trained for a step."""

    class KeepMaxima(keras.layers.Layer):
        def call(self, x):
            values, indices = there.max_pool_with_indices(x)
            return there.max_unpool(values, indices, x.shape[1:3])

    image = keras.Input((5, 6, 1))
    x = keras.layers.Conv2D(2, 3, padding="same")(image)
    kept = KeepMaxima()(x) if wrapped else KeepMaxima.call(None, x)
    model = keras.Model(image, [x, kept])
    images = np.random.default_rng(0).normal(size=(4, 5, 6, 1)).astype("float32")
    pooled, places = F.max_pool2d(torch.tensor(first(model.predict(images, verbose=0)[0])), 2,
                                  return_indices=True)  # fmt: skip
    expected = F.max_unpool2d(pooled, places, 2, output_size=(5, 6))
    kept = first(model.predict(images, verbose=0)[1])
    # The network runs again, in an order of sums of its own choice.
    np.testing.assert_allclose(kept, expected, atol=1e-6)
    trained = keras.Model(image, model.outputs[1])
    trained.compile("sgd", "mse")
    before = trained.get_weights()[0]
    trained.fit(images, np.zeros((4, 5, 6, 2)), verbose=0)
    assert np.abs(trained.get_weights()[0] - before).max() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: there.max_pool_with_indices(x[0]), r"x: got shape \(4, 6, 2\); want \(batch"),
        (lambda x: there.max_pool_with_indices(keras.Input((None, 6, 2))), r"x: got .*, known but"),
        (lambda x: there.max_pool_with_indices(x, 5), "pool_size: got 5; want at most .* 4×6"),
        (lambda x: there.max_pool_with_indices(x, 0), "pool_size: got 0; want an integer"),
        (lambda x: there.max_unpool(x, x[:, :2], 8), "indices: got shape .* as values have"),
        (lambda x: there.max_unpool(x, x, 8), r"size: got \(8, 8\); want one that pool_size 2"),
        (lambda x: there.max_unpool(x, x, (8, 12, 2)), "size: got .* want one integer, or 2"),
        (lambda x: there.max_unpool(x, x, (4, 6), 0.5), "pool_size: got 0.5; want an integer"),
    ],
)
def test_unpooling_refuses_bad_input_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(keras.ops.ones((1, 4, 6, 2)))


def test_at_stride_1_same_is_a_convolution_and_for_even_kernels_one_pixel_off():
    """Claim stride1-equals-conv, in Keras's own layers: flip the kernel, swap its channel axes."""
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (1, 6, 6, 2)).astype("float32")
    for k in range(1, 6):
        kernel = rng.integers(-4, 5, (k, k, 3, 2)).astype("float32")
        transposed = keras.layers.Conv2DTranspose(3, k, padding="same", use_bias=False)
        convolution = keras.layers.Conv2D(3, k, padding="same", use_bias=False)
        for layer in (transposed, convolution):
            layer.build(x.shape)
        transposed.set_weights([kernel])
        convolution.set_weights([np.flip(kernel, (0, 1)).swapaxes(2, 3)])
        a, b = (keras.ops.convert_to_numpy(layer(x)) for layer in (transposed, convolution))
        if k % 2:
            np.testing.assert_allclose(a, b, atol=1e-4)
        else:
            # Both crop one side more than the other, and not the same side.
            np.testing.assert_allclose(a[:, 1:, 1:], b[:, :-1, :-1], atol=1e-4)
            assert np.abs(a - b).max() > 1


def test_same_at_stride_1_is_a_convolution_of_the_definition_too():
    geometry = there.geometry_of(4, padding="same")
    x, weight = np.arange(6.0).reshape(1, 1, 6), np.array([[[1.0, 2.0, 3.0, 4.0]]])
    y = conv(x, np.flip(weight, 2), Geometry(4, padding=((2, 1),)))
    equals_definition(y, geometry, x, weight)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Geometry(3, groups=2), "groups: got 2; want 1: Keras"),
        (Geometry(3, stride=2, dilation=2), "dilation: got .* Keras does not take both"),
        (Geometry(3, dilation=2, output_padding=1), "output_padding: got 1; want it smaller"),
    ],
)
def test_what_keras_cannot_say_is_refused_by_name(geometry, message):
    with pytest.raises(ValueError, match=message):
        there.write(geometry, np.ones((2, 2, 3)))


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match="layer: got Conv1D; want a keras"):
        there.read(keras.layers.Conv1D(1, 3))
    with pytest.raises(ValueError, match="want one that has been built"):
        there.read(keras.layers.Conv1DTranspose(1, 3))
    with pytest.raises(ValueError, match="padding: got 'full'"):
        there.geometry_of(3, padding="full")
    with pytest.raises(ValueError, match="weight: got shape"):
        there.write(Geometry(3), np.ones((1, 1, 4)))
