"""The claims ledger, decided: one test for each settled row, named after its id.

A test holds what the row's verdict says. Where the verdict is "false" it shows the counter-example;
where it is "true if" it shows a case on each side of the condition.
"""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F
from upconv import Geometry, arithmetic, conv_matrix, definition
from upconv.book import records, zeros
from upconv.timing import peak_memory, ratio

# Convolutions on images: kernel, stride, padding, dilation and input size, in no special relation.
GEOMETRIES = [
    ((3, 3), 1, 0, 1, (4, 4)),
    ((3, 3), 1, 1, 1, (5, 7)),
    ((3, 3), 2, 1, 1, (8, 7)),
    ((4, 2), (2, 3), (1, 0), 1, (9, 8)),
    ((2, 3), (3, 1), (0, 2), (1, 2), (7, 6)),
    ((5, 5), 4, 2, 1, (14, 11)),
]
geometries = pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "size"), GEOMETRIES
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slide(x, kernel):
    """The plain sliding window: no padding, stride 1, one channel, the kernel as it stands."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape)
    return np.einsum("ijkl,kl->ij", windows, kernel)


# ------------------------------------------------------------------------ A convolution is a matrix


def test_matrix_forward(rng):
    x, kernel = rng.normal(size=(4, 4)), rng.normal(size=(3, 3))
    c = conv_matrix(kernel, (4, 4), Geometry((3, 3)), dense=True)
    assert c.shape == (4, 16)
    y = (c @ x.ravel()).reshape(2, 2)
    assert_allclose(y, slide(x, kernel), rtol=1e-12)
    by_torch = F.conv2d(torch.tensor(x[None, None]), torch.tensor(kernel[None, None]))
    assert_allclose(y, by_torch[0, 0], rtol=1e-12)


def test_matrix_row_is_a_window():
    kernel = np.arange(1.0, 10.0).reshape(3, 3)
    rows = conv_matrix(kernel, (4, 4), Geometry((3, 3)), dense=True).reshape(2, 2, 4, 4)
    for i, j in np.ndindex(2, 2):
        window = np.zeros((4, 4))
        window[i : i + 3, j : j + 3] = kernel
        assert_array_equal(rows[i, j], window)


# ------------------------------------------------------------------------------------ The transpose


def nonzeros(size, **settings):
    """How many nonzeros each row, and each column, of a 3×3 kernel's matrix has."""
    geometry = Geometry((3, 3), **settings)
    c = conv_matrix(np.ones((3, 3)), (size, size), geometry, dense=True) != 0
    return c.sum(1), c.sum(0).reshape(size, size)


def test_many_to_one():
    rows, columns = nonzeros(4)
    assert_array_equal(rows, 9)
    assert_array_equal(columns, [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]])
    # Rows: nine at any stride, fewer where padding lies under the window.
    assert_array_equal(nonzeros(9, stride=2)[0], 9)
    assert_array_equal(nonzeros(9, stride=3)[0], 9)
    assert_array_equal(nonzeros(3, padding=1)[0], [4, 6, 4, 6, 9, 6, 4, 6, 4])
    # Columns: nine at stride 1, two pixels or more from the border; nowhere at a larger stride.
    columns = nonzeros(8)[1]
    assert_array_equal(columns[2:-2, 2:-2], 9)
    columns[2:-2, 2:-2] = 0
    assert columns.max() < 9
    assert nonzeros(9, stride=2)[1].max() == 4
    assert_array_equal(nonzeros(9, stride=3)[1], 1)


@geometries
def test_backward_is_ct(rng, kernel, stride, padding, dilation, size):
    weight = rng.normal(size=kernel)
    c = conv_matrix(weight, size, Geometry(kernel, stride, padding, dilation))
    x = torch.tensor(rng.normal(size=(1, 1, *size)), requires_grad=True)
    y = F.conv2d(x, torch.tensor(weight[None, None]), None, stride, padding, dilation)
    received = rng.normal(size=y.shape)
    y.backward(torch.tensor(received))
    assert_allclose(x.grad.ravel(), c.T @ received.ravel(), atol=1e-12)


@geometries
def test_transpose_swaps_passes(rng, kernel, stride, padding, dilation, size):
    geometry = Geometry(kernel, stride, padding, dilation).adjoint_to(size)
    weight = rng.normal(size=kernel)
    c = conv_matrix(weight, size, geometry)
    x = torch.tensor(rng.normal(size=(1, 1, *geometry.output_shape(size))), requires_grad=True)
    y = F.conv_transpose2d(
        x,
        torch.tensor(weight[None, None]),
        stride=stride,
        padding=padding,
        output_padding=geometry.output_padding,
        dilation=dilation,
    )
    assert_allclose(y.detach().ravel(), c.T @ x.detach().numpy().ravel(), atol=1e-12)
    received = rng.normal(size=y.shape)
    y.backward(torch.tensor(received))
    assert_allclose(x.grad.ravel(), c @ received.ravel(), atol=1e-12)


def test_not_an_inverse(rng):
    x, kernel = rng.normal(size=16), rng.normal(size=(3, 3))
    c = conv_matrix(kernel, (4, 4), Geometry((3, 3)), dense=True)
    back = c.T @ (c @ x)
    scaled = back * (back @ x) / (back @ back)  # the multiple of CᵀCx that is nearest to x
    assert np.linalg.norm(scaled - x) > 0.5 * np.linalg.norm(x)
    assert np.linalg.matrix_rank(c) == 4
    unseen = np.linalg.svd(c)[2][4:]  # twelve images of length 1 that the convolution cannot see
    assert unseen.shape == (12, 16)
    assert_allclose(unseen @ c.T, 0, atol=1e-12)
    assert_allclose(c @ (x + 100 * unseen[0]), c @ x, atol=1e-10)


def test_weights_need_not_come_from_c():
    torch.manual_seed(0)
    layer = torch.nn.ConvTranspose2d(1, 1, 3, bias=False)
    pattern = conv_matrix(np.ones((3, 3)), (4, 4), Geometry((3, 3)), dense=True).T != 0
    before = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 1, 2, 2)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(layer.weight, before)
    jacobian = torch.func.jacrev(layer)(torch.ones(1, 1, 2, 2)).reshape(16, 4)
    assert_array_equal(jacobian.detach() != 0, pattern)


@geometries
def test_transpose_approximates_gradient(rng, kernel, stride, padding, dilation, size):
    weight = rng.normal(size=(3, 2, *kernel))  # two channels to three
    geometry = Geometry(kernel, stride, padding, dilation).adjoint_to(size)
    x = torch.tensor(rng.normal(size=(1, 2, *size)), requires_grad=True)
    y = F.conv2d(x, torch.tensor(weight), None, stride, padding, dilation)
    received = rng.normal(size=y.shape)
    y.backward(torch.tensor(received))
    assert_allclose(x.grad, definition.conv_transpose(received, weight, geometry), atol=1e-12)


@pytest.mark.parametrize(("padding", "dilation"), [(0, 1), (1, 1), (2, 1), (0, 2), (3, 2)])
def test_conv_gradient_is_conv(rng, padding, dilation):
    weight = torch.tensor(rng.normal(size=(3, 2, 3, 3)))
    x = torch.tensor(rng.normal(size=(1, 2, 7, 6)), requires_grad=True)
    y = F.conv2d(x, weight, padding=padding, dilation=dilation)
    received = torch.tensor(rng.normal(size=y.shape))
    y.backward(received)
    flipped = weight.flip(2, 3).transpose(0, 1)
    conv = F.conv2d(received, flipped, padding=2 * dilation - padding, dilation=dilation)
    assert_allclose(x.grad, conv, atol=1e-12)
    # "Its gradient is itself" is not so: without the flip the numbers are others.
    itself = F.conv2d(
        received, weight.transpose(0, 1), padding=2 * dilation - padding, dilation=dilation
    )
    assert not np.allclose(x.grad, itself, atol=0.1)


# -------------------------------------------------------- Sizes, and what each framework calls them


def test_s1_snippet_runs():
    settings = {"in_channels": 3, "out_channels": 3, "stride": 1, "padding": 0, "output_padding": 0}
    with pytest.raises(TypeError, match="kernal_size"):
        torch.nn.ConvTranspose2d(kernal_size=3, groups=1, bias=True, **settings)
    mended = torch.nn.ConvTranspose2d(kernel_size=3, groups=1, bias=True, **settings)
    assert mended(torch.randn(1, 3, 2, 2)).size() == (1, 3, 4, 4)
    second_half = "torch.Tensor(np.arange(64).reshape((8,8)).reshape(1,1,8,8))"
    with pytest.raises(NameError, match="'np' is not defined"):
        eval(second_half, {"torch": torch})
    assert eval(second_half, {"torch": torch, "np": np}).shape == (1, 1, 8, 8)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_torch_padding_refers_to_forward(rng, stride, padding):
    x, weight = (
        torch.tensor(rng.normal(size=(1, 1, 5, 5))),
        torch.tensor(rng.normal(size=(1, 1, 5, 5))),
    )
    y = F.conv_transpose2d(x, weight, stride=stride, padding=padding)
    # A convolution with this very stride and padding leads back to the size of x.
    assert F.conv2d(y, weight, stride=stride, padding=padding).shape == x.shape
    # And padding crops: it cuts that many rows and columns away from the uncropped output.
    full = F.conv_transpose2d(x, weight, stride=stride)
    kept = slice(padding, full.shape[2] - padding)
    assert_allclose(y, full[:, :, kept, kept], atol=1e-12)


def test_output_padding_pads_the_result(rng):
    x, weight = (
        torch.tensor(rng.normal(size=(1, 1, 4, 4))),
        torch.tensor(rng.normal(size=(1, 1, 3, 3))),
    )
    full = F.conv_transpose2d(x, weight, stride=2)
    without = F.conv_transpose2d(x, weight, stride=2, padding=1)
    longer = F.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=1)
    assert without.shape[2:] == (7, 7)
    assert longer.shape[2:] == (8, 8)
    assert_allclose(longer, full[:, :, 1:, 1:], atol=1e-12)  # the window reaches one further
    assert_allclose(longer[:, :, :-1, :-1], without, atol=1e-12)
    assert longer[:, :, -1].abs().min() > 0  # real values, not zeros
    # Only where no kernel reaches is the new row zero, or rather what the bias says: it is the line
    # that is made longer, and then cropped.
    bias = torch.tensor([5.0]).double()
    for k, s, p, d in product((1, 2, 3, 5), (1, 2, 4), (0, 1, 2), (1, 2)):
        weight = torch.tensor(rng.uniform(1, 2, size=(1, 1, k, k)))
        settings = {"stride": s, "dilation": d}
        full = F.conv_transpose2d(x, weight, **settings)
        for a in range(max(s, d)):
            line = F.pad(full, (0, a, 0, a))
            kept = slice(p, line.shape[2] - p)
            if kept.stop <= p:
                continue
            y = F.conv_transpose2d(x, weight, bias, padding=p, output_padding=a, **settings)
            assert_allclose(y - 5, line[:, :, kept, kept], atol=1e-12)
            unreached = max(a - p, 0)
            assert_array_equal(y[:, :, y.shape[2] - unreached :], 5)
            assert kept.stop - unreached <= full.shape[2]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_keras_layer_for_tf(rng, size, stride, padding):
    tf = pytest.importorskip("tensorflow")
    from keras import layers

    x = rng.normal(size=(2, 5, 4, 3)).astype(np.float32)
    kernel = rng.normal(size=(size, size, 6, 3)).astype(np.float32)  # height, width, out, in
    layer = layers.Conv2DTranspose(6, size, strides=stride, padding=padding, use_bias=False)
    layer.build(x.shape)
    layer.set_weights([kernel])
    y = layer(x).detach()
    wanted = tf.nn.conv2d_transpose(x, kernel, y.shape, strides=stride, padding=padding.upper())
    assert_allclose(y, wanted, atol=1e-5)
    assert not hasattr(layers, "Deconvolution2D")


def keras_pair(rng, size, **settings):
    """Outputs of Conv2DTranspose and of Conv2D with its kernel flipped, its channels exchanged."""
    from keras import layers

    x = rng.normal(size=(1, 6, 7, 3)).astype(np.float32)
    kernel = rng.normal(size=(size, size, 4, 3)).astype(np.float32)
    outputs = []
    for kind, weight in (
        (layers.Conv2DTranspose, kernel),
        (layers.Conv2D, kernel[::-1, ::-1].transpose(0, 1, 3, 2)),
    ):
        layer = kind(4, size, strides=1, padding="same", use_bias=False)
        layer.build(x.shape)
        layer.set_weights([weight])
        outputs.append(layer(x).detach().numpy())
    return outputs


@pytest.mark.parametrize("size", [1, 3, 5, 2, 4])
def test_stride1_equals_conv(rng, size):
    transposed, conv = keras_pair(rng, size)
    assert transposed.shape == conv.shape
    if size % 2:
        assert_allclose(transposed, conv, atol=1e-5)
    else:  # an even kernel: the same numbers, one pixel further on
        assert not np.allclose(transposed, conv, atol=0.1)
        assert_allclose(transposed[:, 1:, 1:], conv[:, :-1, :-1], atol=1e-5)


# -------------------------------------------------------------------------- Five ways to compute it


@geometries
def test_strictly_not_a_convolution(rng, kernel, stride, padding, dilation, size):
    geometry = Geometry(kernel, stride, padding, dilation).adjoint_to(size)
    x = torch.tensor(rng.normal(size=geometry.output_shape(size)))
    weight = torch.tensor(rng.normal(size=kernel))
    spread = torch.zeros([(i - 1) * s + 1 for i, s in zip(x.shape, geometry.stride, strict=True)])
    spread = spread.double()
    spread[:: geometry.stride[0], :: geometry.stride[1]] = x
    margins = []
    for reach, (before, after), a in zip(
        geometry.reach, geometry.padding, geometry.output_padding, strict=True
    ):
        margins = [reach - 1 - before, reach - 1 - after + a, *margins]
    conv = F.conv2d(
        F.pad(spread, margins)[None, None], weight.flip(0, 1)[None, None], dilation=dilation
    )
    wanted = F.conv_transpose2d(
        x[None, None],
        weight[None, None],
        stride=stride,
        padding=padding,
        output_padding=geometry.output_padding,
        dilation=dilation,
    )
    assert_allclose(conv, wanted, atol=1e-12)
    # At stride 1 nothing was put between the inputs: it is a convolution.
    assert (spread.numel() == x.numel()) == (geometry.stride == (1, 1))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_stride2_is_zero_insertion(rng, size, padding):
    from keras import layers

    x, kernel = rng.normal(size=(4, 5)), rng.normal(size=(size, size))
    layer = layers.Conv2DTranspose(1, size, strides=2, padding=padding, use_bias=False)
    layer.build((1, 4, 5, 1))
    layer.set_weights([kernel[:, :, None, None]])
    by_keras = layer(x[None, :, :, None].astype(np.float32)).detach().numpy()[0, :, :, 0]
    spread = np.zeros((7, 9))
    spread[::2, ::2] = x
    y = slide(np.pad(spread, size - 1), kernel[::-1, ::-1])
    first = (size - 2) // 2  # "same" crops to twice the input, the odd one after
    kept = y if padding == "valid" else y[first : first + 8, first : first + 10]
    assert_allclose(by_keras, kept, atol=1e-5)


def test_zero_insertion_wastes():
    for n, s, k in product((1, 2, 3), (1, 2, 3, 4), (1, 3, 4)):
        for i in (2, 1000):
            shapes = (1, 1, *(i,) * n), (1, 1, *(k,) * n)
            inserted = arithmetic("zero_insertion", *shapes, Geometry((k,) * n, s))
            by_zero = inserted.by_zero / inserted.multiplications
            o = (i - 1) * s + k
            assert_allclose(by_zero, 1 - (i / o) ** n, rtol=1e-12)
        assert abs(by_zero - (1 - 1 / s**n)) < 0.01  # the limit, for many inputs
    # Measured, on the machine that the record names. Memory can be counted again anywhere.
    for layer, found in records.load("zeros").results.items():
        low, _, high = ratio(found["seconds"], "zero_insertion", base="native")
        if layer.startswith("8 channels"):
            assert low < 1.5  # the other side of the condition: hardly slower
        else:
            assert low > 1.5
        assert found["bytes"]["zero_insertion"] > 1.3 * found["bytes"]["native"]
        again = {form: peak_memory(zeros.call(form, layer)) for form in zeros.FORMS}
        assert again["zero_insertion"] > 1.3 * again["polyphase"]
