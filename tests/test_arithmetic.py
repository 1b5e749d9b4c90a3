"""What `arithmetic` says of a form is what that form does: its own operations are counted."""

from math import prod

import numpy as np
import pytest
import torch
from geometries import transposed_cases
from hypothesis import given
from upconv import Geometry, arithmetic, definition, forms

FORMS = ("scatter", "matrix", "zero_insertion", "columns", "polyphase", "shuffle")


def observed(monkeypatch, form, x, weight, geometry):
    """(multiplications, values stored), seen at the calls in which the form multiplies."""
    multiplications, stored = [], [0]

    def counted_conv(convolve):
        def call(x, weight, *arguments, **settings):
            y = convolve(x, weight, *arguments, **settings)
            multiplications.append(y.numel() * weight[0].numel())
            stored.append(y.numel() if form == "shuffle" else x.numel())
            return y

        return call

    def counted_products(x, weight, groups):
        y = products(x, weight, groups)
        multiplications.append(y.numel() * len(weight) // groups)
        stored.append(y.numel())
        return y

    def counted_mm(matrix, x):
        multiplications.append(matrix._nnz() * x.shape[1])
        stored.append(matrix._nnz())
        return mm(matrix, x)

    products, mm = forms._products, torch.sparse.mm
    with monkeypatch.context() as patch:
        patch.setattr(forms, "_CONV", {n: counted_conv(conv) for n, conv in forms._CONV.items()})
        patch.setattr(forms, "_products", counted_products)
        patch.setattr(torch.sparse, "mm", counted_mm)
        forms.FORMS[form](x, weight, geometry)
    return sum(multiplications), max(stored)


@pytest.mark.parametrize("form", FORMS)
def test_arithmetic_is_what_the_form_does(form):
    @given(case=transposed_cases())
    def for_any_geometry(case):
        geometry, x_shape, weight_shape = case
        x, weight = torch.ones(x_shape), torch.ones(weight_shape)
        counts = arithmetic(form, x_shape, weight_shape, geometry)
        with pytest.MonkeyPatch.context() as monkeypatch:
            multiplications, stored = observed(monkeypatch, form, x, weight, geometry)
        assert counts.multiplications == multiplications
        # The package's scatter keeps all its products; as a loop it needs to keep none.
        assert counts.stored == (0 if form == "scatter" else stored)
        # With ones for x and weight each product that counts adds 1 to the output.
        useful = definition.conv_transpose(x.numpy(), weight.numpy(), geometry).sum()
        assert counts.multiplications - counts.by_zero - counts.discarded == useful
        # Only a form that makes all products first has some to throw away.
        assert (counts.by_zero if form in ("scatter", "columns") else counts.discarded) == 0

    for_any_geometry()


@given(case=transposed_cases())
def test_the_dense_matrix_has_an_entry_for_each_input_and_output(case):
    geometry, x_shape, weight_shape = case
    counts = arithmetic("dense_matrix", x_shape, weight_shape, geometry)
    out_channels = weight_shape[1] * geometry.groups
    entries = prod(x_shape[1:]) * out_channels * prod(geometry.transposed_shape(x_shape[2:]))
    assert counts.stored == entries
    assert counts.multiplications == entries * x_shape[0]
    sparse = arithmetic("matrix", x_shape, weight_shape, geometry)
    assert counts.multiplications - counts.by_zero == sparse.multiplications


@pytest.mark.parametrize(("stride", "axes"), [(2, 1), (2, 2), (2, 3), (3, 2), (8, 1)])
def test_inserted_zeros_take_all_but_one_in_stride_to_the_axes(stride, axes):
    geometry = Geometry((stride,) * axes, stride)
    counts = [
        arithmetic("zero_insertion", (1, 1, *[i] * axes), (1, 1, *geometry.kernel), geometry)
        for i in (2, 5)
    ]
    for count in counts:  # kernel as long as the stride: exact at every size
        np.testing.assert_allclose(count.by_zero / count.multiplications, 1 - stride**-axes)


def test_bad_input_is_refused_by_name():
    shapes = (1, 1, 2, 2), (1, 1, 3, 3)
    with pytest.raises(ValueError, match="form: got 'native'; want scatter, matrix"):
        arithmetic("native", *shapes, Geometry((3, 3)))
    with pytest.raises(ValueError, match="weight_shape: got shape"):
        arithmetic("scatter", *shapes, Geometry((2, 3)))
