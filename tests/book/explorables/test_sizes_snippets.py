"""The code that the explorable "sizes" offers, run as a reader would paste it.

The texts come from the page. Each is executed in the framework that it names; then its layer gets
weights of ours, and must compute what the definition says.
"""

from __future__ import annotations

import os
import re
from functools import cache
from itertools import product

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from upconv import Geometry, definition

# Keras reads a torch tensor by NumPy's old protocol, which warns since NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("kernel", "stride", "padding", "dilation", "output_padding", "input_size", "transposed")
FRAMEWORKS = ("PyTorch", "Keras", "TensorFlow", "JAX", "ONNX")


def legal(k, s, p, d, a, i, transposed):
    """Whether something comes out; a convolution's output_padding follows from the others."""
    reach = d * (k - 1) + 1
    if transposed:
        return a < s and (i - 1) * s + reach - 2 * p + a >= 1
    return i + 2 * p >= reach and a == (i + 2 * p - reach) % s


GRID = [
    dict(zip(NAMES, values, strict=True))
    for values in product(
        (1, 2, 3, 4, 5), (1, 2, 3), (0, 1, 2), (1, 2), (0, 1, 2), (4,), (True, False)
    )
    if legal(*values)
]


@pytest.fixture(scope="module")
def texts(live):
    """For each framework the text that the page shows for each setting of the grid."""
    page = live("sizes").page
    found = page.evaluate(
        """([grid, frameworks]) => {
          const { model, el } = upconv.mounted[0];
          const text = (settings) => {
            model.set(settings);
            return el.querySelector("pre").textContent;
          };
          return frameworks.map((name) => {
            el.querySelector(`input[value=${name}]`).click();
            return grid.map(text);
          });
        }""",
        [GRID, FRAMEWORKS],
    )
    return dict(zip(FRAMEWORKS, found, strict=True))


@cache
def problem(n):
    """Setting n of the grid with an input, a weight and what the definition makes of them.

    The weight is laid out as PyTorch has it; small integers, so that sums are exact.
    """
    settings = dict(GRID[n])
    size, transposed = settings.pop("input_size"), settings.pop("transposed")
    geometry = Geometry(**{name: (value, value) for name, value in settings.items()})
    rng = np.random.default_rng(n)
    channels = (8, 4) if transposed else (4, 8)
    x = rng.integers(-4, 5, (1, 8, size, size)).astype("float32")
    weight = rng.integers(-4, 5, (*channels, *geometry.kernel)).astype("float32")
    compute = definition.conv_transpose if transposed else definition.conv
    return x, weight, compute(x, weight, geometry)


def pasted(text):
    """What a reader has after running the text in a fresh session."""
    names = {}
    exec(compile(text, "<pasted>", "exec"), names)
    return names


def promised(text):
    """The shape of the output that the text states in its comment."""
    return tuple(map(int, re.search(r"(?:  #|y:) \(([\d, ]+)\)(?:\n|$)", text)[1].split(",")))


def last(x):
    """Channels last."""
    return np.moveaxis(x, 1, -1)


def kernel_of(weight):
    """The weight in the layout of Keras, TensorFlow and JAX: the kernel's axes first."""
    return np.moveaxis(weight, (0, 1), (-1, -2))


def by_torch(text, x, weight):
    import torch

    names = pasted(text)
    with torch.no_grad():
        names["layer"].weight.copy_(torch.from_numpy(weight))
        names["layer"].bias.zero_()
        assert tuple(names["y"].shape) == promised(text)
        return names["layer"](torch.from_numpy(x)).numpy()


def by_keras(text, x, weight):
    import keras

    names = pasted(text)
    names["conv"].set_weights([kernel_of(weight), np.zeros(4, "float32")])
    assert tuple(names["y"].shape) == promised(text)
    y = keras.ops.convert_to_numpy(names["layer"](keras.ops.convert_to_tensor(last(x))))
    return np.moveaxis(y, -1, 1)


def by_function(text, x, weight):
    """The call, once as it stands and once with an input and a weight of ours."""
    names = pasted(text)
    assert names["kernel"].shape == kernel_of(weight).shape
    assert tuple(names["y"].shape) == promised(text)
    names |= {"x": last(x), "kernel": kernel_of(weight)}
    exec(text[text.index("y = ") :], names)
    return np.moveaxis(np.asarray(names["y"]), -1, 1)


def by_onnx(text, x, weight):
    import onnx
    import onnxruntime

    node = pasted(text)["layer"]
    number, helper = onnx.TensorProto.FLOAT, onnx.helper
    shapes = dict(re.findall(r"(\w+): \(([\d, ]+)\)", text))
    values = {
        name: helper.make_tensor_value_info(name, number, list(map(int, shape.split(","))))
        for name, shape in shapes.items()
    }
    graph = helper.make_graph([node], "one", [values["x"], values["weight"]], [values["y"]])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x, "weight": weight})[0]


RUN = {
    "PyTorch": by_torch,
    "Keras": by_keras,
    "TensorFlow": by_function,
    "JAX": by_function,
    "ONNX": by_onnx,
}


def refused(settings):
    return settings["stride"] > 1 and settings["dilation"] > 1


def chosen(framework):
    """The settings at which a framework runs: all of them, fewer where each shape is compiled."""
    step = {"TensorFlow": 3, "JAX": 5}.get(framework, 1)
    return range(0, len(GRID), step)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_code_computes_the_layer_that_it_promises(framework, texts):
    for n in chosen(framework):
        text = texts[framework][n]
        if framework == "Keras" and refused(GRID[n]):
            assert text.startswith("# Keras refuses"), GRID[n]
            continue
        x, weight, expected = problem(n)
        y = RUN[framework](text, x, weight)
        assert y.shape == expected.shape, (GRID[n], text)
        # The sums are exact; what is compiled may go by way of a transform.
        np.testing.assert_allclose(y, expected, atol=1e-3, err_msg=f"{GRID[n]}\n{text}")


def test_the_grid_reaches_every_form(texts):
    def shown(framework, transposed, *words):
        return any(
            all(word in texts[framework][n] for word in words)
            for n in chosen(framework)
            if GRID[n]["transposed"] == transposed
        )

    for transposed, second in ((True, "Cropping2D"), (False, "ZeroPadding2D")):
        for words in ([second], ["# Keras refuses"]):
            assert shown("Keras", transposed, *words)
        for dilation in (1, 2):
            assert shown("TensorFlow", transposed, f"dilations={dilation}")
    assert shown("Keras", True, "output_padding=1")
    assert shown("TensorFlow", True, "[0, 0], [0, 0]")
    assert shown("JAX", True, "-1")


@pytest.mark.parametrize("kind", ["Conv2D", "Conv2DTranspose"])
def test_keras_refuses_what_the_code_says_it_refuses(kind):
    import keras

    with pytest.raises(ValueError, match="strides > 1.*dilation_rate > 1"):
        getattr(keras.layers, kind)(4, kernel_size=3, strides=2, dilation_rate=2).build(
            (None, 9, 9, 8)
        )


def test_tensorflow_wants_the_compiler_for_dilation_on_a_cpu():
    import tensorflow as tf

    kernel, x = tf.zeros((3, 3, 4, 8)), tf.zeros((1, 4, 4, 8))
    with pytest.raises(tf.errors.InvalidArgumentError, match="dilation"):
        tf.nn.conv2d_transpose(x, kernel, [1, 8, 8, 4], 1, "VALID", dilations=2)


def test_the_words_of_the_package_compute_the_same_crop(texts):
    """What the page crops in Keras is what upconv.frameworks.keras reads from the same words."""
    from upconv.frameworks import keras as there
    from upconv.frameworks.shared import crops

    for settings, text in zip(GRID, texts["Keras"], strict=True):
        if refused(settings) or not settings["transposed"]:
            continue
        words = dict(re.findall(r"(\w+)=([\w\"]+)", text))
        read = there.geometry_of(
            settings["kernel"],
            settings["stride"],
            words["padding"].strip('"'),
            int(words["output_padding"]),
            settings["dilation"],
        )
        ((before, after),) = crops(read)
        cropped = re.search(r"Cropping2D\(\(\((\d), (\d)\)", text)
        more = map(int, cropped.groups())
        p, a = settings["padding"], settings["output_padding"]
        assert [one + other for one, other in zip((before, after), more, strict=True)] == [p, p - a]
