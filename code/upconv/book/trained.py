"""The heads of the Keras autoencoder as one seed trains them: their weights along the way.

``python -m upconv.book.records weights`` trains them and writes a file for each head into
``trained/``; the record ``weights`` says what was trained and which layers read the numbers. Here
they are read, and run, without Keras: the explorable ``draw`` takes them from here into the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from upconv import forms, pooling, resample
from upconv.book import records
from upconv.geometry import Geometry

__all__ = ["Head", "load", "run", "save"]

FOLDER = Path(__file__).parent / "trained"


class Head(NamedTuple):
    """One head's autoencoder at several moments of its training.

    ``layers`` holds those of the "encoder" and of the "decoder", each a dictionary: "op" says what
    it does, and those with weights have "shape", (out, in, *kernel) or for a transposed convolution
    (in, out, *kernel), "geometry" and "activation". ``batches`` says how many batches each moment
    is after the start. ``weights`` are float32, a row for each moment: weight and bias of each
    layer, in turn. ``latent``, float32 too, is each channel's mean over the test images, a row for
    each moment.
    """

    name: str
    layers: dict[str, list[dict]]
    batches: tuple[int, ...]
    weights: np.ndarray
    latent: np.ndarray

    def tensors(self, batches: int) -> Iterator[np.ndarray]:
        """Weight and bias of each layer that has them, the encoder's first.

        Args:
            batches: one of those at which the weights were kept.

        Raises:
            ValueError: for another number.
        """
        if batches not in self.batches:
            known = ", ".join(map(str, self.batches))
            raise ValueError(f"batches: got {batches!r}; want one of {known}")
        row, start = self.weights[self.batches.index(batches)], 0
        for layer in self.layers["encoder"] + self.layers["decoder"]:
            for shape in shapes(layer):
                end = start + int(np.prod(shape))
                yield row[start:end].reshape(shape)
                start = end


def shapes(layer: dict) -> list[tuple[int, ...]]:
    """The shapes of a layer's weight and bias; none where it has no weights.

    Example:
        >>> shapes({"op": "conv", "shape": [16, 1, 3, 3]}), shapes({"op": "crop"})
        ([(16, 1, 3, 3), (16,)], [])
    """
    if "shape" not in layer:
        return []
    out = layer["shape"][1 if layer["op"] == "conv_transpose" else 0]
    return [tuple(layer["shape"]), (out,)]


def _file(name: str) -> Path:
    return FOLDER / f"{slug(name)}.npy"


def slug(name: str) -> str:
    """A head's name as a part of a file's name.

    Example:
        >>> slug("transposed k2, conv")
        'transposed-k2-conv'
    """
    return name.replace(",", "").replace(" ", "-").lower()


def save(name: str, weights: np.ndarray, latent: np.ndarray) -> Path:
    """Writes the weights and the mean latents of a head, and returns the file.

    Args:
        name: of the head.
        weights, latent: as in :class:`Head`.
    """
    FOLDER.mkdir(exist_ok=True)
    rows = np.concatenate([weights, latent], axis=1).astype(np.float32)
    np.save(_file(name), rows, allow_pickle=False)
    return _file(name)


@cache
def load(name: str) -> Head:
    """The stored weights of a head.

    Args:
        name: one of `upconv.book.autoencoder.HEADS`.

    Raises:
        ValueError: for a head that is not in the record.
        FileNotFoundError: for a missing record or file, with the command that makes it.

    Example:
        >>> head = load("transposed k3")
        >>> head.batches[0], head.batches[-1], head.weights.shape[1]
        (0, 470, 4385)
    """
    record = records.load("weights")
    if name not in record.results:
        known = ", ".join(map(repr, record.results))
        raise ValueError(f"head: got {name!r}; want one of {known}")
    path = _file(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such weights; `python -m upconv.book.records weights` makes them"
        )
    rows = np.load(path, allow_pickle=False)
    layers = record.results[name]["layers"]
    count = sum(int(np.prod(s)) for part in layers.values() for one in part for s in shapes(one))
    batches = tuple(record.settings["batches"])
    if rows.dtype != np.float32 or len(rows) != len(batches) or rows.shape[1] <= count:
        raise ValueError(
            f"{path}: got {rows.dtype} of shape {rows.shape}; want float32, {len(batches)} rows "
            f"of more than {count}"
        )
    return Head(name, layers, batches, rows[:, :count], rows[:, count:])


def run(head: Head, x: torch.Tensor, batches: int, part: str = "both") -> torch.Tensor:
    """What a head, or one half of its autoencoder, answered at a moment of its training.

    Args:
        head: as `load` returns it.
        x: (batch, channels, height, width): images from 0 to 1, or latents for the decoder.
        batches: the moment, one of ``head.batches``.
        part: "encoder", "decoder" or "both".

    Raises:
        ValueError: for another moment, or another part.

    Source:
        The layers are those of `upconv.book.autoencoder.build`. Taught in "The Keras autoencoder".

    Example:
        >>> run(load("nearest"), torch.zeros(1, 1, 28, 28), 470, "encoder").shape
        torch.Size([1, 8, 4, 4])
    """
    if part not in ("encoder", "decoder", "both"):
        raise ValueError(f"part: got {part!r}; want encoder, decoder or both")
    tensors = head.tensors(batches)
    for half, layers in head.layers.items():
        for layer in layers:
            own = [torch.from_numpy(next(tensors)).to(x.dtype) for _ in shapes(layer)]
            if part in (half, "both"):
                x = _apply(layer, x, *own)
    return x


def _apply(layer: dict, x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
    geometry = Geometry(**layer["geometry"]) if "geometry" in layer else None
    match layer["op"]:
        case "conv":
            (top, bottom), (left, right) = geometry.padding
            x = F.conv2d(F.pad(x, (left, right, top, bottom)), *parameters)
        case "conv_transpose":
            settings = ("stride", "padding", "output_padding")
            x = forms.conv_transpose(x, *parameters, **{s: getattr(geometry, s) for s in settings})
        case "max_pool":
            x = pooling.max_pool(x, geometry)[0]
        case "interpolate":
            x = resample.interpolate(x, scale_factor=2, mode=layer["mode"])
        case "crop":  # the last row and the last column
            x = x[..., :-1, :-1]
        case "depth_to_space":  # the phase is the slow part of the channel's index
            x = F.pixel_shuffle(x.unflatten(1, (4, -1)).transpose(1, 2).flatten(1, 2), 2)
    return {"relu": torch.relu, "sigmoid": torch.sigmoid}.get(layer.get("activation"), _same)(x)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x
