"""Calls are timed in turn, disturbed rounds again, and memory to the byte."""

from __future__ import annotations

import itertools
import time

import pytest
import torch
from upconv import timing
from upconv.timing import Ratio, compare, peak_memory, ratio


@pytest.fixture
def calm(monkeypatch):
    """A machine on which nothing waits, whatever else it does."""
    monkeypatch.setattr(timing, "_waited", lambda: 1.0)


def test_a_sample_is_no_shorter_than_the_call(calm):
    calls = {"short": lambda: time.sleep(0.0004), "long": lambda: time.sleep(0.006)}
    samples = compare(calls, rounds=5).seconds
    assert min(samples["short"]) >= 0.0004
    assert min(samples["long"]) >= 0.006


def test_the_calls_take_turns_and_so_does_the_first(calm):
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    compare(calls, rounds=4, at_least=0)
    assert "".join(order) == "abc" + "abc" + "abc" + "bca" + "cab" + "abc"  # twice warm, then timed


def test_a_short_call_is_repeated_within_a_sample(monkeypatch, calm):
    now = itertools.count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(now) * 0.25)
    calls = []
    found = compare({"one": lambda: calls.append(1)}, rounds=2, at_least=1.0)
    # The clock goes on by a quarter of a second each time it is read: one call takes that long.
    assert len(calls) == 2 + 2 * 4
    assert found.seconds == {"one": [0.25 / 4, 0.25 / 4]}


def waiting(monkeypatch, seconds):
    """Lets threads wait for so long in each round; a round takes one second."""
    total = itertools.accumulate(itertools.chain.from_iterable((0, one) for one in seconds))
    monkeypatch.setattr(timing, "_waited", lambda: 1 + next(total))
    now = itertools.count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(now) / 3)


def test_a_round_in_which_threads_waited_is_taken_again(monkeypatch):
    waiting(monkeypatch, [0, 0.5, 0.01, 0, 9])
    done = []
    found = compare({"one": lambda: done.append(1)}, rounds=3, at_least=0)
    assert len(done) == 2 + 4
    assert (len(found.seconds["one"]), found.dropped, found.disturbed) == (3, 1, 0)


def test_the_calmest_rounds_are_kept_if_none_is_calm_and_told(monkeypatch):
    waiting(monkeypatch, [0.9, 0.5, 0.001, 0.7, 0.8, 0.6])
    seconds = iter([0, 0, 1, 2, 3, 4, 5, 6])
    monkeypatch.setattr(timing, "_clock", lambda device: lambda call, repeats: next(seconds) or 1)
    found = compare({"one": print}, rounds=2, at_least=0)
    assert found == ({"one": [2, 3]}, 4, 1)


def test_a_system_that_does_not_tell_who_waited_is_believed(monkeypatch):
    monkeypatch.setattr(timing, "_waited", lambda: None)
    found = compare({"one": lambda: None}, rounds=2)
    assert (found.dropped, found.disturbed) == (None, None)


def test_ratios_are_of_pairs_from_one_round():
    # A machine that becomes ten times slower changes both.
    seconds = {"a": [2.0, 20.0, 200.0], "b": [1.0, 10.0, 100.0]}
    assert ratio(seconds, "a", "b") == Ratio(2, 2, 2)


class Event:
    """A CUDA event whose clock goes on by three milliseconds for each event."""

    now = 0

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        Event.now += 3
        self.at = Event.now

    def elapsed_time(self, end):
        return end.at - self.at


def test_on_cuda_events_are_read_after_the_device_is_done(monkeypatch, calm):
    told = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: told.append(device))
    found = compare({"one": lambda: None}, rounds=2, device="cuda:0", at_least=0.009)
    assert found.seconds == {"one": [0.001, 0.001]}
    assert told == 4 * [torch.device("cuda:0")]


def test_on_cuda_memory_is_that_of_its_own_allocator(monkeypatch):
    told = []
    for name, answer in {
        "synchronize": None,
        "reset_peak_memory_stats": None,
        "memory_allocated": 100,
        "max_memory_allocated": 175,
    }.items():
        monkeypatch.setattr(
            torch.cuda, name, lambda device, name=name, answer=answer: told.append(name) or answer
        )
    assert peak_memory(lambda: told.append("call"), device="cuda") == 75
    assert told == [
        "synchronize",
        "reset_peak_memory_stats",
        "memory_allocated",
        "call",
        "synchronize",
        "max_memory_allocated",
    ]


def test_memory_is_the_peak_and_counts_what_lives_at_once():
    x = torch.ones(1000)

    def call():
        y = x * x  # 4000 bytes, then 8000, then 4000 again, then 8000
        y = y * x
        return y * x

    assert peak_memory(call) == 8000
    assert peak_memory(lambda: None) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"calls": {}}, "calls: got {}; want at least one"),
        ({"calls": {"one": 1}}, "calls: got {'one': 1}; want"),
        ({"rounds": 1}, "rounds: got 1; want an integer of at least 2"),
        ({"rounds": 2.5}, "rounds: got 2.5; want"),
        ({"at_least": -1}, "at_least: got -1; want seconds"),
        ({"at_least": float("nan")}, "at_least: got nan; want seconds"),
        ({"device": "meta"}, "device: got 'meta'; want cpu or cuda"),
    ],
)
def test_bad_arguments_of_compare_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        compare(**{"calls": {"one": print}, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "c"}, "name: got 'c'; want one of a, b"),
        ({"base": "c"}, "base: got 'c'; want one of a, b"),
        ({"seconds": {"a": [1.0], "b": [1.0]}}, "seconds: got 1 and 1 samples; want 2 or more"),
        ({"seconds": {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}}, "seconds: got 2 and 3 samples"),
    ],
)
def test_bad_arguments_of_ratio_are_refused(settings, message):
    good = {"seconds": {"a": [1.0, 2.0], "b": [1.0, 2.0]}, "name": "a", "base": "b"}
    with pytest.raises(ValueError, match=message):
        ratio(**{**good, **settings})


def test_memory_of_another_device_is_refused():
    with pytest.raises(ValueError, match="device: got 'meta'; want cpu or cuda"):
        peak_memory(print, device="meta")
