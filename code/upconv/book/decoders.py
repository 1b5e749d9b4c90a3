"""Models that upsample, built from the layer tables of their papers, to show `upconv.fuse` on.

Each builder returns a torch module with fresh weights. The widths are arguments; those of the paper
are the default.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["dcgan", "esrgan", "srresnet", "unet", "vae"]


class _Residual(nn.Module):
    """Two convolutions, each after normalisation and SiLU, around which the input goes too."""

    def __init__(self, channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps=1e-6)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(y)))


class _Attention(nn.Module):
    """Every place of the image looks at every other, with one head."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(self.norm(x)).flatten(2).mT.chunk(3, dim=-1)
        y = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(y.mT.unflatten(2, x.shape[2:]))


class _Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def vae(
    widths: Sequence[int] = (512, 512, 256, 128), latent: int = 4, blocks: int = 3, groups: int = 32
) -> nn.Module:
    """The decoder of latent diffusion's autoencoder, which makes the images of Stable Diffusion.

    From a latent (batch, latent, h, w) to an image (batch, 3, 8h, 8w) with the default widths:
    each width stands for a level of residual blocks, and nearest upsampling and a 3×3 convolution
    take one level to the next.

    Args:
        widths: channels of the levels, from the smallest image to the largest.
        latent: channels of the latent.
        blocks: residual blocks per level.
        groups: of the normalisation; divides every width.

    Source:
        Rombach et al. (2022), appendix G, after Esser et al. (2021), table 7, which writes one
        residual block for each level; the published models have three.

    Example:
        >>> vae((16, 8), blocks=1, groups=4)(torch.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 3, 16, 16])
    """
    first, last = widths[0], widths[-1]
    layers = [
        nn.Conv2d(latent, latent, 1),
        nn.Conv2d(latent, first, 3, padding=1),
        _Residual(first, first, groups),
        _Attention(first, groups),
        _Residual(first, first, groups),
    ]
    for before, width in zip((first, *widths), widths, strict=False):
        if len(layers) > 5:
            layers.append(_Upsample(before))
        layers += [_Residual(before, width, groups)]
        layers += [_Residual(width, width, groups) for _ in range(blocks - 1)]
    layers += [nn.GroupNorm(groups, last, eps=1e-6), nn.SiLU(), nn.Conv2d(last, 3, 3, padding=1)]
    return nn.Sequential(*layers)


class _UNet(nn.Module):
    def __init__(self, widths: Sequence[int], channels: int, classes: int, upsampling: str) -> None:
        super().__init__()
        pairs = list(zip(widths, widths[1:], strict=False))
        self.down = nn.ModuleList(_twice(a, b) for a, b in [(channels, widths[0]), *pairs])
        bilinear = upsampling == "bilinear"
        self.up = nn.ModuleList(
            nn.Upsample(scale_factor=2, mode="bilinear") if bilinear else _up_conv(b, a)
            for a, b in reversed(pairs)
        )
        self.merge = nn.ModuleList(
            _twice(a + b if bilinear else 2 * a, a) for a, b in reversed(pairs)
        )
        self.out = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level in self.down[:-1]:
            skips.append(level(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.down[-1](x)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], 1))
        return self.out(x)


def _twice(channels: int, out_channels: int) -> nn.Sequential:
    layers = []
    for before in (channels, out_channels):
        conv = nn.Conv2d(before, out_channels, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _up_conv(channels: int, out_channels: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, out_channels, 3, padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=2), conv)


def unet(
    widths: Sequence[int] = (64, 128, 256, 512, 1024),
    channels: int = 1,
    classes: int = 2,
    upsampling: str = "up-conv",
) -> nn.Module:
    """A U-Net with padded convolutions, in one of the two forms in which it upsamples without Cᵀ.

    Args:
        widths: channels of the levels, from the largest image to the smallest.
        channels, classes: of input and output.
        upsampling: "up-conv": nearest upsampling and a 3×3 convolution to half the channels, then
            the skip beside it; "bilinear": bilinear upsampling, and the skip beside it at once.

    Raises:
        ValueError: for another upsampling.

    Source:
        Ronneberger et al. (2015), figure 1. There the up-convolution is 2×2 ("an upsampling of the
        feature map followed by a 2×2 convolution").

    Example:
        >>> unet((4, 8))(torch.zeros(1, 1, 16, 16)).shape
        torch.Size([1, 2, 16, 16])
    """
    if upsampling not in ("up-conv", "bilinear"):
        raise ValueError(f"upsampling: got {upsampling!r}; want 'up-conv' or 'bilinear'")
    return _UNet(widths, channels, classes, upsampling)


def dcgan(widths: Sequence[int] = (1024, 512, 256, 128), noise: int = 100) -> nn.Module:
    """The generator of DCGAN: transposed convolutions from noise (batch, noise, 1, 1) to 64×64.

    Args:
        widths: channels, from 4×4 on.
        noise: channels of the input.

    Source:
        Radford et al. (2016), figure 1.

    Example:
        >>> dcgan((8, 4), noise=2)(torch.zeros(1, 2, 1, 1)).shape
        torch.Size([1, 3, 16, 16])
    """
    layers, before = [], noise
    for width in widths:
        settings = {"stride": 2, "padding": 1} if layers else {}
        conv = nn.ConvTranspose2d(before, width, 4, bias=False, **settings)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        before = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(before, 3, 4, 2, 1), nn.Tanh())


class _SRBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1, self.act = nn.BatchNorm2d(width), nn.PReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.norm2(self.conv2(self.act(self.norm1(self.conv1(x)))))


class _SRResNet(nn.Module):
    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(*(_SRBlock(width) for _ in range(blocks)))
        self.last = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.up = nn.Sequential()
        for _ in range(2):
            conv = nn.Conv2d(width, 4 * width, 3, padding=1)
            self.up.extend([conv, nn.PixelShuffle(2), nn.PReLU()])
        self.out = nn.Conv2d(width, 3, 9, padding=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return self.out(self.up(x + self.last(self.blocks(x))))


def srresnet(width: int = 64, blocks: int = 16) -> nn.Module:
    """The super-resolver SRResNet, ×4: it convolves the small image and shuffles pixels.

    Args:
        width: channels.
        blocks: residual blocks.

    Source:
        Ledig et al. (2017), figure 4.

    Example:
        >>> srresnet(4, 1)(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 3, 32, 32])
    """
    return _SRResNet(width, blocks)


class _Dense(nn.Module):
    """Five convolutions, each of which sees the results of all before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(width + n * growth, growth if n < 4 else width, 3, padding=1)
            for n in range(5)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [x]
        for conv in self.convs[:-1]:
            parts.append(F.leaky_relu(conv(torch.cat(parts, 1)), 0.2))
        return x + 0.2 * self.convs[-1](torch.cat(parts, 1))


class _ESRGAN(nn.Module):
    def __init__(self, width: int, growth: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_Dense(width, growth) for _ in range(3))) for _ in range(blocks)
        )
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.up1 = nn.Conv2d(width, width, 3, padding=1)
        self.up2 = nn.Conv2d(width, width, 3, padding=1)
        self.high = nn.Conv2d(width, width, 3, padding=1)
        self.out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = y = self.first(x)
        for block in self.blocks:
            y = y + 0.2 * block(y)
        x = x + self.last(y)
        for up in (self.up1, self.up2):
            x = F.leaky_relu(up(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.out(F.leaky_relu(self.high(x), 0.2))


def esrgan(width: int = 64, growth: int = 32, blocks: int = 23) -> nn.Module:
    """The super-resolver ESRGAN, ×4: nearest upsampling and a convolution, twice.

    Args:
        width: channels.
        growth: channels that each convolution of a dense block adds.
        blocks: residual blocks of three dense blocks each.

    Source:
        Wang et al. (2018), figures 3 and 4, with the upsampling of the published code.

    Example:
        >>> esrgan(4, 2, 1)(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 3, 32, 32])
    """
    return _ESRGAN(width, growth, blocks)
