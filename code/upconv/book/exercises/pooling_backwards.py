"""Exercises of the chapter "Pooling backwards"."""

from __future__ import annotations

import numpy as np

from upconv.book.exercises.checking import as_array, call, compare, exercise, same


@exercise(
    "average-gradient",
    shows="every input gets a third from each of its windows; where two overlap, the thirds add.",
)
def _average_gradient(answer: object) -> str | None:
    want = np.array([1, 1, 3, 2, 5, 3, 3])
    if same(answer, want):
        return None
    if same(answer, 3 * want):
        return "that is the gradient of sum pooling; an average divides by 3."
    if same(answer, np.array([1, 1, 1, 2, 2, 2, 3])) or same(
        answer, np.array([1, 1, 2, 2, 3, 3, 3])
    ):
        return "inputs 2 and 4 lie in two windows each: there the gradients add."
    if same(answer, np.array([3, 3, 9, 6, 15, 9, 9]) / 2):
        return "you divided by the stride; an average divides by the size of the window, 3."
    return compare(answer, want, "your gradient")


def _max_gradient_by_loops(x: np.ndarray, g: np.ndarray, last: bool = False) -> np.ndarray:
    back = np.zeros(x.shape)
    for q, r in np.ndindex(g.shape):
        block = x[2 * q : 2 * q + 2, 2 * r : 2 * r + 2].ravel()
        place = 3 - block[::-1].argmax() if last else block.argmax()
        back[2 * q + place // 2, 2 * r + place % 2] = g[q, r]
    return back


@exercise(
    "max-gradient", shows="each gradient goes to the first maximum of its window, all else is zero."
)
def _max_gradient(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for shape, values in (((1, 1), 9), ((2, 3), 99), ((3, 2), 2)):
        x = rng.integers(0, values, (2 * shape[0], 2 * shape[1])).astype(float)
        g = rng.integers(1, 9, shape).astype(float)
        case = f"an image of shape {x.shape}"
        got = call(answer, case, x, g)
        want = _max_gradient_by_loops(x, g)
        wrong = compare(got, want, f"for {case} your gradient")
        if wrong is None:
            continue
        spread = g.repeat(2, 0).repeat(2, 1)
        if same(got, spread):
            return "that is nearest upsampling, the gradient of sum pooling."
        if same(got, np.where(np.indices(x.shape).sum(0) % 2 == 0, spread, 0)) or same(
            got, _max_gradient_by_loops(np.zeros(x.shape), g)
        ):
            return "that is zero insertion, the gradient of slicing: look where the maximum is."
        largest = x.reshape(shape[0], 2, shape[1], 2).max((1, 3)).repeat(2, 0).repeat(2, 1)
        if same(got, np.where(x == largest, spread, 0)):
            return "where two values are equal, you gave the gradient to both; the first gets it."
        if same(got, _max_gradient_by_loops(x, g, last=True)):
            return "among equal values you took the last; take the first."
        if same(got, _max_gradient_by_loops(x, np.ones(shape)) * x):
            return "that is unpooling of the maxima; write g, not x, to those places."
        return wrong
    return None


@exercise(
    "route-down",
    shows="the stamp is the kernel laid on the box, (1, 2, 3) and (1, 2, 3) one further on.",
)
def _route_down(answer: object) -> str | None:
    if same(answer, np.array([1, 3, 5, 3])):
        return None
    if same(answer, np.array([3, 5, 3, 1])):
        return "that is flipped; a stamp is written as it stands."
    if same(answer, np.array([1, 2, 3])):
        return "that stamp forgets the upsampling: each input is there twice, one apart."
    if same(answer, np.array([1, 1, 2, 2, 3, 3])):
        return "you upsampled the kernel; the two copies of the input are 1 apart, not its taps 2."
    return f"got {answer!r}; want (1, 2, 3) added to itself one position further on, 4 numbers."


@exercise(
    "two-images",
    shows="one pooled image, two gradients: what was lost is where the maxima stood.",
)
def _two_images(answer: object) -> str | None:
    pair = list(answer) if isinstance(answer, tuple | list) else []
    images = [as_array(image) for image in pair]
    if len(images) != 2 or any(image is None or image.shape != (4, 4) for image in images):
        return "want a tuple of two 4×4 arrays of numbers."
    if not all(np.isfinite(image).all() for image in images):
        return "your images hold values that are not finite."
    blocks = [image.reshape(2, 2, 2, 2).swapaxes(1, 2).reshape(4, 4) for image in images]
    for name, block in zip(("first", "second"), blocks, strict=True):
        if ((block == block.max(axis=1, keepdims=True)).sum(axis=1) > 1).any():
            return f"in the {name} image a window has two equal maxima."
    wrong = compare(blocks[1].max(axis=1), blocks[0].max(axis=1), "the second image, pooled,")
    if wrong:
        return wrong
    if (blocks[0].argmax(axis=1) == blocks[1].argmax(axis=1)).any():
        return "in one window both images have their maximum at the same place."
    return None


@exercise(
    "low-pass",
    shows="the box of three passes 4 times the power at a sixth, and nothing at a third.",
)
def _low_pass(answer: object) -> str | None:
    if same(answer, np.array([4, 0])):
        return None
    if same(answer, np.array([0, 4])):
        return "the two numbers are right, in the other order."
    if same(answer, np.array([2, 0])):
        return "that is the factor of the amplitude; power goes with its square."
    if same(answer, np.array([3, 1])):
        return "that is the formula for s = 2, 4 cos² πf along one axis; here s = 3."
    return f"got {answer!r}; put s = 3 into (sin πsf / sin πf)²."
