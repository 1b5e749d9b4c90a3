"""upconv.frameworks.torch against torch.nn.ConvTranspose{1,2,3}d."""

from itertools import product

import numpy as np
import pytest
import torch
from framework_cases import cases, equals_definition, few, geometries
from hypothesis import assume, given
from upconv import Geometry
from upconv.frameworks import torch as there


def run(layer, x):
    with torch.no_grad():
        return layer(torch.from_numpy(x)).numpy()


@few
@given(cases())
def test_a_written_layer_computes_the_definition(case):
    geometry, x, weight, bias = case
    equals_definition(run(there.write(geometry, weight, bias), x), geometry, x, weight, bias)


def test_a_written_layer_computes_the_definition_on_all_small_settings():
    """The bias shows zeros that were put on after it, where output_padding was wanted."""
    x, bias = np.arange(1, 5, dtype="float32").reshape(1, 1, 4), np.array([9], dtype="float32")
    for k, s, before, after in product((1, 2, 3), (1, 2, 3), range(4), range(4)):
        for a in range(s):
            geometry = Geometry(k, s, ((before, after),), 1, a)
            weight = np.arange(1, k + 1, dtype="float32").reshape(1, 1, k)
            if 3 * s + k - before - after + a > 0:
                layer = there.write(geometry, weight, bias)
                equals_definition(run(layer, x), geometry, x, weight, bias)


@few
@given(cases())
def test_a_layer_of_torch_is_read_as_what_it_computes(case):
    geometry, x, weight, bias = case
    padding = tuple(before for before, _ in geometry.padding)
    layer = getattr(torch.nn, f"ConvTranspose{geometry.axes}d")(
        len(weight),
        weight.shape[1] * geometry.groups,
        geometry.kernel,
        geometry.stride,
        padding,
        geometry.output_padding,
        geometry.groups,
        bias is not None,
        geometry.dilation,
    )
    geometry, weight, bias = there.read(layer)
    try:
        geometry.transposed_shape(x.shape[2:])
    except ValueError:
        assume(False)
    assert geometry.padding == tuple((p, p) for p in padding)
    equals_definition(run(layer, x), geometry, x, weight, bias)


@few
@given(geometries())
def test_what_torch_can_say_is_read_back_word_for_word(geometry):
    words = there.words(geometry)
    if "crop" not in words:
        words["kernel_size"] = geometry.kernel
        assert there.words(there.geometry_of(**words)) == there.words(geometry)


def test_writing_draws_no_random_numbers():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    there.write(Geometry(3), np.ones((1, 1, 3)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_written_layer_keeps_the_dtype():
    assert there.write(Geometry(3), np.ones((1, 1, 3))).weight.dtype == torch.float64


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match="layer: got Conv2d; want a torch.nn.ConvTranspose"):
        there.read(torch.nn.Conv2d(1, 1, 3))
    with pytest.raises(ValueError, match=r"weight: got shape \(1, 1, 4\)"):
        there.write(Geometry(3), np.ones((1, 1, 4)))
    with pytest.raises(ValueError, match=r"bias: got shape \(2,\); want \(1,\)"):
        there.write(Geometry(3), np.ones((1, 1, 3)), np.ones(2))
