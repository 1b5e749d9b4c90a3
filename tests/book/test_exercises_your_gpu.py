"""The exercises of "Your GPU, now": answers and mistakes."""

import statistics

import pytest


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (lambda k, s: (k * s / (k + s - 1)) ** 2, "Right: nearest upsampling reads s² equal"),
        (
            lambda k, s: ((k + s - 1) / (k * s)) ** 2,
            "Not yet: for k = 3 and s = 2 got 0.4444: that",
        ),
        (lambda k, s: k * s / (k + s - 1), "Not yet: for k = 3 and s = 2 got 1.5: so it is along"),
        (lambda k, s: (k / (k + s - 1)) ** 2, "Not yet: for k = 3 and s = 2 got 0.5625: an output"),
        (lambda k, s: 1, "Not yet: for k = 3 and s = 2 got 1: the collapsed kernel is another"),
        (lambda k, s: 9 / 4, "Not yet: for k = 3 and s = 4 got 2.25, want 4."),
        (lambda k, s: "2.25", "Not yet: for k = 3 and s = 2 your function returned no number."),
        (2.25, "Not yet: got float; want a function."),
    ],
)
def test_collapse_saves(said, answer, begins):
    assert said("collapse-saves", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (334, "Right: 334 times 30 µs are 10.02 ms"),
        (334.0, "Right: "),
        (333, "Not yet: 333 times 30 µs are 9.99 ms"),
        (333.3, "Not yet: got 333.3; want a whole number, rounded up."),
        (4, "Not yet: four make the pass longer than a step"),
        (100, "Not yet: a hundred times 30 µs are 3 ms"),
        (12, "Not yet: 12 are too few"),
        (1000, "Not yet: 1000 are enough, but not the fewest"),
        ((3, 4), "Not yet: got (3, 4); want one number."),
    ],
)
def test_enough_repeats(said, answer, begins):
    assert said("enough-repeats", answer).startswith(begins)


def by_rounds(middle):
    return lambda s: middle([a / b for a, b in zip(s["polyphase"], s["gather"], strict=True)])


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (by_rounds(statistics.median), "Right: what slows a whole round"),
        (by_rounds(statistics.mean), "Not yet: that is the mean of the ratios"),
        (by_rounds(min), "Not yet: for five rounds got 1.2, want 2."),
        (
            lambda s: statistics.median(s["polyphase"]) / statistics.median(s["gather"]),
            "Not yet: that is the ratio of two medians",
        ),
        (
            lambda s: sum(s["polyphase"]) / sum(s["gather"]),
            "Not yet: that is the ratio of two sums",
        ),
        (lambda s: 0.5, "Not yet: that is how many times as long gather takes."),
        (lambda s: s, "Not yet: your function returned no number."),
    ],
)
def test_paired_ratio(said, answer, begins):
    assert said("paired-ratio", answer).startswith(begins)
