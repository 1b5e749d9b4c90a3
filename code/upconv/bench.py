"""The listed layers in every form, against torch and other frameworks: seconds, memory, roof.

:func:`measure` makes what :func:`upconv.records.measure` keeps; :func:`table` and :func:`picture`
read such a record. On the command line all of it is ``upconv bench``. Taught in "What it costs".
"""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib import metadata, util
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from upconv import frameworks, layers
from upconv.cost import arithmetic
from upconv.definition import check_shapes
from upconv.factor import collapse
from upconv.forms import FORMS as ALL_FORMS
from upconv.forms import conv_transpose
from upconv.geometry import Geometry
from upconv.peers import PEERS, Prepared, is_installed, prepare
from upconv.records import Record
from upconv.timing import Ratio, compare, peak_memory, ratio

__all__ = [
    "DTYPES",
    "FORMS",
    "LAYERS",
    "LAYOUTS",
    "PAIRS",
    "Layer",
    "Pair",
    "Row",
    "measure",
    "packages",
    "picture",
    "table",
]

Layer = tuple[tuple[int, ...], tuple[int, ...], Geometry]

_DCGAN = Geometry((4, 4), 2, 1)
_UNET = Geometry((2, 2), 2)

LAYERS: dict[str, Layer] = {
    "DCGAN 1024 to 512": ((16, 1024, 4, 4), (1024, 512, 4, 4), _DCGAN),
    "DCGAN 512 to 256": ((16, 512, 8, 8), (512, 256, 4, 4), _DCGAN),
    "DCGAN 256 to 128": ((16, 256, 16, 16), (256, 128, 4, 4), _DCGAN),
    "DCGAN 128 to 3": ((16, 128, 32, 32), (128, 3, 4, 4), _DCGAN),
    "FCN k4 s2": ((1, 21, 16, 16), (21, 21, 4, 4), Geometry((4, 4), 2)),
    "FCN k16 s8": ((1, 21, 34, 34), (21, 21, 16, 16), Geometry((16, 16), 8)),
    "U-Net, one image": ((1, 256, 64, 64), (256, 128, 2, 2), _UNET),
    "U-Net, four images": ((4, 256, 64, 64), (256, 128, 2, 2), _UNET),
    "8 channels k3 s2": ((128, 8, 14, 14), (8, 8, 3, 3), Geometry((3, 3), 2, 1, 1, 1)),
    "8 channels k4 s2": ((128, 8, 14, 14), (8, 8, 4, 4), Geometry((4, 4), 2, 1)),
}
"""Transposed convolutions of networks, each by shape of input, shape of weight and geometry.

The generator of DCGAN (Radford et al., 2016) on batches of 16, the two kinds of layers in the head
of FCN-8s (Long et al., 2015) for 21 classes, the last step of a U-Net's decoder (Ronneberger et
al., 2015), and the steps from 14×14 to 28×28 of a small image decoder on batches of 128.
"""


class Pair(NamedTuple):
    """Nearest upsampling by ``scale``, then a convolution.

    ``weight_shape`` is that of torch.nn.Conv, (out_channels, channels // groups, *kernel), and
    ``geometry`` the convolution's, with stride and dilation 1 and the same padding on both sides.
    """

    x_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    geometry: Geometry
    scale: tuple[int, ...]


Work = Layer | Pair

_CONV = Geometry((3, 3), padding=1)

PAIRS: dict[str, Pair] = {
    "pair 128 to 128": Pair((1, 128, 32, 32), (128, 128, 3, 3), _CONV, (2, 2)),
    "pair 256 to 256": Pair((1, 256, 32, 32), (256, 256, 3, 3), _CONV, (2, 2)),
    "pair 8 to 8": Pair((128, 8, 14, 14), (8, 8, 3, 3), _CONV, (2, 2)),
    "pair 16 to 1": Pair((128, 16, 14, 14), (1, 16, 3, 3), _CONV, (2, 2)),
}
"""Nearest upsampling by 2 and a 3×3 convolution, as decoders have them.

Two steps of a large decoder on one image, and two of a small one on batches of 128.
"""

FORMS = ("zero_insertion", "columns", "polyphase", "shuffle", "auto", "fastest")
"""The forms that are timed if nothing else is asked; "scatter" and "matrix" are for reading."""

LAYOUTS = ("contiguous", "channels_last")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

ROOF = {"channels": 256, "size": 64, "matrix": 4096, "copied": 2**28}
"""How large the roof's works are: the convolution, the square matrices, the bytes copied."""

REST = 0.06
"""Seconds before each sample where peers run: for some 50 ms after a call ONNX Runtime's threads
look for work, for 10 ms those of torch, each on a core that the next one wants."""

TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""How far a value may be from float64's, as a share of the largest. Each dtype has 2^-24, 2^-11,
2^-8 of rounding, and some forms round a sum several times. Wrong values are off by about 1."""


def measure(
    works: Mapping[str, Work] | None = None,
    *,
    forms: Sequence[str] = FORMS,
    layouts: Sequence[str] = LAYOUTS,
    dtype: str = "fp32",
    device: str = "cpu",
    peers: Sequence[str] = (),
    training: bool = False,
    rounds: int = 15,
    threads: int | None = None,
    progress: Callable[[str], object] = lambda name: None,
) -> tuple[dict, dict]:
    """Time every candidate of every work in turn, once its values are found right.

    The candidates of a transposed convolution are torch's own layer and the forms; those of a pair
    torch's own two layers, the forms of the collapsed kernel, and ``UpsampleConv``. Each of them
    runs in each layout. Then come the peers. There is no bias.

    Args:
        works: by name, transposed convolutions (as in `LAYERS`) and pairs; by default all listed.
        forms: of :func:`upconv.conv_transpose`, by name.
        layouts: of `LAYOUTS`. Torch's own layer runs in both, where there are 2 or 3 axes.
        dtype: "fp32", "bf16" or "fp16".
        device: "cpu" or a CUDA device.
        peers: of :data:`upconv.peers.PEERS`; only on the CPU in fp32. One that is not installed is
            left out, and told in the settings.
        training: forward and backward, to input and weight, instead of forward.
        rounds: samples of each candidate, at least 3.
        threads: of the CPU; torch's present number by default.
        progress: called with the name of each work, "roof" first, before it is measured.

    Returns:
        The settings, and the results: for the roof and each work

        - ``seconds``: candidate → samples;
        - ``bytes``: candidate → the most memory for tensors at once, torch's candidates only;
        - ``multiplications``, ``moved``: form → how many, and how many bytes it reads and writes
          at least; "torch" stands for the products that count, in a pair for those of the two
          layers; in training three times as many;
        - ``dropped``, ``disturbed``: as :class:`upconv.timing.Timing`;
        - ``left_out``: candidate → why it does not run there;
        - ``refused``: candidate → by how much its values were wrong.

    Raises:
        ValueError: naming the argument that does not fit, what came and what is wanted.

    Source:
        Taught in "What it costs".

    Example:
        >>> works = {"small": ((1, 2, 4, 4), (2, 2, 3, 3), Geometry((3, 3), 2))}
        >>> _, results = measure(works, forms=["polyphase"], layouts=["contiguous"], rounds=3)
        >>> list(results["small"]["seconds"])
        ['torch', 'torch channels_last', 'polyphase']
    """
    works = {**LAYERS, **PAIRS} if works is None else dict(works)
    _check_works(works)
    _check_among("forms", forms, ("auto", "fastest", *ALL_FORMS))
    _check_among("layouts", layouts, LAYOUTS)
    _check_among("dtype", [dtype], DTYPES)
    _check_among("peers", peers, PEERS)
    device = _device(device)
    threads = torch.get_num_threads() if threads is None else threads
    if not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads: got {threads!r}; want an integer of at least 1")
    if peers and (dtype, device.type) != ("fp32", "cpu"):
        raise ValueError(f"peers: got {', '.join(peers)} in {dtype} on {device}; want fp32 on cpu")

    if not isinstance(rounds, int) or rounds < 3:
        raise ValueError(f"rounds: got {rounds!r}; want an integer of at least 3, for quartiles")
    there = [peer for peer in peers if is_installed(peer)]
    settings = {
        "device": str(device),
        "threads": threads,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "dtype": dtype,
        "tf32": device.type == "cuda" and dtype == "fp32" and torch.backends.cudnn.allow_tf32,
        "training": training,
        "rounds": rounds,
        "forms": list(forms),
        "layouts": list(layouts),
        "peers": there,
        "not_installed": [peer for peer in peers if peer not in there],
        "works": {name: _described(work) for name, work in works.items()},
    }
    results = {}
    with _on_threads(threads):
        progress("roof")
        results["roof"] = _roof(settings)
        for name, work in works.items():
            progress(name)
            results[name] = _measured(work, settings)
    return settings, results


def packages(peers: Sequence[str] = ()) -> tuple[str, ...]:
    """The installed packages whose versions belong to a record with these peers.

    Args:
        peers: of :data:`upconv.peers.PEERS`.

    Example:
        >>> packages(["ONNX Runtime"])
        ('torch', 'onnx', 'onnxruntime')
    """
    modules = ["torch", *(m for peer in peers if is_installed(peer) for m in PEERS[peer])]
    known = metadata.packages_distributions()  # tensorflow may be that of tensorflow-cpu
    return tuple(dict.fromkeys(known[module][0] for module in modules))


class Row(NamedTuple):
    """What a record says of one candidate: see :func:`table`."""

    work: str
    candidate: str
    seconds: float
    torch: Ratio
    channels_last: Ratio | None
    roof: float
    bytes: int | None


def table(record: Record) -> list[Row]:
    """What a record says of each candidate of each work.

    Args:
        record: of :func:`measure`.

    Returns:
        Rows of the work; the candidate; the median of its seconds; how many times as fast it is as
        torch's own layer, and as that in channels_last (None where there is no such layout), as
        quartiles and median; the share of the machine's roof that it reaches, which is the time
        that its multiplications or its bytes would take there, divided by its time (for a
        candidate whose form is not known, those of the form that needs least); and the bytes of
        its tensors, where they are counted. A share is above 1 where a cache holds the arrays.

    Raises:
        ValueError: for a record of something else.

    Example:
        >>> samples = {"torch": [4.0, 4.0], "polyphase": [2.0, 2.0]}
        >>> of = {"torch": 1, "polyphase": 1}
        >>> small = {"seconds": samples, "bytes": {}, "multiplications": of, "moved": of}
        >>> roof = {"convolution": [1.0, 1.0], "copy": [1.0, 1.0]}
        >>> roof = {"seconds": roof, "multiplications": {"convolution": 1}, "moved": {"copy": 1}}
        >>> results = {"roof": roof, "small": small}
        >>> row = table(Record("x", "2026-11-24", "a CPU", {}, 1.0, {}, results))[1]
        >>> row.candidate, row.torch.median, row.roof
        ('polyphase', 2.0, 0.5)
    """
    try:
        least = _least_seconds(record.results["roof"])
        return [
            _row(name, found, candidate, least)
            for name, found in record.results.items()
            if name != "roof"
            for candidate in found["seconds"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"record: got {record.name!r}, which is none of these measurements ({error!r}); want "
            "one that `upconv bench --json` has written"
        ) from error


def picture(record: Record, path: str | Path) -> Path:
    """Draw how many times as fast as torch each candidate is, with quartiles, into a file.

    Args:
        record: of :func:`measure`.
        path: of the picture; it ends in .png, .svg or .pdf.

    Raises:
        ValueError: for another ending, or a record of something else.
        ImportError: where matplotlib is not installed.
    """
    path = Path(path)
    check_picture(path)
    from matplotlib.figure import Figure

    rows = table(record)
    works = list(dict.fromkeys(row.work for row in rows))
    heights = [sum(row.work == work for row in rows) + 3 for work in works]
    figure = Figure(figsize=(8, 0.2 * sum(heights) + 0.8), layout="constrained")
    all_axes = figure.subplots(len(works), height_ratios=heights, sharex=True, squeeze=False)
    for axes, work in zip(all_axes.flat, works, strict=True):
        _bars(axes, work, [row for row in rows if row.work == work])
    axes.set_xlabel("times as fast as torch (median and quartiles)")
    figure.suptitle(f"{record.machine}, {record.settings['dtype']}", fontsize=10)
    unfinished = path.with_name(f"{path.stem}.unfinished{path.suffix}")
    try:
        figure.savefig(unfinished, dpi=150)
        os.replace(unfinished, path)
    finally:  # Ctrl-C, or a full disk
        unfinished.unlink(missing_ok=True)
    return path


def check_picture(path: Path) -> None:
    """Refuse a picture that could not be drawn, before anything is measured.

    Raises:
        ValueError: for a path that does not end in .png, .svg or .pdf.
        ImportError: where matplotlib is not installed.
    """
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"path: got {str(path)!r}; want one that ends in .png, .svg or .pdf")
    if util.find_spec("matplotlib") is None:
        raise ImportError("a picture wants matplotlib, which is not installed: pip install it")


# --------------------------------------------------------------------------------------- checks


def _check_among(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    for value in [values] if isinstance(values, str) else values:
        if value not in known:
            raise ValueError(f"{name}: got {value!r}; want {', '.join(known)}")


def _check_works(works: Mapping[str, Work]) -> None:
    if not works or "roof" in works:
        raise ValueError(f"works: got {list(works)}; want at least one, and none called roof")
    for name, work in works.items():
        x_shape, weight_shape, geometry, *scale = work
        try:
            names = ("x_shape", "weight_shape")
            check_shapes(x_shape, weight_shape, geometry, transposed=not scale, names=names)
            if scale:
                _layer_of(work)
            _output(work)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def _device(device: str) -> torch.device:
    try:
        found = torch.device(device)
    except RuntimeError:
        found = torch.device("meta")
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device: got {str(device)!r}; want cpu or cuda")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: got {str(device)!r}, which torch does not find here; want cpu")
    return found


@contextlib.contextmanager
def _on_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---------------------------------------------------------------------------------------- works


def _described(work: Work) -> dict:
    """A work as JSON holds it."""
    x_shape, weight_shape, geometry, *scale = work
    kind = {"scale": list(scale[0])} if scale else {}
    return {
        "x_shape": list(x_shape),
        "weight_shape": list(weight_shape),
        "geometry": {name: np.array(value).tolist() for name, value in asdict(geometry).items()},
        **kind,
    }


def _upsampled(pair: Pair) -> tuple[int, ...]:
    """The shape of the input of a pair's convolution."""
    size = (i * s for i, s in zip(pair.x_shape[2:], pair.scale, strict=True))
    return *pair.x_shape[:2], *size


def _layer_of(pair: Pair) -> tuple[tuple[int, ...], tuple[int, ...], Geometry]:
    """The one transposed convolution that a pair is."""
    conv = pair.geometry
    wanted = Geometry(
        conv.kernel, 1, tuple(before for before, _ in conv.padding), 1, 0, conv.groups
    )
    if conv != wanted:
        raise ValueError(f"geometry: got {conv}; want {wanted}")
    weight = torch.empty(pair.weight_shape, device="meta")
    one = collapse(weight, pair.scale, padding=conv.padding, groups=conv.groups)
    return pair.x_shape, tuple(one.weight.shape), one.geometry


def _output(work: Work) -> tuple[int, tuple[int, ...]]:
    """Channels and size of the output."""
    x_shape, weight_shape, geometry, *scale = work
    if scale:
        return weight_shape[0], geometry.output_shape(_upsampled(work)[2:])
    return weight_shape[1] * geometry.groups, geometry.transposed_shape(x_shape[2:])


def _counts(work: Work, settings: dict) -> dict[str, dict[str, int]]:
    """Multiplications of each form, and the bytes that it reads and writes at least."""
    pair = isinstance(work, Pair)
    x_shape, weight_shape, geometry = _layer_of(work) if pair else work
    channels, size = _output(work)
    outputs = x_shape[0] * channels * prod(size)
    found = {}
    if pair:
        products = outputs * prod(work.weight_shape[1:])
        found["torch"] = products, prod(work.weight_shape), prod(_upsampled(work))
    else:
        useful = arithmetic("matrix", *work).multiplications
        found["torch"] = useful, prod(weight_shape), 0
    for form in settings["forms"]:
        if form not in ("auto", "fastest", "native"):
            count = arithmetic(form, x_shape, weight_shape, geometry)
            found[form] = count.multiplications, prod(weight_shape), count.stored
    passes = 3 if settings["training"] else 1
    values = {
        form: prod(x_shape) + weights + outputs + 2 * stored
        for form, (_, weights, stored) in found.items()
    }
    width = DTYPES[settings["dtype"]].itemsize
    return {
        "multiplications": {form: passes * products for form, (products, *_) in found.items()},
        "moved": {form: passes * width * count for form, count in values.items()},
    }


# ----------------------------------------------------------------------------------- candidates


def _random(shape: Sequence[int], seed: int, dtype: torch.dtype, device: str) -> torch.Tensor:
    """The same values on every device."""
    generator = torch.Generator().manual_seed(seed)
    return _on_device(torch.randn(tuple(shape), generator=generator).to(dtype), device)


def _on_device(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """The only place where tensors come onto the device."""
    return tensor.to(device)


def _laid(thing, layout: str):
    """A tensor or a module in a layout; with fewer than two axes there is only one."""
    if layout == "contiguous":
        return thing.contiguous() if isinstance(thing, torch.Tensor) else thing
    tensor = thing if isinstance(thing, torch.Tensor) else next(thing.parameters())
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return thing.to(memory_format=formats[tensor.ndim])


def _modules(work: Work, weight: torch.Tensor) -> nn.Sequential:
    """Torch's own layers for a work, as one writes them."""
    x_shape, weight_shape, geometry, *scale = work
    if not scale:
        layer = frameworks.torch.write(geometry, weight.float().cpu().numpy())
        return nn.Sequential(layer).to(weight.device, weight.dtype)
    conv = getattr(nn, f"Conv{geometry.axes}d")(
        x_shape[1],
        weight_shape[0],
        geometry.kernel,
        padding=tuple(before for before, _ in geometry.padding),
        groups=geometry.groups,
        bias=False,
        device=weight.device,
        dtype=weight.dtype,
    )
    conv.load_state_dict({"weight": weight})
    return nn.Sequential(nn.Upsample(scale_factor=tuple(map(float, scale[0]))), conv)


def _own(work: Work, weight: torch.Tensor, layout: str, training: bool) -> tuple:
    module = _laid(_modules(work, weight), layout).train(training)
    return lambda x, weight: module(x), next(module.parameters())


def _fused(work: Pair, weight: torch.Tensor, layout: str, training: bool) -> tuple:
    kind = getattr(layers, f"UpsampleConv{weight.ndim - 2}d")
    module = _laid(kind.from_pair(*_modules(work, weight)), layout).train(training)
    return lambda x, weight: module(x), next(module.parameters())


def _form(form: str, work: Work, weight: torch.Tensor, layout: str, training: bool) -> tuple:
    """A form; the kernel of a pair is collapsed beforehand, but in training every time."""

    def collapsed(weight):
        return collapse(weight, work.scale, padding=work.geometry.padding, groups=groups).weight

    def transpose(x, weight):
        return conv_transpose(
            x,
            weight,
            stride=geometry.stride,
            padding=geometry.padding,
            output_padding=geometry.output_padding,
            dilation=geometry.dilation,
            groups=geometry.groups,
            form=form,
        )

    pair, groups = isinstance(work, Pair), work[2].groups
    geometry = _layer_of(work)[2] if pair else work[2]
    if pair and training:
        return lambda x, weight: transpose(x, collapsed(weight)), _laid(weight, layout)
    if pair:
        weight = collapsed(weight.float()).to(weight.dtype)
    return transpose, _laid(weight, layout)


def _candidate(make: Callable[..., tuple], work: Work, x, weight, gradient, layout) -> Prepared:
    """One of torch's candidates, in a layout."""
    function, weight = make(work, weight, layout, gradient is not None)
    x = _laid(x, layout)
    if gradient is None:

        def call():
            with torch.no_grad():
                return function(x, weight)
    else:
        leaves, gradient = (x.detach(), weight), _laid(gradient, layout)
        for leaf in leaves:
            leaf.requires_grad_()

        def call():
            return torch.autograd.grad(function(*leaves), leaves, gradient)

    return Prepared(call, _values)


def _values(found: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[np.ndarray, ...]:
    tensors = (found,) if isinstance(found, torch.Tensor) else found
    return tuple(tensor.detach().double().cpu().numpy() for tensor in tensors)


def _builders(work: Work, x, weight, gradient, settings: dict) -> dict[str, Callable[[], Prepared]]:
    """For each candidate, what makes it ready to run."""
    makers = {"torch": _own, **{form: partial(_form, form) for form in settings["forms"]}}
    if isinstance(work, Pair):
        makers["UpsampleConv"] = _fused
    builders = {}
    for name, make in makers.items():
        for layout in LAYOUTS if x.ndim > 3 else LAYOUTS[:1]:
            if name == "torch" or layout in settings["layouts"]:
                label = name if layout == "contiguous" else f"{name} {layout}"
                builders[label] = partial(_candidate, make, work, x, weight, gradient, layout)
    for peer in settings["peers"]:
        builders[peer] = partial(
            prepare,
            peer,
            x.numpy(),
            weight.numpy(),
            work[2],
            scale=work.scale if isinstance(work, Pair) else None,
            gradient=None if gradient is None else gradient.numpy(),
            threads=settings["threads"],
        )
    return builders


# ---------------------------------------------------------------------------------- measurements


def _measured(work: Work, settings: dict) -> dict:
    """Every candidate of a work: ready, found right, timed."""
    dtype, device = DTYPES[settings["dtype"]], settings["device"]
    x_shape, weight_shape, geometry, *_ = work
    fan_in = prod(weight_shape) // max(weight_shape[:2])  # keeps the outputs of a size with x
    x = _random(x_shape, 0, dtype, device)
    weight = _random(weight_shape, 1, dtype, device) / fan_in**0.5
    out_channels, y_size = _output(work)
    y_shape = (x_shape[0], out_channels, *y_size)
    gradient = _random(y_shape, 2, dtype, device) if settings["training"] else None

    doubled = [None if one is None else one.cpu().double() for one in (x, weight, gradient)]
    call, values = _candidate(_own, work, *doubled, "contiguous")
    want = values(call())
    ready, left_out, refused = {}, {}, {}
    for name, build in _builders(work, x, weight, gradient, settings).items():
        try:
            candidate = build()
            got = candidate.values(candidate.call())
        except (ValueError, RuntimeError, ImportError) as error:
            left_out[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        wrong = _wrong(got, want, TOLERANCE[torch.float16 if settings["tf32"] else dtype])
        if wrong:
            refused[name] = wrong
        else:
            ready[name] = candidate
    if "torch" not in ready:
        why = left_out.get("torch") or refused["torch"]
        raise ValueError(f"dtype: got {settings['dtype']}, which torch lacks on {device}: {why}")
    calls = {name: candidate.call for name, candidate in ready.items()}
    rest = REST if settings["peers"] else 0
    taken = compare(calls, rounds=settings["rounds"], device=device, rest=rest)
    return {
        "seconds": taken.seconds,
        "bytes": {n: peak_memory(c, device=device) for n, c in calls.items() if n not in PEERS},
        **_counts(work, settings),
        "dropped": taken.dropped,
        "disturbed": taken.disturbed,
        "left_out": left_out,
        "refused": refused,
    }


def _wrong(got: Sequence[np.ndarray], want: Sequence[np.ndarray], tolerance: float) -> str:
    """What is wrong with values, nothing if they are right."""
    for one, other in zip(got, want, strict=True):
        if one.shape != other.shape:
            return f"shape {one.shape}; want {other.shape}"
        off = float(np.abs(one - other).max() / np.abs(other).max())
        if not off <= tolerance:  # NaN is wrong
            return f"values off by {off:.2g} of the largest; want at most {tolerance:g}"
    return ""


def _roof(settings: dict) -> dict:
    """How many multiplications and bytes a second the machine reaches at its best."""
    dtype, device, n = DTYPES[settings["dtype"]], settings["device"], ROOF["matrix"]
    source = _on_device(torch.zeros(ROOF["copied"], dtype=torch.uint8), device)
    target = torch.empty_like(source)
    channels, size = ROOF["channels"], ROOF["size"]
    if torch.device(device).type == "cuda":
        a, b = (_random((n, n), seed, dtype, device) for seed in (0, 1))
        busy, compute, products = "matmul", lambda: a @ b, n**3
    else:
        x = _random((1, channels, size, size), 0, dtype, device)
        weight = _random((channels, channels, 3, 3), 1, dtype, device)
        x, weight = _laid(x, "channels_last"), _laid(weight, "channels_last")
        busy, compute = "convolution", lambda: nn.functional.conv2d(x, weight, padding=1)
        products = 9 * channels**2 * size**2
    calls = {busy: compute, "copy": lambda: target.copy_(source)}
    with torch.no_grad(), _matmul_precision("high" if settings["tf32"] else "highest"):
        taken = compare(calls, rounds=settings["rounds"], device=device)
    return {
        "seconds": taken.seconds,
        "bytes": {},
        "multiplications": {busy: products},
        "moved": {"copy": 2 * source.nbytes},
        "dropped": taken.dropped,
        "disturbed": taken.disturbed,
        "left_out": {},
        "refused": {},
    }


@contextlib.contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    """Lets a product of matrices compute in TF32 where convolutions do, as is torch's default."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


# ------------------------------------------------------------------------------------- what it says


def _least_seconds(roof: dict) -> Callable[[int, int], float]:
    """How long multiplications and bytes take at best on this machine."""
    (busy, products), (copy, moved) = (*roof["multiplications"].items(), *roof["moved"].items())
    peak = products / min(roof["seconds"][busy])
    bandwidth = moved / min(roof["seconds"][copy])
    return lambda products, moved: max(products / peak, moved / bandwidth)


def _row(work: str, found: dict, candidate: str, least: Callable[[int, int], float]) -> Row:
    seconds, last = found["seconds"], "torch channels_last"
    form = "torch" if candidate in PEERS else candidate.removesuffix(" channels_last")
    limits = {
        name: least(products, found["moved"][name])
        for name, products in found["multiplications"].items()
    }
    taken = statistics.median(seconds[candidate])
    return Row(
        work,
        candidate,
        taken,
        ratio(seconds, "torch", candidate),
        ratio(seconds, last, candidate) if last in seconds else None,
        limits.get(form, min(limits.values())) / taken,
        found["bytes"].get(candidate),
    )


def _bars(axes, work: str, rows: list[Row]) -> None:
    """One work of the picture, the fastest candidate on top."""
    rows = sorted(rows, key=lambda row: row.torch.median)
    for place, row in enumerate(rows):
        low, median, high = row.torch
        axes.barh(place, median, color="tab:orange" if row.candidate in PEERS else "tab:blue")
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        axes.annotate(f" {median:.2f}", (max(high, median), place), va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row.candidate for row in rows], fontsize=8)
    axes.set_title(work, loc="left", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.1)
