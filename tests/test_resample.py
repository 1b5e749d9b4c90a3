"""Interpolation equals torch's in values and gradients, its matrix and its adjoint, anywhere."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from upconv import interpolate, interpolate_adjoint, interpolation_matrix

MODES = ("nearest", "nearest-exact", "linear", "cubic", "area")
ALIGNED = [(mode, False) for mode in MODES] + [("linear", True), ("cubic", True)]
modes = pytest.mark.parametrize(("mode", "align_corners"), ALIGNED)
seeds = st.integers(0, 2**32 - 1)
ONE_TO_THREE, TWO = st.integers(1, 3), st.just(2)
# Weighted means of standard normals in float64; positions come from one division.
TOLERANCE = 1e-12


@st.composite
def resizings(draw, axes=ONE_TO_THREE):
    """(input size, the argument that says what becomes of it), larger and smaller sizes."""
    n = draw(axes)
    largest = {1: 12, 2: 8, 3: 5}[n]
    in_size = tuple(draw(st.integers(1, largest)) for _ in range(n))
    if draw(st.booleans()):
        size = tuple(draw(st.integers(1, 2 * largest)) for _ in range(n))
        return in_size, {"size": size}
    factors = tuple(
        draw(st.one_of(st.integers(1, 4), st.floats(1 / i, 4).map(float))) for i in in_size
    )
    return in_size, {"scale_factor": factors}


def image(size, seed):
    x = np.random.default_rng(seed).normal(size=(2, 3, *size))
    return torch.from_numpy(x).requires_grad_()


def by_torch(x, mode, align_corners, arguments):
    """Torch's own. Of cubic it has the plane only; elsewhere the axes are taken one at a time, each
    as a plane of width one."""
    axes = x.ndim - 2
    settings = {"align_corners": align_corners} if mode in ("linear", "cubic") else {}
    if mode != "cubic" or axes == 2:
        names = {"linear": ("linear", "bilinear", "trilinear")[axes - 1], "cubic": "bicubic"}
        return F.interpolate(x, mode=names.get(mode, mode), **settings, **arguments)
    ((key, values),) = arguments.items()
    for axis, value in enumerate(values, start=2):
        lines = x.movedim(axis, -1)
        plane = lines.flatten(1, -2)[..., None]
        plane = by_torch(plane, mode, align_corners, {key: (value, 1)})
        x = plane[..., 0].unflatten(1, lines.shape[1:-1]).movedim(-1, axis)
    return x


def matrix_by_torch(i, mode, align_corners, arguments):
    """The matrix of one axis, from torch's 2-D kernel on unit vectors."""
    ((key, value),) = arguments.items()
    units = torch.eye(i, dtype=torch.float64)[None, :, :, None]
    y = by_torch(units, mode, align_corners, {key: (value, 1)})
    return y[0, :, :, 0].T.numpy()


@modes
@given(resizing=resizings(TWO), seed=seeds)
def test_it_equals_torch_in_values_and_gradients_in_the_plane(mode, align_corners, resizing, seed):
    compare_with_torch(mode, align_corners, resizing, seed)


@pytest.mark.parametrize(
    ("mode", "align_corners"), [case for case in ALIGNED if "nearest" not in case[0]]
)
@given(resizing=resizings(), seed=seeds)
def test_it_equals_torch_in_values_and_gradients(mode, align_corners, resizing, seed):
    compare_with_torch(mode, align_corners, resizing, seed)


def compare_with_torch(mode, align_corners, resizing, seed):
    in_size, arguments = resizing
    x = image(in_size, seed)
    y = interpolate(x, mode=mode, align_corners=align_corners, **arguments)
    reference = by_torch(x, mode, align_corners, arguments)
    np.testing.assert_allclose(
        y.detach().numpy(), reference.detach().numpy(), rtol=0, atol=10 * TOLERANCE
    )
    cotangent = torch.from_numpy(np.random.default_rng(seed).normal(size=y.shape))
    (ours,) = torch.autograd.grad(y, x, cotangent)
    (theirs,) = torch.autograd.grad(reference, x, cotangent)
    # Up to 24³ outputs read one input.
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=100 * TOLERANCE)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@given(resizing=resizings(), seed=seeds)
def test_nearest_is_the_transpose_of_torchs_gradient(mode, resizing, seed):
    """On 1 and 3 axes torch's forward pass rounds some positions otherwise than its backward pass,
    which agrees with the plane; where it agrees with itself, it agrees with us."""
    in_size, arguments = resizing
    x = image(in_size, seed)
    y = interpolate(x, mode=mode, **arguments)
    reference = F.interpolate(x, mode=mode, **arguments)
    cotangent = torch.from_numpy(np.random.default_rng(seed).normal(size=y.shape))
    (ours,) = torch.autograd.grad(y, x, cotangent)
    (theirs,) = torch.autograd.grad(reference, x, cotangent)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=100 * TOLERANCE)
    forward, backward = (
        torch.vdot(reference.ravel(), cotangent.ravel()),
        torch.vdot(x.ravel(), theirs.ravel()),
    )
    if torch.isclose(forward, backward, rtol=1e-9, atol=1e-9):
        np.testing.assert_array_equal(y.detach().numpy(), reference.detach().numpy())


def test_torch_has_sizes_at_which_nearest_is_not_the_transpose_of_its_gradient():
    """The reason for the test above. When it fails, torch has mended it: compare all axes then."""
    x = torch.tensor([[[1.0, 2.0]]], dtype=torch.float64, requires_grad=True)
    y = F.interpolate(x, size=82)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert (y == 1).sum() == 41
    np.testing.assert_array_equal(gradient[0, 0], [42, 40])
    plane = F.interpolate(x[..., None], size=(82, 1))[..., 0]
    np.testing.assert_array_equal(interpolate(x, size=82).detach().numpy(), plane.detach().numpy())


@modes
@given(resizing=resizings(), seed=seeds)
def test_the_matrix_is_the_function(mode, align_corners, resizing, seed):
    in_size, arguments = resizing
    settings = {"mode": mode, "align_corners": align_corners, **arguments}
    x = image(in_size, seed).detach()[0, 0]
    matrix = interpolation_matrix(in_size, **settings)
    y = interpolate(x[None, None], **settings)
    assert matrix.shape == (y.numel(), x.numel())
    np.testing.assert_allclose(matrix @ x.numpy().ravel(), y.ravel().numpy(), atol=TOLERANCE)
    np.testing.assert_array_equal(
        interpolation_matrix(in_size, dense=True, **settings), matrix.toarray()
    )


@modes
@given(resizing=resizings(), seed=seeds)
def test_the_adjoint_is_the_transpose_and_the_gradient(mode, align_corners, resizing, seed):
    in_size, arguments = resizing
    settings = {"mode": mode, "align_corners": align_corners, **arguments}
    x = image(in_size, seed)
    mx = interpolate(x, **settings)
    y = torch.from_numpy(np.random.default_rng(seed).normal(size=mx.shape))
    mty = interpolate_adjoint(y, in_size, **settings)
    # ⟨Mx, y⟩ = ⟨x, Mᵀy⟩, sums of up to 6·24³ products.
    np.testing.assert_allclose(
        torch.vdot(mx.detach().ravel(), y.ravel()),
        torch.vdot(x.detach().ravel(), mty.ravel()),
        rtol=1e-10,
        atol=1e-9,
    )
    (gradient,) = torch.autograd.grad(mx, x, y)
    np.testing.assert_allclose(mty.numpy(), gradient.numpy(), rtol=1e-10, atol=1e-10)


@modes
@given(i=st.integers(1, 40), o=st.integers(1, 100))
def test_every_size_of_one_axis_is_torchs(mode, align_corners, i, o):
    ours = interpolation_matrix(i, size=o, mode=mode, align_corners=align_corners, dense=True)
    theirs = matrix_by_torch(i, mode, align_corners, {"size": o})
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=10 * TOLERANCE)


@modes
@given(
    i=st.integers(1, 40), factor=st.one_of(st.floats(1, 4), st.sampled_from([1.1, 1.2, 2.01, 2.5]))
)
def test_the_scale_factor_and_not_the_sizes_sets_the_positions(mode, align_corners, i, factor):
    settings = {"mode": mode, "align_corners": align_corners}
    ours = interpolation_matrix(i, scale_factor=factor, dense=True, **settings)
    theirs = matrix_by_torch(i, mode, align_corners, {"scale_factor": factor})
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=10 * TOLERANCE)


@modes
@given(resizing=resizings())
def test_a_constant_stays_constant(mode, align_corners, resizing):
    in_size, arguments = resizing
    matrix = interpolation_matrix(in_size, mode=mode, align_corners=align_corners, **arguments)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=TOLERANCE)


@modes
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_floating_dtype_is_kept(mode, align_corners, dtype):
    x = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    settings = {"mode": mode, "align_corners": align_corners, "size": (12, 4)}
    y, exact = interpolate(x, **settings), interpolate(x.double(), **settings)
    assert y.dtype == interpolate_adjoint(y, (5, 6), **settings).dtype == dtype
    # Two axes, each of at most four products of size 4, each rounded to the type's precision.
    tolerance = 32 * torch.finfo(dtype).eps
    np.testing.assert_allclose(y.double().numpy(), exact.numpy(), rtol=0, atol=tolerance)


@modes
def test_infinity_stays_where_it_is(mode, align_corners):
    x = torch.zeros(1, 1, 9)
    x[0, 0, 0] = torch.inf
    y = interpolate(x, size=18, mode=mode, align_corners=align_corners)
    assert y[0, 0, 6:].abs().max() == 0


@modes
def test_how_the_values_lie_in_memory_plays_no_part_and_nothing_is_changed(mode, align_corners):
    x = torch.randn(1, 3, 4, 5).expand(2, -1, -1, -1)
    before, settings = x.clone(), {"mode": mode, "align_corners": align_corners, "size": (7, 3)}
    expected = interpolate(x.contiguous(), **settings)
    for lie in (x, x.to(memory_format=torch.channels_last)):
        np.testing.assert_allclose(interpolate(lie, **settings), expected, atol=1e-6)
    np.testing.assert_array_equal(x, before)
    assert interpolate(x[:0], **settings).shape == (0, 3, 7, 3)


@modes
def test_second_derivatives_are_right(mode, align_corners):
    settings = {"mode": mode, "align_corners": align_corners, "scale_factor": (1.5, 0.5)}
    x = torch.randn(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: interpolate(x, **settings) ** 2, x)
    y = interpolate(x, **settings)
    assert torch.autograd.gradcheck(lambda y: interpolate_adjoint(y, (4, 5), **settings), y)


GOOD = {"x": torch.zeros(1, 2, 4, 5), "scale_factor": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((1, 2, 4))}, "x: got ndarray; want a torch tensor"),
        ({"x": torch.zeros(1, 2, 4, dtype=torch.uint8)}, "x: got torch.uint8; want a floating"),
        ({"x": torch.zeros(1, 2, 4, dtype=torch.complex64)}, "x: got torch.complex64"),
        ({"x": torch.zeros(4, 4)}, r"x: got shape \(4, 4\); want \(batch, channels, \*size\)"),
        ({"x": torch.zeros(1, 2, 3, 3, 3, 3)}, r"x: got shape \(1, 2, 3, 3, 3, 3\)"),
        ({"x": torch.zeros(1, 2, 0, 3)}, r"x: got shape \(1, 2, 0, 3\); .* none of size 0"),
        ({"size": 3}, "size: got 3 with scale_factor 2; want one of the two"),
        ({"scale_factor": None}, "size: got None with scale_factor None; want one of the two"),
        ({"scale_factor": None, "size": 0}, "size: got 0; want an integer of at least 1"),
        ({"scale_factor": None, "size": 2.5}, "size: got 2.5; want an integer"),
        ({"scale_factor": None, "size": (3,)}, r"size: got \(3,\); want one integer, or 2"),
        ({"scale_factor": 0}, "scale_factor: got 0; want a finite number above 0"),
        ({"scale_factor": -2}, "scale_factor: got -2; want a finite number above 0"),
        ({"scale_factor": float("nan")}, "scale_factor: got nan; want a finite number"),
        ({"scale_factor": float("inf")}, "scale_factor: got inf; want a finite number"),
        ({"scale_factor": True}, "scale_factor: got True; want a finite number"),
        ({"scale_factor": "2"}, "scale_factor: got '2'; want one number, or 2"),
        ({"scale_factor": "22"}, "scale_factor: got '2'; want a finite number"),
        ({"scale_factor": (2, None)}, "scale_factor: got None; want a finite number"),
        ({"scale_factor": (2, 2, 2)}, r"scale_factor: got \(2, 2, 2\); want one number, or 2"),
        ({"scale_factor": 0.2}, r"scale_factor: got 0.2, which takes \(4, 5\) to size \(0, 1\)"),
        ({"mode": "bilinear"}, "mode: got 'bilinear'; want nearest, nearest-exact, linear, cubic"),
        ({"mode": None}, "mode: got None; want nearest"),
        ({"align_corners": True}, "align_corners: got True with mode 'nearest'; want False"),
        ({"align_corners": True, "mode": "area"}, "align_corners: got True with mode 'area'"),
        ({"align_corners": None, "mode": "linear"}, "align_corners: got None; want True or False"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, message):
    settings = {**GOOD, **arguments}
    with pytest.raises(ValueError, match=message):
        interpolate(settings.pop("x"), **settings)


@pytest.mark.parametrize(
    ("y", "input_shape", "message"),
    [
        (torch.zeros(1, 2, 7), 4, r"y: got shape \(1, 2, 7\); want \(batch, channels, 8\)"),
        (torch.zeros(1, 2, 8), (4, 4), r"y: got shape .* want \(batch, channels, 8, 8\), the size"),
        (np.zeros((1, 2, 8)), 4, "y: got ndarray; want a torch tensor"),
        (torch.zeros(1, 2, 8), 0, "input_shape: got 0; want an integer of at least 1"),
        (torch.zeros(1, 2, 8), (1, 1, 1, 1), "input_shape: got .* want 1 to 3 axes"),
        (torch.zeros(1, 2, 8), None, "input_shape: got None; want an integer"),
    ],
)
def test_a_gradient_of_another_size_is_refused(y, input_shape, message):
    with pytest.raises(ValueError, match=message):
        interpolate_adjoint(y, input_shape, scale_factor=2)


def test_the_matrix_refuses_by_name():
    with pytest.raises(ValueError, match="input_shape: got 2.5"):
        interpolation_matrix(2.5, size=4)
    with pytest.raises(ValueError, match="mode: got 'bicubic'"):
        interpolation_matrix(2, size=4, mode="bicubic")
