"""Every form equals the definition and torch, values and gradients, on random geometries."""

import itertools

import numpy as np
import pytest
import torch
from geometries import transposed_cases
from hypothesis import given
from hypothesis import strategies as st
from upconv import Geometry, conv_transpose, definition
from upconv.forms import FORMS

seeds = st.integers(0, 2**32 - 1)
# Sums of at most 3³·2 products of standard normals in float64.
TOLERANCE = 1e-11
TORCH = {
    1: torch.nn.functional.conv_transpose1d,
    2: torch.nn.functional.conv_transpose2d,
    3: torch.nn.functional.conv_transpose3d,
}


def tensors(case, seed):
    geometry, x_shape, weight_shape = case
    rng = np.random.default_rng(seed)
    shapes = (x_shape, weight_shape, (weight_shape[1] * geometry.groups,))
    return [torch.from_numpy(rng.normal(size=shape)).requires_grad_() for shape in shapes]


def torch_reference(x, weight, geometry, bias):
    """Torch's own layer, uncropped, and cropped afterwards: any padding, and no code of ours."""
    full = TORCH[geometry.axes](
        x,
        weight,
        None,
        geometry.stride,
        0,
        geometry.output_padding,
        geometry.groups,
        geometry.dilation,
    )
    cropped = full[
        (
            ...,
            *(slice(b, n - a) for (b, a), n in zip(geometry.padding, full.shape[2:], strict=True)),
        )
    ]
    return cropped + bias.reshape(-1, *[1] * geometry.axes)


@pytest.mark.parametrize("form", FORMS)
@given(case=transposed_cases(), seed=seeds)
def test_form_equals_definition_and_torch_in_values_and_gradients(form, case, seed):
    geometry = case[0]
    x, weight, bias = tensors(case, seed)
    y = FORMS[form](x, weight, geometry, bias)
    expected = definition.conv_transpose(
        x.detach().numpy(), weight.detach().numpy(), geometry, bias.detach().numpy()
    )
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=0, atol=TOLERANCE)
    reference = torch_reference(x, weight, geometry, bias)
    np.testing.assert_allclose(
        y.detach().numpy(), reference.detach().numpy(), rtol=0, atol=TOLERANCE
    )

    cotangent = torch.from_numpy(np.random.default_rng(seed).normal(size=y.shape))
    # A crop that keeps none of the products leaves x and weight out of the graph: gradient zero.
    for ours, theirs in zip(
        torch.autograd.grad(y, (x, weight, bias), cotangent, materialize_grads=True),
        torch.autograd.grad(reference, (x, weight, bias), cotangent),
        strict=True,
    ):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=10 * TOLERANCE)


@pytest.mark.parametrize("form", FORMS)
@given(case=transposed_cases(), seed=seeds)
def test_the_jacobian_is_that_of_the_convolution_transposed(form, case, seed):
    geometry, x_shape, _ = case
    x, weight, _ = tensors(case, seed)
    x = x[:1].detach()
    out_size = geometry.transposed_shape(x_shape[2:])
    jacobian = torch.autograd.functional.jacobian(
        lambda x: FORMS[form](x, weight.detach(), geometry), x
    )
    # The columns of the convolution's Jacobian are its answers to unit images.
    channels, numpy_weight = weight.shape[1] * geometry.groups, weight.detach().numpy()
    units = np.eye(channels * int(np.prod(out_size))).reshape(-1, channels, *out_size)
    answers = definition.conv(units, numpy_weight, geometry)
    window = tuple(slice(0, size) for size in x_shape[2:])
    conv_jacobian = answers[(slice(None), slice(None), *window)].reshape(len(units), -1)
    transposed = jacobian.detach().numpy().reshape(len(units), -1)
    np.testing.assert_allclose(transposed, conv_jacobian, rtol=0, atol=TOLERANCE)


@given(case=transposed_cases(), seed=seeds)
def test_conv_transpose_takes_torchs_arguments(case, seed):
    geometry = case[0]
    x, weight, bias = tensors(case, seed)
    symmetric = [before for before, _ in geometry.padding]
    arguments = {
        "stride": geometry.stride,
        "padding": symmetric,
        "output_padding": geometry.output_padding,
        "groups": geometry.groups,
        "dilation": geometry.dilation,
    }
    try:
        Geometry(geometry.kernel, geometry.stride, symmetric, geometry.dilation,
                 geometry.output_padding).transposed_shape(x.shape[2:])  # fmt: skip
    except ValueError:
        return  # with symmetric padding nothing is left
    expected = TORCH[geometry.axes](x, weight, bias, **arguments)
    for form in ("auto", *FORMS):
        actual = conv_transpose(x, weight, bias, **arguments, form=form)
        np.testing.assert_allclose(
            actual.detach().numpy(), expected.detach().numpy(), rtol=0, atol=TOLERANCE
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_floating_dtype_is_kept(form, dtype):
    x, weight = torch.randn(2, 4, 5, 5, dtype=dtype), torch.randn(4, 3, 3, 3, dtype=dtype)
    y = conv_transpose(x, weight, stride=2, padding=1, form=form)
    assert y.dtype == dtype
    expected = conv_transpose(x.double(), weight.double(), stride=2, padding=1)
    # 36 products of size about 1, each rounded to the precision of the type.
    np.testing.assert_allclose(
        y.double().numpy(), expected.numpy(), rtol=0, atol=36 * torch.finfo(dtype).eps
    )


@pytest.mark.parametrize("form", FORMS)
def test_an_input_without_batch_axis_gives_an_output_without_one(form):
    x, weight = torch.randn(4, 5, 5), torch.randn(4, 3, 3, 3)
    y = conv_transpose(x, weight, form=form)
    np.testing.assert_array_equal(y.numpy(), conv_transpose(x[None], weight, form=form)[0].numpy())


GOOD = {"x": torch.zeros(1, 2, 5), "weight": torch.zeros(2, 3, 3)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": 0}, "stride: got 0; want an integer of at least 1"),
        ({"stride": -1}, "stride: got -1"),
        ({"stride": 2.0}, "stride: got 2.0"),
        ({"stride": float("nan")}, "stride: got nan"),
        ({"stride": (1, 1)}, r"stride: got \(1, 1\); want one integer, or 1"),
        ({"stride": True}, "stride: got True"),
        ({"stride": "2"}, "stride: got '2'"),
        ({"stride": None}, "stride: got None"),
        ({"padding": -1}, "padding: got -1; want an integer of at least 0"),
        (
            {"padding": (1, 2)},
            r"padding: got \(1, 2\); want one integer, or one entry per axis \(1\)",
        ),
        ({"padding": ((1, 2, 3),)}, r"padding: got \(1, 2, 3\) for one axis; want a pair"),
        ({"padding": 4}, r"padding: got \(4, 4\) along an axis, .* want a padding that leaves"),
        (
            {"output_padding": 1},
            "output_padding: got 1 with stride 1 and dilation 1; want it small",
        ),
        ({"output_padding": 2, "stride": 2}, "output_padding: got 2"),
        ({"dilation": 0}, "dilation: got 0"),
        ({"groups": 0}, "groups: got 0"),
        ({"groups": 3}, r"groups: got 3 for a weight of shape \(2, 3, 3\)"),
        ({"x": torch.zeros(1, 3, 5)}, "x: got 3 channels"),
        ({"x": torch.zeros(5)}, r"x: got shape \(5,\)"),
        ({"x": np.zeros((1, 2, 5))}, "x: got ndarray; want a torch tensor"),
        ({"x": torch.zeros(1, 2, 5).double()}, "weight: got torch.float32 .* want torch.float64"),
        ({"weight": torch.zeros(2, 3)}, r"weight: got shape \(2, 3\); want two channel axes"),
        ({"weight": torch.zeros(2, 3, 1, 1, 1, 1)}, "weight: got shape"),
        ({"weight": np.zeros((2, 3, 3))}, "weight: got ndarray; want a torch tensor"),
        ({"bias": torch.zeros(2)}, r"bias: got shape \(2,\); want \(3,\)"),
        ({"bias": 0.5}, "bias: got float; want a torch tensor"),
        ({"x": torch.zeros(1, 2, 0)}, r"x: got shape \(1, 2, 0\); want no axis of size 0"),
        ({"weight": torch.zeros(2, 0, 3)}, r"weight: got shape \(2, 0, 3\); .* none of size 0"),
        ({"weight": torch.zeros(2, 3, 0)}, r"weight: got shape \(2, 3, 0\); .* none of size 0"),
        ({"form": None}, "form: got None; want one of auto"),
        ({"form": ["native"]}, r"form: got \['native'\]; want one of auto"),
        ({"form": "fast"}, "form: got 'fast'; want one of auto, fastest, scatter"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        conv_transpose(**{**GOOD, **arguments})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((1, 2, 5))}, "x: got ndarray; want a torch tensor"),
        ({"weight": None}, "weight: got NoneType; want a torch tensor"),
        ({"weight": torch.zeros(3)}, r"weight: got shape \(3,\); want two channel axes"),
        ({"bias": torch.zeros(3, 1)}, r"bias: got shape \(3, 1\); want \(3,\)"),
        ({"bias": torch.zeros(3).double()}, "bias: got torch.float64 .* want torch.float32"),
        ({"weight": torch.zeros(2, 3, 3, device="meta")}, "weight: got .* on meta; want .* on cpu"),
    ],
)
def test_every_form_by_itself_refuses_by_name(form, arguments, message):
    with pytest.raises(ValueError, match=message):
        FORMS[form](**{**GOOD, "geometry": Geometry(3), **arguments})


@pytest.mark.parametrize("form", FORMS)
def test_the_form_asked_for_is_the_one_that_computes(form, monkeypatch):
    answer = torch.zeros(1)
    monkeypatch.setitem(FORMS, form, lambda *_: answer)
    assert conv_transpose(**GOOD, form=form) is answer


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_batch_gives_an_empty_batch(form):
    y = conv_transpose(torch.zeros(0, 2, 5), GOOD["weight"], torch.zeros(3), stride=2, form=form)
    assert y.shape == (0, 3, 11)


@pytest.mark.parametrize("form", FORMS)
def test_how_the_values_lie_in_memory_plays_no_part(form):
    x, weight = torch.randn(1, 4, 5, 6).expand(2, -1, -1, -1), torch.randn(4, 3, 3, 2)
    expected = conv_transpose(x.contiguous(), weight, stride=2, form=form)
    for lie in (lambda t: t, lambda t: t.to(memory_format=torch.channels_last),
                lambda t: t.transpose(0, 3).contiguous().transpose(0, 3)):  # fmt: skip
        actual = conv_transpose(lie(x), lie(weight), stride=2, form=form)
        np.testing.assert_allclose(actual.numpy(), expected.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_second_derivatives_are_right(form):
    geometry = Geometry((3, 2), (2, 3), ((1, 0), (0, 1)), (1, 2), (1, 0), groups=2)
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True)
               for shape in ((1, 2, 2, 2), (2, 1, 3, 2), (2,))]  # fmt: skip
    assert torch.autograd.gradgradcheck(
        lambda x, weight, bias: FORMS[form](x, weight, geometry, bias), tensors
    )


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_the_input_is_changed(form):
    x, weight = torch.randn(1, 2, 4, 4), torch.randn(2, 3, 3, 3)
    before = x.clone(), weight.clone()
    conv_transpose(x, weight, stride=2, padding=1, form=form)
    for now, then in zip((x, weight), before, strict=True):
        np.testing.assert_array_equal(now.numpy(), then.numpy())


def test_small_geometries_exhaustively():
    """Every 1-D setting with k ≤ 3, s ≤ 3, d ≤ 3, p ≤ 2 on both sides, every legal a, i ≤ 3."""
    rng = np.random.default_rng(0)
    tried = 0
    for k, s, d, before, after, i in itertools.product(
        (1, 2, 3), (1, 2, 3), (1, 2, 3), (0, 1, 2), (0, 1, 2), (1, 2, 3)
    ):
        for a in range(max(s, d)):
            geometry = Geometry(k, s, ((before, after),), d, a)
            try:
                geometry.transposed_shape(i)
            except ValueError:
                continue
            x, weight = rng.normal(size=(1, 1, i)), rng.normal(size=(1, 1, k))
            expected = definition.conv_transpose(x, weight, geometry)
            for form in FORMS.values():
                actual = form(torch.from_numpy(x), torch.from_numpy(weight), geometry)
                np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=TOLERANCE)
            tried += 1
    assert tried > 1000
