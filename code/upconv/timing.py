"""Times any calls against each other, fairly, on a CPU or a CUDA device.

The calls run in turn in one process, so that whatever slows the machine for a while slows them
all, and each is compared with the others of its round. Rounds in which a thread of the process
waited for a core, since something else ran there, are dropped and taken again. Taught in "What it
costs".
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

__all__ = ["Ratio", "Timing", "compare", "peak_memory", "ratio"]

WAITING = 0.02
"""The share of a round for which its threads may wait for a core before it is dropped."""

ATTEMPTS = 3
"""At most so many times as many rounds are run as are wanted."""

Call = Callable[[], object]


class Ratio(NamedTuple):
    """How many times as long as another call one takes: the quartiles and the median."""

    low: float
    median: float
    high: float


class Timing(NamedTuple):
    """Samples of calls that ran in turn.

    ``seconds`` holds one sample of each call per round, in the order of the rounds; ``dropped``
    counts the rounds that were taken again, ``disturbed`` those that were kept although threads
    waited in them, as no calmer ones came. Both are None where the system does not tell.
    """

    seconds: dict[str, list[float]]
    dropped: int | None
    disturbed: int | None


def compare(
    calls: Mapping[str, Call],
    *,
    rounds: int = 15,
    at_least: float = 1e-3,
    device: torch.device | str = "cpu",
) -> Timing:
    """Time calls against each other: one sample of each per round, the first one changing.

    Every call runs twice before, since the first run chooses, compiles and allocates. On a CUDA
    device each sample lies between two events, and the device is synchronised after it.

    Args:
        calls: what is timed, by name; called without arguments, its result let go at once.
        rounds: samples of each call, at least 2.
        at_least: seconds. A call that takes less is repeated within a sample, which is the mean.
        device: where the calls compute: "cpu" or a CUDA device.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Taught in "What it costs".

    Example:
        >>> timing = compare({"short": lambda: sum(range(99)), "long": lambda: sum(range(9999))})
        >>> len(timing.seconds["short"]), ratio(timing.seconds, "long", "short").median > 1
        (15, True)
    """
    if not calls or not all(callable(call) for call in calls.values()):
        raise ValueError(f"calls: got {dict(calls)}; want at least one, each callable")
    if not isinstance(rounds, int) or rounds < 2:
        raise ValueError(f"rounds: got {rounds!r}; want an integer of at least 2")
    if not 0 <= at_least < math.inf:
        raise ValueError(f"at_least: got {at_least!r}; want seconds, 0 or more")
    clock = _clock(device)
    for call in calls.values():
        clock(call, 1)
    repeats = {name: math.ceil(at_least / clock(call, 1)) or 1 for name, call in calls.items()}

    names, taken = list(calls), []
    for first in range(ATTEMPTS * rounds):
        before, start = _waited(), time.perf_counter()
        turn = names[first % len(names) :] + names[: first % len(names)]
        seconds = {name: clock(calls[name], repeats[name]) for name in turn}
        share = (_waited() - before) / (time.perf_counter() - start) if before is not None else 0
        taken.append((share, first, seconds))
        if sum(share <= WAITING for share, *_ in taken) == rounds:
            break
    kept = sorted(sorted(taken)[:rounds], key=lambda one: one[1])
    samples = {name: [seconds[name] for *_, seconds in kept] for name in names}
    if before is None:
        return Timing(samples, None, None)
    return Timing(samples, len(taken) - rounds, sum(share > WAITING for share, *_ in kept))


def ratio(seconds: Mapping[str, Sequence[float]], name: str, base: str) -> Ratio:
    """How many times as long as ``base`` a call takes, by pairs from the same round.

    Args:
        seconds: the samples of each call, taken in turn: those of :func:`compare`, or of a record.
        name: the call in question.
        base: the one that counts as 1.

    Raises:
        ValueError: for a name without samples, or two calls with unequal numbers of them.

    Example:
        >>> ratio({"native": [1.0, 1.0, 2.0], "polyphase": [2.0, 3.0, 8.0]}, "polyphase", "native")
        Ratio(low=2.0, median=3.0, high=4.0)
    """
    for argument, value in (("name", name), ("base", base)):
        if value not in seconds:
            raise ValueError(f"{argument}: got {value!r}; want one of {', '.join(seconds)}")
    counts = len(seconds[name]), len(seconds[base])
    if counts[0] != counts[1] or counts[0] < 2:
        raise ValueError(f"seconds: got {counts[0]} and {counts[1]} samples; want 2 or more pairs")
    pairs = [a / b for a, b in zip(seconds[name], seconds[base], strict=True)]
    return Ratio(*statistics.quantiles(pairs, n=4))


def peak_memory(call: Call, *, device: torch.device | str = "cpu") -> int:
    """The most bytes of tensors that live at once during a call, beyond those from before it.

    The result is counted. What a library keeps outside torch's own allocator is not: on a CPU
    the scratch memory of oneDNN, for one.

    Args:
        call: called once, without arguments.
        device: whose memory: "cpu" or a CUDA device.

    Raises:
        ValueError: for a device of another kind.

    Example:
        >>> x = torch.ones(1000)
        >>> peak_memory(lambda: x * x * x)
        8000
    """
    device = _device(device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        kept = call()
        torch.cuda.synchronize(device)
        peak = torch.cuda.max_memory_allocated(device) - before
    else:
        with torch.profiler.profile(profile_memory=True) as profile:
            kept = call()  # held until the profile ends, so that its freeing is not counted
        events = profile.profiler.kineto_results.events()
        changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
        peak = max(itertools.accumulate((change for _, change in changes), initial=0))
    del kept
    return peak


def _device(device: torch.device | str) -> torch.device:
    found = torch.device(device)
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device: got {str(device)!r}; want cpu or cuda")
    return found


def _clock(device: torch.device | str) -> Callable[[Call, int], float]:
    """Seconds of a call, the mean of some repetitions, on this kind of device."""
    device = _device(device)

    def cpu(call: Call, repeats: int) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - start) / repeats

    def cuda(call: Call, repeats: int) -> float:
        with torch.cuda.device(device):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(repeats):
                call()
            end.record()
            torch.cuda.synchronize(device)
        return start.elapsed_time(end) / 1000 / repeats

    return cpu if device.type == "cpu" else cuda


def _waited() -> float | None:
    """Seconds for which the threads of this process were ready and had no core: Linux counts."""
    total = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[1])
        except (OSError, IndexError):  # the thread has just ended
            continue
    return total / 1e9 if total else None
