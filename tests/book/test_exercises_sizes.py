"""The exercises of "Sizes, and what each framework calls them": answers and mistakes."""

import numpy as np
import pytest
import torch


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ([41, 42, 43], "Right: a stride of 3 takes three neighbouring sizes to one"),
        (range(41, 44), "Right: "),
        ({43, 42, 41}, "Right: "),
        (np.array([43, 41, 42]), "Right: "),
        ([41], "Not yet: 41: right, and there are more."),
        ({43, 41}, "Not yet: 41 and 43: right, and there are more."),
        ([40, 41, 42, 43], "Not yet: 40 is none of them"),
        ([41, 42, 43, 44], "Not yet: 44 is none of them"),
        (41, "Not yet: got 41; want a list of sizes."),
    ],
)
def test_sizes_to_14(said, answer, begins):
    assert said("sizes-to-14", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((0, 1, 1), "Right: each layer is told by output_padding"),
        ([0, 1, 1], "Right: "),
        ((1, 1, 0), "Not yet: with these it goes 4 → 8 → 16 → 31; you gave them in the order of"),
        ((1, 1, 1), "Not yet: with these it goes 4 → 8 → 16 → 32."),
        ((0, 0, 0), "Not yet: with these it goes 4 → 7 → 13 → 25."),
        ((0, 2, 1), "Not yet: got 2; output_padding is smaller than the stride"),
        ((0, 1), "Not yet: got (0, 1); want three numbers"),
    ],
)
def test_way_back(said, answer, begins):
    assert said("way-back", answer).startswith(begins)


ALL_TO_14 = [(1, 2, 0, 1), (2, 2, 0, 0), (3, 2, 1, 1), (4, 2, 1, 0)]


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (ALL_TO_14, "Right: all four double any size"),
        (set(ALL_TO_14), "Right: "),
        (ALL_TO_14[::-1], "Right: "),
        (ALL_TO_14[1:], "Not yet: 3 of them found, all right; there are more."),
        ([*ALL_TO_14, (3, 2, 1, 0)], "Not yet: (3, 2, 1, 0) takes 7 to 13."),
        ([*ALL_TO_14, (5, 2, 2, 1)], "Not yet: (5, 2, 2, 1) takes 7 to 14, and is outside"),
        ((3, 2, 1, 1), "Not yet: got (3, 2, 1, 1); want a list of tuples"),
    ],
)
def test_7_to_14(said, answer, begins):
    assert said("7-to-14", answer).startswith(begins)


def keras_same(x, weight, stride):
    y = torch.nn.functional.conv_transpose2d(x, weight, stride=stride)
    height, width = (stride * size for size in x.shape[2:])
    before = (weight.shape[2] - stride) // 2
    return y[:, :, before : before + height, before : before + width]


def usual_padding(x, weight, stride):
    less = weight.shape[2] - stride
    padding = (less + 1) // 2
    return torch.nn.functional.conv_transpose2d(
        x, weight, None, stride, padding, 2 * padding - less
    )


def test_keras_same_is_what_keras_computes():
    from keras import layers

    rng = np.random.default_rng(0)
    for k, s in [(3, 2), (4, 2), (5, 3), (4, 1)]:
        x, kernel = rng.normal(size=(2, 4, 5, 3)), rng.normal(size=(k, k, 2, 3))
        layer = layers.Conv2DTranspose(2, k, strides=s, padding="same", use_bias=False)
        layer.build(x.shape)
        layer.set_weights([kernel])
        ours = keras_same(
            torch.from_numpy(x.transpose(0, 3, 1, 2)),
            torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()),
            s,
        )
        np.testing.assert_allclose(
            layer(x.astype("float32")).detach().numpy(), ours.permute(0, 2, 3, 1), atol=1e-5
        )


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (keras_same, "Right: compute the whole line, then crop k − s, the odd one after."),
        (
            usual_padding,
            "Not yet: for a 3×3 kernel and stride 2 you crop 1 before and 0 after: it is the",
        ),
        (
            lambda x, w, s: torch.nn.functional.conv_transpose2d(x, w, stride=s),
            "Not yet: for a 4×4 kernel and stride 2 you crop nothing",
        ),
        (
            lambda x, w, s: keras_same(x, w.flip(2, 3), s),
            "Not yet: for a 2×2 kernel and stride 2 your kernel is flipped",
        ),
        (lambda x, w, s: x, "Not yet: for a 2×2 kernel and stride 2 your output has shape"),
        (
            keras_same(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2), 2),
            "Not yet: got Tensor; want",
        ),
    ],
)
def test_keras_same(said, answer, begins):
    assert said("keras-same", answer).startswith(begins)


def test_empty_rows(said):
    x = torch.randn(1, 1, 4, 4)
    y = torch.nn.ConvTranspose2d(1, 1, 5, 4, 1, 3)(x)[0, 0]
    empty = (y == y[-1, -1]).all(1).sum()
    assert said("empty-rows", empty).startswith("Right: three positions are added to the line")
    assert said("empty-rows", 2).startswith("Right: ")
    assert said("empty-rows", 3).startswith("Not yet: three rows are new; but")
    assert said("empty-rows", 1).startswith("Not yet: got 1; draw the end of the line")
