"""upconv.frameworks.jax against jax.lax.conv_transpose."""

from itertools import product

import numpy as np
import pytest
from framework_cases import cases, equals_definition, few, first, jax, last
from hypothesis import given
from hypothesis import strategies as st
from upconv import Geometry
from upconv.frameworks import jax as there


@few
@given(cases())
def test_a_written_function_computes_the_definition(case):
    geometry, x, weight, bias = case
    y = first(there.write(geometry, weight, bias)(last(x)))
    equals_definition(y, geometry, x, weight, bias)


@few
@given(cases(groups=False), st.booleans(), st.booleans(), st.booleans())
def test_a_call_of_jax_is_read_as_what_it_computes(case, transpose_kernel, consistent, torch_like):
    geometry, x, weight, _ = case
    cut = [
        (before, after - a)
        for (before, after), a in zip(geometry.padding, geometry.output_padding, strict=True)
    ]
    if not consistent:
        cut = [
            (reach - 1 - before, reach - 1 - after)
            for reach, (before, after) in zip(geometry.reach, cut, strict=True)
        ]
    size = "DHW"[3 - geometry.axes :]
    letters = (f"NC{size}", f"OI{size}", f"NC{size}") if torch_like else None
    kernel = weight
    if not transpose_kernel:
        kernel = np.flip(kernel.swapaxes(0, 1), range(2, kernel.ndim))
    if not torch_like:
        # HWIO: inputs before outputs, as JAX calls them.
        kernel = np.moveaxis(kernel, (0, 1), (-1, -2))
    arguments = (geometry.stride, cut, geometry.dilation, letters, transpose_kernel)
    y = jax.lax.conv_transpose(
        x if torch_like else last(x), kernel, *arguments, use_consistent_padding=consistent
    )
    read, array, bias = there.read(kernel, *arguments, consistent)
    assert bias is None
    np.testing.assert_array_equal(array, weight)
    equals_definition(np.asarray(y) if torch_like else first(y), read, x, array)


@pytest.mark.parametrize("word", ["SAME", "VALID"])
def test_the_words_crop_as_said_on_all_small_settings(word):
    for k, s, d, i in product(range(1, 6), range(1, 5), (1, 2), (1, 3)):
        kernel = np.arange(1.0, k + 1, dtype="float32").reshape(k, 1, 1)
        x = np.arange(1.0, i + 1, dtype="float32").reshape(1, i, 1)
        y = jax.lax.conv_transpose(x, kernel, (s,), word, (d,), transpose_kernel=True)
        geometry, weight, _ = there.read(kernel, (s,), word, (d,), None, True)
        equals_definition(first(y), geometry, first(x), weight)
        if word == "SAME":
            assert geometry.transposed_shape(i) == (s * i,)


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match="padding: got 'same'"):
        there.geometry_of((3,), (1,), "same")
    with pytest.raises(ValueError, match="padding: .*want 1 pairs"):
        there.geometry_of((3,), (1,), [(0, 0), (0, 0)])
    with pytest.raises(ValueError, match="dimension_numbers: got 'HWIO' for a kernel of shape"):
        there.read(np.ones((3, 1, 1)), (1,), "SAME", None, ("NHWC", "HWIO", "NHWC"))
    with pytest.raises(ValueError, match="weight: got shape"):
        there.write(Geometry(3), np.ones((1, 1, 4)))
