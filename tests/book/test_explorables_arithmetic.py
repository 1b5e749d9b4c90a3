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
from pathlib import Path

import numpy as np
import playwright
import pytest
import torch
from upconv import checkerboard, definition, factor, layers, pooling, resample
from upconv.book.figures.style import number
from upconv.geometry import Geometry, solve

TESTS = Path(__file__).with_name("explorables") / "arithmetic.test.js"
NODE = Path(playwright.__file__).parent / "driver" / ("node.exe" if os.name == "nt" else "node")
LEAST = {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
CAPS = {"kernel": 5, "stride": 4, "padding": 3, "dilation": 3, "output_padding": 3}


def settings_of(geometry):
    return {name: encoded(getattr(geometry, name)) for name in LEAST}


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
    settings = {field: getattr(geometry, field) for field in LEAST}
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


def flipped(weight):
    return np.flip(np.swapaxes(weight, 0, 1), tuple(range(2, weight.ndim)))


def collapse(weight, scale, options):
    collapsed = factor.collapse(torch.from_numpy(weight), scale, **options)
    return {"weight": collapsed.weight, "geometry": settings_of(collapsed.geometry)}


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
    "flipped": flipped,
    "interpolate": lambda x, options: resample.interpolate(torch.from_numpy(x), **options),
    "collapse": collapse,
    "divide": lambda *args: on_tensors(factor.divide)(*args)._asdict(),
    "average_pool_gradient": on_tensors(pooling.average_pool_gradient),
    "max_pool": max_pool,
    "max_pool_gradient": on_tensors(pooling.max_pool_gradient),
    "insert_zeros": on_tensors(pooling.insert_zeros),
    "overlap": lambda *args: checkerboard.overlap(*args)[None, None],
    "phase_gains": checkerboard.phase_gains,
    "project": checkerboard.project,
    "relative_grid": relative_grid,
    "bilinear_": on_tensors(layers.bilinear_),
    "random": random,
    "number": number,
}
EXACT = {
    *("Geometry", "output_shape", "transposed_shape", "ambiguous_inputs", "adjoint_to", "solve"),
    *("limits", "connections", "flipped", "max_pool", "insert_zeros", "overlap"),
    "number",
}


class Vectors(list):
    """Calls with their arguments, and what the package gives for them, or refuses by name."""

    def add(self, call, *args):
        vector = {"call": call, "args": encoded(args), "tolerance": 0 if call in EXACT else 1e-12}
        try:
            vector["gives"] = encoded(PYTHON[call](*args))
        except ValueError as error:
            vector["throws"] = re.match(r"(\w+): got ", str(error))[1]
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
        )

    def size(self, axes, transposed):
        largest = ({1: 7, 2: 4, 3: 2} if transposed else {1: 12, 2: 6, 3: 4})[axes]
        return self.integers(axes, 1, largest)

    def tensors(self, transposed):
        """A geometry, and an input and a weight for it."""
        geometry = self.geometry()
        rows, columns = self.integers(2, 1, 3)
        size = self.size(geometry.axes, transposed)
        x = self.normal(self.integer(1, 2), rows if transposed else columns, *size)
        return x, self.normal(rows, columns, *geometry.kernel), geometry


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
        transposed = chance.either([True, False])
        ends = sorted(chance.integers(2, 1, 16), reverse=not transposed)
        bounds = {"max_kernel": 4, "max_stride": 3, "max_padding": chance.integer(0, 3)}
        vectors.add("solve", *ends, {"transposed": transposed, **bounds})
    bounds = {"max_kernel": 5, "max_stride": 4, "max_padding": 2}
    vectors.add("solve", 14, 28, {"transposed": True, **bounds})
    vectors.add("solve", 28, 14, {"transposed": False, **bounds, "max_padding": 0})


def sliders(vectors, chance):
    for _ in range(900):
        geometry = chance.geometry()
        transposed = chance.either([True, False])
        size = chance.integers(geometry.axes, 1, 8)
        if is_legal(settings_of(geometry), size, transposed):
            for name, cap in {**CAPS, "input_shape": 9}.items():
                options = {"transposed": transposed, "cap": cap}
                vectors.add("limits", geometry, name, size, options)


def convolutions(vectors, chance):
    for _ in range(250):
        x, weight, geometry = chance.tensors(False)
        bias = chance.normal(len(weight)).tolist()
        vectors.add("conv", x, weight, geometry, *chance.either([[], [bias]]))
        if is_legal(settings_of(geometry), x.shape[2:], False):
            small = geometry.output_shape(x.shape[2:])
            vectors.add("connections", geometry, small, x.shape[2:])
    for _ in range(250):
        x, weight, geometry = chance.tensors(True)
        bias = chance.normal(weight.shape[1]).tolist()
        for more in ([], [bias]):
            vectors.add("conv_transpose", x, weight, geometry, *more)
        vectors.add("flipped", weight)


def upsampling(vectors, chance):
    for _ in range(200):
        axes, scale = chance.integer(1, 3), chance.integer(1, 4)
        x = chance.normal(2, 2, *chance.integers(axes, 1, 5))
        mode = chance.either(["nearest", "linear"])
        vectors.add("interpolate", x, {"scale_factor": scale, "mode": mode})
        vectors.add("interpolate", x, {"scale_factor": scale})
        weight = chance.normal(2, 3, *chance.integers(axes, 1, 4))
        padding = [tuple(chance.integer(0, k) for _ in range(2)) for k in weight.shape[2:]]
        vectors.add("collapse", weight, scale, {"padding": padding})  # some paddings are too large
        vectors.add("collapse", weight, scale, {})
        if min(weight.shape[2:]) >= scale:
            vectors.add("divide", weight, scale)
        collapsed = factor.collapse(torch.from_numpy(weight), scale).weight.numpy()
        for error in (0, 1e-7, 1e-4):  # the tolerance lies between the last two
            changed = collapsed.copy()
            changed[..., -1] += error * abs(collapsed).max()
            vectors.add("divide", changed, scale)


def pools(vectors, chance):
    for _ in range(500):
        geometry = chance.geometry(most_padding=1)
        size = chance.size(geometry.axes, False)
        shape = (chance.integer(1, 2), chance.integer(1, 3))
        x = chance.either(
            [chance.normal(*shape, *size), chance.rng.integers(0, 3, (*shape, *size))]
        )
        x = x.astype(float)
        try:
            values, indices = pooling.max_pool(torch.from_numpy(x), geometry)
        except ValueError:  # nothing is left, or a window holds padding only
            continue
        vectors.add("max_pool", x, geometry)
        gradient = chance.normal(*values.shape)
        vectors.add("average_pool_gradient", gradient, geometry, size)
        vectors.add("max_pool_gradient", gradient, indices.numpy(), size)
        stride = chance.integer(1, 3)
        more = [(i - 1) * stride + chance.integer(1, stride) for i in size]
        vectors.add("insert_zeros", x, stride, more)


def checkerboards(vectors, chance):
    for _ in range(200):
        axes = chance.integer(1, 3)
        stride = chance.integer(1, 4)
        kernel = chance.integers(axes, 1, 5 if axes < 3 else 3)
        weight = chance.normal(2, 2, *kernel)
        vectors.add("phase_gains", weight, stride)
        for onto in ("flat", "factorable"):
            vectors.add("project", weight, stride, onto)
        vectors.add("overlap", kernel, chance.integer(1, 3), chance.integer(1, 4 - axes))
        stride = chance.integer(1, 3 if axes < 3 else 2)
        size = [4 * stride - 2 + chance.integer(0, 5) for _ in range(axes)]
        vectors.add("relative_grid", chance.normal(2, 2, *size), stride)
        period = np.indices(size).sum(0) % stride + 0.1 * chance.normal(1, 1, *size)
        vectors.add("relative_grid", period, stride)
    for image in (np.full((1, 1, 9, 9), 0.1), np.zeros((1, 1, 9, 9))):
        vectors.add("relative_grid", image, 2)


def first_weights(vectors, chance):
    for _ in range(100):
        axes, stride, channels = chance.integer(1, 3), chance.integer(1, 3), chance.integer(1, 3)
        kernel = [2 * stride - chance.integer(0, 1) for _ in range(axes)]
        vectors.add("bilinear_", chance.normal(channels, channels, *kernel), stride)
    for seed in (0, 1, 2026, 2**32 - 1):
        vectors.add("random", seed, 50, -1.5, 2.0)


def numbers(vectors, chance):
    for value in chance.normal(1000) * 10.0 ** chance.rng.integers(-9, 10, 1000):
        vectors.add("number", float(value))
    # Eighths, sixteenths, … end in a 5 that is exactly between two numbers of three digits.
    for value in chance.rng.integers(-5000, 5000, 2000):
        vectors.add("number", float(value) / 2 ** chance.integer(0, 9))
    for value in (0, 7, -12, 999.4999, 999.5, 1e-5, 1e-4, 9.995e-5, 1e100, 5e-324):
        vectors.add("number", value)


def bad_settings(vectors, chance):
    for name, values in {
        "kernel": [0, 1.5, "3", None, True, [], [3, 3, 3, 3], [3, 0], [[3]]],
        "stride": [0, -1, [1, 2], [2.5], []],
        "padding": [-1, 0.5, [[0, 1, 2]], [1, 2], [[0, -1]], []],
        "dilation": [0, [1, 1], "1"],
        "output_padding": [-1, 1, [0, 0], [2]],
    }.items():
        for value in values:
            vectors.add("Geometry", {"kernel": [3], name: value})
    plain = Geometry(3, stride=2, padding=1)
    for size in (0, -1, 1.5, "4", [4, 4], []):
        for call in ("output_shape", "transposed_shape", "ambiguous_inputs", "adjoint_to"):
            vectors.add(call, plain, size)
    x, weight = chance.normal(1, 4, 5), chance.normal(4, 2, 3)
    for call, rows in {"conv": 2, "conv_transpose": 4}.items():
        vectors.add(call, x[:, :rows], weight, Geometry(3))
        vectors.add(call, x[:, :3], weight, Geometry(3))
        vectors.add(call, x[:, :rows], weight, Geometry(2))
        vectors.add(call, x[:0, :rows], weight, Geometry(3))  # an empty batch is no fault
    vectors.add("conv_transpose", x, weight, Geometry(3, padding=4))
    for options in ({"padding": 3}, {"padding": -1}, {"padding": [[0, 3]]}):
        vectors.add("collapse", weight, 2, options)
    for name, cap in {"kernel": 0, "padding": -1, "input_shape": 0}.items():
        vectors.add("limits", plain, name, 4, {"transposed": True, "cap": cap})
    vectors.add("max_pool", x[:, :, :1], Geometry(2, stride=2))


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
