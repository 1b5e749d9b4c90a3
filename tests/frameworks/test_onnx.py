"""upconv.frameworks.onnx against ONNX Runtime, and the reference evaluator where that is right."""

from itertools import product

import numpy as np
import pytest
from framework_cases import (
    Lazy,
    cases,
    equals_definition,
    few,
    longer_than_stride_allows,
    onnx,
    onnxruntime,
)
from hypothesis import given
from upconv import Geometry
from upconv.frameworks import onnx as there

reference = Lazy("onnx.reference")
runtime = Lazy("onnxruntime.capi.onnxruntime_pybind11_state")
CHOICES = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def run(model, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0]


def model_of(weight, **attributes):
    """A one-node model with these attributes, made without the package."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", number, [None] * weight.ndim)],
        [helper.make_tensor_value_info("y", number, [None] * weight.ndim)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@few
@given(cases())
def test_a_written_model_computes_the_definition(case):
    geometry, x, weight, bias = case
    if longer_than_stride_allows(geometry):
        with pytest.raises(ValueError, match="want it smaller than the stride"):
            there.write(geometry, weight, bias)
        return
    model = there.write(geometry, weight, bias)
    equals_definition(run(model, x), geometry, x, weight, bias)
    read, array, read_bias = there.read(model)
    equals_definition(run(model, x), read, x, array, read_bias)
    if geometry.groups == 1:
        # With groups of several channels the reference evaluator of onnx 1.23 is wrong.
        equals_definition(
            reference.ReferenceEvaluator(model).run(None, {"x": x})[0], read, x, weight, bias
        )


def geometry_without_output_shape(attributes, weight):
    return there.geometry_of(weight.shape[2:], **attributes)


def settings_of_one_axis():
    for k, s, d, i in product(range(1, 6), range(1, 4), (1, 2), (2, 3)):
        weight = np.arange(1, k + 1, dtype="float32").reshape(1, 1, k)
        x = np.arange(1, i + 1, dtype="float32").reshape(1, 1, i)
        for a in range(s):
            yield x, weight, {"strides": [s], "dilations": [d], "output_padding": [a]}


@pytest.mark.parametrize("auto_pad", CHOICES)
def test_auto_pad_crops_as_said_on_all_small_settings(auto_pad):
    for x, weight, attributes in settings_of_one_axis():
        model = model_of(weight, auto_pad=auto_pad, **attributes)
        equals_definition(run(model, x), there.read(model)[0], x, weight)


@pytest.mark.parametrize("auto_pad", CHOICES)
def test_output_shape_crops_as_said_on_all_small_settings(auto_pad):
    for x, weight, attributes in settings_of_one_axis():
        for o in range(1, 16):
            model = model_of(weight, auto_pad=auto_pad, output_shape=[o], **attributes)
            whole = geometry_without_output_shape(attributes, weight).transposed_shape(x.shape[2:])
            if o > whole[0] + attributes["strides"][0] - 1 - attributes["output_padding"][0]:
                # More than an output_padding smaller than the stride can add.
                with pytest.raises(runtime.InvalidArgument, match="Expected input size"):
                    run(model, x)
                continue
            geometry, _, _ = there.read(model, input_shape=x.shape[2:])
            equals_definition(run(model, x), geometry, x, weight)


def test_same_is_smaller_than_it_says_where_the_stride_exceeds_the_kernel():
    model = model_of(np.ones((1, 1, 1), "float32"), auto_pad="SAME_UPPER", strides=[2])
    assert run(model, np.ones((1, 1, 3), "float32")).shape == (1, 1, 5)
    assert there.geometry_of([1], [2], auto_pad="SAME_UPPER").transposed_shape(3) == (5,)


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match="auto_pad: got 'SAME'"):
        there.geometry_of([3], auto_pad="SAME")
    with pytest.raises(ValueError, match="pads: got .*; want 4 numbers"):
        there.geometry_of([3, 3], pads=[1, 1])
    with pytest.raises(ValueError, match="input_shape: got None"):
        there.geometry_of([3], output_shape=[5])
    with pytest.raises(ValueError, match="output_padding: got 1; want it smaller than the stride"):
        there.words(Geometry(3, dilation=2, output_padding=1))
    model = model_of(np.ones((1, 1, 1), "float32"))
    model.graph.initializer.pop()
    with pytest.raises(ValueError, match="input 'w' that is computed; want an initializer"):
        there.read(model)
    model.graph.node.pop()
    with pytest.raises(ValueError, match="model: got 0 ConvTranspose nodes"):
        there.read(model)
