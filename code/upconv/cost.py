"""What a transposed convolution costs in each form: counts, which are exact, and times predicted
from them, which are estimates.

`arithmetic` counts multiplications and stored values. `predict` makes seconds of such counts with a
few measured rates, so that ``upconv.conv_transpose(form="auto")`` can choose without timing
anything. Taught in "Five ways to compute it" and "What it costs".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import ceil, gcd, prod
from typing import NamedTuple

from upconv.definition import check_shapes
from upconv.geometry import Geometry

__all__ = ["Arithmetic", "Choice", "arithmetic", "choose", "predict"]

RATES: dict[tuple[str, bool], dict[str, float]] = {
    ("native", True): {
        "call": 97e3,
        "products": 0.0267,
        "weights": 1.58,
        "outputs": 0.49,
        "rows": 125,
        "odd": 21,
    },
    ("native", False): {
        "call": 97e3,
        "products": 0.0288,
        "weights": 1.54,
        "outputs": 2.72,
        "rows": 98,
        "odd": 16,
        "inputs": 1.2,
    },
    ("columns", True): {
        "call": 263e3,
        "products": 0.0263,
        "weights": 0.47,
        "positions": 56,
        "stored": 2.11,
    },
    ("columns", False): {
        "call": 297e3,
        "products": 0.0309,
        "weights": 3.98,
        "inputs": 0.47,
        "stored": 3.88,
    },
    ("shuffle", True): {
        "call": 272e3,
        "products": 0.0261,
        "weights": 4.31,
        "odd": 45,
        "stored": 1.05,
        "cropped": 0.79,
    },
    ("shuffle", False): {
        "call": 330e3,
        "products": 0.0312,
        "weights": 7.40,
        "inputs": 0.53,
        "odd": 40,
        "stored": 1.28,
        "cropped": 1.39,
    },
    ("shuffle of single taps", True): {
        "call": 200e3,
        "products": 0.0218,
        "weights": 4.32,
        "inputs": 1.66,
        "stored": 1.20,
    },
    ("shuffle of single taps", False): {
        "call": 200e3,
        "products": 0.0224,
        "weights": 5.24,
        "inputs": 1.82,
        "stored": 1.89,
    },
}
"""Nanoseconds of a core for each item counted, by form and whether channels lie last in memory.

Fitted, with no rate below zero, to the times of the listed layers of :mod:`upconv.bench` and of 45
drawn at random, or 90 for single taps. Each was timed in turn with the other forms, in float32 on
one thread of an AMD EPYC with AVX2, torch 2.13. ``products`` are multiplications, 8 output
channels at a time; ``weights`` values of the weight, which are first put in another order;
``positions`` pixels of the input; ``rows`` calls of torch's kernel, one for each row of each phase
and each of its taps; ``odd`` pixels whose channels do not come in eights, written with a mask;
``stored`` and ``cropped`` values that are written down and read again.
"""

REREAD = 0.3
"""What a weight costs again for each image, where not all of them fit the cache: this share."""

CACHE = 16e6
"""Bytes of weights from which on torch's own call reads them again for each image."""

TO_LAST, FROM_LAST = 3.0, 2.0
"""Nanoseconds for each value of the input, and of the output, that is put in the other order."""

MARGIN = 1.2
"""A form is taken only if torch's own call is expected to take so many times as long."""


class Arithmetic(NamedTuple):
    """What a form multiplies and stores, in numbers of values.

    ``multiplications`` is all of them; ``by_zero`` those in which one factor is a zero that the
    form itself has written; ``discarded`` those whose product lies outside the output; ``stored``
    the values that the form writes down besides its input, its weight and its output.
    """

    multiplications: int
    by_zero: int
    discarded: int
    stored: int


def arithmetic(
    form: str, x_shape: Sequence[int], weight_shape: Sequence[int], geometry: Geometry
) -> Arithmetic:
    """How many multiplications a form does, how many in vain, and how many values it stores.

    Additions and the bias are left out. Multiplications that are neither by zero nor discarded
    are the same products in every form. Scatter is counted as a loop that adds each product where
    it belongs (the function here writes them all down first), and the uncropped output of columns
    as output, not as stored. What shuffle stores is its output before the interleaving.

    Args:
        form: "scatter", "matrix" (sparse; the places of its entries are not counted as values),
            "dense_matrix", "zero_insertion", "columns", "polyphase" or "shuffle".
        x_shape: (batch, channels, *size).
        weight_shape: (channels, out_channels // groups, *kernel).
        geometry: stride, padding, dilation, output_padding, groups.

    Raises:
        ValueError: for an unknown form, or shapes that do not fit each other or the geometry.

    Source:
        Taught in "Five ways".

    Example:
        >>> arithmetic("zero_insertion", (1, 1, 2, 2), (1, 1, 3, 3), Geometry((3, 3), stride=2))
        Arithmetic(multiplications=225, by_zero=189, discarded=0, stored=49)
    """
    x_shape, weight_shape = tuple(x_shape), tuple(weight_shape)
    check_shapes(
        x_shape, weight_shape, geometry, transposed=True, names=("x_shape", "weight_shape")
    )
    size, kernel = x_shape[2:], geometry.kernel
    out_size = geometry.transposed_shape(size)
    befores = [before for before, _ in geometry.padding]
    axes = list(
        zip(size, out_size, kernel, geometry.stride, geometry.dilation, befores, strict=True)
    )
    in_channels = x_shape[0] * x_shape[1]  # of the whole batch
    out_channels = x_shape[0] * weight_shape[1] * geometry.groups
    pairs = in_channels * weight_shape[1]  # of channels that meet, in the whole batch
    entries = (
        x_shape[1]
        * weight_shape[1]
        * prod(
            sum(0 <= q * s + t * d - before < o for q in range(i) for t in range(k))
            for i, o, k, s, d, before in axes
        )
    )  # of the sparse matrix
    useful = x_shape[0] * entries
    every = pairs * prod(size) * prod(kernel)
    if form == "scatter":  # as a loop, which adds each product to the output at once
        return Arithmetic(every, 0, every - useful, 0)
    if form == "columns":
        return Arithmetic(every, 0, every - useful, out_channels * prod(kernel) * prod(size))
    if form == "matrix":
        return Arithmetic(useful, 0, 0, entries)
    if form == "dense_matrix":
        places = x_shape[1] * prod(size) * weight_shape[1] * geometry.groups * prod(out_size)
        return Arithmetic(places * x_shape[0], places * x_shape[0] - useful, 0, places)
    if form == "zero_insertion":
        total = pairs * prod(out_size) * prod(kernel)
        padded = prod(o + reach - 1 for o, reach in zip(out_size, geometry.reach, strict=True))
        return Arithmetic(total, total - useful, 0, in_channels * padded)
    if form == "polyphase":
        total = stored = 0
        for phase in product(*(phases_of(*settings) for settings in axes)):
            count = prod(len(range(o)[p[0]]) for p, o in zip(phase, out_size, strict=True))
            taps = prod(len(range(k)[p[1]]) for p, k in zip(phase, kernel, strict=True))
            total += pairs * count * taps
            padded = prod(i + sum(p[2]) for p, i in zip(phase, size, strict=True))
            stored = max(stored, in_channels * padded)  # one phase after the other
        return Arithmetic(total, total - useful, 0, stored)
    if form == "shuffle":
        taps = phase_taps(geometry)
        windows = prod(i + t - 1 for i, t in zip(size, taps, strict=True))
        total = pairs * prod(geometry.stride) * prod(taps) * windows
        stored = out_channels * prod(geometry.stride) * windows
        return Arithmetic(total, total - useful, 0, stored)
    raise ValueError(
        f"form: got {form!r}; want scatter, matrix, dense_matrix, zero_insertion, columns, "
        "polyphase or shuffle"
    )


class Choice(NamedTuple):
    """A form, and whether it computes with the channels last in memory."""

    form: str
    channels_last: bool


CHOICES = [
    Choice(form, last) for form in ("native", "columns", "shuffle") for last in (False, True)
]
"""Among what "auto" chooses."""


def predict(
    choice: Choice, x_shape: Sequence[int], weight_shape: Sequence[int], geometry: Geometry
) -> float:
    """Seconds that a form is expected to take on one core, input and output lying as it computes.

    A guess from counts, for choosing: for half of the layers on which its rates rest it lies within
    a fifth of the time. Of other machines only the order of the forms is hoped to be the same.

    Args:
        choice: "native", "columns" or "shuffle", and whether channels lie last.
        x_shape: (batch, channels, height, width).
        weight_shape: (channels, out_channels // groups, height, width).
        geometry: stride, padding, dilation, output_padding, groups.

    Raises:
        ValueError: for another form, or shapes that do not fit each other or the geometry.

    Source:
        Taught in "What it costs".

    Example:
        >>> layer = (16, 128, 32, 32), (128, 3, 4, 4), Geometry((4, 4), stride=2, padding=1)
        >>> shuffle, native = (predict(Choice(f, True), *layer) for f in ("shuffle", "native"))
        >>> shuffle < native
        True
    """
    if choice not in CHOICES:
        raise ValueError(f"choice: got {choice!r}; want one of {', '.join(map(str, CHOICES))}")
    images, out_channels, weights = (
        x_shape[0],
        weight_shape[1] * geometry.groups,
        prod(weight_shape),
    )
    outputs = images * prod(geometry.transposed_shape(tuple(x_shape[2:])))
    native = choice.form == "native"
    made = arithmetic("polyphase" if native else choice.form, x_shape, weight_shape, geometry)
    counts = {"call": 1, "weights": weights, "inputs": prod(x_shape), "stored": made.stored}
    counts["positions"] = images * prod(x_shape[2:])
    counts["products"] = made.multiplications
    if choice.form != "columns":
        width = out_channels * (1 if native else prod(geometry.stride))
        counts["products"] *= ceil(width / 8) * 8 / width
        pixels = outputs if native else made.stored // width
        counts["odd"] = pixels * (width % 8 > 0)
    if native:
        counts["outputs"] = outputs * out_channels
        counts["rows"] = made.multiplications / (x_shape[1] * weight_shape[1]) / x_shape[-1]
        counts["weights"] *= 1 + REREAD * images * (4 * weights > CACHE)
    else:
        counts["cropped"] = made.stored * (made.stored > outputs * out_channels)
    single = choice.form == "shuffle" and max(phase_taps(geometry)) == 1  # no kernel to flip
    rates = RATES[choice.form + single * " of single taps", choice.channels_last]
    return 1e-9 * sum(rate * counts[item] for item, rate in rates.items())


@lru_cache(maxsize=4096)
def choose(
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    geometry: Geometry,
    channels_last: bool = False,
) -> Choice:
    """The form and the order in memory that are expected to be fastest, of float32 images on a CPU.

    Times nothing: it compares what :func:`predict` says, the price of another order included, and
    takes torch's own call unless another form is expected to be faster by a good margin, and for
    every layer with groups, with dilation, or without a stride: for these too little was measured.

    Args:
        x_shape: (batch, channels, height, width).
        weight_shape: (channels, out_channels // groups, height, width).
        geometry: stride, padding, dilation, output_padding, groups.
        channels_last: how input and output lie.

    Raises:
        ValueError: as :func:`predict`.

    Source:
        Taught in "What it costs".

    Example:
        >>> choose((16, 128, 32, 32), (128, 3, 4, 4), Geometry((4, 4), stride=2, padding=1))
        Choice(form='shuffle', channels_last=False)
        >>> choose((16, 256, 16, 16), (256, 128, 4, 4), Geometry((4, 4), stride=2, padding=1), True)
        Choice(form='native', channels_last=True)
    """
    native = Choice("native", channels_last)
    if geometry.groups > 1 or max(geometry.dilation) > 1 or max(geometry.stride) == 1:
        return native
    layer = x_shape, weight_shape, geometry
    outputs = x_shape[0] * weight_shape[1] * prod(geometry.transposed_shape(x_shape[2:]))
    order = 1e-9 * (TO_LAST * prod(x_shape) + FROM_LAST * outputs)
    expected = {
        choice: predict(choice, *layer) + order * (choice.channels_last and not channels_last)
        for choice in CHOICES
        if choice.channels_last or not channels_last
    }
    best = min(expected, key=expected.get)
    return best if expected[best] * MARGIN < expected[native] else native


def phase_taps(geometry: Geometry) -> tuple[int, ...]:
    """How many taps along each axis a kernel must have that serves every phase of the output.

    One for each stride of the dilated kernel, and one more where output_padding asks for outputs
    that lie a stride or more behind the last of them.

    Example:
        >>> phase_taps(Geometry((4, 3, 2), stride=2)), phase_taps(Geometry(3, 2, dilation=3))
        ((2, 2, 1), (4,))
    """
    return tuple(
        ceil(max(reach, reach - after + a) / s)
        for reach, s, (_, after), a in zip(
            geometry.reach,
            geometry.stride,
            geometry.padding,
            geometry.output_padding,
            strict=True,
        )
    )


def phases_of(
    i: int, o: int, k: int, s: int, d: int, before: int
) -> list[tuple[slice, slice, tuple[int, int], int]]:
    """Along one axis, for each phase that holds outputs and sees taps: which outputs, which taps,
    the margins that the input needs, and the dilation of the small kernel.

    Output m = q·s + t·d − p of phase r = (m + p) mod s sees the taps t with t·d ≡ r (mod s). They
    are s / gcd(s, d) apart, and neighbours among them see inputs that are d / gcd(s, d) apart.
    """
    step, small_dilation = s // gcd(s, d), d // gcd(s, d)
    phases = []
    for first in range(min(step, k)):
        phase, shift = (first * d) % s, (first * d) // s
        start = (phase - before) % s
        count = len(range(start, o, s))
        if count == 0:
            continue
        # Output number u of this phase reads the inputs u + offset, u + offset − small_dilation, …
        offset = (start + before) // s - shift
        span = (len(range(first, k, step)) - 1) * small_dilation
        margins = (span - offset, offset + count - i)
        phases.append((slice(start, None, s), slice(first, None, step), margins, small_dilation))
    return phases
