"""The same layers in other frameworks, as a user writes them there, ready to be timed.

Transposed convolutions are those of :mod:`upconv.frameworks`; nearest upsampling and a convolution
are the framework's own two operations. Everything computes on the CPU, in the dtype of the weight
and on a given number of threads. A framework is imported when it is first asked to compute. Taught
in "What it costs".
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from upconv import frameworks
from upconv.frameworks.shared import channels_last, check_arrays, from_channels_last
from upconv.geometry import Geometry

__all__ = ["PEERS", "Prepared", "is_installed", "prepare"]

PEERS = {
    "ONNX Runtime": ("onnx", "onnxruntime"),
    "OpenVINO": ("onnx", "openvino"),
    "JAX": ("jax",),
    "TensorFlow": ("tensorflow",),
}
"""The frameworks, and the modules that each of them needs."""


class Prepared(NamedTuple):
    """A layer that is ready to run.

    ``call`` runs it once and returns when the result is there; ``values`` makes NumPy arrays of
    that result, in torch's layouts: the output, or in training the gradients of input and weight.
    """

    call: Callable[[], object]
    values: Callable[[object], tuple[np.ndarray, ...]]


def is_installed(peer: str) -> bool:
    """Whether the modules that a peer needs are there.

    Args:
        peer: a key of `PEERS`.

    Raises:
        ValueError: for another name.

    Example:
        >>> is_installed("ONNX Runtime")
        True
    """
    _check(peer)
    return all(importlib.util.find_spec(module) for module in PEERS[peer])


def prepare(
    peer: str,
    x: np.ndarray,
    weight: np.ndarray,
    geometry: Geometry,
    *,
    scale: tuple[int, ...] | None = None,
    gradient: np.ndarray | None = None,
    threads: int = 1,
) -> Prepared:
    """A transposed convolution, or nearest upsampling and a convolution, in another framework.

    Args:
        peer: a key of `PEERS`.
        x: (batch, channels, *size).
        weight: without scale (channels, out_channels // groups, *kernel), as of a transposed
            convolution; with it (out_channels, channels // groups, *kernel).
        geometry: of the transposed convolution, or of the convolution after the upsampling.
        scale: by how much is upsampled, per axis; None for a transposed convolution.
        gradient: of the output; with it the call computes the gradients of x and weight.
        threads: how many the framework computes on.

    Raises:
        ValueError: for a peer that has no words for this, or that computes in this process
            already, on another number of threads.

    Source:
        The layers are those of :mod:`upconv.frameworks`. Taught in "What it costs".

    Example:
        >>> x, weight = np.ones((1, 1, 2), "float32"), np.ones((1, 1, 2), "float32")
        >>> call, values = prepare("ONNX Runtime", x, weight, Geometry(2, stride=2))
        >>> values(call())
        (array([[[1., 1., 1., 1.]]], dtype=float32),)
    """
    _check(peer)
    if scale is None:
        check_arrays(weight, None, geometry)
    if peer in ("ONNX Runtime", "OpenVINO"):
        if gradient is not None:
            raise ValueError(f"peer: got {peer}, which only runs forward; want JAX or TensorFlow")
        model = _onnx_model(x, weight, geometry, scale)
        run = _onnxruntime if peer == "ONNX Runtime" else _openvino
        return Prepared(run(model, x, threads), lambda result: (np.array(result),))
    arrays = [_last(x), None if gradient is None else _last(gradient)]
    run = _jax if peer == "JAX" else _tensorflow
    return run(*arrays, weight, geometry, scale, threads)


def _check(peer: str) -> None:
    if peer not in PEERS:
        raise ValueError(f"peer: got {peer!r}; want one of {', '.join(PEERS)}")


def _last(x: np.ndarray) -> np.ndarray:
    """(batch, channels, *size) with the channels last."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def _onnx_model(x, weight, geometry, scale):
    """The model with x's shape written into it, as exporters do."""
    import onnx

    if scale is None:
        model = frameworks.onnx.write(geometry, weight)
    else:
        befores, afters = zip(*geometry.padding, strict=True)
        nodes = [
            onnx.helper.make_node(
                "Resize",
                ["x", "", "scales"],
                ["upsampled"],
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            onnx.helper.make_node(
                "Conv",
                ["upsampled", "weight"],
                ["y"],
                pads=[*befores, *afters],
                group=geometry.groups,
            ),
        ]
        dtype = onnx.helper.np_dtype_to_tensor_dtype(weight.dtype)
        shapes = {"x": x.shape, "y": [None] * x.ndim}
        scales = np.array([1, 1, *scale], np.float32)
        graph = onnx.helper.make_graph(
            nodes,
            "nearest upsampling and a convolution",
            *([onnx.helper.make_tensor_value_info(n, dtype, s)] for n, s in shapes.items()),
            [
                onnx.numpy_helper.from_array(array, name)
                for name, array in (("scales", scales), ("weight", np.ascontiguousarray(weight)))
            ],
        )
        opset = [onnx.helper.make_opsetid("", 17)]
        model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, x.shape, strict=True):
        dim.dim_value = size
    return model


def _onnxruntime(model, x, threads) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"x": x})[0]


def _openvino(model, x, threads) -> Callable[[], object]:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # where the CPU has bfloat16, it would take that
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", settings)
    return lambda: compiled(x)[0]


def _jax(x, gradient, weight, geometry, scale, threads) -> Prepared:
    jax = _started_jax(threads)
    if scale is None:
        if gradient is not None and geometry.groups > 1:
            raise ValueError(f"geometry: got {geometry.groups} groups; want 1 to train in JAX")
        name = "conv_general_dilated" if geometry.groups > 1 else "conv_transpose"
        kernel = frameworks.jax.kernel_of(weight, geometry.groups)
        words = frameworks.jax.words(geometry)

        def layer(x, kernel):
            return getattr(jax.lax, name)(x, kernel, **words)
    else:
        kernel, letters = channels_last(weight), "DHW"[3 - geometry.axes :]
        numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
        size = [i * s for i, s in zip(x.shape[1:-1], scale, strict=True)]

        def layer(x, kernel):
            x = jax.image.resize(x, (x.shape[0], *size, x.shape[-1]), "nearest")
            return jax.lax.conv_general_dilated(
                x,
                kernel,
                (1,) * geometry.axes,
                geometry.padding,
                dimension_numbers=numbers,
                feature_group_count=geometry.groups,
            )

    cpu = jax.devices("cpu")[0]
    x, kernel, gradient = (jax.device_put(array, cpu) for array in (x, kernel, gradient))
    if gradient is None:  # the kernel is a constant, which XLA may prepare once
        forward = jax.jit(lambda x: layer(x, kernel))
        return Prepared(lambda: forward(x).block_until_ready(), _first)
    both = jax.jit(lambda x, kernel, gradient: jax.vjp(layer, x, kernel)[1](gradient))
    return Prepared(lambda: jax.block_until_ready(both(x, kernel, gradient)), _firsts)


def _started_jax(threads: int):
    """JAX with its CPU client on so many threads, which only an environment variable can say."""
    started = _THREADS.get("JAX", None if "jax" in sys.modules else threads)
    if started != threads:
        raise ValueError(f"threads: got {threads}; JAX runs in this process already, on others")
    before = {name: os.environ.get(name) for name in ("NPROC", "JAX_PLATFORMS")}
    os.environ.update(NPROC=str(threads), JAX_PLATFORMS="cpu")
    try:
        import jax

        jax.devices("cpu")
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    _THREADS["JAX"] = threads
    return jax


_THREADS: dict[str, int] = {}


def _tensorflow(x, gradient, weight, geometry, scale, threads) -> Prepared:
    tf = _started_tensorflow(threads)
    kernel = tf.constant(channels_last(weight))
    if scale is None:
        words = frameworks.tensorflow.words(geometry, x.shape[1:-1])
        size, crop = words.pop("output_size"), words.pop("crop", None)
        transpose = getattr(tf.nn, f"conv{geometry.axes}d_transpose")

        def layer(x, kernel):
            y = transpose(x, kernel, [x.shape[0], *size, weight.shape[1]], **words)
            if crop is None:
                return y
            return y[:, *(slice(b, n - a) for n, (b, a) in zip(size, crop, strict=True))]
    else:
        if geometry.axes != 2:
            raise ValueError(f"geometry: got {geometry.axes} axes; tf.image.resize wants 2")
        size = [i * s for i, s in zip(x.shape[1:-1], scale, strict=True)]
        padding = [[0, 0], *map(list, geometry.padding), [0, 0]]

        def layer(x, kernel):
            x = tf.image.resize(x, size, method="nearest")
            return tf.nn.conv2d(x, kernel, strides=1, padding=padding)

    # TensorFlow's own CPU kernels refuse a dilated transposed convolution; XLA has one.
    function = tf.function(jit_compile=max(geometry.dilation) > 1 or None)
    x = tf.constant(x)
    if gradient is None:
        forward = function(lambda x: layer(x, kernel)).get_concrete_function(x)
        return Prepared(lambda: forward(x), _first)

    def both(x, kernel, gradient):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = layer(x, kernel)
        return tape.gradient(y, (x, kernel), gradient)

    arrays = x, kernel, tf.constant(gradient)
    gradients = function(both).get_concrete_function(*arrays)
    return Prepared(lambda: gradients(*arrays), _firsts)


def _started_tensorflow(threads: int):
    """TensorFlow on so many threads; it says nothing to the terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError:
        raise ValueError(
            f"threads: got {threads}; TensorFlow runs in this process already, on others"
        ) from None
    return tf


def _first(y) -> tuple[np.ndarray, ...]:
    """The output, in torch's layout."""
    return (np.moveaxis(np.asarray(y), -1, 1),)


def _firsts(gradients) -> tuple[np.ndarray, ...]:
    """The gradients of input and kernel, in torch's layouts."""
    of_x, of_kernel = gradients
    return *_first(of_x), from_channels_last(of_kernel)
