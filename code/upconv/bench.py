"""The listed layers, on which the forms are measured against each other and against their peers."""

from __future__ import annotations

from upconv.geometry import Geometry

__all__ = ["LAYERS", "Layer"]

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
"""Transposed convolutions as networks have them: shape of the input, shape of the weight, geometry.

The generator of DCGAN (Radford et al., 2016) on batches of 16, the two kinds of layers in the head
of FCN-8s (Long et al., 2015) for 21 classes, the last step of a U-Net's decoder (Ronneberger et
al., 2015), and the steps from 14×14 to 28×28 of a small image decoder on batches of 128.
"""
