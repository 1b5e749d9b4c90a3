"""Exercises of the chapter "Sizes, and what each framework calls them"."""

from __future__ import annotations

import numpy as np

from upconv import Geometry, solve
from upconv.book.exercises.checking import as_array, call, compare, exercise, same
from upconv.definition import conv_transpose


@exercise(
    "sizes-to-14",
    shows="a stride of 3 takes three neighbouring sizes to one; rounding down forgets which.",
)
def _sizes_to_14(answer: object) -> str | None:
    geometry = Geometry(kernel=4, stride=3, padding=1)
    (want,) = geometry.ambiguous_inputs(14)
    array = as_array(list(answer) if isinstance(answer, (set, frozenset)) else answer)
    if array is None or array.ndim != 1 or not array.size:
        return f"got {answer!r}; want a list of sizes."
    got = array.tolist()
    for size in got:
        if size not in want:
            return f"{size:g} is none of them: put it into o = ⌊(i + 2p − k)/s⌋ + 1."
    if set(got) != set(want):
        return f"{_and(got)}: right, and there are more."
    return None


@exercise(
    "way-back",
    shows="each layer is told by output_padding whether its size was odd or even on the way in.",
)
def _way_back(answer: object) -> str | None:
    array = as_array(answer)
    if array is None or array.shape != (3,):
        return f"got {answer!r}; want three numbers, one for each layer."
    sizes = [4]
    for a in array.tolist():
        if a not in (0, 1):
            return f"got {a:g}; output_padding is smaller than the stride, so 0 or 1."
        layer = Geometry(kernel=3, stride=2, padding=1, output_padding=int(a))
        sizes += layer.transposed_shape(sizes[-1])
    if sizes == [4, 7, 14, 28]:
        return None
    path = " → ".join(map(str, sizes))
    if array.tolist() == [1, 1, 0]:
        return f"with these it goes {path}; you gave them in the order of the encoder."
    return f"with these it goes {path}."


@exercise(
    "7-to-14",
    shows="all four double any size, for k + a = 2p + s in each of them.",
)
def _7_to_14(answer: object) -> str | None:
    want = {
        (g.kernel[0], g.stride[0], g.padding[0][0], g.output_padding[0])
        for g in solve(7, 14, max_kernel=4, max_stride=4, max_padding=2)
    }
    array = as_array(list(answer) if isinstance(answer, (set, frozenset)) else answer)
    if array is None or array.ndim != 2 or array.shape[1] != 4:
        return f"got {answer!r}; want a list of tuples (k, s, p, a)."
    got = [tuple(row) for row in array.tolist()]
    for k, s, p, a in got:
        if (k, s, p, a) in want:
            continue
        size = (7 - 1) * s + k - 2 * p + a
        if size != 14:
            return f"{(k, s, p, a)} takes 7 to {size:g}."
        return f"{(k, s, p, a)} takes 7 to 14, and is outside the bounds."
    if set(got) != want:
        return f"{len(set(got))} of them found, all right; there are more."
    return None


@exercise(
    "keras-same",
    shows="compute the whole line, then crop k − s, the odd one after.",
)
def _keras_same(answer: object) -> str | None:
    import torch

    rng = np.random.default_rng(0)
    for k, s in [(2, 2), (4, 2), (3, 2), (5, 2), (3, 1), (4, 1), (5, 3)]:
        case = f"a {k}×{k} kernel and stride {s}"
        x, weight = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 2, k, k))
        got = call(answer, case, torch.from_numpy(x.copy()), torch.from_numpy(weight.copy()), s)
        less, more = (k - s) // 2, (k - s + 1) // 2
        want = conv_transpose(x, weight, Geometry((k, k), s, ((less, more),) * 2))
        wrong = compare(got, want, f"for {case} your output")
        if wrong is None:
            continue
        if same(got, conv_transpose(x, weight, Geometry((k, k), s, ((more, less),) * 2))):
            return f"for {case} you crop {more} before and {less} after: it is the other way round."
        if same(got, conv_transpose(x, weight, Geometry((k, k), s))):
            return f"for {case} you crop nothing; the output must be {s} times the input."
        flipped = weight[:, :, ::-1, ::-1]
        if same(got, conv_transpose(x, flipped, Geometry((k, k), s, ((less, more),) * 2))):
            return f"for {case} your kernel is flipped: neither framework does that."
        return wrong
    return None


@exercise(
    "empty-rows",
    shows="three positions are added to the line, and the padding crops one of them: 3 − 1.",
)
def _empty_rows(answer: object) -> str | None:
    if same(answer, np.array(2)):
        return None
    if same(answer, np.array(3)):
        return "three rows are new; but the line is cropped after it was made longer."
    return f"got {answer!r}; draw the end of the line: what is added, and what is cropped?"


def _and(numbers: list) -> str:
    return " and ".join(f"{number:g}" for number in sorted(numbers))
