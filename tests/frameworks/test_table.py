"""upconv.frameworks.table: what it prints is run, in the frameworks that it names."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from framework_cases import cases, equals_definition, few, first, jax, keras, last, onnx, tf
from hypothesis import given, settings
from test_onnx import run as run_onnx
from upconv import Geometry, frameworks
from upconv.frameworks import Row, same_table, table
from upconv.frameworks.shared import channels_last, from_channels_last

NAMES = ["PyTorch", "Keras", "TensorFlow", "JAX", "ONNX"]


def run(row: Row, x, weight, groups):
    """Run the row's code on the weight, and give the result channels first."""
    names = {"torch": torch, "keras": keras, "tf": tf, "jax": jax, "onnx": onnx}
    if row.framework == "PyTorch":
        layer = eval(row.code, names)
        convolution = layer[0] if isinstance(layer, torch.nn.Sequential) else layer
        with torch.no_grad():
            convolution.weight.copy_(torch.from_numpy(weight))
            convolution.bias.zero_()
            return layer(torch.from_numpy(x)).numpy()
    if row.framework == "Keras":
        layer = eval(row.code, names)
        layer.build((None, *last(x).shape[1:]))
        kernel, bias = layer.get_weights()
        layer.set_weights([channels_last(weight), 0 * bias])
        return keras.ops.convert_to_numpy(layer(last(x)))
    if row.framework == "TensorFlow":
        function = tf.function(
            lambda x, kernel: eval(row.code, names | {"x": x, "kernel": kernel}),
            jit_compile="jit_compile" in row.note,
        )
        return function(last(x), channels_last(weight)).numpy()
    if row.framework == "JAX":
        kernel = frameworks.jax.kernel_of(weight, groups)
        return np.asarray(eval(row.code, names | {"x": last(x), "kernel": kernel}))
    node = eval(row.code, names)
    model = frameworks.onnx.write(Geometry(weight.shape[2:], groups=groups), weight)
    model.graph.node.pop()
    model.graph.node.append(node)
    return run_onnx(model, x)


@settings(few, max_examples=40)
@given(cases() | cases(groups=False, both=False))
def test_every_row_is_code_that_computes_the_definition(case):
    geometry, x, weight, _ = case
    x = x[:1]
    channels = (len(weight), weight.shape[1] * geometry.groups)
    rows = table(geometry, x.shape[2:], channels)
    assert [row.framework for row in rows] == NAMES
    for row in rows:
        if not row.code:
            assert row.output_shape is None
            assert "want" in row.note
            continue
        y = run(row, x, weight, geometry.groups)
        assert y.shape == row.output_shape
        is_first = row.framework in ("PyTorch", "ONNX")
        equals_definition(y if is_first else first(y), geometry, x, weight)


def test_a_row_without_words_says_why():
    rows = table(Geometry((3, 3), groups=2), 14, (2, 2))
    assert [row.framework for row in rows if not row.code] == ["Keras", "TensorFlow"]
    assert (
        rows[1].note == "groups: got 2; want 1: Keras has no groups in its transposed convolution"
    )


@pytest.mark.parametrize("kernel", range(1, 7))
@pytest.mark.parametrize("stride", range(1, 5))
def test_same_gives_stride_times_the_input_but_where_it_does_not(kernel, stride):
    rows = same_table(kernel, stride, input_size=5)
    short = stride > kernel
    for row in rows:
        assert row.output_size == 5 * stride - (row.framework == "ONNX") * short * (stride - kernel)
        assert row.before + row.after == kernel - stride + (row.framework == "ONNX") * short * (
            stride - kernel
        )
    # Keras, TensorFlow and JAX agree, and ONNX's SAME_UPPER wherever it reaches the size.
    assert len({row[2:] for row in rows[: 3 if short else 4]}) == 1


def test_no_framework_is_imported_by_the_tables():
    code = (
        "import sys; from upconv.frameworks import table, same_table; from upconv import Geometry\n"
        "table(Geometry(3, 2), 5, (1, 1)); same_table(3, 2, 5)\n"
        "print([m for m in ('torch', 'keras', 'tensorflow', 'jax', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@few
@given(cases(groups=False, both=False))
def test_a_keras_layer_is_a_torch_module_is_an_onnx_model(case):
    geometry, x, weight, bias = case
    try:
        layer = frameworks.keras.write(geometry, weight, bias)
    except ValueError:
        return
    if isinstance(layer, keras.Sequential):
        layer = layer.layers[0]
        geometry, _, _ = frameworks.keras.read(layer)
    module = frameworks.torch.write(*frameworks.keras.read(layer))
    with torch.no_grad():
        equals_definition(module(torch.from_numpy(x)).numpy(), geometry, x, weight, bias)
    model = frameworks.onnx.write(*frameworks.keras.read(layer))
    equals_definition(run_onnx(model, x), geometry, x, weight, bias)


def test_channels_last_is_undone():
    weight = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(from_channels_last(channels_last(weight)), weight)
