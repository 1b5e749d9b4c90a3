"""Grids: their counts, gains and energies against layers of torch; projections against algebra."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F
from upconv import Geometry, checkerboard, conv_transpose

seeds = st.integers(0, 2**32 - 1)
# Sums of at most a hundred products of standard normals in float64.
TOLERANCE = 1e-12
UPSAMPLE = {1: "linear", 2: "bilinear", 3: "trilinear"}
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@st.composite
def kernels(draw, dilated=True, gaps=True):
    """(kernel, stride, dilation), of 1 to 3 axes; without gaps no stride exceeds its k."""
    axes = draw(st.integers(1, 3))

    def per_axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride = per_axis(1, 6 if axes == 1 else 4 if axes == 2 else 3), per_axis(1, 4)
    if not gaps:
        stride = tuple(min(pair) for pair in zip(kernel, stride, strict=True))
    return kernel, stride, per_axis(1, 3 if dilated else 1)


def random_weight(kernel, seed, channels=(2, 3)):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*channels, *kernel)))


def interior_period(y, kernel, stride, dilation):
    """One period of an uncropped output, from the first phase 0 that sees every tap."""
    starts = [
        -(-d * (k - 1) // s) * s for k, s, d in zip(kernel, stride, dilation, strict=True)
    ]  # reach − 1, rounded up to a multiple of s
    return y[(..., *(slice(m, m + s) for m, s in zip(starts, stride, strict=True)))]


def large_enough(kernel, stride, dilation):
    return [d * (k - 1) // s + 3 for k, s, d in zip(kernel, stride, dilation, strict=True)]


# ------------------------------------------------------------------------------- Overlap and gains


@given(case=kernels(dilated=False), layers=st.integers(1, 3))
def test_layers_of_ones_answer_a_constant_with_the_overlaps(case, layers):
    kernel, stride, _ = case
    assume(len(kernel) == 1 or layers < 3)
    period = [s**layers for s in stride]
    # A tap of the composed kernel reaches (k − 1)(1 + s + …) outputs.
    reach = [
        (k - 1) * sum(s**n for n in range(layers)) for k, s in zip(kernel, stride, strict=True)
    ]
    size = [span // p + 3 for span, p in zip(reach, period, strict=True)]
    y = torch.ones(1, 1, *size)
    for _ in range(layers):
        y = conv_transpose(y, torch.ones(1, 1, *kernel), stride=stride)
    starts = [-(-span // p) * p for span, p in zip(reach, period, strict=True)]
    window = (0, 0, *(slice(m, m + p) for m, p in zip(starts, period, strict=True)))
    counts = checkerboard.overlap(kernel, stride, layers)
    np.testing.assert_array_equal(counts, y[window].numpy())


@given(case=kernels(), seed=seeds)
def test_the_gains_are_what_each_phase_makes_of_a_constant(case, seed):
    kernel, stride, dilation = case
    weight = random_weight(kernel, seed).requires_grad_()
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=2))
    size = large_enough(*case)
    x = values.reshape(1, 2, *[1] * len(kernel)).expand(1, 2, *size)
    y = conv_transpose(x, weight, stride=stride, dilation=dilation)
    expected = interior_period(y, *case)[0]
    gains = checkerboard.phase_gains(weight, stride, dilation)
    answer = torch.tensordot(values, gains, dims=1)
    np.testing.assert_allclose(answer.detach(), expected.detach(), rtol=0, atol=TOLERANCE)
    cotangent = torch.from_numpy(np.random.default_rng(seed).normal(size=answer.shape))
    ours, theirs = (torch.autograd.grad(out, weight, cotangent)[0] for out in (answer, expected))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


@given(case=kernels(), seed=seeds)
def test_imbalance_is_the_spread_of_the_gains_relative_to_their_mean_square(case, seed):
    weight = random_weight(case[0], seed).requires_grad_()
    gains = checkerboard.phase_gains(weight.detach().numpy(), *case[1:])
    gains = gains.reshape(*gains.shape[:2], -1)
    expected = np.sqrt(gains.var(axis=2).sum() / np.square(gains).mean(axis=2).sum())
    ours = checkerboard.imbalance(weight, *case[1:])
    np.testing.assert_allclose(ours.detach(), expected, rtol=0, atol=TOLERANCE)
    assert checkerboard.imbalance(weight.detach().numpy(), *case[1:]) == pytest.approx(ours.item())
    scaled = checkerboard.imbalance(-7 * weight, *case[1:])
    np.testing.assert_allclose(scaled.detach(), expected, rtol=0, atol=TOLERANCE)
    ours.backward()
    assert weight.grad.isfinite().all()
    assert 0 <= ours.item() <= 1


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [
        ((4,), 2, 1),
        ((3,), 2, 1),
        ((5,), 3, 1),
        ((2,), 3, 1),
        ((3,), 2, 2),
        ((3, 3), 2, 1),
        ((2, 4), (2, 2), 1),
        ((3, 2), (2, 3), 1),
        ((2, 2, 2), 2, 1),
    ],
)
def test_the_law_holds_for_every_size_of_kernel(kernel, stride, dilation):
    """The mean over all signs of the taps is the expectation for independent ones, exactly."""
    taps = int(np.prod(kernel))
    signs = np.array(list(product((-1.0, 1.0), repeat=taps)))
    scales = np.random.default_rng(0).uniform(0.1, 3, size=taps)  # nor need variances be equal
    for scale in (1, scales):
        weights = (signs * scale).reshape(-1, 1, *kernel)
        phases = np.prod(np.broadcast_to(stride, len(kernel)))
        measured = checkerboard.imbalance(weights, stride, dilation)
        np.testing.assert_allclose(measured, np.sqrt(1 - 1 / phases), rtol=0, atol=TOLERANCE)


def test_a_kernel_without_gains_has_no_imbalance():
    weight = torch.tensor([[[1.0, 2.0, -1.0, -2.0]]], requires_grad=True)
    balance = checkerboard.imbalance(weight, 2)
    balance.backward()
    assert balance.item() == 0
    assert weight.grad.isfinite().all()
    assert checkerboard.imbalance(np.zeros((1, 1, 3)), 2) == 0
    # Gains of 0 but for rounding: k < s along one axis leaves a flat kernel no others.
    flat = checkerboard.project(random_weight((2, 5), 0), (3, 2))
    assert checkerboard.imbalance(flat, (3, 2)) == 0


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">i2"])
def test_flipped_arrays_and_foreign_byte_orders_are_measured(dtype):
    image = np.random.default_rng(0).integers(0, 99, size=(3, 12, 12)).astype(dtype)
    native = image.astype(dtype[1:])
    for view in (image[:, ::-1], image[..., ::-1].swapaxes(1, 2)):
        expected = checkerboard.grid_energy(np.ascontiguousarray(view).astype(dtype[1:]), 2)
        np.testing.assert_array_equal(checkerboard.grid_energy(view, 2), expected)
    gains = checkerboard.phase_gains(native[:, :, None, ::-1], 2)
    np.testing.assert_array_equal(checkerboard.phase_gains(image[:, :, None, ::-1], 2), gains)


# -------------------------------------------------------------------------------------- Projection


def projection_matrix(kernel, stride, onto):
    basis = np.eye(int(np.prod(kernel))).reshape(-1, 1, *kernel)
    return checkerboard.project(basis, stride, onto).reshape(len(basis), -1)


@pytest.mark.parametrize("onto", ["flat", "factorable"])
@given(case=kernels())
def test_project_is_idempotent_and_symmetric(onto, case):
    matrix = projection_matrix(case[0], case[1], onto)
    np.testing.assert_allclose(matrix @ matrix, matrix, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=TOLERANCE)


@given(case=kernels())
def test_what_is_kept_has_equal_gains_and_nothing_that_has_is_lost(case):
    kernel, stride, _ = case
    matrix = projection_matrix(kernel, stride, "flat")
    basis = np.eye(len(matrix)).reshape(-1, 1, *kernel)
    gains = checkerboard.phase_gains(basis, stride).reshape(len(matrix), -1)
    conditions = (gains - gains.mean(axis=1, keepdims=True)).T
    np.testing.assert_allclose(conditions @ matrix, 0, atol=TOLERANCE)
    assert round(np.trace(matrix)) == len(matrix) - np.linalg.matrix_rank(conditions)


@given(case=kernels(gaps=False), seed=seeds)
def test_what_is_kept_is_a_collapsed_nearest_upsampling_and_every_such_is_kept(case, seed):
    kernel, stride, _ = case
    small = [k - s + 1 for k, s in zip(kernel, stride, strict=True)]
    quotient = random_weight(small, seed)
    weight = conv_transpose(  # each tap of the quotient stamps a box
        quotient.reshape(6, 1, *small), torch.ones(1, 1, *stride, dtype=torch.float64)
    ).reshape(2, 3, *kernel)
    kept = checkerboard.project(weight, stride, "factorable")
    np.testing.assert_allclose(kept, weight, rtol=0, atol=100 * TOLERANCE)
    trace = np.trace(projection_matrix(kernel, stride, "factorable"))
    assert round(trace) == np.prod(small)


@given(case=kernels(gaps=False), seed=seeds)
def test_a_factorable_kernel_is_flat_and_along_one_axis_a_flat_one_is_factorable(case, seed):
    kernel, stride, _ = case
    weight = random_weight(kernel, seed)
    factorable = checkerboard.project(weight, stride, "factorable")
    flat = checkerboard.project(factorable, stride)
    np.testing.assert_allclose(flat, factorable, rtol=0, atol=10 * TOLERANCE)
    if len(kernel) == 1:
        flat = checkerboard.project(weight, stride)
        np.testing.assert_allclose(flat, factorable, rtol=0, atol=10 * TOLERANCE)


def test_dimensions_9_13_16_of_16():
    dimensions = [
        np.linalg.matrix_rank(projection_matrix((4, 4), (2, 2), onto))
        for onto in ("factorable", "flat")
    ]
    assert [*dimensions, 4 * 4] == [9, 13, 16]


@pytest.mark.parametrize("onto", ["flat", "factorable"])
def test_project_keeps_type_and_gives_the_gradient_of_a_symmetric_matrix(onto):
    weight = random_weight((4, 4), 0).requires_grad_()
    cotangent = random_weight((4, 4), 1)
    projected = checkerboard.project(weight, 2, onto)
    (gradient,) = torch.autograd.grad(projected, weight, cotangent)
    expected = checkerboard.project(cotangent, 2, onto)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=TOLERANCE)
    by_numpy = checkerboard.project(weight.detach().numpy(), 2, onto)
    np.testing.assert_allclose(projected.detach(), by_numpy, rtol=0, atol=TOLERANCE)
    assert checkerboard.project(weight.detach().float(), 2, onto).dtype == torch.float32


# ------------------------------------------------------------------------------------- Grid energy


def random_grid(stride, periods, rng):
    """A pattern of this period, of mean zero and standard deviation 1."""
    period = rng.normal(size=stride)
    period = (period - period.mean()) / period.std()
    return np.tile(period, periods)


strides = st.lists(st.integers(2, 4), min_size=1, max_size=3).map(tuple)


@given(stride=strides, seed=seeds)
def test_a_grid_alone_has_energy_1_and_a_ramp_none(stride, seed):
    rng = np.random.default_rng(seed)
    periods = [6] * len(stride)
    grid = random_grid(stride, periods, rng)
    np.testing.assert_allclose(checkerboard.grid_energy(grid, stride), 1, rtol=0, atol=1e-9)
    ramp = np.tensordot(rng.normal(size=len(stride)), np.indices(grid.shape), axes=1)
    np.testing.assert_allclose(checkerboard.grid_energy(ramp, stride), 0, rtol=0, atol=1e-9)


@given(stride=strides, seed=seeds, amplitude=st.floats(0.05, 5))
def test_the_root_of_the_energy_is_the_planted_amplitude_relative_to_the_spread(
    stride, seed, amplitude
):
    rng = np.random.default_rng(seed)
    grid = amplitude * random_grid(stride, [6] * len(stride), rng)
    image = np.tensordot(rng.normal(size=len(stride)), np.indices(grid.shape), axes=1) + grid
    inner = tuple(slice(s - 1, s - 1 + (n - 2 * s + 2) // s * s)
                  for s, n in zip(stride, grid.shape, strict=True))  # fmt: skip
    measured = np.sqrt(checkerboard.grid_energy(image, stride)) * image[inner].std()
    np.testing.assert_allclose(measured, amplitude, rtol=1e-9)


@given(seed=seeds, shift=st.integers(0, 2), scale=st.floats(0.1, 10), level=st.floats(-5, 5))
def test_energy_does_not_change_with_contrast_brightness_or_channel(seed, shift, scale, level):
    images = np.random.default_rng(seed).normal(size=(2, 3, 16, 17))
    energy = checkerboard.grid_energy(images, 2)
    assert energy.shape == (2, 3)
    changed = checkerboard.grid_energy(scale * images + level, 2)
    np.testing.assert_allclose(changed, energy, rtol=1e-9)
    alone = checkerboard.grid_energy(images[1, 2], 2)
    np.testing.assert_allclose(alone, energy[1, 2], rtol=1e-12)
    np.testing.assert_allclose(checkerboard.grid_energy(torch.tensor(images), 2), energy)


def test_bytes_are_measured_as_numbers_and_a_constant_image_has_no_grid():
    image = np.random.default_rng(0).integers(0, 256, size=(28, 28), dtype=np.uint8)
    np.testing.assert_array_equal(
        checkerboard.grid_energy(image, 2), checkerboard.grid_energy(image.astype(float), 2)
    )
    assert checkerboard.grid_energy(np.full((9, 9), 0.1), 2) == 0
    rounded = 0.1 + np.spacing(0.1) * (np.indices((9, 9))[0] % 2)
    assert checkerboard.grid_energy(rounded, 2) < 1e-3
    assert checkerboard.grid_energy(np.zeros((9, 9)), 2) == 0
    faint = 1 + 1e-9 * (-1.0) ** np.indices((9, 9)).sum(0)
    np.testing.assert_allclose(checkerboard.grid_energy(faint, 2), 1, atol=1e-5)


def test_white_noise_has_the_energy_of_its_degrees_of_freedom():
    """s² − 1 of n pixels' dimensions are a grid, and the tent leaves those untouched."""
    images = np.random.default_rng(0).normal(size=(2000, 34, 34))
    energy = checkerboard.grid_energy(images, 2).mean()
    # The 95 % interval of the mean of 2,000 such ratios is 2.5 % wide on either side.
    np.testing.assert_allclose(energy, 3 / 32**2, rtol=0.1)


def test_energy_has_a_gradient():
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 8, 9))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: checkerboard.grid_energy(x, 2), image)


# --------------------------------------------------------------------------------------- Responses


@given(case=kernels(), seed=seeds)
def test_one_layer_answers_a_constant_with_the_imbalance_of_its_gains(case, seed):
    kernel, stride, dilation = case
    weight = random_weight(kernel, seed)
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 2)))
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    response = checkerboard.constant_response(
        lambda x: conv_transpose(x, weight, stride=stride, dilation=dilation),
        values,
        large_enough(*case),
        stride,
        margin=reach,
    )
    gains = torch.tensordot(values, checkerboard.phase_gains(weight, stride, dilation), dims=1)
    expected = checkerboard.imbalance(gains, stride)  # gains are kernels of size s
    # One output whose gains nearly cancel is a small difference of large numbers.
    np.testing.assert_allclose(response.relative, expected, rtol=0, atol=1e-9)
    deviation = gains - gains.mean(tuple(range(2, gains.ndim)), keepdim=True)
    np.testing.assert_allclose(response.amplitude, deviation.square().mean().sqrt(), atol=1e-11)


def upsample_and_convolve(mode, axes, seed):
    weight = random_weight([3] * axes, seed, channels=(3, 2))  # of a convolution: out, in
    return lambda x: CONV[axes](F.interpolate(x, scale_factor=2, mode=mode), weight)


@pytest.mark.parametrize("axes", [1, 2, 3])
@given(seed=seeds)
def test_nearest_is_flat_on_constants_and_not_on_ramps_linear_on_both(axes, seed):
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 2)))
    size = [9] * axes
    for mode, shows in (("nearest", True), (UPSAMPLE[axes], False)):
        model = upsample_and_convolve(mode, axes, seed)
        constant = checkerboard.constant_response(model, values, size, 2)
        assert constant.amplitude < TOLERANCE * 10
        ramp = checkerboard.ramp_response(model, values, size, 2)
        assert (ramp.amplitude > 1e-6) == shows


def test_a_ramp_shows_the_grid_of_uneven_gains_growing():
    weight = torch.tensor([[[1.0, 2.0, 3.0]]])
    response = checkerboard.ramp_response(
        lambda x: conv_transpose(x, weight, stride=2), torch.ones(1, 1), (41,), 2
    )
    # Gains 4 and 2: deviations +1 and −1 times the ramp, which passes 1/2 in the middle.
    size = response.grid.abs()[0, 0]
    assert size[-1] > size[0]
    np.testing.assert_allclose(size.mean(), 0.5, atol=0.02)


def test_channels_last_is_the_same_model():
    weight = random_weight((3, 3), 0)

    def first(x):
        return conv_transpose(x, weight, stride=2)

    def last(x):
        return first(x.movedim(-1, 1)).movedim(1, -1)

    values = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    for respond in (checkerboard.constant_response, checkerboard.ramp_response):
        ours = respond(first, values, 8, 2)
        theirs = respond(last, values, 8, 2, layout="channels_last")
        np.testing.assert_array_equal(ours.interior, theirs.interior)
        np.testing.assert_array_equal(ours.grid, theirs.grid)


def test_a_response_can_be_trained_on():
    layer = torch.nn.ConvTranspose2d(2, 3, 3, stride=2)
    response = checkerboard.constant_response(layer, torch.ones(1, 2), 8, 2)
    response.grid.square().mean().backward()
    assert layer.weight.grad.abs().max() > 0
    assert layer.bias.grad.abs().max() < 1e-6  # a bias is no grid


# --------------------------------------------------------------------------------------- Bad input

WEIGHT, IMAGE, ONES = np.ones((1, 1, 3, 3)), np.ones((9, 9)), torch.ones(1, 1)


def identity(x):
    return x


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checkerboard.overlap(0, 2), "kernel: got 0"),
        (lambda: checkerboard.overlap((3, 3), (2, 2, 2)), r"stride: got \(2, 2, 2\)"),
        (lambda: checkerboard.overlap(3, 2, 0), "layers: got 0"),
        (lambda: checkerboard.overlap(3, 2, (1, 1)), r"layers: got \(1, 1\)"),
        (lambda: checkerboard.phase_gains(WEIGHT, 0), "stride: got 0"),
        (lambda: checkerboard.phase_gains(WEIGHT, 2, 0), "dilation: got 0"),
        (lambda: checkerboard.phase_gains(WEIGHT[0, 0], 2), r"weight: got shape \(3, 3\)"),
        (lambda: checkerboard.phase_gains(WEIGHT[:0], 2), r"weight: got shape \(0, 1, 3, 3\)"),
        (lambda: checkerboard.phase_gains([[[1.0]]], 2), "weight: got list; want an array or a"),
        (lambda: checkerboard.phase_gains(WEIGHT > 0, 2), "weight: got an array of bool"),
        (lambda: checkerboard.imbalance(torch.ones(1, 1, 3) + 1j, 2), "weight: got torch.complex"),
        (lambda: checkerboard.imbalance(WEIGHT, (2, 2, 2)), r"stride: got \(2, 2, 2\)"),
        (lambda: checkerboard.grid_energy(IMAGE, 3), r"image: got shape \(9, 9\); want .*\(10, 10"),
        (lambda: checkerboard.grid_energy(IMAGE[0], 2), r"image: got shape \(9,\); want"),
        (
            lambda: checkerboard.grid_energy(IMAGE, (2, 2, 2, 2)),
            r"stride: got \(2, 2, 2, 2\); want",
        ),
        (lambda: checkerboard.grid_energy(IMAGE, -2), "stride: got -2"),
        (lambda: checkerboard.grid_energy("x", 2), "image: got str"),
        (lambda: checkerboard.project(WEIGHT, 2, "Flat"), "onto: got 'Flat'; want 'flat' or"),
        (lambda: checkerboard.project(WEIGHT.astype(int), 2), "weight: got torch.int64; want fl"),
        (lambda: checkerboard.project(WEIGHT, (2,)), r"stride: got \(2,\)"),
        (lambda: checkerboard.constant_response(identity, torch.ones(3), 8, 2), "values: got"),
        (lambda: checkerboard.constant_response(identity, [[1.0]], 8, 2), "values: got list"),
        (lambda: checkerboard.constant_response(identity, ONES, 0, 2), "size: got 0"),
        (lambda: checkerboard.constant_response(identity, ONES, (8, 8), 0), "stride: got 0"),
        (
            lambda: checkerboard.constant_response(identity, ONES, 8, 5),
            r"size: got \(8, 8\), which",
        ),
        (
            lambda: checkerboard.constant_response(identity, ONES, 8, 2, margin=4),
            r"size: got \(8, 8\), which makes an output of \(8, 8\); want one of which a margin",
        ),
        (
            lambda: checkerboard.constant_response(identity, ONES, 8, 2, margin=-1),
            "margin: got -1",
        ),
        (
            lambda: checkerboard.constant_response(identity, ONES, 8, 2, layout="NHWC"),
            "layout: got 'NHWC'",
        ),
        (
            lambda: checkerboard.constant_response(torch.Tensor.numpy, ONES, 8, 2),
            r"model: its output is \(1, 1, 8, 8\); want a tensor",
        ),
        (
            lambda: checkerboard.constant_response(lambda x: x[0], ONES, 8, 2),
            r"model: its output is \(1, 8, 8\); want a tensor of 4 axes",
        ),
        (lambda: checkerboard.ramp_response(identity, ONES, 5, 2), r"size: got \(5, 5\), which"),
        (lambda: checkerboard.ramp_response(identity, ONES, 8, (2,)), r"stride: got \(2,\)"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_stride_of_one_entry_is_one_axis():
    assert checkerboard.grid_energy(np.ones((3, 9)), (2,)).shape == (3,)
    assert Geometry((3,), (2,)).axes == 1
    response = checkerboard.constant_response(identity, ONES, (9,), 1)
    assert response.interior.shape == (1, 1, 5)
