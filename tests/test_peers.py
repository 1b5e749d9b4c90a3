"""Every peer computes what torch computes, values and gradients, in a process of its own.

How many threads a framework takes is decided once for a process, and other tests start them too.
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from upconv import Geometry, native, peers

LAYERS = {
    "k4 s2": Geometry((4, 4), 2, 1),
    "cropped at the end": Geometry((3, 3), 2, ((0, 1), (0, 1))),
    "cropped unevenly": Geometry((3, 3), 2, ((1, 0), (2, 0))),
    "dilated": Geometry((3, 3), 2, 1, dilation=2),
    "grouped": Geometry((4, 4), 2, 1, groups=2),
    "one axis": Geometry((3,), 2, 1, output_padding=1),
}
PAIRS = {
    "nearest 2, 3×3": (Geometry((3, 3), padding=1), (2, 2)),
    "nearest 3 and 2": (Geometry((3, 3), padding=(1, 0)), (3, 2)),
    "nearest on one axis": (Geometry((3,), padding=1), (2,)),
}
INSTALLED = ("ONNX Runtime", "JAX", "TensorFlow")
REFUSED = {
    ("JAX", "grouped", True): "geometry: got 2 groups; want 1 to train in JAX",
    ("TensorFlow", "grouped", False): "groups: got 2; want 1",
    ("TensorFlow", "grouped", True): "groups: got 2; want 1",
    ("TensorFlow", "nearest on one axis", False): "geometry: got 1 axes; tf.image.resize wants 2",
    ("TensorFlow", "nearest on one axis", True): "geometry: got 1 axes; tf.image.resize wants 2",
}


def tensors(name):
    """Input, weight, geometry, scale and the gradient of the output."""
    rng = np.random.default_rng(0)
    geometry, scale = PAIRS.get(name) or (LAYERS[name], None)
    x = rng.normal(size=(2, 4, *(5, 6)[: geometry.axes])).astype("float32")
    shape = (6, 4) if scale else (4, 6 // geometry.groups)
    weight = rng.normal(size=(*shape, *geometry.kernel)).astype("float32")
    y = torch_layer(torch.tensor(x), torch.tensor(weight), geometry, scale)
    return x, weight, geometry, scale, rng.normal(size=tuple(y.shape)).astype("float32")


def torch_layer(x, weight, geometry, scale):
    if scale is None:
        return native(x, weight, geometry)
    conv = getattr(F, f"conv{geometry.axes}d")
    upsampled = F.interpolate(x, scale_factor=scale)
    return conv(upsampled, weight, padding=[before for before, _ in geometry.padding])


def computed():
    """Of every peer, layer and direction: the values, or what it says against them."""
    found = {}
    for name in [*LAYERS, *PAIRS]:
        x, weight, geometry, scale, gradient = tensors(name)
        for peer in INSTALLED:
            for training in (False, True):
                settings = {"scale": scale, "gradient": gradient if training else None}
                try:
                    call, values = peers.prepare(peer, x, weight, geometry, **settings, threads=1)
                    found[peer, name, training] = values(call())
                except ValueError as error:
                    found[peer, name, training] = str(error)
    late = []
    for peer in ("JAX", "TensorFlow"):
        try:
            peers.prepare(peer, x, weight, geometry, scale=scale, threads=2)
        except ValueError as error:
            late.append(str(error))
    return found, late


@pytest.fixture(scope="module")
def answers():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(computed).result()


@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
@pytest.mark.parametrize("name", [*LAYERS, *PAIRS])
@pytest.mark.parametrize("peer", INSTALLED)
def test_a_peer_computes_what_torch_does(answers, peer, name, training):
    got = answers[0][peer, name, training]
    refused = REFUSED.get((peer, name, training))
    if peer == "ONNX Runtime" and training:
        refused = "peer: got ONNX Runtime, which only runs forward; want JAX or TensorFlow"
    if refused:
        assert got.startswith(refused)
        return
    x, weight, geometry, scale, gradient = tensors(name)
    x, weight = torch.tensor(x, requires_grad=True), torch.tensor(weight, requires_grad=True)
    y = torch_layer(x, weight, geometry, scale)
    want = torch.autograd.grad(y, (x, weight), torch.tensor(gradient)) if training else (y,)
    for one, other in zip(got, want, strict=True):
        # Sums of up to 2·15·12 products, about 1 each, in float32.
        np.testing.assert_allclose(one, other.detach(), atol=1e-4)


def test_another_number_of_threads_comes_too_late(answers):
    for name, message in zip(("JAX", "TensorFlow"), answers[1], strict=True):
        assert message == f"threads: got 2; {name} runs in this process already, on others"


@pytest.mark.parametrize("module", ["onnx", "onnxruntime"])
def test_a_module_that_is_missing_is_noticed(monkeypatch, module):
    assert peers.is_installed("ONNX Runtime")
    monkeypatch.setitem(sys.modules, module, None)
    assert not peers.is_installed("ONNX Runtime")


def test_an_unknown_peer_is_refused():
    x = np.ones((1, 1, 2), "float32")
    for call in (peers.is_installed, lambda peer: peers.prepare(peer, x, x, Geometry(2))):
        with pytest.raises(ValueError, match="peer: got 'Theano'; want one of ONNX Runtime, Open"):
            call("Theano")


def test_a_weight_that_does_not_fit_is_refused():
    x = np.ones((1, 1, 2), "float32")
    with pytest.raises(ValueError, match="weight: got"):
        peers.prepare("ONNX Runtime", x, x, Geometry(3))
