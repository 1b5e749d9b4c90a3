"""What zero insertion costs beside the other forms: time and memory, as a record.

``python -m upconv.book.records zeros`` measures it; the chapter "Five ways to compute it"
shows it. Every form runs on one thread, in float32, in turn with the others, so that whatever
slows the machine for a while slows them all.
"""

from __future__ import annotations

import itertools
import statistics
import time

import torch

from upconv import forms
from upconv.geometry import Geometry

__all__ = ["FORMS", "LAYERS", "experiment", "ratios", "record_memory", "record_times"]

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Geometry]] = {
    "DCGAN, k = 4, s = 2": ((1, 256, 8, 8), (256, 128, 4, 4), Geometry((4, 4), 2, 1)),
    "FCN-8s, k = 16, s = 8": ((1, 21, 32, 32), (21, 21, 16, 16), Geometry((16, 16), 8)),
    "8 channels, k = 3, s = 2": ((128, 8, 14, 14), (8, 8, 3, 3), Geometry((3, 3), 2, 1, 1, 1)),
}
"""Shape of the input, shape of the weight and geometry of each layer."""

FORMS = ("native", "polyphase", "zero_insertion")
RUNS = 15


def _call(form: str, layer: str):
    x_shape, weight_shape, geometry = LAYERS[layer]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(x_shape, generator=generator)
    weight = torch.randn(weight_shape, generator=generator)
    compute = getattr(forms, form)
    return lambda: compute(x, weight, geometry)


def record_times(layer: str) -> dict[str, list[float]]:
    """Seconds of each form in each run, the forms in turn.

    Args:
        layer: a key of `LAYERS`.

    Returns:
        `RUNS` samples for each of `FORMS`.
    """
    calls = {form: _call(form, layer) for form in FORMS}
    samples: dict[str, list[float]] = {form: [] for form in FORMS}
    with torch.no_grad():
        for call in calls.values():
            call()  # warm: the first call chooses and compiles
        for _ in range(RUNS):
            for form, call in calls.items():
                start = time.perf_counter()
                call()
                samples[form].append(time.perf_counter() - start)
    return samples


def record_memory(form: str, layer: str) -> int:
    """Bytes of tensors that live at once while a form computes, its input and weight apart.

    Args:
        form: one of `FORMS`.
        layer: a key of `LAYERS`.

    Example:
        >>> record_memory("polyphase", "8 channels, k = 3, s = 2") >= 4 * 128 * 8 * 28 * 28
        True
    """
    call = _call(form, layer)
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        kept = call()  # held until the profile ends, so that its freeing is not counted
    events = profile.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    del kept
    return max(itertools.accumulate(change for _, change in changes))


def experiment() -> tuple[dict, dict]:
    """Settings and results of the record: for each layer the times and the memory of each form."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        results = {
            layer: {
                "seconds": record_times(layer),
                "bytes": {form: record_memory(form, layer) for form in FORMS},
            }
            for layer in LAYERS
        }
    finally:
        torch.set_num_threads(threads)
    return {"runs": RUNS, "threads": 1, "dtype": "float32"}, results


def ratios(
    seconds: dict[str, list[float]], form: str, base: str = "native"
) -> tuple[float, float, float]:
    """How many times as long as another form one takes: quartile, median, quartile.

    Args:
        seconds: the samples of each form, taken in turn: as :func:`record_times` returns them, or
            as they stand in a record of the page "Your GPU, now".
        form: the one in question.
        base: the one that counts as 1; by default torch's own call.

    Example:
        >>> ratios({"native": [1.0, 1.0, 2.0], "polyphase": [2.0, 3.0, 8.0]}, "polyphase")
        (2.0, 3.0, 4.0)
    """
    pairs = sorted(a / b for a, b in zip(seconds[form], seconds[base], strict=True))
    low, middle, high = statistics.quantiles(pairs, n=4)
    return low, middle, high
