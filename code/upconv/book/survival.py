"""Which checkerboards survive training: small networks whose loss sees the grid, or does not.

A super-resolver of three layers makes 28×28 images of 14×14 ones; its last layer is the upsampler
that is tried. A generator makes images of noise against a discriminator. Both start with a grid.
``python -m upconv.book.records checkerboards`` measures them over seeds; the chapter
"Checkerboards" shows the record and runs one seed again.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from upconv.book import data
from upconv.checkerboard import constant_response, grid_energy

__all__ = ["LOSSES", "UPSAMPLERS", "amplitudes", "experiment", "generate", "super_resolve"]

UPSAMPLERS: dict[str, Callable[[int, int], nn.Module]] = {
    "transposed, k = 3": lambda i, o: nn.ConvTranspose2d(i, o, 3, 2, 1, 1),
    "transposed, k = 4": lambda i, o: nn.ConvTranspose2d(i, o, 4, 2, 1),
    "nearest, convolution": lambda i, o: nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(i, o, 3, padding=1)
    ),
}
"""Layers that double an image, each made from its numbers of channels."""

_SHOWN = 256


def _pixels(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(y, x)


def _halved(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(F.avg_pool2d(y, 2), F.avg_pool2d(x, 2))


@cache
def _features(generator_seed: int = 9) -> nn.Module:
    torch.manual_seed(generator_seed)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()
    )
    return network.requires_grad_(False)


def _by_features(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return F.mse_loss(_features()(y), _features()(x))


LOSSES = {"pixels": _pixels, "features": _by_features, "halved image": _halved}
"""Squared error of the pixels; of the features of a random network of two convolutions with k = 3
and s = 2; and of the image after 2×2 average pooling, to which no grid of period 2 is left."""


def _images(split: str) -> torch.Tensor:
    return torch.tensor(data.load(split)[0][:, None]) / 255


def amplitudes(images: torch.Tensor) -> np.ndarray:
    """For each image the amplitude of its grid in units of its standard deviation.

    Args:
        images: (n, 1, height, width).

    Example:
        >>> amplitudes(torch.tensor([[1.0, -1.0] * 4, [-1.0, 1.0] * 4] * 4)[None, None]).tolist()
        [1.0]
    """
    return grid_energy(images.detach().double(), 2)[:, 0].sqrt().numpy()


def _summary(images: torch.Tensor) -> dict[str, float]:
    """The median amplitude of the images, and the amplitude of their mean."""
    return {
        "median": float(np.median(amplitudes(images))),
        "mean image": float(amplitudes(images.mean(0, keepdim=True))[0]),
    }


def super_resolve(upsampler: str, loss: str, seed: int, steps: int) -> tuple[list, torch.Tensor]:
    """Trains one super-resolver, 16 images a step.

    Args:
        upsampler: a key of `UPSAMPLERS`.
        loss: a key of `LOSSES`.
        seed: of the weights and of the order of the images.
        steps: of Adam.

    Returns:
        Before and after training: the median amplitude of the grid in 256 test images, that of
        their mean image, the error of the pixels, and "constant", the relative grid for a constant
        input; and the images.

    Example:
        >>> found, images = super_resolve("nearest, convolution", "pixels", 0, 1)
        >>> len(found), images.shape, found[0]["constant"] < 1e-5
        (2, torch.Size([256, 1, 28, 28]), True)
    """
    train, test = _images("train"), _images("test")[:_SHOWN]
    small = F.avg_pool2d(train, 2)
    _features()  # made before the seed is set
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        UPSAMPLERS[upsampler](16, 1),
    )

    def measured() -> tuple[dict, torch.Tensor]:
        with torch.no_grad():
            y = model(F.avg_pool2d(test, 2))
            constant = constant_response(model, torch.full((1, 1), 0.5), 16, 2).relative
        return _summary(y) | {"error": F.mse_loss(y, test).item(), "constant": constant}, y

    found = [measured()[0]]
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(steps):
        chosen = torch.randint(len(train), (16,))
        error = LOSSES[loss](model(small[chosen]), train[chosen])
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    after, y = measured()
    return [*found, after], y


def generate(
    upsampler: str, sees: str, seed: int, steps: int, every: int
) -> tuple[list, torch.Tensor]:
    """Trains a generator of two upsamplers against a discriminator of two strided convolutions.

    Args:
        upsampler: a key of `UPSAMPLERS`.
        sees: what the discriminator is given, "pixels" or "halved image".
        seed: of the weights, of the noise and of the order of the images.
        steps: of Adam, for the generator and for the discriminator.
        every: after how many steps the images are measured again, beginning before the first.

    Returns:
        For each measurement the median amplitude in 256 images and that of their mean image; and
        the last images.

    Example:
        >>> found, images = generate("nearest, convolution", "pixels", 0, 1, 1)
        >>> len(found), images.shape
        (2, torch.Size([256, 1, 28, 28]))
    """
    train = 2 * _images("train") - 1
    torch.manual_seed(seed)
    generator = nn.Sequential(
        nn.Linear(32, 32 * 49),
        nn.Unflatten(1, (32, 7, 7)),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        UPSAMPLERS[upsampler](32, 16),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        UPSAMPLERS[upsampler](16, 1),
        nn.Tanh(),
    )
    halved = sees == "halved image"
    discriminator = nn.Sequential(
        nn.AvgPool2d(2) if halved else nn.Identity(),
        nn.Conv2d(1, 16, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(32 * (9 if halved else 49), 1),
    )
    optimizers = [
        torch.optim.Adam(part.parameters(), 5e-4, (0.5, 0.999))
        for part in (discriminator, generator)
    ]
    shown, found = torch.randn(_SHOWN, 32), []
    for step in range(steps + 1):
        if step % every == 0:
            with torch.no_grad():
                images = generator(shown)
            found.append({"step": step} | _summary(images))
        if step == steps:
            break
        real = train[torch.randint(len(train), (32,))]
        fake = generator(torch.randn(32, 32))
        told_apart = F.softplus(-discriminator(real)) + F.softplus(discriminator(fake.detach()))
        _step(optimizers[0], told_apart.mean())
        _step(optimizers[1], F.softplus(-discriminator(fake)).mean())
    return found, images


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


SEEDS, GENERATOR_SEEDS, STEPS, EVERY = 5, 3, 300, 100


def experiment() -> tuple[dict, dict]:
    """Settings and results of the record: every upsampler, loss and seed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        resolved = {
            upsampler: {
                loss: [super_resolve(upsampler, loss, seed, STEPS)[0] for seed in range(SEEDS)]
                for loss in LOSSES
            }
            for upsampler in UPSAMPLERS
        }
        generated = {
            upsampler: {
                sees: [
                    generate(upsampler, sees, seed, STEPS, EVERY)[0]
                    for seed in range(GENERATOR_SEEDS)
                ]
                for sees in ("pixels", "halved image")
            }
            for upsampler in UPSAMPLERS
        }
    finally:
        torch.set_num_threads(threads)
    real = amplitudes(_images("train"))
    seeds = {"super-resolver": SEEDS, "generator": GENERATOR_SEEDS}
    settings = {"seeds": seeds, "steps": STEPS, "threads": 1, "dtype": "float32"}
    return settings, {
        "real": {
            "median": statistics.median(real.tolist()),
            "99 percent": float(np.quantile(real, 0.99)),
        },
        "super-resolver": resolved,
        "generator": generated,
    }
