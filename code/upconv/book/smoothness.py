"""Which way up is smoother? Small networks that enlarge images, and the spectra of their outputs.

All enlarge Fashion-MNIST from 14×14 to 28×28: a convolution to some channels, a rectifier, and one
way up. The record ``smoothness`` holds what they give before and after training, over many seeds.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from upconv.book import data

__all__ = [
    "ROUTES",
    "fine_share",
    "grid_share",
    "measure",
    "profile",
    "reference",
    "spectrum",
    "train",
]

CHANNELS, IMAGES, BATCH, STEPS, RATE, SEEDS = 8, 2000, 32, 300, 0.01, 20
ROUTES = {
    "upsampling, 3×3": lambda: nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(CHANNELS, 1, 3, padding=1)
    ),
    "stride 2, 3×3": lambda: nn.ConvTranspose2d(CHANNELS, 1, 3, 2, padding=1, output_padding=1),
    "stride 2, 4×4": lambda: nn.ConvTranspose2d(CHANNELS, 1, 4, 2, padding=1),
}
"""Three ways up. The first two have kernels of one size; the last can be the first exactly."""


def spectrum(images: torch.Tensor) -> np.ndarray:
    """The mean power of images at each frequency, their mean value left out.

    Args:
        images: (n, 1, height, width).

    Returns:
        (height, width), as ``torch.fft.fft2`` orders the frequencies.

    Example:
        >>> stripes = torch.tensor([1.0, -1.0]).expand(1, 1, 2, 2)
        >>> spectrum(stripes)
        array([[ 0., 16.],
               [ 0.,  0.]], dtype=float32)
    """
    images = images - images.mean((2, 3), keepdim=True)
    return torch.fft.fft2(images).abs().square().mean((0, 1)).numpy()


def _frequencies(power: np.ndarray) -> np.ndarray:
    """For each entry of a spectrum, the larger of its two frequencies, in cycles per pixel."""
    rows, columns = (np.abs(np.fft.fftfreq(n)) for n in power.shape)
    return np.maximum(rows[:, None], columns)


def fine_share(power: np.ndarray) -> float:
    """The share of the power at ¼ cycle per pixel and above: what half the resolution cannot hold.

    Args:
        power: as :func:`spectrum` gives it.

    Example:
        >>> fine_share(np.array([[0.0, 16.0], [0.0, 0.0]]))
        1.0
    """
    return float(power[_frequencies(power) >= 0.25].sum() / power.sum())


def grid_share(power: np.ndarray) -> float:
    """The share of the power at ½ cycle per pixel along an axis: of every other row or column.

    Args:
        power: as :func:`spectrum` gives it.

    Example:
        >>> grid_share(np.array([[0.0, 16.0], [0.0, 0.0]]))
        1.0
    """
    return float(power[_frequencies(power) == 0.5].sum() / power.sum())


def profile(power: np.ndarray) -> np.ndarray:
    """The mean power at each frequency from 1 / n to ½, the larger of the two of an entry.

    Args:
        power: of square images of even size n, as :func:`spectrum` gives it.

    Returns:
        (n // 2,).

    Example:
        >>> profile(np.array([[0.0, 16.0], [0.0, 2.0]]))
        array([6.])
    """
    ring = np.rint(_frequencies(power) * len(power)).astype(int)
    return np.array([power[ring == r].mean() for r in range(1, len(power) // 2 + 1)])


def _said(images: torch.Tensor, wanted: torch.Tensor) -> dict:
    power = spectrum(images)
    return {
        "fine": fine_share(power),
        "grid": grid_share(power),
        "error": F.mse_loss(images, wanted).item(),
        "profile": [float(f"{value:.4g}") for value in profile(power) / power.sum()],
    }


def reference() -> dict[str, dict]:
    """What :func:`train` tells of a network, told of the test images and of fixed enlargements."""
    wanted = _images("test")
    small = F.avg_pool2d(wanted, 2)
    return {
        "images": _said(wanted, wanted),
        "nearest": _said(F.interpolate(small, scale_factor=2), wanted),
        "bilinear": _said(F.interpolate(small, scale_factor=2, mode="bilinear"), wanted),
    }


def train(route: str, seed: int) -> dict[str, dict]:
    """Trains one network, and tells of its enlarged test images before and after.

    Args:
        route: one of :data:`ROUTES`.
        seed: of the weights and of the order of the images.

    Returns:
        For "before" and "after": the shares "fine" and "grid", the mean squared "error" and the
        "profile", as a share of the power.

    Raises:
        ValueError: for an unknown route.
    """
    if route not in ROUTES:
        raise ValueError(f"route: got {route!r}; want one of {', '.join(ROUTES)}")
    large, wanted = _images("train")[:IMAGES], _images("test")
    small, given = F.avg_pool2d(large, 2), F.avg_pool2d(wanted, 2)
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, CHANNELS, 3, padding=1), nn.ReLU(), ROUTES[route]())
    with torch.no_grad():
        before = _said(network(given), wanted)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    for _ in range(STEPS):
        chosen = torch.randint(IMAGES, (BATCH,))
        loss = F.mse_loss(network(small[chosen]), large[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        after = _said(network(given), wanted)
    return {"before": before, "after": after}


def measure() -> tuple[dict, dict]:
    """The record: every way up, over all seeds, and the references."""
    torch.set_num_threads(1)
    settings = {
        "task": "Fashion-MNIST, means of 2×2 pixels to 28×28",
        "channels": CHANNELS,
        "images": IMAGES,
        "batch": BATCH,
        "steps": STEPS,
        "rate": RATE,
        "seeds": SEEDS,
    }
    routes = {route: [train(route, seed) for seed in range(SEEDS)] for route in ROUTES}
    return settings, {"references": reference(), "routes": routes}


def _images(split: str) -> torch.Tensor:
    return torch.tensor(data.load(split)[0] / 255, dtype=torch.float32)[:, None]
