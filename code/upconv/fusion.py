"""Finds "upsampling, then a convolution" in a model, and puts one faster layer in its place.

The forward of the model is read with torch.fx: symbolically, for tensors of any values and sizes,
once as in training and once as in evaluation. A pair is replaced where every path through what was
read shows that the convolution alone sees the upsampled image. Taught in "What it costs".
"""

from __future__ import annotations

import copy
import inspect
import operator
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from upconv.layers import UpsampleConv1d, UpsampleConv2d, UpsampleConv3d
from upconv.timing import Ratio, compare, ratio

__all__ = ["Finding", "Fused", "Report", "fuse"]

_UPSAMPLINGS = (nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_FUNCTIONS = {torch.conv1d: nn.Conv1d, torch.conv2d: nn.Conv2d, torch.conv3d: nn.Conv3d}
_FUSED = {nn.Conv1d: UpsampleConv1d, nn.Conv2d: UpsampleConv2d, nn.Conv3d: UpsampleConv3d}
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_REPEATED = 40
"""Up to this factor nearest upsampling in torch repeats every pixel equally often. The place that
it reads is a product in float32, which at 41 falls short of some whole numbers."""


class Finding(NamedTuple):
    """One upsampling of the model.

    ``where`` names the upsampling and, if it is a pair, the convolution, by their qualified names;
    ``shapes`` are those that came in with the example; ``action`` is "fused" or "left: " and why;
    ``gain`` says how many times as long as the new layer the pair takes (quartiles), where it was
    timed. A convolution that follows several upsamplings is timed once, for all their shapes.
    """

    where: str
    shapes: tuple[tuple[int, ...], ...]
    action: str
    gain: Ratio | None


class Report(NamedTuple):
    """What :func:`fuse` found; ``print`` it to read it.

    ``findings`` has an entry for every upsampling, ``unread`` the reason for every module whose
    forward torch.fx cannot read, by name, and ``difference`` is the largest absolute one between
    the outputs of the model and its copy for the example.
    """

    findings: tuple[Finding, ...]
    unread: dict[str, str]
    difference: float

    def __str__(self) -> str:
        rows = [("upsampling, convolution", "from", "gain", "action")]
        for where, shapes, action, gain in self.findings:
            sizes = ", ".join("×".join(map(str, shape)) for shape in shapes)
            quartiles = f"{gain.median:.2f} ({gain.low:.2f} to {gain.high:.2f})" if gain else ""
            rows.append((where, sizes, quartiles, action))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        if not self.findings:
            lines = ["no upsampling found: nothing to fuse"]
        lines += [f"not read: {name}: {reason}" for name, reason in self.unread.items()]
        return "\n".join([*lines, f"largest difference in the output: {self.difference:.1e}"])


class Fused(NamedTuple):
    """The faster copy of a model, and the report of what was done."""

    model: nn.Module
    report: Report


def fuse(model: nn.Module, example: object, *, only_faster: bool = True) -> Fused:
    """A copy of a model in which upsampling and the convolution behind it are one, faster layer.

    The upsampling is an ``nn.Upsample`` or a call of ``F.interpolate``, by a whole factor or to a
    size that is one; the convolution is an ``nn.Conv`` or a call of ``F.conv``, with stride 1. The
    copy has the parameters and buffers of the model under their names, so that each loads the
    state dict of the other, its classes, hooks and training mode. In the place of the convolution
    stands an :class:`UpsampleConv2d <upconv.UpsampleConv2d>`, in that of an nn.Upsample an
    nn.Identity; a forward that calls F.interpolate has one without this call, in a subclass.

    What cannot be proved equal is left as it is, and the report says why. The proof holds for
    tensors of any size, and for other arguments (flags, numbers, None) as in the example.
    The model is run in evaluation mode, without derivatives, and is not changed.

    Args:
        model: any torch model on a CPU or a CUDA device.
        example: what the model is called with: a tensor, or a tuple of arguments. The layers are
            timed for the sizes that it leads to.
        only_faster: leave what is not faster in three quarters of the rounds of
            :func:`upconv.timing.compare`; otherwise the times are only reported.

    Returns:
        A :class:`Fused`: the copy, and a :class:`Report`.

    Raises:
        ValueError: naming model or example, for what is no model, cannot be copied or read at all,
            or does not take the example.

    Source:
        Claim upsample-then-conv-is-transpose. Taught in "What it costs".

    Example:
        >>> pair = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, padding=1))
        >>> fused, report = fuse(pair, torch.rand(1, 8, 16, 16), only_faster=False)
        >>> fused[1].weight.equal(pair[1].weight), report.findings[0].action
        (True, 'fused')
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model: got {type(model).__name__}; want a torch.nn.Module")
    arguments = example if isinstance(example, tuple) else (example,)
    try:
        plain = _lean_copy(model)
    except Exception as error:  # whatever a copy of the user's own classes raises
        raise ValueError(f"model: it cannot be copied: {_first_line(error)}") from error
    seen = _Seen(plain)
    try:
        with seen:
            wanted = _run(plain, arguments)
    except Exception as error:  # whatever the user's own forward raises
        raise ValueError(f"example: the model does not take it: {_first_line(error)}") from error
    reading = _Reading(model, seen)
    if not reading.entered:
        reasons = "; ".join(f"{name}: {why}" for name, why in reading.unread().items())
        raise ValueError(f"model: torch.fx cannot read it: {reasons}")

    gains = _gains(model, reading, arguments, wanted)
    if only_faster:
        reading.leave([site for site, gain in gains.items() if gain.low <= 1], "it is not faster")
    while True:
        fused = copy.deepcopy(model)
        _substitute(fused, reading)
        trouble, difference = _judged(_lean_copy(fused), arguments, wanted)
        if not trouble or not reading.pairs:
            return Fused(fused, Report(reading.findings(gains), reading.unread(), difference))
        reading.leave(reading.pairs, trouble)


# --------------------------------------------------------------------- running, timing, comparing


def _lean_copy(model: nn.Module) -> nn.Module:
    """A copy to be run or traced: it shares the parameters, which neither changes."""
    return copy.deepcopy(model, {id(p): p for p in model.parameters()}).eval()


def _run(model: nn.Module, arguments: tuple) -> list[torch.Tensor]:
    """The tensors of the output, random numbers being always the same; the arguments stay so."""
    arguments = pytree.tree_map_only(torch.Tensor, lambda x: x.detach().clone(), arguments)
    with torch.no_grad(), _own_random_numbers(model):
        outputs = pytree.tree_leaves(model(*arguments))
    return [output for output in outputs if isinstance(output, torch.Tensor)]


@contextmanager
def _own_random_numbers(model: nn.Module) -> Iterator[None]:
    """Random numbers that begin anew, and afterwards go on as if none had been drawn."""
    devices = {x.device for x in model.parameters() if x.device.type == "cuda"}
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def _drawing_nothing() -> Iterator[None]:
    """ValueError if random numbers are drawn, which a graph would repeat for ever."""

    def state() -> tuple:
        _, numbers, place, *_ = np.random.get_state()  # noqa: NPY002
        return random.getstate(), numbers.tobytes(), place, torch.get_rng_state().tolist()

    before = state()
    yield
    if state() != before:
        raise ValueError("it draws random numbers")


def _judged(
    model: nn.Module, arguments: tuple, wanted: list[torch.Tensor]
) -> tuple[str | None, float]:
    """What is wrong with the outputs, or None, and the largest difference.

    Half the digits may be lost: a deep model makes much of the rounding of its first layers.
    """
    try:
        outputs = _run(model, arguments)
    except Exception as error:  # then the pair is left, and the report says why
        return f"with the new layers the model fails: {_first_line(error)}", float("nan")
    if [y.shape for y in outputs] != [y.shape for y in wanted]:
        return "with the new layers the output has another shape", float("nan")
    largest = 0.0
    for y, target in zip(outputs, wanted, strict=True):
        if y.numel() == 0 or torch.equal(y, target):
            continue
        difference = (y.double() - target.double()).abs().max().item()
        allowed = torch.finfo(y.dtype).eps ** 0.5 if y.is_floating_point() else 0
        largest = max(largest, difference)
        if not difference <= allowed * target.double().abs().max().item():
            return f"with the new layers the output differs by {difference:.1e}", largest
    return None, largest


def _gains(
    model: nn.Module, reading: _Reading, arguments: tuple, wanted: list[torch.Tensor]
) -> dict[_Site, Ratio]:
    """How much each pair gains, from a copy in which all of them are replaced.

    If that copy goes wrong, they are all left.
    """
    trial = _lean_copy(model)
    layers = _substitute(trial, reading)
    inputs = _inputs(layers)
    trouble, _ = _judged(trial, arguments, wanted)
    if trouble:
        reading.leave(reading.pairs, trouble)
    gains = {}
    for pair in reading.pairs.values():
        if pair.conv not in gains:
            gains[pair.conv] = _gain(_two(model, pair), layers[pair.conv], inputs[pair.conv])
    return {site: gains[pair.conv] for site, pair in reading.pairs.items()}


def _inputs(layers: dict[object, nn.Module]) -> dict[object, list[tuple]]:
    """What each layer will be called with, one for every shape and memory format: filled later."""
    inputs = {name: [] for name in layers}
    looks = set()
    for name, layer in layers.items():

        def watch(layer: nn.Module, arguments: tuple, name: object = name) -> None:
            x = arguments[0]
            look = name, x.shape, x.stride(), x.dtype
            if look not in looks:
                looks.add(look)
                inputs[name].append(arguments)

        layer.register_forward_pre_hook(watch)
    return inputs


def _gain(pair: tuple[nn.Module, nn.Module], layer: nn.Module, inputs: list[tuple]) -> Ratio:
    """How many times as long the pair takes as the layer, for all inputs together."""
    upsample, conv = pair
    layer._forward_pre_hooks.clear()
    calls = {
        "pair": lambda: [conv(upsample(x)) for x, *_ in inputs],
        "fused": lambda: [layer(*arguments) for arguments in inputs],
    }
    with torch.no_grad():
        seconds = compare(calls, device=inputs[0][0].device).seconds
    return ratio(seconds, "pair", "fused")


class _Seen(TorchFunctionMode):
    """Watches a run: how each module is called and by whom, and what is upsampled."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.names = {module: name for name, module in model.named_modules()}
        self.ways = defaultdict(list)
        self.callers = defaultdict(set)
        self.shapes = defaultdict(list)
        self.stack = []
        for module in self.names:
            if not isinstance(module, torch.jit.ScriptModule):
                module.register_forward_pre_hook(self._enter, prepend=True, with_kwargs=True)
                module.register_forward_hook(self._leave, always_call=True)

    def _enter(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        name = self.names[module]
        self.ways[name].append(_way(module, args, kwargs, torch.Tensor))
        if self.stack:
            self.callers[name].add(self.stack[-1][0])
        upsampling = type(module) in _UPSAMPLINGS and self.stack
        self.stack.append(self.stack[-1] if upsampling else (name, Counter()))

    def _leave(self, *_: object) -> None:
        self.stack.pop()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.interpolate and self.stack:
            x = args[0] if args else kwargs["input"]
            self.shapes[_next_site(self.stack, "upsampling")].append(tuple(x.shape))
        return func(*args, **kwargs)


# ------------------------------------------------------------------------------ reading a forward


class _Site(NamedTuple):
    """A call, by the module whose forward makes it, and how many of its kind come before it."""

    owner: str
    kind: str
    number: int


def _next_site(stack: list[tuple[str, Counter]], kind: str) -> _Site:
    owner, counts = stack[-1]
    counts[kind] += 1
    return _Site(owner, kind, counts[kind] - 1)


class _Tracer(fx.Tracer):
    """Reads a forward, with those that it calls or alone, and notes the site of what it finds.

    Modules that are ``closed``, or have hooks, which would run on what is no tensor, are not
    entered. Where a forward cannot be read, ``culprit`` is the innermost module at fault.
    """

    def __init__(self, names: dict[nn.Module, str], closed=(), alone: bool = False) -> None:
        super().__init__()
        self.names, self.closed, self.alone = names, closed, alone
        self.ways = defaultdict(list)
        self.culprit = None

    def trace(self, root: nn.Module, concrete_args: dict) -> fx.Graph:
        self.stack = [(self.names[root], Counter())]
        with warnings.catch_warnings(), _own_random_numbers(root):
            # Such as: that a value is taken for granted and cannot be checked.
            warnings.simplefilter("error" if self.alone else "ignore")
            with _drawing_nothing():
                return super().trace(root, concrete_args)

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        kept = self.alone or module in self.closed or _altered(module)
        ours = isinstance(module, (*_FUSED.values(), _Call))
        return kept or ours or super().is_leaf_module(module, name)

    def call_module(self, module, forward, args, kwargs):
        if self.is_leaf_module(module, self.path_of_module(module)):
            return super().call_module(module, forward, args, kwargs)
        name = self.names[module]
        self.stack.append((name, Counter()))
        self.ways[name].append(_way(module, args, kwargs, fx.Proxy))
        try:
            with _drawing_nothing():
                return super().call_module(module, forward, args, kwargs)
        except Exception:
            if self.culprit is None:
                self.culprit = module
            raise
        finally:
            self.stack.pop()

    def create_node(self, kind, target, args, kwargs, name=None, type_expr=None):
        node = super().create_node(kind, target, args, kwargs, name, type_expr)
        module = self.root.get_submodule(target) if kind == "call_module" else None
        if target is F.interpolate or type(module) in _UPSAMPLINGS:
            node.meta["upsampling"] = _next_site(self.stack, "upsampling")
        elif kind == "call_function" and target in _FUNCTIONS:
            node.meta["convolution"] = _next_site(self.stack, "convolution")
        elif isinstance(module, _CONVS):
            node.meta["convolution"] = self.names[module]
        return node


def _way(module: nn.Module, args: tuple, kwargs: dict, kind: type) -> dict | str:
    """The arguments that are no tensors, by name, as torch.fx is told them; or what is in the way.

    ``kind`` says what stands for a tensor.
    """
    signature = inspect.signature(module.forward)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    bound.apply_defaults()
    way = {}
    for name, value in bound.arguments.items():
        tensors = [isinstance(leaf, kind) for leaf in pytree.tree_leaves(value)]
        variable = signature.parameters[name].kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        if tensors and not all(tensors) and (any(tensors) or variable):
            return f"its argument {name} holds more than tensors"
        if not any(tensors) and not variable:
            way[name] = value
    return way


def _altered(module: nn.Module) -> bool:
    """Whether a call of it does more than the forward of its class."""
    return any(getattr(module, hooks) for hooks in _HOOKS) or "forward" in vars(module)


def _closed(module: nn.Module, ways: list[dict | str]) -> str | None:
    """Why a forward is not even tried."""
    if isinstance(module, torch.jit.ScriptModule):
        return "it is TorchScript"
    if "forward" in vars(module):
        return "its forward is not that of its class"
    different = {repr(way) for way in ways}
    if len(different) > 1:
        return "it is called in different ways"
    return ways[0] if isinstance(ways[0], str) else None


class _Pair(NamedTuple):
    """An upsampling and the convolution behind it, by names that hold in every copy of the model.

    ``upsampling`` holds scale_factor, mode, align_corners and, where torch is told it, the size.
    ``conv`` is the name of an nn.Conv; or the site of a call, whose arguments ``call`` holds, those
    that are tensors by name.
    """

    upsampling: tuple
    conv: str | _Site
    call: tuple | None


class _Reading:
    """All upsamplings that the forwards of a model make, and of each its pair or why it is none.

    ``verdicts`` has them by their sites, ``entered`` names the modules whose forward was read, and
    ``closed`` says why others could not be.
    """

    def __init__(self, model: nn.Module, seen: _Seen) -> None:
        self.seen, self.model, self.closed = seen, _lean_copy(model), {}
        self.names = {module: name for name, module in self.model.named_modules()}
        self.ways = defaultdict(list)
        self.before = defaultdict(set)  # the sites behind which each convolution stands
        self.modules = {}  # the name of the nn.Upsample at a site, or None
        self.forwards = {}
        self.entered = set(self.names.values())
        first, second = self._read(training=False), self._read(training=True)
        self.verdicts = {site: self._merged(site, first, second) for site in first | second}
        for site in seen.shapes:
            if site not in self.verdicts:
                self.verdicts[site] = f"torch.fx cannot read {_named(site.owner)}"
        self.found = self.pairs
        self._settle()

    @property
    def pairs(self) -> dict[_Site, _Pair]:
        return {site: v for site, v in self.verdicts.items() if isinstance(v, _Pair)}

    def leave(self, sites, reason: str) -> None:
        """Leave these pairs as they are, and those that cannot be replaced without them."""
        self.verdicts |= dict.fromkeys(sites, reason)
        self._settle()

    def findings(self, gains: dict[_Site, Ratio]) -> tuple[Finding, ...]:
        """One for each upsampling, in the order of the forward."""
        found = []
        for site, verdict in self.verdicts.items():
            where = self.modules.get(site) or _called("F.interpolate", site.owner)
            if site in self.found:
                conv = self.found[site].conv
                where += " → " + (conv if isinstance(conv, str) else _called("F.conv", conv.owner))
            shapes = tuple(dict.fromkeys(self.seen.shapes.get(site, ())))
            action = "fused" if isinstance(verdict, _Pair) else f"left: {verdict}"
            found.append(Finding(where, shapes, action, gains.get(site)))
        return tuple(found)

    def unread(self) -> dict[str, str]:
        """Why forwards could not be read, by the names of their modules."""
        return {_named(self.names[module]): reason for module, reason in self.closed.items()}

    def forward(self, owner: str) -> fx.Graph:
        """The forward of one module alone; ValueError where it cannot be written anew."""
        if owner not in self.forwards:
            try:
                self.forwards[owner] = self._forward(owner)
            except Exception as error:
                reason = f"the forward of {_named(owner)} cannot be written anew: "
                self.forwards[owner] = ValueError(reason + _first_line(error))
        if isinstance(self.forwards[owner], ValueError):
            raise self.forwards[owner]
        return self.forwards[owner]

    def rewritten(self, site: _Site) -> set[str]:
        """The modules that need another forward when the pair at this site is replaced."""
        pair, module = self.verdicts[site], self.modules[site]
        owners = {pair.conv.owner} if pair.call else set()
        if module is None or any(
            name == module and not isinstance(self.verdicts[other], _Pair)
            for other, name in self.modules.items()
        ):
            owners.add(site.owner)
        return owners

    def _read(self, training: bool) -> dict[_Site, list[_Pair | str]]:
        """Every forward, from the outside to the inside; what was entered is not read again."""
        self.model.train(training)
        found, entered = defaultdict(list), set()
        for module, name in self.names.items():
            leaf = name and fx.Tracer().is_leaf_module(module, name)
            if leaf or name in entered or not self.seen.ways[name]:
                continue
            graph, ways = self._traced(module)
            entered |= ways.keys()
            for inner, all_ways in ways.items():
                self.ways[inner] += all_ways
            for node in graph.nodes:
                if "convolution" in node.meta:
                    x = node.args[0] if node.args else None
                    site = x.meta.get("upsampling") if isinstance(x, fx.Node) else None
                    self.before[node.meta["convolution"]].add(site)
                if "upsampling" in node.meta:
                    site = node.meta["upsampling"]
                    self.modules[site] = None
                    if node.op == "call_module":
                        self.modules[site] = self.names[module.get_submodule(node.target)]
                    try:
                        found[site].append(self._pair(node, module))
                    except ValueError as error:
                        found[site].append(_first_line(error))
        self.entered &= entered
        return found

    def _traced(self, root: nn.Module) -> tuple[fx.Graph, dict[str, list]]:
        """The graph of a module and of all that can be entered in it, and how these are called."""
        ways = self.seen.ways[self.names[root]]
        reason = _closed(root, ways)
        if reason:
            self.closed[root] = reason
        while root not in self.closed:
            tracer = _Tracer(self.names, self.closed)
            try:
                graph = tracer.trace(root, ways[0])
                return graph, tracer.ways | {self.names[root]: ways}
            except Exception as error:
                culprit = root if tracer.culprit is None else tracer.culprit
                self.closed[culprit] = _first_line(error)
        return fx.Graph(), {}

    def _merged(self, site: _Site, first: dict, second: dict) -> _Pair | str:
        """One verdict of those in evaluation and in training, in all calls of the owner."""
        if site not in first or site not in second:
            return f"it is only there in {'evaluation' if site in first else 'training'}"
        verdicts = first[site] + second[site]
        reasons = [verdict for verdict in verdicts if isinstance(verdict, str)]
        if reasons:
            return reasons[0]
        if any(verdict != verdicts[0] for verdict in verdicts):
            return "it stands before different convolutions"
        return verdicts[0]

    def _settle(self) -> None:
        """Leave every pair that cannot be replaced because another one is left."""
        while True:
            left = {}
            for site, pair in self.pairs.items():
                others = {self.verdicts.get(other) for other in self.before[pair.conv]}
                names = [name for name in (self.modules[site], pair.conv) if isinstance(name, str)]
                callers = set().union(*(self.seen.callers[name] for name in names))
                if others != {pair}:
                    left[site] = "its convolution is called elsewhere too"
                elif callers - self.entered:
                    left[site] = f"torch.fx cannot read {_named(min(callers - self.entered))}"
                else:
                    try:
                        for owner in self.rewritten(site):
                            self.forward(owner)
                    except ValueError as error:
                        left[site] = str(error)
            if not left:
                return
            self.verdicts |= left

    def _forward(self, owner: str) -> fx.Graph:
        module = self.model.get_submodule(owner)
        reason = _closed(module, self.ways[owner])
        if reason:
            raise ValueError(reason)
        way = self.ways[owner][0]
        for name, value in way.items():
            if value is not None and type(value) not in (bool, int, float, str):
                raise ValueError(f"its argument {name} is {type(value).__name__}")
        known = {
            n for tensors in (module.named_parameters, module.named_buffers) for n, _ in tensors()
        }
        graphs = []
        for training in (False, True):
            module.train(training)
            graphs.append(_Tracer(self.names, alone=True).trace(module, way))
            for node in graphs[-1].find_nodes(op="get_attr"):
                if node.target not in known:
                    raise ValueError("it makes a tensor of its own")
        sources = {graph.python_code("self").src for graph in graphs}
        if len(sources) > 1:
            raise ValueError("it differs in training")
        for node in graphs[0].find_nodes(op="placeholder"):
            if node.target.removesuffix("_1") in way:  # so torch.fx calls what it takes for granted
                node.target = node.target.removesuffix("_1")
        return graphs[0]

    def _pair(self, node: fx.Node, root: nn.Module) -> _Pair:
        """The pair that begins at a node; ValueError says why there is none."""
        site, shapes = node.meta["upsampling"], self.seen.shapes[node.meta["upsampling"]]
        if not shapes:
            raise ValueError("the example does not lead to it")
        conv = _only_user(node, root)
        if not isinstance(conv.meta["convolution"], str):
            call = _call(conv, self.names[root])
        elif _altered(root.get_submodule(conv.target)):
            raise ValueError("its convolution has hooks")
        else:
            call = None
        if self.modules[site] and _altered(root.get_submodule(node.target)):
            raise ValueError("it has hooks")
        pair = _Pair(_upsampling(node, root, shapes), conv.meta["convolution"], call)
        layer = _layer(self.model, pair)
        if any(len(shape) != len(layer.kernel_size) + 2 for shape in shapes):
            raise ValueError(f"it is given {len(shapes[0])} axes")
        if layer._forms[True] == "pair":  # of those for values only
            raise ValueError("nothing is gained by one layer in place of the two")
        return pair


def _only_user(node: fx.Node, root: nn.Module) -> fx.Node:
    """The convolution that alone sees the upsampled image; ValueError says what else does."""
    users = list(node.users)
    if len(users) != 1:
        raise ValueError(f"{len(users)} operations use its result")
    (user,) = users
    if user.op == "output":
        raise ValueError("its result is returned")
    if "convolution" not in user.meta or user.args[:1] != (node,):
        if user.op == "call_module":
            name = type(root.get_submodule(user.target)).__name__
        else:
            name = user.target if user.op == "call_method" else user.target.__name__
        raise ValueError(f"it goes to {name}")
    between = node.next
    while between is not user:
        if _may_change(between, root):
            raise ValueError("something between the two may change its input in place")
        between = between.next
    return user


def _may_change(node: fx.Node, root: nn.Module) -> bool:
    """Whether a node may write into a tensor that it is given."""
    if node.kwargs.get("inplace") or node.kwargs.get("out") is not None:
        return True
    if node.op == "call_module":
        module = root.get_submodule(node.target)
        known = fx.Tracer().is_leaf_module(module, node.target)
        return not known or _altered(module) or getattr(module, "inplace", False)
    if node.op == "call_method":
        return node.target.endswith("_") or node.target == "__setitem__"
    if node.op == "call_function":
        name = node.target.__name__
        in_place = {operator.setitem} | {getattr(operator, n) for n in dir(operator) if n[0] == "i"}
        return node.target in in_place or name.endswith("_")
    return False


def _upsampling(node: fx.Node, root: nn.Module, shapes: list[tuple[int, ...]]) -> tuple:
    """What nn.Upsample takes, as :class:`_Pair` holds it; ValueError for what is not constant."""
    if node.op == "call_module":
        module = root.get_submodule(node.target)
        x, size, scale = node.args[0], module.size, module.scale_factor
        mode, align_corners = module.mode, module.align_corners
    else:
        bound = inspect.signature(F.interpolate).bind(*node.args, **node.kwargs)
        bound.apply_defaults()
        x, size, scale, mode, align_corners, _, antialias = bound.arguments.values()
        if antialias:
            raise ValueError("antialias: got True; want False")
    if any(isinstance(leaf, fx.Node) for leaf in pytree.tree_leaves((scale, mode, align_corners))):
        raise ValueError("its scale_factor is computed")
    axes = len(shapes[0]) - 2
    if size is not None:
        computed = any(isinstance(leaf, fx.Node) for leaf in pytree.tree_leaves(size))
        scale = _multiple(size, x, axes) if computed else _ratio(size, shapes)
        size = None if computed else _tuple(size, axes)
    scale = _tuple(scale, axes)
    if mode == "nearest" and max(scale) > _REPEATED:
        raise ValueError(f"torch repeats pixels unequally beyond a factor of {_REPEATED}")
    return scale, mode, align_corners, size


def _tuple(value, axes: int) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * axes


def _ratio(size, shapes: list[tuple[int, ...]]) -> tuple[float, ...]:
    """The factor that takes every shape to one size."""
    ratios = {
        tuple(o / i for o, i in zip(_tuple(size, len(shape) - 2), shape[2:], strict=True))
        for shape in shapes
    }
    if len(ratios) > 1:
        raise ValueError(f"several sizes go to size={size}")
    return ratios.pop()


def _multiple(size, x: fx.Node, axes: int) -> tuple[int, ...]:
    """The factor of a size that is computed from the shape of x, in products with constants.

    It is computed for a shape of primes: only multiples of a prime come from it.
    """
    primes = (1009, 1013, 1019)[:axes]
    shape = torch.Size((997, 991, *primes))

    def value(item):
        if item is x:
            return torch.empty(shape, device="meta")
        if isinstance(item, tuple | list):
            return [value(part) for part in item]
        if not isinstance(item, fx.Node):
            return item
        if item.op == "call_method" and item.target == "size":
            return value(item.args[0]).size(*value(item.args[1:]))
        if item.op == "call_function" and item.target in (getattr, operator.getitem, operator.mul):
            return item.target(*value(item.args))
        raise ValueError("its size is computed from more than its input's")

    sizes = _tuple(value(size), axes)
    if len(sizes) != axes or any(o % p for o, p in zip(sizes, primes, strict=True)):
        raise ValueError("its size is no multiple of its input's")
    return tuple(o // p for o, p in zip(sizes, primes, strict=True))


def _call(node: fx.Node, root: str) -> tuple:
    """Of a functional convolution, the names of weight and bias, and the settings."""
    _, weight, bias, *settings = _arguments(node)
    if any(isinstance(leaf, fx.Node) for leaf in pytree.tree_leaves(settings)):
        raise ValueError("the settings of its convolution are computed")
    for tensor in (weight, bias):
        if tensor is not None and tensor.op != "get_attr":
            raise ValueError("the weight of its convolution is computed")
    names = [tensor and f"{root}.{tensor.target}".removeprefix(".") for tensor in (weight, bias)]
    return *names, *(tuple(s) if isinstance(s, list) else s for s in settings)


def _arguments(node: fx.Node) -> tuple:
    """Of a functional convolution: input, weight, bias, stride, padding, dilation, groups."""
    given = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1} | node.kwargs
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    return (*node.args, *(given[name] for name in names[len(node.args) :]))


def _called(function: str, owner: str) -> str:
    return f"{function} in {_named(owner)}"


def _named(name: str) -> str:
    return name or "the model"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# -------------------------------------------------------------------------------------- replacing


def _two(model: nn.Module, pair: _Pair) -> tuple[nn.Upsample, nn.Module]:
    """A pair as two modules, with the parameters of a model."""
    scale, mode, align_corners, size = pair.upsampling
    scale = None if size else tuple(map(float, scale))
    upsample = nn.Upsample(size, scale, mode, align_corners)
    if pair.call is None:
        return upsample, model.get_submodule(pair.conv)
    weight, bias, stride, padding, dilation, groups = pair.call
    weight, bias = (name and operator.attrgetter(name)(model) for name in (weight, bias))
    conv = _CONVS[weight.ndim - 3](
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride,
        padding,
        dilation,
        groups,
        bias=bias is not None,
        device="meta",
    )
    for name, tensor in {"weight": weight, "bias": bias}.items():
        if tensor is not None and not isinstance(tensor, nn.Parameter):
            tensor = nn.Parameter(tensor, requires_grad=False)
        setattr(conv, name, tensor)
    return upsample, conv


def _layer(model: nn.Module, pair: _Pair) -> nn.Module:
    """The one layer for a pair, with the parameters of a model; ValueError where there is none."""
    upsample, conv = _two(model, pair)
    size, upsample.size = upsample.size, None
    upsample.scale_factor = pair.upsampling[0]
    kind = next(ours for torchs, ours in _FUSED.items() if isinstance(conv, torchs))
    layer = kind.from_pair(upsample, conv)
    if size:
        layer.__class__, layer.size = _SIZED[kind], tuple(size)
    return layer


class _Sized:
    """An upsampling to one size and a convolution: one layer where the size is its multiple."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        factors = zip(x.shape[2:], self.scale_factor, strict=False)
        if tuple(i * s for i, s in factors) == self.size:
            return super().forward(x)
        x = F.interpolate(x, size=self.size, mode=self.mode)
        return self._conv_forward(x, self.weight, self.bias)


class _SizedUpsampleConv1d(_Sized, UpsampleConv1d): ...


class _SizedUpsampleConv2d(_Sized, UpsampleConv2d): ...


class _SizedUpsampleConv3d(_Sized, UpsampleConv3d): ...


_SIZED = {
    UpsampleConv1d: _SizedUpsampleConv1d,
    UpsampleConv2d: _SizedUpsampleConv2d,
    UpsampleConv3d: _SizedUpsampleConv3d,
}


class _Call(nn.Module):
    """A layer in the place of a functional convolution: weight and bias are given to it.

    So that the state dict stays as it was, the layer is no submodule, and holds no numbers.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        for name, tensor in list(layer.named_parameters()):
            setattr(layer, name, nn.Parameter(torch.empty_like(tensor, device="meta")))
        vars(self)["layer"] = layer

    def forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None):
        tensors = {"weight": weight, "bias": bias} if bias is not None else {"weight": weight}
        return torch.func.functional_call(self.layer, tensors, (x,))


def _substitute(model: nn.Module, reading: _Reading) -> dict[object, nn.Module]:
    """Put the layers into a copy of the model: its modules stay the same objects.

    Returns:
        The layer in the place of each convolution.
    """
    layers, written, gone = {}, defaultdict(dict), set()
    for site, pair in reading.pairs.items():
        if pair.conv not in layers:
            layer = _layer(model, pair)
            if pair.call is None:
                layers[pair.conv] = model.get_submodule(pair.conv)
                _become(layers[pair.conv], layer)
            else:
                owner, name = pair.conv.owner, f"_upsample_conv_{pair.conv.number}"
                layers[pair.conv] = _Call(layer)
                model.get_submodule(owner).add_module(name, layers[pair.conv])
                written[owner][pair.conv] = name
        if site.owner in reading.rewritten(site):
            written[site.owner][site] = None
        else:
            gone.add(reading.modules[site])
    for name in gone:
        _become(model.get_submodule(name), nn.Identity())
    for owner, edits in written.items():
        _rewrite(model.get_submodule(owner), _edited(reading.forward(owner), edits))
    return layers


def _become(module: nn.Module, other: nn.Module) -> None:
    """Give a module the class of another and what this class needs; its state stays its own."""
    state = vars(nn.Module())
    vars(module).update({name: v for name, v in vars(other).items() if name not in state})
    module.__class__ = type(other)


def _edited(graph: fx.Graph, edits: dict[_Site, str | None]) -> fx.Graph:
    """The graph without some upsamplings, and with modules in the place of convolutions."""
    graph, whole = fx.Graph(), graph
    graph.output(graph.graph_copy(whole, {}))
    for node in list(graph.nodes):
        if node.meta.get("upsampling") in edits:
            new = node.args[0] if node.args else node.kwargs["input"]
        elif node.meta.get("convolution") in edits:
            with graph.inserting_before(node):
                new = graph.call_module(edits[node.meta["convolution"]], _arguments(node)[:3])
        else:
            continue
        node.replace_all_uses_with(new)
        graph.erase_node(node)
    for node in graph.nodes:
        node.meta.clear()
    return graph


def _rewrite(module: nn.Module, graph: fx.Graph) -> None:
    """Give a module the forward of a graph, and nothing else: its class becomes a subclass."""
    if isinstance(module, fx.GraphModule):
        module.graph = graph
    else:
        module.__class__ = _subclass(type(module), graph)


class _Rewritten:
    """What a class with a forward from a graph needs to be copied and pickled."""

    def __reduce_ex__(self, protocol: int):
        _, _, *state = super().__reduce_ex__(protocol)
        return _blank, (self._base, self._graph), *state


def _subclass(base: type, graph: fx.Graph) -> type:
    """The class with another forward."""
    names = [node.target for node in graph.nodes if node.op in ("call_module", "get_attr")]
    module = fx.GraphModule({name: nn.Identity() for name in names}, copy.deepcopy(graph))
    body = {"forward": type(module).forward, "_base": base, "_graph": graph}
    return type(base.__name__, (_Rewritten, base), body | {"__module__": base.__module__})


def _blank(base: type, graph: fx.Graph) -> nn.Module:
    kind = _subclass(base, graph)
    return kind.__new__(kind)
