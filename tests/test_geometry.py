"""Sizes: the closed forms against counting, and every refusal by name."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from geometries import conv_cases
from hypothesis import given
from hypothesis import strategies as st
from upconv import Geometry, solve

sizes = st.integers(1, 40)


@given(conv_cases())
def test_output_shape_counts_the_positions_of_the_window(case):
    geometry, x_shape, _ = case
    for i, s, (before, after), reach, o in zip(
        x_shape[2:],
        geometry.stride,
        geometry.padding,
        geometry.reach,
        geometry.output_shape(x_shape[2:]),
        strict=True,
    ):
        starts = [q for q in range(0, i + before + after, s) if q + reach <= i + before + after]
        assert o == len(starts)


@given(conv_cases())
def test_the_adjoint_gives_the_input_size_back(case):
    geometry, x_shape, _ = case
    size = x_shape[2:]
    assert geometry.adjoint_to(size).transposed_shape(geometry.output_shape(size)) == size


@given(conv_cases(), st.integers(0, 4))
def test_no_other_output_padding_gives_it_back(case, a):
    geometry, x_shape, _ = case
    size = x_shape[2:]
    right = geometry.adjoint_to(size).output_padding
    other = tuple(
        min(a, max(s, d) - 1) for s, d in zip(geometry.stride, geometry.dilation, strict=True)
    )
    try:
        back = replace(geometry, output_padding=other).transposed_shape(geometry.output_shape(size))
    except ValueError:  # without its output_padding, nothing at all may be left
        back = None
    assert (back == size) == (other == right)


@given(conv_cases())
def test_ambiguous_inputs_are_exactly_those_with_this_output_size(case):
    geometry, x_shape, _ = case
    output_shape = geometry.output_shape(x_shape[2:])
    for axis, ambiguous in enumerate(geometry.ambiguous_inputs(output_shape)):
        same = []
        for i in range(1, 60):
            size = list(x_shape[2:])
            size[axis] = i
            try:
                if geometry.output_shape(size) == output_shape:
                    same.append(i)
            except ValueError:
                continue
        assert list(ambiguous) == same


def test_output_size_that_no_input_has_is_refused():
    with pytest.raises(ValueError, match="output_shape: got 1 along an axis; want at least 3"):
        Geometry(kernel=1, padding=1).ambiguous_inputs(1)
    # An input of 1 does not fit the second axis: no reason to speak of it.
    with pytest.raises(ValueError, match="output_shape: got 1 along an axis; want at least 2"):
        Geometry(kernel=(1, 3), stride=2, padding=((1, 1), 0)).ambiguous_inputs((1, 1))


@pytest.mark.parametrize("transposed", [True, False])
@given(in_size=st.integers(1, 20), out_size=st.integers(1, 20))
def test_solve_finds_all_settings_and_only_those(transposed, in_size, out_size):
    found = solve(in_size, out_size, transposed=transposed, max_kernel=3, max_stride=3,
                  max_padding=1, max_dilation=2)  # fmt: skip
    expected = []
    for kernel, stride, padding, dilation in np.ndindex(3, 3, 2, 2):
        for output_padding in range(3 if transposed else 1):
            if kernel == 0 and dilation:
                continue
            settings = (kernel + 1, stride + 1, padding, dilation + 1)
            size = (
                (in_size - 1) * settings[1] + settings[3] * kernel + 1 - 2 * padding
                + output_padding
                if transposed
                else (in_size + 2 * padding - settings[3] * kernel - 1) // settings[1] + 1
            )  # fmt: skip
            if output_padding < max(settings[1], settings[3]) and size == out_size:
                expected.append(Geometry(*settings, output_padding))
    assert found == expected


def test_solve_on_two_axes_wants_both():
    assert all(
        geometry.transposed_shape((14, 7)) == (28, 14) for geometry in solve((14, 7), (28, 14))
    )
    assert solve((14, 7), (28, 14))
    assert solve((14, 7), (28, 99)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1, 2, 3, 4),), r"kernel: got \(1, 2, 3, 4\); want 1 to 3 axes"),
        (((),), r"kernel: got \(\); want 1 to 3 axes"),
        (((3, 3), (1, 1, 1)), r"stride: got \(1, 1, 1\); want one integer, or 2, one per axis"),
        ((3, ()), r"stride: got \(\); want 1 to 3 axes"),
        ((0,), "kernel: got 0; want an integer of at least 1"),
        ((2.5,), "kernel: got 2.5; want an integer"),
        ((float("nan"),), "kernel: got nan; want an integer"),
        (("3",), "kernel: got '3'; want an integer"),
        (((3, None),), "kernel: got None; want an integer"),
        ((True,), "kernel: got True; want an integer"),
        ((np.array(True),), r"kernel: got array\(True\); want an integer"),
        ((torch.tensor([True]),), r"kernel: got tensor\(True\); want an integer"),
        ((torch.tensor([[3]]),), r"kernel: got tensor\(\[3\]\); want an integer"),
        ((np.array(3.0),), r"kernel: got array\(3\.\); want an integer"),
        ((b"\x03",), r"kernel: got b'\\x03'; want an integer"),
        (({3, 5},), r"kernel: got \{3, 5\}; want an integer"),
        (({3: 5},), r"kernel: got \{3: 5\}; want an integer"),
        ((iter((3, 3)),), r"kernel: got <tuple_iterator .*>; want an integer"),
        (((3, 3), 1, {1, 2}), r"padding: got \{1, 2\}; want an integer"),
        (((3, 3), 1, (1,)), r"padding: got \(1,\); want one integer, or one entry per axis \(2\)"),
        ((3, 0), "stride: got 0"),
        ((3, 1, -1), "padding: got -1"),
        ((3, 1, ((1,),)), r"padding: got \(1,\) for one axis"),
        ((3, 1, 0, 0), "dilation: got 0"),
        ((3, 2, 0, 1, 2), "output_padding: got 2 with stride 2 and dilation 1"),
        ((3, 2, 0, 1, -1), "output_padding: got -1"),
        ((3, 1, 0, 1, 0, 0), "groups: got 0"),
        ((3, 1, 0, 1, 0, 1.0), "groups: got 1.0"),
    ],
)
def test_bad_settings_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        Geometry(*arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Geometry(3).output_shape(2), "input_shape: got 2 along an axis; want at least 3"),
        (lambda: Geometry(3).output_shape((5, 5)), r"input_shape: got \(5, 5\); want one integer"),
        (lambda: Geometry(3).output_shape(5.5), "input_shape: got 5.5"),
        (lambda: Geometry(3).transposed_shape(0), "input_shape: got 0"),
        (lambda: Geometry(1, padding=1).transposed_shape(2), r"padding: got \(1, 1\) along an"),
        (lambda: Geometry(3).ambiguous_inputs("4"), "output_shape: got '4'"),
        (lambda: Geometry(3).adjoint_to(1), "input_shape: got 1"),
        (lambda: solve(14.0, 28), "in_size: got 14.0"),
        (lambda: solve((), ()), r"in_size: got \(\); want 1 to 3 axes"),
        (lambda: solve((14, 14), (28,)), r"out_size: got \(28,\); want one integer, or 2"),
        (lambda: solve(14, 28, max_kernel=0), "max_kernel: got 0"),
    ],
)
def test_bad_sizes_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("number", [np.int64(3), np.array(3), torch.tensor(3)])
def test_numpys_and_torchs_integers_are_integers(number):
    geometry = Geometry(number, np.array([2]), (number,))
    assert geometry == Geometry(3, 2, 3)
    assert {type(p) for pair in geometry.padding for p in pair} == {int}
    assert geometry.transposed_shape(number) == (1,)


def test_copies_of_a_geometry_are_equal_and_hash_alike():
    geometry = Geometry((3, 2), 2, ((1, 0), 1), 1, 1, 2)
    for copied in (
        replace(geometry),
        copy.deepcopy(geometry),
        pickle.loads(pickle.dumps(geometry)),
    ):
        assert copied == geometry
        assert hash(copied) == hash(geometry)
