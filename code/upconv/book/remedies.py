"""The remedies against checkerboards, side by side: one super-resolver under exchangeable heads.

The model enlarges a 14×14 image to 28×28: two convolutions with ReLU, then the head, which
upsamples by two and makes the one channel of the image. Only the head differs. It is trained to
give an image of Fashion-MNIST back from its average-pooled half.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from statistics import mean, stdev

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from upconv.book import data
from upconv.checkerboard import constant_response, grid_energy, project, ramp_response
from upconv.layers import bilinear_, icnr_

__all__ = [
    "Blur",
    "HEADS",
    "Projection",
    "Summary",
    "experiment",
    "head_imbalance",
    "measures",
    "multiplications",
    "pictures",
    "run",
    "super_resolver",
    "train",
]

CHANNELS, STRIDE = 16, 2
EPOCHS, BATCH, RATE, SEEDS = 2, 32, 2e-3, 8
MEASURES = ("imbalance", "white", "ramp", "on_images", "error")
STEPS = (0, 2, 5, 10, 20, 50, 100, 200, 376)
"""After how many steps the imbalance of the head is measured; the last is the end of training."""


class Blur(nn.Module):
    """A fixed blur of every channel, the same along both axes; the border is repeated.

    Args:
        taps: along one axis; they should sum to 1.

    Example:
        >>> Blur((0.5, 0.5))(torch.tensor([[[[1.0, 3.0], [1.0, 3.0]]]]))
        tensor([[[[2., 3.],
                  [2., 3.]]]])
    """

    def __init__(self, taps: tuple[float, ...]) -> None:
        super().__init__()
        line = torch.tensor(taps)
        self.register_buffer("kernel", torch.outer(line, line)[None, None])
        before = (len(taps) - 1) // 2
        self.margins = (before, len(taps) - 1 - before) * 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The blurred images, of the same size.

        Args:
            x: (batch, channels, height, width).
        """
        kernel = self.kernel.expand(x.shape[1], -1, -1, -1)
        return F.conv2d(F.pad(x, self.margins, mode="replicate"), kernel, groups=x.shape[1])


class Projection(nn.Module):
    """Keeps the weight of a transposed convolution among the kernels without a grid.

    Args:
        onto: "flat" or "factorable", as ``upconv.project`` takes it.

    Example:
        >>> layer = nn.ConvTranspose2d(1, 1, 4, stride=2)
        >>> layer = parametrize.register_parametrization(layer, "weight", Projection("flat"))
        >>> constant_response(layer, torch.ones(1, 1), 8, 2).amplitude < 1e-6
        True
    """

    def __init__(self, onto: str) -> None:
        super().__init__()
        self.onto = onto

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The nearest such weight.

        Args:
            weight: (channels, out_channels, height, width).
        """
        return project(weight, STRIDE, self.onto)


def _transposed(k: int, channels: int = 1) -> nn.Module:
    return nn.ConvTranspose2d(CHANNELS, channels, k, STRIDE, (k - 1) // 2, output_padding=k % 2)


def _resize(mode: str) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=STRIDE, mode=mode), _conv(CHANNELS))


def _conv(channels: int, out_channels: int = 1) -> nn.Module:
    return nn.Conv2d(channels, out_channels, 3, padding=1)


def _sub_pixel(icnr: bool) -> nn.Module:
    conv = _conv(CHANNELS, STRIDE**2)
    if icnr:  # with the very distribution that torch gives to a convolution
        icnr_(conv.weight, STRIDE, partial(nn.init.kaiming_uniform_, a=5**0.5))
    return nn.Sequential(conv, nn.PixelShuffle(STRIDE))


def _kept(onto: str) -> nn.Module:
    return parametrize.register_parametrization(_transposed(4), "weight", Projection(onto))


def _bilinear(learns: bool) -> nn.Module:
    upsampling = nn.ConvTranspose2d(1, 1, 4, STRIDE, 1, bias=False)
    bilinear_(upsampling.weight, STRIDE).requires_grad_(learns)
    return nn.Sequential(_conv(CHANNELS), upsampling)


HEADS: dict[str, Callable[[], nn.Module]] = {
    "transposed, k = 3": lambda: _transposed(3),
    "transposed, k = 2": lambda: _transposed(2),
    "transposed, k = 4": lambda: _transposed(4),
    "k = 4, then a 3×3 convolution": lambda: nn.Sequential(_transposed(4), _conv(1)),
    "k = 4, 16 channels, ReLU, then 3×3": lambda: nn.Sequential(
        _transposed(4, CHANNELS), nn.ReLU(), _conv(CHANNELS)
    ),
    "k = 4, then blur (½, ½)": lambda: nn.Sequential(_transposed(4), Blur((0.5, 0.5))),
    "k = 4, then blur (¼, ½, ¼)": lambda: nn.Sequential(_transposed(4), Blur((0.25, 0.5, 0.25))),
    "k = 4, kept flat": lambda: _kept("flat"),
    "k = 4, kept factorable": lambda: _kept("factorable"),
    "depth-to-space": lambda: _sub_pixel(icnr=False),
    "depth-to-space, ICNR": lambda: _sub_pixel(icnr=True),
    "depth-to-space, ICNR, then blur (½, ½)": lambda: nn.Sequential(
        _sub_pixel(icnr=True), Blur((0.5, 0.5))
    ),
    "nearest, then 3×3": lambda: _resize("nearest"),
    "bilinear, then 3×3": lambda: _resize("bilinear"),
    "3×3, then bilinear k = 4, learned": lambda: _bilinear(learns=True),
    "3×3, then bilinear k = 4, frozen": lambda: _bilinear(learns=False),
}
"""For each name, what makes the head: (batch, 16, n, n) to (batch, 1, 2n, 2n)."""

AFTERWARDS = {"k = 4, flat afterwards": "flat", "k = 4, factorable afterwards": "factorable"}
"""One projection of the trained head "transposed, k = 4", and onto what."""


def super_resolver(head: str, seed: int) -> nn.Sequential:
    """The untrained model with this head: the trunk is entry 0, the head entry 1.

    The biases of the head start at zero: a sub-pixel layer has one for each phase.

    Args:
        head: one of ``HEADS``.
        seed: of all random weights.

    Raises:
        ValueError: for another head.

    Example:
        >>> super_resolver("transposed, k = 4", seed=0)(torch.zeros(1, 1, 14, 14)).shape
        torch.Size([1, 1, 28, 28])
    """
    if head not in HEADS:
        raise ValueError(f"head: got {head!r}; want one of {', '.join(HEADS)}")
    torch.manual_seed(seed)
    trunk = nn.Sequential(_conv(1, CHANNELS), nn.ReLU(), _conv(CHANNELS, CHANNELS), nn.ReLU())
    model = nn.Sequential(trunk, HEADS[head]())
    for name, parameter in model[1].named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    return model


def pictures(split: str) -> torch.Tensor:
    """The images of a split as the model gives them, (n, 1, 28, 28), 0 black and 1 white.

    Args:
        split: "train" or "test".
    """
    return torch.from_numpy(data.load(split)[0])[:, None].float() / 255


def train(model: nn.Module, seed: int) -> Iterator[int]:
    """Trains the model in place, and yields the number of steps done, first 0.

    Args:
        model: takes (batch, 1, 14, 14) to (batch, 1, 28, 28).
        seed: of the order of the images.
    """
    images = pictures("train")
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    order = torch.Generator().manual_seed(seed)
    step = 0
    yield step
    for _ in range(EPOCHS):
        for indices in torch.randperm(len(images), generator=order).split(BATCH):
            large = images[indices]
            optimizer.zero_grad()
            F.mse_loss(model(F.avg_pool2d(large, STRIDE)), large).backward()
            optimizer.step()
            step += 1
            yield step


@torch.no_grad()
def head_imbalance(head: nn.Module) -> float:
    """Phase imbalance of a head: of its answers to random constant features, without its bias.

    For a head that is one transposed convolution it is what ``upconv.imbalance`` says of its
    weight, up to the choice of the features.

    Args:
        head: takes (batch, 16, n, n) to (batch, 1, 2n, 2n).
    """
    features = torch.randn(256, CHANNELS, generator=torch.Generator().manual_seed(0))
    return constant_response(lambda x: head(x) - head(0 * x), features, 12, STRIDE).relative


@torch.no_grad()
def measures(model: nn.Sequential) -> dict[str, float]:
    """The few numbers by which the remedies are compared.

    Args:
        model: a super-resolver, trained or not.

    Returns:
        ``imbalance``: of the head; ``white`` and ``ramp``: amplitude of the grid in the answer to a
        white image and to a ramp from black to white, both 32×32, in grey levels of 255;
        ``on_images``: amplitude of the grid in the answers to the test images, in units of an
        image's standard deviation; ``error``: root mean square error on the test images, in grey
        levels.

    Example:
        >>> sorted(measures(super_resolver("nearest, then 3×3", seed=0)))
        ['error', 'imbalance', 'on_images', 'ramp', 'white']
    """
    images = pictures("test")
    answers = model(F.avg_pool2d(images, STRIDE))
    white = torch.ones(1, 1)
    return {
        "imbalance": head_imbalance(model[1]),
        "white": 255 * constant_response(model, white, 32, STRIDE).amplitude,
        "ramp": 255 * ramp_response(model, white, 32, STRIDE).amplitude,
        "on_images": float(grid_energy(answers, STRIDE).mean().sqrt()),
        "error": 255 * float(F.mse_loss(answers, images).sqrt()),
    }


@torch.no_grad()
def _pattern(model: nn.Module) -> list[list[float]]:
    """One period of the answer to a white image, in grey levels."""
    answer = constant_response(model, torch.ones(1, 1), 32, STRIDE).interior[0, 0]
    return (255 * answer[:STRIDE, :STRIDE]).tolist()


@torch.no_grad()
def _projected(model: nn.Sequential, onto: str) -> nn.Sequential:
    model = copy.deepcopy(model)
    weight = model[1].weight
    weight.copy_(project(weight, STRIDE, onto))
    return model


def run(head: str, seed: int) -> dict[str, dict]:
    """Trains one model and measures it before and after.

    Args:
        head: one of ``HEADS``.
        seed: of the weights and of the order of the images.

    Returns:
        For this head, and for the projections of it that ``AFTERWARDS`` names: ``start`` and
        ``end``, as :func:`measures` has them, with the ``pattern`` that a white image gives; and
        ``imbalance``, that of the head at each of ``STEPS``.
    """
    model = super_resolver(head, seed)
    result, drift = {}, []
    for step in train(model, seed):
        if step == 0:
            result["start"] = measures(model) | {"pattern": _pattern(model)}
        if step in STEPS:
            drift.append(head_imbalance(model[1]))
    result |= {"end": measures(model) | {"pattern": _pattern(model)}, "imbalance": drift}
    results = {head: result}
    for name, onto in AFTERWARDS.items() if head == "transposed, k = 4" else ():
        projected = _projected(model, onto)
        end = measures(projected) | {"pattern": _pattern(projected)}
        results[name] = {"start": result["start"], "end": end}
    return results


def experiment() -> tuple[dict, dict]:
    """All heads with all seeds: the record ``remedies``.

    Returns:
        The settings, and for each remedy a list with what :func:`run` says for each seed.
    """
    torch.set_num_threads(1)
    results: dict[str, list] = {}
    for seed, head in product(range(SEEDS), HEADS):
        for name, result in run(head, seed).items():
            results.setdefault(name, []).append(_rounded(result))
            shown = ", ".join(f"{key} {result['end'][key]:.3f}" for key in MEASURES)
            print(f"seed {seed} of {SEEDS}: {name}: {shown}", flush=True)
    settings = {
        "seeds": SEEDS,
        "epochs": EPOCHS,
        "batch": BATCH,
        "rate": RATE,
        "channels": CHANNELS,
        "steps": list(STEPS),
    }
    return settings, results


def _rounded(value):
    """The same with five significant digits."""
    if isinstance(value, dict):
        return {name: _rounded(entry) for name, entry in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else float(f"{value:.5g}")


def multiplications(model: nn.Module, x: torch.Tensor) -> float:
    """How many multiplications a model makes for each value of its output.

    A convolution multiplies once for each output, tap and input channel of its group; a transposed
    one once for each input, tap and output channel, as scatter does (``upconv.arithmetic``).
    Bilinear upsampling multiplies four values for each of its own, a blur as many as it has taps.
    The bias, additions, and everything else count nothing.

    Args:
        model: any torch module.
        x: an input for it.

    Example:
        >>> head = HEADS["transposed, k = 4"]()
        >>> multiplications(head, torch.zeros(1, 16, 14, 14))
        64.0
    """
    total = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor], y: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += y.numel() * module.weight[0].numel()
        elif isinstance(module, nn.ConvTranspose2d):
            total += inputs[0].numel() * module.weight[0].numel()
        elif isinstance(module, Blur):
            total += y.numel() * module.kernel.numel()
        elif isinstance(module, nn.Upsample) and module.mode == "bilinear":
            total += y.numel() * 4

    hooks = [module.register_forward_hook(count) for module in model.modules()]
    try:
        with torch.no_grad():
            y = model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return total / y.numel()


class Summary:
    """The results of one remedy over the seeds.

    Args:
        runs: for each seed what :func:`run` says of it, as the record holds it.

    Example:
        >>> summary = Summary([{"end": {"white": 1.0}}, {"end": {"white": 3.0}}])
        >>> summary.mean("white"), summary.spread("white")
        (2.0, 1.4142135623730951)
    """

    def __init__(self, runs: list[dict]) -> None:
        self.runs = runs

    def values(self, measure: str, when: str = "end") -> list[float]:
        """One number for each seed.

        Args:
            measure: as :func:`measures` names it.
            when: "start" or "end" of the training.
        """
        return [run[when][measure] for run in self.runs]

    def mean(self, measure: str, when: str = "end") -> float:
        """The mean over the seeds.

        Args:
            measure, when: as :meth:`values`.
        """
        return mean(self.values(measure, when))

    def spread(self, measure: str, when: str = "end") -> float:
        """The standard deviation over the seeds.

        Args:
            measure, when: as :meth:`values`.
        """
        return stdev(self.values(measure, when))
