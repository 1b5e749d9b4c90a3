"""The exercises of "The Keras autoencoder": answers and mistakes."""

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((8, 60), "Right: "),
        ((8, 64), "Not yet: one convolution of the decoder has no padding"),
        ((8, 62), "Not yet: the two pixels are lost before the last doubling"),
        ((8, 56), "Not yet: the pixels are lost after the second doubling"),
        ((60, 8), "Not yet: the two numbers are right"),
        ((4, 28), "Not yet: the latent is not 4"),
        ((8, 61), "Not yet: got (8, 61)"),
    ],
)
def test_latent_and_back(said, answer, begins):
    assert said("latent-and-back", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (7713, "Right: "),
        (5225, "Not yet: those are the three transposed layers alone"),
        (5809, "Not yet: those are the parameters of the decoder"),
        (7688, "Not yet: the biases"),
        (4385, "Not yet: that is the model with 3×3 kernels"),
        (7338, "Not yet: the last layer has one filter"),
        (7714, "Not yet: got 7714"),
    ],
)
def test_count_k5(said, answer, begins):
    assert said("count-k5", answer).startswith(begins)


def entropy(x, clip=1e-7, reduce=np.mean):
    y = np.clip(x, clip, 1 - clip)
    return reduce(-x * np.log(y) - (1 - x) * np.log(1 - y))


def unclipped(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.mean(-x * np.log(x) - (1 - x) * np.log(1 - x))


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (entropy, "Right: "),
        (lambda x: entropy(x, 1e-12), "Right: "),
        (unclipped, "Not yet: for black and white your floor(x) is nan: 0·log 0"),
        (lambda x: entropy(x, reduce=np.sum), "Not yet: for grey values between 0 and 1 your floo"),
        (lambda x: -entropy(x), "Not yet: for grey values between 0 and 1 your floor(x) is -"),
        (lambda x: 0.0, "Not yet: for grey values between 0 and 1 your floor(x) is 0: a copy"),
        (lambda x: np.mean(-x * np.log(np.clip(x, 1e-7, 1))), "Not yet: for grey values"),
        (lambda x: x, "Not yet: for grey values between 0 and 1 your floor(x) is ndarray"),
        (lambda x: entropy(x) + 1, "Not yet: for grey values between 0 and 1 your floor(x) is 1"),
    ],
)
def test_perfect_copy(said, answer, begins):
    assert said("perfect-copy", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (lambda x: entropy(x, reduce=np.sum), "take the mean."),
        (lambda x: -entropy(x), "the sign is wrong: a loss is not negative."),
        (lambda x: entropy(x) / np.log(2), "take the natural logarithm."),
        (lambda x: np.mean(-x * np.log(np.clip(x, 1e-7, 1))), "the part of 1 − x is missing."),
    ],
)
def test_perfect_copy_names_the_mistake(said, answer, ends):
    assert " ".join(said("perfect-copy", answer).split()).endswith(ends)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (lambda small, s: np.tile(small, (1, 1, 1, s * s)), "Right: "),
        (lambda small, s: np.concatenate([small] * s**2, axis=3), "Right: "),
        (lambda small, s: np.repeat(small, s * s, axis=3), "Not yet: that is the order of PixelSh"),
        (lambda small, s: np.tile(small, s), "Not yet: that is enough for one axis"),
        (lambda small, s: np.tile(small, s * s) / s**2, "Not yet: nothing is to be shared out"),
        (lambda small, s: small, "Not yet: for c = 3 and s = 2 your kernel has shape (3, 3, 2, 3)"),
    ],
)
def test_icnr_order(said, answer, begins):
    assert said("icnr-order", answer).startswith(begins)
