"""The figures' arithmetic in JavaScript against the package, which writes the vectors for Node.

Node is the one that Playwright brings. Sizes, counts and texts must be equal. Real numbers may
differ by 1e-12, absolute below 1 and relative above: both languages compute in double precision
and differ in the order of the sums, which here have at most a few hundred products of size 1, so
that rounding leaves less than 1e-13; a wrong product would differ in the first digits.
"""

import json
import os
import re
import subprocess
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import playwright
import pytest
import torch
from upconv import checkerboard, definition, factor, layers, pooling, resample
from upconv.book.figures.style import number
from upconv.geometry import Geometry, solve
from upconv.matrix import conv_matrix

TESTS = Path(__file__).with_name("explorables") / "arithmetic.test.js"
NODE = Path(playwright.__file__).parent / "driver" / ("node.exe" if os.name == "nt" else "node")
LEAST = {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
CAPS = {"kernel": 5, "stride": 4, "padding": 3, "dilation": 3, "output_padding": 3}


def settings_of(geometry):
    names = (*LEAST, "groups")
    return {name: encoded(getattr(geometry, name)) for name in names}


def encoded(value):
    """A value as the vectors write it: tensors as {shape, data}, geometries by their settings."""
    match value:
        case Geometry():
            return {"geometry": settings_of(value)}
        case np.ndarray() | torch.Tensor():
            return {"shape": list(value.shape), "data": np.ravel(value).tolist()}
        case dict():
            return {name: encoded(entry) for name, entry in value.items()}
        case list() | tuple() | range():
            return [encoded(entry) for entry in value]
    return value


def on_tensors(function):
    """A function of torch tensors, taking arrays."""

    def called(*args, **options):
        arrays = (torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args)
        return function(*arrays, **options)

    return called


def geometry_with_sizes(settings):
    geometry = Geometry(**settings)
    return {**settings_of(geometry), "axes": geometry.axes, "reach": list(geometry.reach)}


def reached(geometry, size, transposed):
    return (geometry.transposed_shape if transposed else geometry.output_shape)(size)


def is_legal(settings, size, transposed):
    try:
        return bool(reached(Geometry(**settings), size, transposed))
    except ValueError:
        return False


def limits(geometry, name, size, options):
    """The ends of the legal values, all of them tried, between which there is no gap."""
    transposed, cap = options["transposed"], options["cap"]
    reached(geometry, size, transposed)
    settings = {field: getattr(geometry, field) for field in (*LEAST, "groups")}
    legal = [
        value
        for value in range(LEAST.get(name, 1), cap + 1)
        if (
            is_legal(settings, value, transposed)
            if name == "input_shape"
            else is_legal({**settings, name: value}, size, transposed)
        )
    ]
    if not legal:
        raise ValueError(f"cap: got {cap}; want more")
    assert legal == list(range(legal[0], legal[-1] + 1))
    return {"min": legal[0], "max": legal[-1]}


def connections(geometry, small_size, large_size):
    triples = list(definition._connections(geometry, small_size, large_size))
    sizes = {"small": small_size, "tap": geometry.kernel, "large": large_size}
    return {
        name: [int(np.ravel_multi_index(triple[n], size)) for triple in triples]
        for n, (name, size) in enumerate(sizes.items())
    }


def flipped(weight, groups):
    parts = [np.swapaxes(part, 0, 1) for part in np.split(weight, groups)]
    return np.flip(np.concatenate(parts), tuple(range(2, weight.ndim)))


def inserted(x, geometry):
    """Every input at the place where the last tap of the flipped kernel first meets it."""
    size = [
        o + reach - 1
        for o, reach in zip(geometry.transposed_shape(x.shape[2:]), geometry.reach, strict=True)
    ]
    result = np.zeros((*x.shape[:2], *size))
    for position in np.ndindex(*x.shape[2:]):
        place = tuple(
            q * s + reach - 1 - before
            for q, s, reach, (before, _) in zip(
                position, geometry.stride, geometry.reach, geometry.padding, strict=True
            )
        )
        if all(0 <= m < n for m, n in zip(place, size, strict=True)):
            result[:, :, *place] = x[:, :, *position]
    return result


def phases(x, weight, geometry):
    """For each phase that sees taps, which taps, and the outputs that the definition has there."""
    y = definition.conv_transpose(x, weight, geometry)
    axes = []
    for o, k, s, d, (before, _) in zip(
        y.shape[2:],
        geometry.kernel,
        geometry.stride,
        geometry.dilation,
        geometry.padding,
        strict=True,
    ):
        taps = {}
        for t in range(k):
            taps.setdefault((t * d - before) % s, []).append(t)
        axes.append([(start, seen) for start, seen in taps.items() if start < o])
    found = []
    for phase in product(*axes):
        start, taps = zip(*phase, strict=True)
        outputs = (slice(first, None, s) for first, s in zip(start, geometry.stride, strict=True))
        kernel = flipped(weight[:, :, *np.ix_(*taps)], geometry.groups)
        found.append({"start": start, "taps": taps, "kernel": kernel, "output": y[:, :, *outputs]})
    return found


def collapse(weight, scale, options):
    weight, geometry, margin, _, strip = factor.collapse(torch.from_numpy(weight), scale, **options)
    geometry = settings_of(geometry)
    return {"weight": weight, "geometry": geometry, "margin": margin, "strip": strip}


def max_pool(x, geometry):
    values, indices = pooling.max_pool(torch.from_numpy(x), geometry)
    return {"values": values, "indices": indices}


def relative_grid(image, stride):
    """Each image as if it were a model's answer to a ramp, whatever ramp that was."""

    def relative(pixels):
        answer = torch.from_numpy(pixels)[None, None]
        start, size = torch.ones(1, 1, dtype=torch.float64), (1,) * pixels.ndim
        ramp = checkerboard.ramp_response(lambda _: answer, start, size, stride, margin=0)
        return ramp.relative

    return [relative(pixels) for pixels in image.reshape(-1, *image.shape[2:])]


def icnr_(weight, factor, numbers):
    def fill(first):
        first.copy_(torch.from_numpy(numbers))

    return layers.icnr_(torch.from_numpy(weight), factor, None if numbers is None else fill)


def random(seed, count, low, high):
    """Mulberry32, with 32 bits of Python's integers."""
    low_bits, numbers = 2**32 - 1, []
    for n in range(1, count + 1):
        state = (seed + n * 0x6D2B79F5) & low_bits
        bits = (state ^ state >> 15) * (state | 1) & low_bits
        bits ^= bits + ((bits ^ bits >> 7) * (bits | 61) & low_bits) & low_bits
        numbers.append(low + (high - low) * (bits ^ bits >> 14) / 2**32)
    return numbers


PYTHON = {
    "Geometry": geometry_with_sizes,
    "output_shape": Geometry.output_shape,
    "transposed_shape": Geometry.transposed_shape,
    "ambiguous_inputs": Geometry.ambiguous_inputs,
    "adjoint_to": lambda geometry, size: settings_of(geometry.adjoint_to(size)),
    "solve": lambda start, end, options: [settings_of(g) for g in solve(start, end, **options)],
    "limits": limits,
    "connections": connections,
    "conv": definition.conv,
    "conv_transpose": definition.conv_transpose,
    "zero_insertion": definition.conv_transpose,
    "polyphase": definition.conv_transpose,
    "conv_matrix": lambda *args: conv_matrix(*args, dense=True),
    "flipped": flipped,
    "inserted": inserted,
    "phases": phases,
    "interpolate": lambda x, options: resample.interpolate(torch.from_numpy(x), **options),
    "collapse": collapse,
    "divide": lambda *args: on_tensors(factor.divide)(*args)._asdict(),
    "average_pool": on_tensors(pooling.average_pool),
    "average_pool_gradient": on_tensors(pooling.average_pool_gradient),
    "max_pool": max_pool,
    "max_pool_gradient": on_tensors(pooling.max_pool_gradient),
    "max_unpool": on_tensors(pooling.max_unpool),
    "insert_zeros": on_tensors(pooling.insert_zeros),
    "overlap": lambda *args: checkerboard.overlap(*args)[None, None],
    "phase_gains": checkerboard.phase_gains,
    "imbalance": checkerboard.imbalance,
    "project": checkerboard.project,
    "grid_energy": lambda *args: checkerboard.grid_energy(*args).ravel().tolist(),
    "relative_grid": relative_grid,
    "bilinear_": on_tensors(layers.bilinear_),
    "icnr_": icnr_,
    "random": random,
    "number": number,
}
EXACT = {
    *("Geometry", "output_shape", "transposed_shape", "ambiguous_inputs", "adjoint_to", "solve"),
    *("limits", "connections", "conv_matrix", "flipped", "inserted", "max_pool", "max_unpool"),
    *("insert_zeros", "overlap", "icnr_", "number"),
}
# What the package calls a kernel here is a weight in JavaScript, where it always has channels; and
# a model that makes images of some size is here the images themselves.
RENAMED = {("conv_matrix", "kernel"): "weight", ("relative_grid", "size"): "image"}


class Vectors(list):
    """Calls with their arguments, and what the package gives for them, or refuses by name."""

    def add(self, call, *args):
        vector = {"call": call, "args": encoded(args), "tolerance": 0 if call in EXACT else 1e-12}
        try:
            vector["gives"] = encoded(PYTHON[call](*args))
        except ValueError as error:
            name = re.match(r"(\w+): got ", str(error))[1]
            vector["throws"] = RENAMED.get((call, name), name)
        self.append(vector)


class Chance:
    """Random settings and numbers."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def integers(self, axes, low, high):
        return tuple(self.integer(low, high) for _ in range(axes))

    def either(self, values):
        return values[self.integer(0, len(values) - 1)]

    def normal(self, *shape):
        return self.rng.normal(size=shape)

    def geometry(self, most_padding=3):
        axes = self.integer(1, 3)
        stride, dilation = self.integers(axes, 1, 4), self.integers(axes, 1, 3)
        largest = [max(pair) - 1 for pair in zip(stride, dilation, strict=True)]
        return Geometry(
            kernel=self.integers(axes, 1, 5 if axes == 1 else 3),
            stride=stride,
            padding=tuple(self.integers(2, 0, most_padding) for _ in range(axes)),
            dilation=dilation,
            output_padding=tuple(self.integer(0, a) for a in largest),
            groups=self.integer(1, 3),
        )

    def size(self, axes, transposed):
        largest = ({1: 7, 2: 4, 3: 2} if transposed else {1: 12, 2: 6, 3: 4})[axes]
        return self.integers(axes, 1, largest)

    def channels(self, geometry, transposed):
        """Channels of the input, and the two channel axes of the weight."""
        one, other, groups = self.integer(1, 2), self.integer(1, 2), geometry.groups
        rows = one * groups
        return (rows, rows, other) if transposed else (other * groups, rows, other)

    def tensors(self, transposed):
        """A geometry, and an input and a weight for it."""
        geometry = self.geometry()
        channels, *weight = self.channels(geometry, transposed)
        size = self.size(geometry.axes, transposed)
        x = self.normal(self.integer(1, 2), channels, *size)
        return x, self.normal(*weight, *geometry.kernel), geometry


def sizes(vectors, chance):
    for _ in range(1000):
        geometry = chance.geometry()
        vectors.add("Geometry", {name: encoded(getattr(geometry, name)) for name in LEAST})
        for call, size in {
            "output_shape": chance.integers(geometry.axes, 1, 30),
            "transposed_shape": chance.integers(geometry.axes, 1, 8),
            "ambiguous_inputs": chance.integers(geometry.axes, 1, 8),
            "adjoint_to": chance.integers(geometry.axes, 1, 30),
        }.items():
            vectors.add(call, geometry, size)
    for _ in range(60):
        transposed, axes = chance.either([True, False]), chance.integer(1, 2)
        ends = sorted(chance.integers(2, 1, 16), reverse=not transposed)
        ends = ends if axes == 1 else [(end,) * axes for end in ends]
        bounds = {"max_kernel": 4, "max_stride": 3, "max_dilation": chance.integer(1, 2)}
        vectors.add("solve", *ends, {"transposed": transposed, **bounds})
    vectors.add("solve", 14, 28, {})
    vectors.add("solve", 28, 14, {"transposed": False, "max_padding": 0})


def sliders(vectors, chance):
    for _ in range(600):
        geometry = chance.geometry()
        transposed = chance.either([True, False])
        size = chance.integers(geometry.axes, 1, 8)
        for name, cap in {**CAPS, "input_shape": 9}.items():
            options = {"transposed": transposed, "cap": cap}
            vectors.add("limits", geometry, name, size, options)


def convolutions(vectors, chance):
    for _ in range(250):
        x, weight, geometry = chance.tensors(False)
        bias = chance.normal(len(weight)).tolist()
        vectors.add("conv", x, weight, geometry, *chance.either([[], [bias]]))
        vectors.add("conv_matrix", weight, x.shape[1:], geometry)
        if is_legal(settings_of(geometry), x.shape[2:], False):
            small = geometry.output_shape(x.shape[2:])
            vectors.add("connections", geometry, small, x.shape[2:])
    for _ in range(250):
        x, weight, geometry = chance.tensors(True)
        for call in ("conv_transpose", "zero_insertion", "polyphase", "phases"):
            vectors.add(call, x, weight, geometry)
        bias = chance.normal(weight.shape[1] * geometry.groups).tolist()
        vectors.add("conv_transpose", x, weight, geometry, bias)
        vectors.add("inserted", x, geometry)
        vectors.add("flipped", weight, geometry.groups)


def upsampling(vectors, chance):
    for _ in range(200):
        axes = chance.integer(1, 3)
        scale = chance.either([chance.integer(1, 4), chance.integers(axes, 1, 4)])
        mode = {"mode": chance.either(["nearest", "linear"])}
        x = chance.normal(2, 2, *chance.integers(axes, 1, 5))
        modes = {"nearest": "nearest", "linear": "linear"}
        vectors.add("interpolate", x, {"scale_factor": scale, "mode": modes[mode["mode"]]})
        weight = chance.normal(2, 3, *chance.integers(axes, 1, 4))
        padding = [chance.integers(2, 0, 2) for _ in range(axes)]
        vectors.add("collapse", weight, scale, {"padding": padding, **mode})
        vectors.add("divide", weight, scale)  # some kernels are too small
        collapsed = factor.collapse(torch.from_numpy(weight), scale).weight.numpy()
        for error in (0, 1e-7, 1e-4):  # the tolerance lies between the last two
            changed = collapsed.copy()
            changed[..., -1] += error * abs(collapsed).max()
            vectors.add("divide", changed, scale)


def pools(vectors, chance):
    for _ in range(250):
        geometry = chance.geometry(most_padding=1)
        size = chance.size(geometry.axes, False)
        shape = (chance.integer(1, 2), chance.integer(1, 3))
        x = chance.either(
            [chance.normal(*shape, *size), chance.rng.integers(0, 3, (*shape, *size))]
        )
        x = x.astype(float)
        vectors.add("average_pool", x, geometry)
        vectors.add("max_pool", x, geometry)
        if "gives" not in vectors[-1]:
            continue
        values, indices = pooling.max_pool(torch.from_numpy(x), geometry)
        gradient = chance.normal(*values.shape)
        vectors.add("average_pool_gradient", gradient, geometry, size)
        vectors.add("max_pool_gradient", gradient, indices.numpy(), size)
        vectors.add("max_unpool", values.numpy(), indices.numpy(), geometry, size)
        # Others in their place: refused where the windows overlap and an index comes twice.
        vectors.add("max_unpool", gradient, indices.numpy(), geometry, size)
        vectors.add("max_unpool", values.numpy(), indices.numpy(), geometry.adjoint_to(size))
        stride = chance.integers(geometry.axes, 1, 3)
        vectors.add("insert_zeros", x, stride)
        more = [(i - 1) * s + chance.integer(1, s) for i, s in zip(size, stride, strict=True)]
        vectors.add("insert_zeros", x, stride, more)


def checkerboards(vectors, chance):
    for _ in range(200):
        axes = chance.integer(1, 3)
        stride = chance.either([chance.integer(1, 4), chance.integers(axes, 1, 3)])
        kernel = chance.integers(axes, 1, 5 if axes < 3 else 3)
        weight = chance.normal(2, 2, *kernel)
        vectors.add("phase_gains", weight, stride, chance.integers(axes, 1, 3))
        vectors.add("imbalance", weight, stride)
        vectors.add("imbalance", weight, stride, chance.integers(axes, 1, 3))
        vectors.add("imbalance", checkerboard.project(weight, stride), stride)  # 0 but for rounding
        for onto in ("flat", "factorable"):
            vectors.add("project", weight, stride, onto)
        vectors.add("project", weight, stride)
        vectors.add("overlap", kernel, chance.integers(axes, 1, 3), chance.integer(1, 4 - axes))
        stride = chance.integers(axes, 1, 3 if axes < 3 else 2)
        size = [4 * s - 2 + chance.integer(0, 5) for s in stride]
        vectors.add("grid_energy", chance.normal(2, 2, *size), stride)
        period = np.indices(size).sum(0) % max(stride) + 0.1 * chance.normal(1, 1, *size)
        vectors.add("grid_energy", period, stride)
        vectors.add("relative_grid", period, stride)
    flat, nothing = np.full((1, 1, 9, 9), 0.1), np.zeros((1, 1, 9, 9))
    for image in (flat, nothing):
        vectors.add("grid_energy", image, 2)
        vectors.add("relative_grid", image, 2)
    vectors.add("imbalance", nothing, 2)
    # A grid of a few roundings, in numbers that both languages average without rounding.
    vectors.add(
        "grid_energy", 1 + 8 * np.finfo(float).eps * (np.indices((10, 10)) % 2)[:1, None], 2
    )


def first_weights(vectors, chance):
    for _ in range(100):
        axes = chance.integer(1, 3)
        stride = chance.integers(axes, 1, 3)
        kernel = [2 * s - chance.integer(0, 1) for s in stride]
        columns, groups = chance.integer(1, 2), chance.integer(1, 3)
        weight = chance.normal(columns * groups, columns, *kernel)
        vectors.add("bilinear_", weight, stride, groups)
        rest = (chance.integer(1, 2), *chance.integers(axes, 1, 3))
        rows = chance.integer(1, 2)
        numbers = chance.normal(rows, *rest)
        vectors.add("icnr_", chance.normal(rows * prod(stride), *rest), stride, numbers)
    for seed in (0, 1, 2026, 2**32 - 1):
        vectors.add("random", seed, 50, -1.5, 2.0)


def numbers(vectors, chance):
    for value in chance.normal(1000) * 10.0 ** chance.rng.integers(-9, 10, 1000):
        vectors.add("number", float(value))
    # Eighths, sixteenths, … end in a 5 that is exactly between two numbers of three digits.
    for value in chance.rng.integers(-5000, 5000, 2000):
        vectors.add("number", float(value) / 2 ** chance.integer(0, 9))
    for value in (0, 7, -12, 999.4999, 999.5, 1e-5, 1e-4, 9.995e-5, 1e100, 5e-324, "", "w₀"):
        vectors.add("number", value)


def bad_settings(vectors, chance):
    for name, values in {
        "kernel": [0, 1.5, "3", None, True, [], [3, 3, 3, 3], [3, 0], [[3]]],
        "stride": [0, -1, [1, 2], [2.5], []],
        "padding": [-1, 0.5, [[0, 1, 2]], [1, 2], [[0, -1]], []],
        "dilation": [0, [1, 1], "1"],
        "output_padding": [-1, 1, [0, 0], [2]],
        "groups": [0, 1.5, [1], None],
    }.items():
        for value in values:
            vectors.add("Geometry", {"kernel": [3], name: value})
    plain = Geometry(3, stride=2, padding=1)
    for size in (0, -1, 1.5, "4", [4, 4], []):
        for call in ("output_shape", "transposed_shape", "ambiguous_inputs", "adjoint_to"):
            vectors.add(call, plain, size)
        vectors.add("solve", size, 4, {})
        vectors.add("solve", 4, size, {})
    for bound in ("max_kernel", "max_stride", "max_padding", "max_dilation"):
        for value in (-1, 1.5):
            vectors.add("solve", 4, 8, {bound: value})
    x, weight = chance.normal(1, 4, 5), chance.normal(4, 2, 3)
    for call in ("conv", "conv_transpose"):
        vectors.add(call, x[0], weight, Geometry(3, groups=2))
        vectors.add(call, x[:, :, :0], weight, Geometry(3, groups=2))
        vectors.add(call, x[:, :3], weight, Geometry(3, groups=2))
        vectors.add(call, x, weight, Geometry(2, groups=2))
        vectors.add(call, x, weight[:0], Geometry(3, groups=2))
        vectors.add(call, x, weight[:, :0], Geometry(3, groups=2))
        vectors.add(call, x, weight[0], Geometry(3, groups=2))
        vectors.add(call, x, weight, Geometry(3, groups=3))
        vectors.add(call, x, weight, Geometry(3, groups=2), [1.0])
        vectors.add(call, x[:0], weight, Geometry(3, groups=2))  # an empty batch is no fault
    for call in ("zero_insertion", "polyphase"):
        vectors.add(call, x[:, :3], weight, Geometry(3, groups=2))
        vectors.add(call, x, weight, Geometry(3, padding=4, groups=2))
    vectors.add("conv_matrix", weight, (4, 5), Geometry(2, groups=2))
    vectors.add("conv_matrix", weight, (3, 5), Geometry(3, groups=2))
    vectors.add("conv_matrix", weight, (4, 5, 5), Geometry(3, groups=2))
    vectors.add("conv_matrix", weight, (4, 2), Geometry(3, groups=2))
    for options in (
        {"scale_factor": 0},
        {"scale_factor": [2, 2]},
        {"scale_factor": 2, "mode": "?"},
    ):
        vectors.add("interpolate", x, options)
    vectors.add("interpolate", x[0], {"scale_factor": 2})
    for options in ({"padding": 3}, {"padding": -1}, {"padding": [[0, 3]]}, {"mode": "cubic"}):
        vectors.add("collapse", weight, 2, options)
    for scale in (0, [2, 2], 1.5):
        vectors.add("collapse", weight, scale, {})
        vectors.add("divide", weight, scale)
        vectors.add("phase_gains", weight, scale)
        vectors.add("imbalance", weight, scale)
        vectors.add("project", weight, scale)
        vectors.add("insert_zeros", x, scale)
        vectors.add("bilinear_", chance.normal(4, 4, 3), scale)
        vectors.add("icnr_", weight, scale, chance.normal(2, 2, 3))
    for call in ("collapse", "divide", "phase_gains", "imbalance", "project", "bilinear_"):
        for broken in (weight[0], weight[:0], weight[None, None, None]):
            vectors.add(call, broken, 2, *([{}] if call == "collapse" else []))
    vectors.add("divide", weight, 4)
    vectors.add("project", weight, 2, "rough")
    pooled, indices = chance.normal(1, 1, 2), np.array([[[1, 2]]])
    pool = Geometry(2, stride=2)
    for call in ("average_pool", "max_pool"):
        vectors.add(call, x[0], pool)
        vectors.add(call, x[:, :, :1], pool)
    vectors.add("max_pool", x, Geometry(2, padding=3))
    vectors.add("average_pool_gradient", pooled, pool, 6)
    vectors.add("average_pool_gradient", pooled, pool, 1)
    vectors.add("average_pool_gradient", pooled[0], pool, 4)
    for wrong in (indices[:, :, :1], indices + 2, indices - 2):
        vectors.add("max_pool_gradient", pooled, wrong, 4)
        vectors.add("max_unpool", pooled, wrong, pool)
    vectors.add("max_pool_gradient", pooled, indices, 0)
    vectors.add("max_unpool", pooled, np.array([[[1, 1]]]), pool)
    for size in (0, 2, 6, [4, 4], 2.5):
        vectors.add("max_unpool", pooled, indices, pool, size)
        vectors.add("insert_zeros", pooled, 2, size)
    for kernel, stride, count in ((0, 1, 1), (3, 0, 1), (3, 2, 0), (3, 2, 1.5), ([3], [2, 2], 1)):
        vectors.add("overlap", kernel, stride, count)
    image = chance.normal(1, 1, 9, 9)
    for stride in (0, 3, [2, 0]):
        vectors.add("grid_energy", image, stride)
    for stride in (0, 4, [2, 0]):
        vectors.add("relative_grid", image, stride)
    vectors.add("bilinear_", chance.normal(4, 3, 3), 2)
    vectors.add("bilinear_", chance.normal(4, 2, 3), 2, 0)
    vectors.add("bilinear_", chance.normal(4, 4, 5), 2)
    vectors.add("icnr_", weight, 3, chance.normal(2, 2, 3))
    vectors.add("icnr_", weight, 2, None)
    for name, cap in {"kernel": 0, "padding": -1, "input_shape": 0}.items():
        vectors.add("limits", plain, name, 4, {"transposed": True, "cap": cap})


def test_the_figures_compute_what_the_package_computes(tmp_path):
    vectors, chance = Vectors(), Chance(2016)
    for area in (
        *(sizes, sliders, convolutions, upsampling, pools, checkerboards, first_weights, numbers),
        bad_settings,
    ):
        area(vectors, chance)
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps(vectors), "utf8")
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", TESTS],
        env={**os.environ, "VECTORS": str(path)},
        capture_output=True,
        text=True,
        encoding="utf8",
    )
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
    held = sum(map(int, re.findall(r"# (\d+) vectors hold", done.stdout)))
    assert held == len(vectors)
