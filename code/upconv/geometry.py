"""Sizes: what stride, padding, dilation and output_padding make of an input size, and back.

Notation of Dumoulin & Visin (2016), per axis: input size i, output size o, kernel size k, stride s,
padding p (before + after), dilation d, output_padding a.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import product

__all__ = ["Geometry", "solve"]

PerAxis = int | Sequence[int]
Padding = int | Sequence[int | Sequence[int]]


def _integer(name: str, value: object, minimum: int) -> int:
    # An array would give a truth value, or a single entry at any depth, as an index. The sizes that
    # torch.compile traces are integers, and cannot be asked for attributes.
    plain = value if isinstance(value, int) or not hasattr(value, "tolist") else value.tolist()
    try:
        number = operator.index(plain)
    except TypeError:
        number = None
    if number is None or number < minimum or isinstance(plain, bool):
        raise ValueError(f"{name}: got {value!r}; want an integer of at least {minimum}")
    return number


def _is_scalar(value: object) -> bool:
    """Whether a value has no entries in order: an integer, or nothing that could be a setting."""
    try:
        len(value)
    except TypeError:  # an array without axes has the method, and no length
        return True
    return isinstance(value, str | bytes | Set | Mapping)


def axes_of(name: str, value: object) -> int:
    """How many axes a setting speaks of: one entry each, and one axis for a bare integer.

    Raises:
        ValueError: naming the argument, for anything but 1 to 3 axes.

    Example:
        >>> axes_of("input_shape", 14), axes_of("input_shape", (14, 7))
        (1, 2)
    """
    axes = 1 if _is_scalar(value) else len(value)
    if not 1 <= axes <= 3:
        raise ValueError(f"{name}: got {value!r}; want 1 to 3 axes")
    return axes


def per_axis(name: str, value: object, axes: int, minimum: int) -> tuple[int, ...]:
    """One integer for each axis; a bare integer stands for every axis.

    Raises:
        ValueError: naming the argument, for another number of entries or anything but integers.

    Example:
        >>> per_axis("input_shape", 14, 2, 1), per_axis("input_shape", (14, 7), 2, 1)
        ((14, 14), (14, 7))
    """
    if _is_scalar(value):
        return (_integer(name, value, minimum),) * axes
    if len(value) != axes:
        raise ValueError(f"{name}: got {value!r}; want one integer, or {axes}, one per axis")
    return tuple(_integer(name, entry, minimum) for entry in value)


def _padding(value: object, axes: int) -> tuple[tuple[int, int], ...]:
    if _is_scalar(value):
        value = (value,) * axes
    if len(value) != axes:
        raise ValueError(
            f"padding: got {value!r}; want one integer, or one entry per axis ({axes}), each an "
            "integer or a pair (before, after)"
        )
    pairs = []
    for entry in value:
        pair = (entry, entry) if _is_scalar(entry) else tuple(entry)
        if len(pair) != 2:
            raise ValueError(f"padding: got {entry!r} for one axis; want a pair (before, after)")
        pairs.append(tuple(_integer("padding", number, 0) for number in pair))
    return tuple(pairs)


@dataclass(frozen=True)
class Geometry:
    """How a convolution, or its transpose, lies on its input: everything but the weights.

    An integer stands for every axis; a sequence gives one entry per axis, and its length is the
    number of axes, 1 to 3 (1 if all arguments are integers). After construction every field but
    ``groups`` is a tuple with one entry per axis.

    Args:
        kernel: kernel size k, at least 1.
        stride: s, at least 1.
        padding: zeros that the convolution adds to its input, and so what its transpose crops
            from its output. Per axis an integer (both sides) or a pair (before, after); one axis
            with a pair is written ``((0, 1),)``.
        dilation: d, at least 1: distance between the taps of the kernel.
        output_padding: a, smaller than stride or dilation: how many more outputs a transposed
            convolution computes at the end of the axis. A convolution does not look at it.
        groups: number of groups into which the channels are split.

    Raises:
        ValueError: for anything but integers in these ranges, or numbers of axes that differ.

    Source:
        Dumoulin & Visin (2016), chapters 2 and 4. Taught in the chapter "Sizes".

    Example:
        >>> geometry = Geometry(kernel=(3, 3), stride=2, padding=1)
        >>> geometry.output_shape((8, 7))
        (4, 4)
        >>> geometry.transposed_shape((4, 4))
        (7, 7)
        >>> geometry.ambiguous_inputs((4, 4))
        (range(7, 9), range(7, 9))
    """

    kernel: PerAxis
    stride: PerAxis = 1
    padding: Padding = 0
    dilation: PerAxis = 1
    output_padding: PerAxis = 0
    groups: int = 1

    def __post_init__(self) -> None:
        names = ("kernel", "stride", "padding", "dilation", "output_padding")
        first = next((name for name in names if not _is_scalar(getattr(self, name))), "kernel")
        axes = axes_of(first, getattr(self, first))
        normalised = {
            "kernel": per_axis("kernel", self.kernel, axes, 1),
            "stride": per_axis("stride", self.stride, axes, 1),
            "padding": _padding(self.padding, axes),
            "dilation": per_axis("dilation", self.dilation, axes, 1),
            "output_padding": per_axis("output_padding", self.output_padding, axes, 0),
            "groups": _integer("groups", self.groups, 1),
        }
        for name, value in normalised.items():
            object.__setattr__(self, name, value)
        for a, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if a >= max(s, d):
                raise ValueError(
                    f"output_padding: got {a} with stride {s} and dilation {d}; want it smaller "
                    "than one of them"
                )

    @property
    def axes(self) -> int:
        """Number of spatial axes, 1 to 3.

        Example:
            >>> Geometry((3, 3)).axes
            2
        """
        return len(self.kernel)

    @property
    def reach(self) -> tuple[int, ...]:
        """Size of the dilated kernel along each axis, d(k − 1) + 1.

        Source:
            Dumoulin & Visin (2016), section 5.1.

        Example:
            >>> Geometry(kernel=3, dilation=2).reach
            (5,)
        """
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def _shape(self, name: str, shape: PerAxis) -> tuple[int, ...]:
        return per_axis(name, shape, self.axes, 1)

    def output_shape(self, input_shape: PerAxis) -> tuple[int, ...]:
        """Output size of the convolution, o = ⌊(i + p − d(k − 1) − 1) / s⌋ + 1 along each axis.

        Args:
            input_shape: spatial size i of the input; an integer stands for every axis.

        Raises:
            ValueError: where the padded input is smaller than the dilated kernel.

        Source:
            Dumoulin & Visin (2016), relationship 15, which holds relationships 1 to 6.

        Example:
            >>> Geometry(kernel=3, stride=2, padding=1).output_shape(28)
            (14,)
        """
        shape = self._shape("input_shape", input_shape)
        sizes = []
        for i, s, reach, (before, after) in zip(
            shape, self.stride, self.reach, self.padding, strict=True
        ):
            if i + before + after < reach:
                raise ValueError(
                    f"input_shape: got {i} along an axis; want at least {reach - before - after}, "
                    f"for a kernel that spans {reach} with padding ({before}, {after})"
                )
            sizes.append((i + before + after - reach) // s + 1)
        return tuple(sizes)

    def transposed_shape(self, input_shape: PerAxis) -> tuple[int, ...]:
        """Output size of the transposed convolution, (i − 1)s + d(k − 1) + 1 − p + a on each axis.

        Args:
            input_shape: spatial size i of the transposed convolution's input.

        Raises:
            ValueError: where the padding crops everything away.

        Source:
            Dumoulin & Visin (2016), relationship 14, which holds 8 to 13, with dilation added.

        Example:
            >>> Geometry(kernel=3, stride=2, padding=1, output_padding=1).transposed_shape(14)
            (28,)
        """
        shape = self._shape("input_shape", input_shape)
        sizes = []
        for i, s, reach, (before, after), a in zip(
            shape, self.stride, self.reach, self.padding, self.output_padding, strict=True
        ):
            sizes.append((i - 1) * s + reach - before - after + a)
            if sizes[-1] < 1:
                raise ValueError(
                    f"padding: got ({before}, {after}) along an axis, which crops an input of "
                    f"shape {shape} to size {sizes[-1]}; want a padding that leaves at least 1"
                )
        return tuple(sizes)

    def ambiguous_inputs(self, output_shape: PerAxis) -> tuple[range, ...]:
        """All input sizes that the convolution takes to this output size, along each axis.

        A stride s takes s neighbouring input sizes to one output size; output_padding tells them
        apart on the way back.

        Args:
            output_shape: spatial size o of the convolution's output.

        Raises:
            ValueError: where no input of size 1 or more has this output size.

        Source:
            Dumoulin & Visin (2016), sections 2.4 and 4.6.

        Example:
            >>> [list(sizes) for sizes in Geometry(kernel=3, stride=2).ambiguous_inputs(4)]
            [[9, 10]]
        """
        shape = self._shape("output_shape", output_shape)
        ranges = []
        for o, s, reach, (before, after) in zip(
            shape, self.stride, self.reach, self.padding, strict=True
        ):
            smallest = (o - 1) * s + reach - before - after
            ranges.append(range(max(smallest, 1), smallest + s))
            if not ranges[-1]:
                raise ValueError(
                    f"output_shape: got {o} along an axis; want at least "
                    f"{(1 + before + after - reach) // s + 1}, the output size of an input of 1"
                )
        return tuple(ranges)

    def adjoint_to(self, input_shape: PerAxis) -> Geometry:
        """The same geometry, with the output_padding that gives this input size back.

        Its transposed convolution maps the outputs of the convolution on ``input_shape`` to
        exactly ``input_shape``: it is the adjoint of that convolution.

        Args:
            input_shape: spatial size of the convolution's input.

        Raises:
            ValueError: as :meth:`output_shape`.

        Source:
            Dumoulin & Visin (2016), relationship 14: a = (i + p − k) mod s.

        Example:
            >>> geometry = Geometry(kernel=3, stride=2, padding=1)
            >>> geometry.adjoint_to(8).output_padding, geometry.adjoint_to(7).output_padding
            ((1,), (0,))
        """
        shape = self._shape("input_shape", input_shape)
        self.output_shape(shape)
        left_over = tuple(
            (i + before + after - reach) % s
            for i, (before, after), reach, s in zip(
                shape, self.padding, self.reach, self.stride, strict=True
            )
        )
        return replace(self, output_padding=left_over)


def solve(
    in_size: PerAxis,
    out_size: PerAxis,
    *,
    transposed: bool = True,
    max_kernel: int = 5,
    max_stride: int = 4,
    max_padding: int = 2,
    max_dilation: int = 1,
) -> list[Geometry]:
    """All settings within the bounds that take one size to the other, smallest kernel first.

    Kernel, stride, padding, dilation and output_padding are the same on every axis, and the
    padding on both sides. A kernel of one tap is not dilated.

    Args:
        in_size: spatial size of the input: an integer (one axis) or one per axis.
        out_size: spatial size wanted, with as many axes.
        transposed: whether a transposed convolution (True) or a convolution is looked for.
        max_kernel, max_stride, max_padding, max_dilation: largest values tried.

    Returns:
        Geometries in order of kernel, stride, padding, dilation, output_padding; empty if there
        are none.

    Raises:
        ValueError: for sizes or bounds that are not integers in range, or numbers of axes that
            differ.

    Source:
        Dumoulin & Visin (2016), relationships 14 and 15. Taught in the chapter "Sizes".

    Example:
        >>> for geometry in solve(14, 28, max_kernel=3):
        ...     print(geometry.kernel, geometry.stride, geometry.padding, geometry.output_padding)
        (1,) (2,) ((0, 0),) (1,)
        (2,) (2,) ((0, 0),) (0,)
        (3,) (2,) ((1, 1),) (1,)
    """
    axes = axes_of("in_size", in_size)
    start = per_axis("in_size", in_size, axes, 1)
    target = per_axis("out_size", out_size, axes, 1)
    bounds = {
        "max_kernel": (max_kernel, 1),
        "max_stride": (max_stride, 1),
        "max_padding": (max_padding, 0),
        "max_dilation": (max_dilation, 1),
    }
    choices = [
        range(minimum, _integer(name, value, minimum) + 1)
        for name, (value, minimum) in bounds.items()
    ]
    found = []
    for kernel, stride, padding, dilation in product(*choices):
        if kernel == 1 and dilation > 1:
            continue  # a single tap has no distance to its neighbour
        for output_padding in range(max(stride, dilation) if transposed else 1):
            geometry = Geometry((kernel,) * axes, stride, padding, dilation, output_padding)
            try:
                reached = (
                    geometry.transposed_shape(start) if transposed else geometry.output_shape(start)
                )
            except ValueError:
                continue  # the padding leaves nothing, or the kernel does not fit
            if reached == target:
                found.append(geometry)
    return found
