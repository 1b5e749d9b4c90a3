"""Checks a reader's answer to an exercise, and says what is wrong with it.

A chapter's exercise ends with ``check("name", answer)``. The checker of that name, registered here
by ``@exercise``, returns None if the answer is right, or a sentence that begins in lower case and
says what is wrong; where it can be, the sentence names the mistake (transposed, flipped, one off)
and the case on which it showed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import numpy as np
from scipy import sparse

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
