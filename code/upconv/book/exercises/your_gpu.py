"""Exercises of the chapter "Your GPU, now"."""

from __future__ import annotations

import statistics

import numpy as np

from upconv.book.exercises.checking import as_array, call, exercise


@exercise(
    "collapse-saves",
    shows="nearest upsampling reads s² equal values, and the collapsed kernel multiplies each "
    "once: 2.25 times less for k = 3 and s = 2.",
)
def _collapse_saves(answer: object) -> str | None:
    for k, s in ((3, 2), (3, 4), (5, 2), (1, 2), (3, 1)):
        case = f"k = {k} and s = {s}"
        got = as_array(call(answer, case, k, s))
        if got is None or got.shape != ():
            return f"for {case} your function returned no number."
        want = (k * s / (k + s - 1)) ** 2
        if np.isclose(got, want):
            continue
        mistakes = {
            1 / want: "that is the inverse: how many times as many does upsampling first make?",
            want**0.5: "so it is along one axis; an image has two.",
            (k / (k + s - 1)) ** 2: "an output of the collapsed form sees only the taps of its "
            "phase, one in s along each axis.",
            1.0: "the collapsed kernel is another one: how large is it, and how many of its taps "
            "does an output see?",
        }
        for mistake, why in mistakes.items():
            if np.isclose(got, mistake):
                return f"for {case} got {got:.4g}: {why}"
        return f"for {case} got {got:.4g}, want {want:.4g}."
    return None


@exercise(
    "enough-repeats",
    shows="334 times 30 µs are 10.02 ms, and 100 µs are a little less than one per cent of it.",
)
def _enough_repeats(answer: object) -> str | None:
    array = as_array(answer)
    if array is None or array.shape != ():
        return f"got {answer!r}; want one number."
    number = array.item()
    mistakes = {
        333: "333 times 30 µs are 9.99 ms: 100 µs are a little more than one per cent of it.",
        4: "four make the pass longer than a step of the clock, not a hundred times as long.",
        100: "a hundred times 30 µs are 3 ms: 100 µs are more than three per cent of it.",
    }
    if number in mistakes:
        return mistakes[number]
    if number % 1 != 0:
        return f"got {number:g}; want a whole number, rounded up."
    if number == 334:
        return None
    less = "too few" if number < 334 else "enough, but not the fewest"
    return f"{number:g} are {less}: how many times 30 µs are 100 steps of 100 µs?"


@exercise(
    "paired-ratio",
    shows="what slows a whole round slows both of its samples, and their ratio stays.",
)
def _paired_ratio(answer: object) -> str | None:
    base = [1.0, 1.0, 9.0, 3.0, 1.5]
    form = [2.2, 1.8, 18.0, 3.6, 6.0]
    seconds = {"gather": base, "polyphase": form}
    want = statistics.median(a / b for a, b in zip(form, base, strict=True))
    got = as_array(call(answer, "five rounds", {name: [*list_] for name, list_ in seconds.items()}))
    if got is None or got.shape != ():
        return "your function returned no number."
    if np.isclose(got, want):
        return None
    mistakes = {
        statistics.median(form) / statistics.median(base): "that is the ratio of two medians, "
        "which may come from different rounds; divide within each round first.",
        sum(form) / sum(base): "that is the ratio of two sums, which one slow round decides; "
        "divide within each round, and take the median.",
        statistics.mean(a / b for a, b in zip(form, base, strict=True)): "that is the mean of the "
        "ratios, which one odd round moves; take their median.",
        1 / want: "that is how many times as long gather takes.",
    }
    for mistake, why in mistakes.items():
        if np.isclose(got, mistake):
            return why
    return f"for five rounds got {got:.4g}, want {want:.4g}."
