"""Exercises of the chapter "The Keras autoencoder"."""

from __future__ import annotations

import numpy as np

from upconv.book.exercises.checking import as_array, call, compare, exercise, same


@exercise(
    "latent-and-back",
    shows="64 halves to 8; twice doubled, less 2, once more doubled, that is 60 and not 64.",
)
def _latent_and_back(answer: object) -> str | None:
    if same(answer, np.array([8, 60])):
        return None
    if same(answer, np.array([8, 64])):
        return "one convolution of the decoder has no padding; what becomes of its pixels?"
    if same(answer, np.array([8, 62])):
        return "the two pixels are lost before the last doubling, not after it."
    if same(answer, np.array([8, 56])):
        return "the pixels are lost after the second doubling, not after the first."
    if same(answer, np.array([60, 8])):
        return "the two numbers are right; the latent comes first."
    latent = as_array(answer)
    if latent is not None and latent.shape == (2,) and latent[0] != 8:
        return f"the latent is not {latent[0]:g}: three poolings, and each halves."
    return f"got {answer!r}; want the side of the latent and the side of the output."


@exercise(
    "count-k5",
    shows="2,488 up to the first convolution of the decoder, then 1,608, 3,216 and 401.",
)
def _count_k5(answer: object) -> str | None:
    number = as_array(answer)
    if number is None or number.size != 1:
        return f"got {answer!r}; want one number."
    mistakes = {
        5225: "those are the three transposed layers alone; the rest of the model has 2,488.",
        5809: "those are the parameters of the decoder; the encoder has 1,904 more.",
        7688: "the biases of the transposed layers are missing: one for each filter.",
        4385: "that is the model with 3×3 kernels.",
        7338: "the last layer has one filter, but 16 channels come in.",
    }
    value = float(number.reshape(-1)[0])
    if value == 7713:
        return None
    if value in mistakes:
        return mistakes[value]
    return f"got {value:g}; a layer has k·k·in·out weights and out biases."


@exercise(
    "perfect-copy",
    shows="the floor of the loss is the mean entropy of the greys: 0 only for black and white.",
)
def _perfect_copy(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    grey = rng.uniform(0.01, 0.99, size=(5, 4))
    cases = {
        "grey values between 0 and 1": grey,
        "black and white": np.array([[0.0, 1.0], [1.0, 1.0]]),
        "black, white and grey": np.array([[0.0, 0.5], [1.0, 0.25]]),
    }
    for case, x in cases.items():
        got = call(answer, case, x)
        inner = x[(x > 0) & (x < 1)]
        entropy = -inner * np.log(inner) - (1 - inner) * np.log(1 - inner)
        want = np.array(entropy.sum() / x.size)
        number = as_array(got)
        if number is None or number.size != 1:
            return f"for {case} your floor(x) is {type(got).__name__}; want one number."
        value = number.reshape(-1)[0]
        if not np.isfinite(value):
            return (
                f"for {case} your floor(x) is {value:g}: 0·log 0 counts as 0; clip, or leave out."
            )
        # Keras clips at 1e-7, and so may you.
        if abs(value - want) < 1e-5:
            continue
        mistakes = [
            (entropy.sum(), "that is the sum over the pixels; take the mean."),
            (-want, "the sign is wrong: a loss is not negative."),
            (want / np.log(2), "that is in bits; take the natural logarithm."),
            (-(x * np.log(np.where(x > 0, x, 1))).mean(), "the part of 1 − x is missing."),
            (0, "a copy has no error, and still a loss: put y = x into the formula."),
        ]
        for mistaken, sentence in mistakes:
            if abs(value - mistaken) < 1e-5:
                return f"for {case} your floor(x) is {value:.6g}: {sentence}"
        return f"for {case} your floor(x) is {value:.6g}, want {want:.6g}."
    return None


@exercise(
    "icnr-order",
    shows="each phase has the whole small kernel, one after the other, as depth to space wants it.",
)
def _icnr_order(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for shape, s in (((3, 3, 2, 3), 2), ((1, 3, 1, 2), 3), ((3, 3, 2, 1), 2)):
        small = rng.normal(size=shape)
        case = f"c = {shape[-1]} and s = {s}"
        got = call(answer, case, small, s)
        wrong = compare(got, np.tile(small, s * s), f"for {case} your kernel")
        if wrong is None:
            continue
        if same(got, np.repeat(small, s * s, axis=-1)):
            return "that is the order of PixelShuffle: in Keras the phases lie c filters apart."
        if same(got, np.tile(small, s)):
            return "that is enough for one axis; an image has s² phases."
        if same(got, np.tile(small, s * s) / s**2):
            return "nothing is to be shared out: each phase has the kernel itself."
        return wrong
    return None
