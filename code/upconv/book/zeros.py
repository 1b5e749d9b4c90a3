"""What zero insertion costs beside the other forms: time and memory, as a record.

``python -m upconv.book.records zeros`` measures it; the chapter "Five ways to compute it"
shows it. Every form runs on one thread, in float32, in turn with the others, so that whatever
slows the machine for a while slows them all.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from upconv import forms
from upconv.geometry import Geometry
from upconv.timing import compare, peak_memory

__all__ = ["FORMS", "LAYERS", "call", "experiment"]

LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Geometry]] = {
    "DCGAN, k = 4, s = 2": ((1, 256, 8, 8), (256, 128, 4, 4), Geometry((4, 4), 2, 1)),
    "FCN-8s, k = 16, s = 8": ((1, 21, 32, 32), (21, 21, 16, 16), Geometry((16, 16), 8)),
    "8 channels, k = 3, s = 2": ((128, 8, 14, 14), (8, 8, 3, 3), Geometry((3, 3), 2, 1, 1, 1)),
}
"""Shape of the input, shape of the weight and geometry of each layer."""

FORMS = ("native", "polyphase", "zero_insertion")
RUNS = 15


def call(form: str, layer: str) -> Callable[[], torch.Tensor]:
    """What is measured: a form of a layer with random values, the same each time.

    Args:
        form: one of `FORMS`.
        layer: a key of `LAYERS`.

    Example:
        >>> call("polyphase", "8 channels, k = 3, s = 2")().shape
        torch.Size([128, 8, 28, 28])
    """
    x_shape, weight_shape, geometry = LAYERS[layer]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(x_shape, generator=generator)
    weight = torch.randn(weight_shape, generator=generator)
    compute = getattr(forms, form)
    return lambda: compute(x, weight, geometry)


def experiment() -> tuple[dict, dict]:
    """Settings and results of the record: for each layer the times and the memory of each form."""
    calls = {layer: {form: call(form, layer) for form in FORMS} for layer in LAYERS}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            results = {
                layer: {
                    "seconds": compare(calls[layer], rounds=RUNS).seconds,
                    "bytes": {form: peak_memory(one) for form, one in calls[layer].items()},
                }
                for layer in LAYERS
            }
    finally:
        torch.set_num_threads(threads)
    return {"runs": RUNS, "threads": 1, "dtype": "float32"}, results
