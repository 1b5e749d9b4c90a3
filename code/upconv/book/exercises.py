"""Checks a reader's answer to an exercise, and says what is wrong with it.

A chapter's exercise ends with ``check("name", answer)``. The checker of that name, registered here
by ``@exercise``, returns None if the answer is right, or a sentence that begins in lower case and
says what is wrong; where it can be, the sentence names the mistake (transposed, flipped, one off)
and the case on which it showed.
"""

from __future__ import annotations

import operator
import textwrap
from collections.abc import Callable

import numpy as np
from scipy import sparse

from upconv import Geometry, conv_matrix, solve
from upconv.definition import conv_transpose

__all__ = ["as_array", "call", "check", "compare", "exercise", "names", "same"]

Checker = Callable[[object], str | None]
_CHECKERS: dict[str, tuple[Checker, str]] = {}


class _RaisedInAnswer(Exception):
    """The reader's own function raised; the message is the sentence to print."""


def exercise(name: str, shows: str) -> Callable[[Checker], Checker]:
    """Registers a checker under a name, with the sentence that a right answer earns.

    Args:
        name: as in ``check("name", …)``; the exercise's label in the chapter is ``ex-name``.
        shows: what a right answer shows: one sentence.

    Raises:
        ValueError: if another exercise has this name.
    """

    def register(checker: Checker) -> Checker:
        if name in _CHECKERS:
            raise ValueError(f"name: got {name!r} twice; want another name for each exercise")
        _CHECKERS[name] = checker, shows
        return checker

    return register


def names() -> tuple[str, ...]:
    """The names of all exercises, in the order of the book.

    Example:
        >>> "columns-count" in names()
        True
    """
    return tuple(_CHECKERS)


def check(name: str, answer: object) -> None:
    """Prints "Right: …" and what the answer shows, or "Not yet: …" and what is wrong with it.

    Args:
        name: of the exercise.
        answer: a number, tuple, array or function, as the exercise asks; ``...`` stands for an
            answer that is still to be given.

    Raises:
        ValueError: if there is no exercise of this name; the message lists those there are.

    Example:
        >>> check("channels-shape", (8, 14, 14))
        Not yet: got (8, 14, 14), which is the output's shape; C has one row for
        each output value.
    """
    if name not in _CHECKERS:
        raise ValueError(f"name: got {name!r}; want one of {', '.join(_CHECKERS)}")
    checker, shows = _CHECKERS[name]
    if answer is None or answer is ...:
        print(f"Not yet: put your answer in the place of {answer!r}.")
        return
    try:
        wrong = checker(answer)
    except _RaisedInAnswer as raised:
        wrong = str(raised)
    sentence = f"Not yet: {wrong}" if wrong else f"Right: {shows}"
    print(textwrap.fill(sentence, 72, break_long_words=False, break_on_hyphens=False))


def call(function: object, case: str, *arguments: object) -> object:
    """What the reader's function returns; whatever it raises becomes the sentence to print.

    Args:
        function: the reader's answer.
        case: the arguments in words, for the sentence.
        arguments: arrays are handed over as copies, so that a function cannot spoil the check.
    """
    if not callable(function):
        raise _RaisedInAnswer(f"got {type(function).__name__}; want a function.")
    copies = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]
    try:
        result = function(*copies)
    except Exception as error:  # anything that a reader's code may raise
        sentence = f"for {case} your function raised {type(error).__name__}: {error}"
        raise _RaisedInAnswer(sentence) from error
    if result is None:
        raise _RaisedInAnswer(f"for {case} your function returned None; has it a return?")
    return result


def as_array(value: object) -> np.ndarray | None:
    """The answer as an array of numbers, from a list, array, sparse array or tensor; else None."""
    if sparse.issparse(value):
        value = value.toarray()
    if hasattr(value, "detach"):  # a torch tensor, which may want a gradient
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # rows of different lengths
        return None
    if array.dtype.kind == "b":
        return array.astype(int)
    return array if array.dtype.kind in "iufc" else None


def compare(got: object, want: np.ndarray, what: str = "your array") -> str | None:
    """None if the two are equal to rounding, else a sentence on how they differ.

    Args:
        got: the reader's; anything.
        want: the right one.
        what: how the sentence begins.

    Example:
        >>> print(compare([[1, 2], [3, 5]], np.array([[1, 2], [3, 4]]), "your matrix"))
        your matrix has 5 at [1, 1], want 4.
    """
    array = as_array(got)
    if array is None:
        return f"{what} is no array of numbers: got {type(got).__name__}."
    if array.shape != want.shape:
        return f"{what} has shape {array.shape}, want {want.shape}."
    wrong = ~np.isclose(array, want, rtol=1e-5, atol=1e-8)
    if not wrong.any():
        return None
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    where = f" at {list(place)}" if place else ""
    return f"{what} has {array[place]:.6g}{where}, want {want[place]:.6g}."


def same(got: object, want: np.ndarray) -> bool:
    """Whether the reader's array is this one: to recognise a well-known mistake."""
    return compare(got, want) is None


# ----------------------------------------------------------------------- A convolution is a matrix


@exercise(
    "columns-count",
    shows="a corner of the input is seen by one window, the middle by four, so the transpose "
    "collects one product at a corner and four in the middle.",
)
def _columns_count(answer: object) -> str | None:
    c = conv_matrix(np.ones((3, 3)), (4, 4), Geometry((3, 3)), dense=True)
    want = c.sum(0).reshape(4, 4)
    if same(answer, c.sum(1)) or same(answer, c.sum(1).reshape(2, 2)):
        return "you counted along the rows of C; count along its columns, one for each input value."
    if same(answer, want.ravel()):
        return "the sixteen counts are right; give them the shape of the input, (4, 4)."
    return compare(answer, want, "your array")


@exercise(
    "conv-matrix",
    shows="one matrix does what the sliding window does, for every kernel, input and stride tried.",
)
def _conv_matrix(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    cases = [((2, 2), (3, 3), 1), ((3, 3), (4, 4), 1), ((2, 3), (5, 6), 1), ((3, 2), (7, 8), 2)]
    for size, input_shape, stride in cases:
        kernel, geometry = rng.integers(1, 10, size).astype(float), Geometry(size, stride)
        case = f"a {_by(size)} kernel, a {_by(input_shape)} input and stride {stride}"
        got = call(answer, case, kernel, input_shape, stride)
        want = conv_matrix(kernel, input_shape, geometry, dense=True)
        wrong = compare(got, want, f"for {case} your matrix")
        if wrong is None:
            continue
        if same(got, want.T):
            return f"for {case} you gave the transpose of C: C has one row for each output value."
        if same(got, conv_matrix(kernel[::-1, ::-1], input_shape, geometry, dense=True)):
            return f"for {case} your kernel is flipped: frameworks lay it down as it stands."
        return wrong
    return None


@exercise(
    "channels-shape",
    shows="C has 8·14·14 rows and 3·28·28 columns: 3.7 million places for 600 different weights.",
)
def _channels_shape(answer: object) -> str | None:
    rows, columns = 8 * 14 * 14, 3 * 28 * 28
    mistakes = {
        (columns, rows): "the shape of the transpose; C has one row for each output value.",
        (8, 14, 14): "the output's shape; C has one row for each output value.",
        (8, 3, 5, 5): "the kernel's shape; C has one row for each output value.",
        (14 * 14, 28 * 28): "the shape for one channel to one; each such pair is a block of C.",
        (8 * 12 * 12, columns): "the shape without padding.",
        (8 * 28 * 28, columns): "the shape for stride 1.",
    }
    array = as_array(answer)
    shape = tuple(array.tolist()) if array is not None and array.ndim == 1 else None
    if shape == (rows, columns):
        return None
    if shape in mistakes:
        return f"got {shape}, which is {mistakes[shape]}"
    return f"got {answer!r}; want (how many output values, how many input values), all channels."


@exercise(
    "overlap",
    shows="two stamps meet along each axis inside, four in the plane; only one lies on a corner.",
)
def _overlap(answer: object) -> str | None:
    if same(answer, np.array([4, 1])):
        return None
    if same(answer, np.array([1, 4])):
        return "the two numbers are right; the largest comes first."
    if same(answer, np.array([2, 1])):
        return "that is the answer along one axis; the plane has two."
    if same(answer, np.array([9, 1])) or same(answer, np.array([16, 1])):
        return "not all stamps meet in one pixel: they lie 2 apart and are 4 wide."
    return f"got {answer!r}; write down 3 stamps of 4 ones, each 2 further on, and add them up."


@exercise("adjoint", shows="⟨f(x), y⟩ = ⟨x, g(y)⟩ for all the random vectors tried.")
def _adjoint(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 6):
        y = rng.normal(size=n - 1)
        got = call(answer, f"{n - 1} numbers", y)
        want = np.diff(np.eye(n), axis=0).T @ y
        wrong = compare(got, want, f"for {n - 1} numbers your g(y)")
        if wrong is None:
            continue
        if same(got, -want):
            return "the sign is wrong: f adds x[1:] and subtracts x[:-1]."
        if same(got, np.concatenate([[0], np.cumsum(y)])):
            return "that is an inverse of f, not its adjoint."
        return wrong
    return None


@exercise(
    "invisible",
    shows="your image and the empty one give the same output: nothing can tell them apart again.",
)
def _invisible(answer: object) -> str | None:
    image = as_array(answer)
    if image is None or image.shape != (4, 4):
        return f"got shape {None if image is None else image.shape}; want a 4×4 array of numbers."
    if not np.isfinite(image).all():
        return "your image holds values that are not finite."
    scale = np.abs(image).max()
    if scale == 0:
        return "your image is all zeros; every convolution takes that to zeros."
    seen = conv_matrix(np.ones((3, 3)), (4, 4), Geometry((3, 3))) @ image.ravel()
    if np.abs(seen).max() > 1e-6 * scale:
        place = int(np.abs(seen).argmax())
        return f"the output is not zero: window {place} sums to {seen[place]:.6g}."
    return None


@exercise(
    "lost",
    shows="one channel of 14×14 keeps 196 of 784 dimensions; eight could keep them all.",
)
def _lost(answer: object) -> str | None:
    if same(answer, np.array([784 - 196, 0])):
        return None
    if same(answer, np.array([196, 784])) or same(answer, np.array([196, 1568])):
        return "those are dimensions kept; the null space has the rest of the 784."
    if same(answer, np.array([588, 784 - 1568])):
        return "no space has fewer than 0 dimensions: the rank is at most 784, the input's size."
    return f"got {answer!r}; want (columns − rank) for 196 rows and for 8·196 rows, 784 columns."


def _by(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))


# ----------------------------------------------------- Sizes, and what each framework calls them


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


# ---------------------------------------------------------------------- Five ways to compute it


@exercise(
    "phase-taps",
    shows="the phase of output m is (m + p) mod s: with padding 1 the even outputs see tap 1 "
    "alone, the odd ones taps 0 and 2.",
)
def _phase_taps(answer: object) -> str | None:
    try:
        even, odd = (sorted(operator.index(tap) for tap in taps) for taps in answer)
    except (TypeError, ValueError):
        return f"got {answer!r}; want two lists of taps, those of the even outputs first."
    if (even, odd) == ([1], [0, 2]):
        return None
    if (even, odd) == ([0, 2], [1]):
        return (
            "so it is without padding; the padding crops one output and shifts the phases by one."
        )
    if even == odd == [0, 1, 2]:
        return "of three neighbouring places in the spread input one or two hold inserted zeros."
    return f"got {even} and {odd}; write down which sums make the outputs 0 to 3."


@exercise(
    "zeros-count",
    shows="4096 multiplications for 900 useful products: 78 per cent are by zero, more than the "
    "three quarters of the limit, because windows at the border reach over it.",
)
def _zeros_count(answer: object) -> str | None:
    array = as_array(answer)
    if array is None or array.shape != (2,):
        return f"got {answer!r}; want (multiplications, those by zero)."
    made, by_zero = array.tolist()
    if made == 18**2 * 4**2:
        return "18×18 outputs is without padding; here the output is 16×16."
    if made == 8**2 * 4**2:
        return (
            "1024 are the products of scatter; zero insertion multiplies all taps at every output."
        )
    if made != 16**2 * 4**2:
        return f"{made:g} are not the multiplications of 16×16 windows with 4×4 taps."
    if by_zero == 4096 - 900:
        return None
    if by_zero == 3072:
        return "three quarters is the limit; windows at the border lie partly outside the input."
    if by_zero == 900:
        return "900 is the number of useful products; the rest is by zero."
    return (
        f"4096 is right, {by_zero:g} by zero is not: count along one axis how many pairs of an "
        "input and a tap land in the output, and square it."
    )


@exercise(
    "holes",
    shows="every third row and column sees no tap: polyphase shows it as phases without taps.",
)
def _holes(answer: object) -> str | None:
    array = as_array(answer)
    if array is None or array.shape != ():
        return f"got {answer!r}; want one number."
    number = array.item()
    mistakes = {
        4: "4 is the number along one axis; an output is zero if its row or its column is such.",
        16: "16 outputs lie in such a row and such a column; one of the two is enough.",
        100: "100 outputs are not zero.",
        125: "125 is for 15×15 outputs; after the last input there is no gap.",
    }
    if number in mistakes:
        return mistakes[number]
    return (
        None if number == 96 else f"{number:g} is not it; how large is the output along one axis?"
    )


@exercise(
    "polyphase-1d",
    shows="your outputs are those of the transposed convolution for all kernels and strides tried.",
)
def _polyphase_1d(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for i, k, s in ((4, 4, 2), (4, 3, 2), (3, 5, 3), (5, 3, 1), (4, 2, 3)):
        x, w = (rng.integers(1, 10, n).astype(float) for n in (i, k))
        case = f"{i} inputs, {k} taps and stride {s}"
        got = call(answer, case, x, w, s)
        want = _transposed_1d(x, w, s)
        wrong = compare(got, want, f"for {case} your output")
        if wrong is None:
            continue
        if same(got, _transposed_1d(x, w[::-1], s)):
            return (
                f"for {case} your kernel is flipped once too often: np.convolve flips it already."
            )
        return wrong
    return None


@exercise(
    "shuffle-any",
    shows="taps of zero at the end make the kernel's size a multiple of the stride, and the "
    "outputs that only they reach are cropped.",
)
def _shuffle_any(answer: object) -> str | None:
    import torch

    generator = torch.Generator().manual_seed(0)
    for k, s in ((4, 2), (3, 2), (5, 3), (2, 3), (3, 1)):
        x = torch.rand(2, 3, 4, 5, generator=generator, dtype=torch.float64)
        weight = torch.rand(3, 2, k, k, generator=generator, dtype=torch.float64)
        case = f"k = {k} and s = {s}"
        want = torch.nn.functional.conv_transpose2d(x, weight, stride=s).numpy()
        got = call(answer, case, x, weight, s)
        wrong = compare(got, want, f"for {case} your output")
        if wrong is None:
            continue
        array = as_array(got)
        if (
            array is not None
            and array.ndim == 4
            and same(array[..., : want.shape[2], : want.shape[3]], want)
        ):
            return f"for {case} your output is right at the upper left, and too large; crop it."
        return wrong
    return None


def _transposed_1d(x: np.ndarray, w: np.ndarray, s: int) -> np.ndarray:
    return conv_transpose(x[None, None], w[None, None], Geometry(len(w), s))[0, 0]
