"""Checkerboards: where they come from, and how strong they are.

A transposed convolution computes its outputs in strideⁿ phases, one for each remainder of the
output positions on division by the stride; each phase sees its own taps of the kernel. What makes
one phase brighter than the next is a grid with the stride's period. Kernels are measured as NumPy
arrays or torch tensors, and what comes back is of the same kind. Taught in "Checkerboards".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from upconv.definition import weight_axes
from upconv.geometry import Geometry, PerAxis, per_axis

__all__ = [
    "Response",
    "constant_response",
    "grid_energy",
    "imbalance",
    "overlap",
    "phase_gains",
    "project",
    "ramp_response",
]

Values = np.ndarray | torch.Tensor


def overlap(kernel: PerAxis, stride: PerAxis, layers: int = 1) -> np.ndarray:
    """How many stamps meet in each output of one interior period.

    With several layers, how many ways lead from the inputs of the first to each output of the
    last: the same kernel size and stride in each, uncropped, far from the border. A layer whose
    weights are all 1 answers a constant 1 with these counts.

    Args:
        kernel: size of the kernel; an integer is one axis.
        stride: s; an integer stands for every axis.
        layers: how many such layers follow each other, at least 1.

    Returns:
        Integers, one axis of size sᴸ for each axis of the kernel, L the layers.

    Raises:
        ValueError: for anything but integers of at least 1.

    Source:
        Odena et al. (2016). Taught in "Checkerboards".

    Example:
        >>> overlap(3, 2)
        array([2, 1])
        >>> overlap((3, 3), 2)
        array([[4, 2],
               [2, 1]])
        >>> overlap(3, 2, layers=2)
        array([3, 2, 3, 1])
    """
    geometry = Geometry(kernel, stride)
    (layers,) = per_axis("layers", layers, 1, 1)
    counts = []
    for k, s in zip(geometry.kernel, geometry.stride, strict=True):
        stamp = composed = np.ones(k, dtype=np.int64)
        for _ in range(layers - 1):
            spread = np.zeros((len(composed) - 1) * s + 1, dtype=np.int64)
            spread[::s] = composed
            composed = np.convolve(spread, stamp)
        period = s**layers
        counts.append(np.array([composed[r::period].sum() for r in range(period)]))
    return reduce(np.multiply.outer, counts)


def phase_gains(weight: Values, stride: PerAxis, dilation: PerAxis = 1) -> Values:
    """The sum of the taps of each phase: what the phase makes of a constant 1.

    Output m, counted before cropping, has the phase m mod s along each axis, and sees the taps t
    with t·d ≡ m (mod s). A phase without taps has the gain 0.

    Args:
        weight: (channels, out_channels // groups, *kernel), 1 to 3 axes.
        stride: s; an integer stands for every axis.
        dilation: d; an integer stands for every axis.

    Returns:
        (channels, out_channels // groups, *stride), an array or a tensor as weight is; a tensor
        carries gradients.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Claim transpose-makes-checkerboards. Taught in "Checkerboards".

    Example:
        >>> phase_gains(np.array([[[1.0, 2.0, 3.0]]]), 2)
        array([[[4., 2.]]])
    """
    taps = _weight(weight)
    geometry = Geometry(tuple(taps.shape[2:]), stride, dilation=dilation)
    settings = zip(geometry.kernel, geometry.stride, geometry.dilation, strict=True)
    for axis, (k, s, d) in enumerate(settings, start=2):
        phases = _phase_of_taps(k, s, d)
        shape = (*taps.shape[:axis], s, *taps.shape[axis + 1 :])
        taps = taps.new_zeros(shape).index_add(axis, phases.to(taps.device), taps)
    return _as_given(taps, weight)


def imbalance(weight: Values, stride: PerAxis, dilation: PerAxis = 1) -> float | torch.Tensor:
    """How far the gains of the phases differ, from 0 (all equal, no grid on constants) to 1.

    It is √(V / M): V the variance of the gains over the phases, M their mean square, both added up
    over all pairs of channels. Weights that are uncorrelated between phases and of mean zero have
    E V / E M = 1 − 1/P with P = s₁·s₂·… phases, whatever the size of the kernel: √(1 − 1/s²) for
    an image. Where all gains are 0, but for rounding, the imbalance is 0.

    Args:
        weight, stride, dilation: as :func:`phase_gains`.

    Returns:
        A number; for a tensor a tensor without axes, which carries gradients (0 at its minimum,
        where it has a kink).

    Raises:
        ValueError: as :func:`phase_gains`.

    Source:
        Claim transpose-makes-checkerboards. Taught in "Checkerboards".

    Example:
        >>> imbalance(np.array([[[0.5, 1.0, 0.5]]]), 2)  # linear interpolation
        0.0
        >>> round(imbalance(np.array([[[1.0, 1.0, 1.0]]]), 2), 4)  # two stamps meet, then one
        0.3162
    """
    taps = _floating(_weight(weight))
    phases = phase_gains(taps, stride, dilation).flatten(2)
    deviation = torch.linalg.vector_norm(phases - phases.mean(2, keepdim=True))
    size = torch.linalg.vector_norm(phases)
    kind = torch.finfo(size.dtype)
    floor = (64 * kind.eps * torch.linalg.vector_norm(taps.detach())).clamp(min=kind.tiny)
    # Gains that cancel but for rounding are 0: no grid, whatever the ratio of what is left.
    ratio = torch.where(size > floor, deviation / torch.maximum(size, floor), 0 * deviation)
    return ratio if isinstance(weight, torch.Tensor) else float(ratio)


def grid_energy(image: Values, stride: PerAxis) -> Values:
    """The share of each image's variance that is a grid with the stride's period.

    What is smooth is taken away first: at every pixel the mean under a tent of 2s − 1 pixels,
    which leaves ramps and removes every pattern of period s. The rest is averaged over all pixels
    of each phase; texture averages out and a grid stays. The square root of the share is the
    amplitude of the grid in units of the image's standard deviation. It is 1 for a grid alone, 0
    for ramps and constants; images that vary by less than 64 roundings count as constant. Stripes
    of one pixel that run through the whole image are a grid to it, and so are patterns whose
    period divides s.

    Texture averages out only over many pixels: of white noise with n pixels the share is
    (s² − 1)/n. So compare the images of a model with real ones, for example with the share that
    one real image in a hundred exceeds, or measure the mean of many images.

    Args:
        image: (…, height, width), channels first, or with as many last axes as stride has entries;
            each at least 4s − 2 long. Leading axes, such as batch and channels, are measured one
            by one.
        stride: s; an integer means two axes.

    Returns:
        (…), one number for each image, an array or a tensor as image is; a tensor carries
        gradients.

    Raises:
        ValueError: for images with too few axes or too small, or anything but real numbers.

    Source:
        Calibrated in "Checkerboards".

    Example:
        >>> rows, columns = np.indices((16, 16))
        >>> round(float(grid_energy((-1.0) ** (rows + columns), 2)), 6)
        1.0
        >>> round(float(grid_energy(2.0 * rows + columns, 2)), 6)
        0.0
    """
    stride = _image_axes("stride", stride)
    axes = len(stride)
    x = _floating(_tensor("image", image))
    smallest = tuple(4 * s - 2 for s in stride)
    size = tuple(x.shape[-axes:])
    if x.ndim < axes or any(n < least for n, least in zip(size, smallest, strict=True)):
        raise ValueError(
            f"image: got shape {tuple(x.shape)}; want last axes of at least {smallest}"
        )
    rest = _without_smooth(x, stride)
    # The grid and the variance are those of the same whole periods.
    x = _whole_periods(x[(..., *(slice(s - 1, 1 - s or None) for s in stride))], stride)
    over = tuple(range(-axes, 0))
    grid = _phase_means(_whole_periods(rest, stride), stride).var(over, correction=0)
    variance = x.var(over, correction=0)
    floor = (64 * torch.finfo(x.dtype).eps) ** 2 * x.square().mean(over)
    least = torch.finfo(x.dtype).tiny
    return _as_given(grid / torch.maximum(variance, floor).clamp(min=least), image)


class Response(NamedTuple):
    """A model's answer to a plain input, away from the border.

    ``interior`` is the output without its border, (batch, channels, *size); ``grid`` what it has
    that a model without a grid would not have, its border cut off where that needs neighbours;
    ``amplitude`` the root mean square of the grid, in units of the output; ``relative`` the same
    divided by the root mean square of the interior, which a bias or a bright picture lowers. The
    two tensors carry gradients.
    """

    interior: torch.Tensor
    grid: torch.Tensor
    amplitude: float
    relative: float


def constant_response(
    model: Callable[[torch.Tensor], torch.Tensor],
    values: torch.Tensor,
    size: PerAxis,
    stride: PerAxis,
    *,
    margin: PerAxis | None = None,
    layout: str = "channels_first",
) -> Response:
    """What varies in a model's answer to a constant input: its own grid.

    Args:
        model: any callable from a tensor to a tensor: a torch module, a Keras model on the torch
            backend, a function. It is called once; call it in evaluation mode.
        values: (batch, channels); each row is the input at every position.
        size: spatial size of the input; an integer means two axes. Large enough for an interior
            that no padding reaches.
        stride: by which factor the model enlarges its input, the period of the grid; an integer
            stands for every axis.
        margin: outputs to cut from each end of each axis; by default a quarter, so that the
            middle half is left.
        layout: "channels_first", or "channels_last" for a model that takes and gives
            (batch, *size, channels), as Keras models do.

    Returns:
        A :class:`Response`; its grid is the interior minus the mean of each channel. For one
        transposed layer without bias, ``relative`` is the imbalance of its gains on these values.

    Raises:
        ValueError: naming the argument that does not fit, or what the model has returned.

    Source:
        Claim resize-conv-minimises. Taught in "Checkerboards".

    Example:
        >>> layer = torch.nn.ConvTranspose2d(1, 1, 3, stride=2, bias=False)
        >>> _ = torch.nn.init.ones_(layer.weight)
        >>> response = constant_response(layer, torch.ones(1, 1), 8, stride=2)
        >>> response.interior[0, 0, :2, :2].tolist()
        [[4.0, 2.0], [2.0, 1.0]]
        >>> round(response.relative, 4), round(imbalance(layer.weight.detach().numpy(), 2), 4)
        (0.4359, 0.4359)
    """
    size = _image_axes("size", size)
    stride = per_axis("stride", stride, len(size), 1)
    interior = _interior(model, _plain(values, size), layout, margin, stride)
    interior = _whole_periods(interior, stride)
    over = tuple(range(2, interior.ndim))
    return _response(interior, interior - interior.mean(over, keepdim=True))


def ramp_response(
    model: Callable[[torch.Tensor], torch.Tensor],
    values: torch.Tensor,
    size: PerAxis,
    stride: PerAxis,
    *,
    margin: PerAxis | None = None,
    layout: str = "channels_first",
) -> Response:
    """What departs periodically from a ramp in a model's answer to a ramp.

    The ramp rises from 0 at the first position to 1 at the last, evenly along every axis, times
    the values. A model can be flat on constants and show its grid here: nearest upsampling turns
    a ramp into stairs.

    Args:
        model, values, size, stride, margin, layout: as :func:`constant_response`.

    Returns:
        A :class:`Response`; its grid is the interior minus its mean under a tent of 2s − 1
        pixels, which leaves ramps as they are and removes every pattern of period s.

    Raises:
        ValueError: naming the argument that does not fit, or what the model has returned.

    Source:
        Taught in "Checkerboards".

    Example:
        >>> nearest = torch.nn.Upsample(scale_factor=2)
        >>> round(16 * ramp_response(nearest, torch.ones(1, 1), 9, 2).amplitude, 3)
        0.354
        >>> linear = torch.nn.Upsample(scale_factor=2, mode="bilinear")
        >>> round(16 * ramp_response(linear, torch.ones(1, 1), 9, 2).amplitude, 6)
        0.0
    """
    size = _image_axes("size", size)
    stride = per_axis("stride", stride, len(size), 1)
    x = _plain(values, size)
    ramps = torch.meshgrid(
        *(torch.linspace(0, 1, n, dtype=x.dtype, device=x.device) for n in size), indexing="ij"
    )
    tents = tuple(3 * s - 2 for s in stride)  # so that a whole period has its tents within
    interior = _interior(model, x * sum(ramps) / len(ramps), layout, margin, tents)
    return _response(interior, _whole_periods(_without_smooth(interior, stride), stride))


def project(weight: Values, stride: PerAxis, onto: str = "flat") -> Values:
    """The nearest kernel that puts no grid on constants, or that is a collapsed nearest upsampling.

    Args:
        weight: (channels, out_channels // groups, *kernel), 1 to 3 axes, floating.
        stride: s; an integer stands for every axis.
        onto: "flat", kernels whose phases all have the same gain (k² − s² + 1 dimensions for k×k
            taps, if k ≥ s); or "factorable", kernels that nearest upsampling and a convolution can
            make, multiples of the box of s ones along each axis ((k − s + 1)² dimensions). Where
            k < s only 0 is factorable, and every gain of a flat kernel is 0.

    Returns:
        Of the shape, type and kind of weight, nearest to it in the sum of squares; a tensor
        carries gradients.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Claim transpose-is-upsample-then-conv. Taught in "Checkerboards" and "Remedies".

    Example:
        >>> project(np.array([[[1.0, 2.0, 3.0]]]), 2)
        array([[[0.33333333, 2.66666667, 2.33333333]]])
    """
    taps = _weight(weight)
    if not taps.is_floating_point():
        raise ValueError(f"weight: got {taps.dtype}; want floating-point numbers")
    stride = per_axis("stride", stride, taps.ndim - 2, 1)
    if onto == "flat":
        return _as_given(_flattened(taps, stride), weight)
    if onto != "factorable":
        raise ValueError(f"onto: got {onto!r}; want 'flat' or 'factorable'")
    for axis, s in enumerate(stride, start=2):
        nearest = torch.as_tensor(_multiples_of_the_box(taps.shape[axis], s))
        taps = torch.tensordot(taps, nearest.to(taps), dims=([axis], [0])).movedim(-1, axis)
    return _as_given(taps, weight)


def _flattened(taps: torch.Tensor, stride: tuple[int, ...]) -> torch.Tensor:
    """Spreads over the taps of each phase what its gain lacks of the common one.

    A change of a gain by δ costs δ²/n with n taps, so the nearest common gain is the mean of the
    gains with the weights 1/n; a phase without taps holds it at 0.
    """
    phases = [
        _phase_of_taps(k, s, 1).to(taps.device) for k, s in zip(taps.shape[2:], stride, strict=True)
    ]
    counts = phase_gains(torch.ones_like(taps[:1, :1]), stride)
    gains = phase_gains(taps, stride)
    over = tuple(range(2, taps.ndim))
    if (counts == 0).any():
        common = torch.zeros_like(gains[(..., *(slice(1) for _ in stride))])
    else:
        common = (gains / counts).sum(over, keepdim=True) / (1 / counts).sum()
    lack = (common - gains) / counts.clamp(min=1)
    return taps + lack[(slice(None), slice(None), *torch.meshgrid(*phases, indexing="ij"))]


def _multiples_of_the_box(k: int, s: int) -> np.ndarray:
    """The matrix that takes k taps to the nearest convolution of k − s + 1 taps with s ones."""
    shifts = np.array([np.arange(k) - q for q in range(k - s + 1)]).reshape(-1, k)
    boxes = ((shifts >= 0) & (shifts < s)).astype(float)
    basis, _ = np.linalg.qr(boxes.T)
    return basis @ basis.T


def _phase_of_taps(k: int, s: int, d: int) -> torch.Tensor:
    return torch.arange(k) * d % s


def _without_smooth(x: torch.Tensor, stride: tuple[int, ...]) -> torch.Tensor:
    """x minus its mean under a tent, over the last axes, where the tent lies within x.

    The tent is the box of s pixels convolved with itself: it is symmetric, so ramps pass it, and
    takes the mean over a period, twice, so patterns of period s, also on a ramp, do not.
    """
    smooth = x
    for axis, s in zip(range(-len(stride), 0), stride, strict=True):
        tent = np.convolve(np.ones(s), np.ones(s)) / s**2
        length = smooth.shape[axis] - 2 * (s - 1)
        smooth = sum(float(t) * smooth.narrow(axis, at, length) for at, t in enumerate(tent))
    inner = tuple(
        slice(s - 1, n - (s - 1)) for s, n in zip(stride, x.shape[-len(stride) :], strict=True)
    )
    return x[(..., *inner)] - smooth


def _whole_periods(x: torch.Tensor, stride: tuple[int, ...]) -> torch.Tensor:
    """The first multiples of the stride over the last axes."""
    sizes = x.shape[-len(stride) :]
    return x[(..., *(slice(n // s * s) for n, s in zip(sizes, stride, strict=True)))]


def _phase_means(x: torch.Tensor, stride: tuple[int, ...]) -> torch.Tensor:
    """The mean of each phase over the last axes, each a multiple of the stride: (…, *stride)."""
    axes = len(stride)
    phases = product(*map(range, stride))
    over = tuple(range(-axes, 0))
    means = [
        x[(..., *(slice(r, None, s) for r, s in zip(phase, stride, strict=True)))].mean(over)
        for phase in phases
    ]
    return torch.stack(means, -1).unflatten(-1, stride)


def _image_axes(name: str, value: PerAxis) -> tuple[int, ...]:
    """One integer for each axis, 1 to 3; a bare integer is that of an image, with two axes."""
    axes = len(value) if isinstance(value, Sequence) else 2
    if not 1 <= axes <= 3:
        raise ValueError(f"{name}: got {value!r}; want 1 to 3 axes")
    return per_axis(name, value, axes, 1)


def _plain(values: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """The input that holds the values at every position, (batch, channels, *size)."""
    if not isinstance(values, torch.Tensor) or values.ndim != 2 or not values.is_floating_point():
        got = tuple(values.shape) if hasattr(values, "shape") else type(values).__name__
        raise ValueError(f"values: got {got}; want a floating-point tensor (batch, channels)")
    return values.reshape(*values.shape, *[1] * len(size)).expand(*values.shape, *size)


def _interior(
    model, x: torch.Tensor, layout: str, margin: PerAxis | None, least: tuple[int, ...]
) -> torch.Tensor:
    """The model's output to x, channels first and without its border, if it is large enough."""
    if layout not in ("channels_first", "channels_last"):
        raise ValueError(f"layout: got {layout!r}; want 'channels_first' or 'channels_last'")
    last = layout == "channels_last"
    y = model(x.movedim(1, -1) if last else x)
    if not isinstance(y, torch.Tensor) or y.ndim != x.ndim:
        got = tuple(y.shape) if hasattr(y, "shape") else type(y).__name__
        raise ValueError(f"model: its output is {got}; want a tensor of {x.ndim} axes, like x")
    y = y.movedim(-1, 1) if last else y
    axes = y.ndim - 2
    if margin is None:
        margin = tuple(n // 4 for n in y.shape[2:])
    margin = per_axis("margin", margin, axes, 0)
    if any(n - 2 * m < want for n, m, want in zip(y.shape[2:], margin, least, strict=True)):
        raise ValueError(
            f"size: got {tuple(x.shape[2:])}, which makes an output of {tuple(y.shape[2:])}; want "
            f"one of which a margin of {margin} leaves at least {least}"
        )
    inner = tuple(slice(m, n - m) for m, n in zip(margin, y.shape[2:], strict=True))
    return y[(..., *inner)]


def _response(interior: torch.Tensor, grid: torch.Tensor) -> Response:
    amplitude, size = (float(x.detach().square().mean().sqrt()) for x in (grid, interior))
    return Response(interior, grid, amplitude, amplitude / size if size else 0.0)


def _weight(weight: Values) -> torch.Tensor:
    taps = _tensor("weight", weight)
    weight_axes(tuple(taps.shape))
    return taps


def _tensor(name: str, value: Values) -> torch.Tensor:
    """A tensor with the values of a tensor or an array of real numbers."""
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.dtype == torch.bool:
            raise ValueError(f"{name}: got {value.dtype}; want real numbers")
        return value
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        got = (
            f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        )
        raise ValueError(f"{name}: got {got}; want an array or a tensor of real numbers")
    # torch takes neither flipped arrays nor a foreign byte order.
    return torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("="), order="C"))


def _floating(x: torch.Tensor) -> torch.Tensor:
    # A ratio of integers is taken in double precision, as NumPy divides them.
    return x if x.is_floating_point() else x.double()


def _as_given(result: torch.Tensor, given: Values) -> Values:
    return result if isinstance(given, torch.Tensor) else result.numpy()
