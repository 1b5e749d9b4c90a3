"""Exercises of the chapter "Checkerboards"."""

from __future__ import annotations

import numpy as np

from upconv.book.exercises.checking import as_array, call, compare, exercise, same
from upconv.checkerboard import phase_gains, project


def _gains(taps: np.ndarray, stride: int) -> np.ndarray:
    return phase_gains(taps.astype(float)[None, None], stride)[0, 0]


def _taps(answer: object, count: int) -> np.ndarray | str:
    """The taps, or the sentence that says why the answer is none."""
    taps = as_array(answer)
    if taps is None or taps.shape != (count,) or not np.isrealobj(taps):
        return f"got {answer!r}; want {count} numbers."
    if not np.isfinite(taps).all():
        return "your taps are not all finite."
    return taps


@exercise(
    "clean-three",
    shows="both phases have the same sum, though two stamps meet in one and one in the other.",
)
def _clean_three(answer: object) -> str | None:
    taps = _taps(answer, 3)
    if isinstance(taps, str):
        return taps
    even, odd = _gains(taps, 2)
    if np.isclose(even, odd) and (taps == 0).any():
        return "the gains are equal, but one of your taps is zero."
    if np.isclose(even, odd) and (np.sign(taps) == np.sign(taps[0])).all():
        return "the gains are equal, but your taps all have the same sign."
    if np.isclose(even, odd):
        return None
    if np.isclose(even, -odd):
        return f"the gains {even:g} and {odd:g} have the same size and not the same sign."
    return f"the gains are {even:g} (taps 0 and 2) and {odd:g} (tap 1); make them equal."


@exercise(
    "imbalance-law",
    shows="only the number of phases counts: 3 for audio at stride 3, 8 for a volume at stride 2.",
)
def _imbalance_law(answer: object) -> str | None:
    if same(answer, np.sqrt([2 / 3, 7 / 8])):
        return None
    if same(answer, np.array([2 / 3, 7 / 8])):
        return "those are the shares of the energy; the imbalance is their root."
    if same(answer, np.sqrt([8 / 9, 3 / 4])):
        return "that is the law for images; count the phases along one axis, and along three."
    if same(answer, np.sqrt([2 / 3, 0])) or same(answer, np.array([0.8165, 0])):
        return "a stride that divides the kernel evens out the counts, not the sums."
    return f"got {answer!r}; want √(1 − 1/P) for the numbers P of phases."


@exercise(
    "stacked-counts",
    shows="8 and 5, further apart than the 3 and 2 of one layer.",
)
def _stacked_counts(answer: object) -> str | None:
    if same(answer, np.array([5, 8])):
        return None
    if same(answer, np.array([8, 5])):
        return "the two numbers are right; the smallest comes first."
    if same(answer, np.array([2, 3])):
        return "those are the counts of one layer."
    if same(answer, np.array([4, 9])):
        return "counts do not multiply: the second layer adds up neighbours of 3, 2, 3, 2, …"
    return f"got {answer!r}; feed 3, 2, 3, 2, … to the second layer, or ask overlap."


@exercise("flatten", shows="your kernel has equal gains, and none that has lies nearer to w.")
def _flatten(answer: object) -> str | None:
    rng = np.random.default_rng(0)
    for k, s in ((4, 2), (6, 3), (3, 2), (5, 3), (7, 3)):
        w = rng.normal(size=k)
        case = f"{k} taps and stride {s}"
        got = call(answer, case, w, s)
        want = project(w[None, None], s)[0, 0]
        wrong = compare(got, want, f"for {case} your kernel")
        if wrong is None:
            continue
        gains, phases = _gains(w, s), np.arange(k) % s
        counts = np.bincount(phases)
        if same(got, w * (gains.mean() / gains)[phases]):
            return f"for {case} your gains are equal, but scaling a phase is not the nearest way."
        if same(got, w - w.mean()):
            return f"for {case} you took the mean away: the gains differ as before."
        if same(got, w + ((gains.mean() - gains) / counts)[phases]):
            return (
                f"for {case} your gains are equal, but to their plain mean: where phases have "
                "different numbers of taps, another common gain lies nearer."
            )
        array = as_array(got)
        if array is not None and array.shape == w.shape and np.isfinite(array).all():
            found = _gains(array, s) if np.isrealobj(array) else gains
            if not np.allclose(found, found[0]):
                return f"for {case} the gains of your kernel are {np.round(found, 3).tolist()}."
            return f"for {case} your gains are equal, but another kernel with equal ones is nearer."
        return wrong
    return None


@exercise("ramp-kernel", shows="your kernel has the factor (1, 1) twice: a double zero at −1.")
def _ramp_kernel(answer: object) -> str | None:
    taps = _taps(answer, 4)
    if isinstance(taps, str):
        return taps
    if taps[0] == 0 or taps[-1] == 0:
        return "the first or the last of your taps is zero."
    even, odd = _gains(taps, 2)
    if not np.isclose(even, odd):
        return f"constants already show a grid: the gains are {even:g} and {odd:g}."
    even, odd = _gains(taps * np.arange(4), 2)
    if not np.isclose(even, odd):
        return "constants stay constant, but ramps become stairs; you need the zero at −1 twice."
    return None
