"""Draw and reconstruct: what every head of the Keras autoencoder makes of a picture."""

from __future__ import annotations

import base64
import json

import numpy as np
import torch

from upconv.book import data, records, trained
from upconv.book.figures.style import INK, Figure, canvas, picture

__all__ = ["scripts", "still"]

VIEWS = ("answer", "difference", "constant latent")
FIELD, PERIOD, REPEATS = 7, 8, 3  # latents along an axis, pixels that repeat, how often shown
ENLARGED = 60  # grey levels from black to white where the answer to a constant is shown


def still(garment: str = "Bag", moment: int = 7, view: str = "answer") -> Figure:
    """A picture and what every head makes of it: the figure that stands where no script runs.

    Args:
        garment: one of `upconv.book.data.CLASS_NAMES`; its first test image is taken.
        moment: of the training, 0 before it to 7 at its end; the record ``weights`` says which.
        view: "answer", "difference" from the picture, or the answer to a "constant latent".

    Raises:
        ValueError: for a value that there is not.

    Source:
        Taught in "The Keras autoencoder".

    Example:
        >>> still(view="constant latent").alt[:72]
        'A bag, and what every head answers to a constant latent, in grey levels:'
    """
    heads = [trained.load(name) for name in records.load("weights").results]
    count = len(heads[0].batches)
    for name, value, known in (
        ("garment", garment, data.CLASS_NAMES),
        ("moment", moment, range(count)),
        ("view", view, VIEWS),
    ):
        if value not in known:
            raise ValueError(f"{name}: got {value!r}; want one of {', '.join(map(str, known))}")
    image = _garments()[garment] / 255
    shown = {one.name: _shown(one, image, one.batches[moment], view) for one in heads}
    columns = 3
    drawing, axes = canvas(columns, rows=4, width=3.9, height=6.4)
    picture(axes[0], image, limits=(0, 1))
    axes[0].set_title(garment, fontsize=8)
    for ax, (name, (pixels, limits, told)) in zip(axes[1:], shown.items(), strict=True):
        picture(ax, pixels, limits=limits)
        ax.set_title(f"{name}\n{told}", fontsize=8, color=INK)
    what = {
        "answer": "makes of it, with the loss",
        "difference": "makes of it less the picture, with the mean distance in grey levels",
        "constant latent": "answers to a constant latent, in grey levels",
    }
    numbers = ", ".join(f"{name} {told}" for name, (*_, told) in shown.items())
    return Figure(drawing, f"A {garment.lower()}, and what every head {what[view]}: {numbers}.")


def _shown(head: trained.Head, image: np.ndarray, batches: int, view: str) -> tuple:
    """A picture of a head, the values of black and white in it, and its number."""
    if view == "constant latent":
        period = _period(head, batches)
        middle, levels = period.mean(), 255 * period.std()
        limits = [middle + end * ENLARGED / 255 / 2 for end in (-1, 1)]
        return np.tile(period, (REPEATS, REPEATS)), limits, f"{levels:.1f}"
    x = torch.from_numpy(image)[None, None]
    answer = trained.run(head, x, batches)[0, 0].numpy()
    if view == "difference":
        difference = answer - image
        return difference, (-1, 1), f"{255 * np.abs(difference).mean():.1f}"
    clipped = np.clip(answer, 1e-7, 1 - 1e-7)  # as Keras does
    loss = -(image * np.log(clipped) + (1 - image) * np.log(1 - clipped)).mean()
    return answer, (0, 1), f"{loss:.3f}"


def _period(head: trained.Head, batches: int) -> np.ndarray:
    """What a head repeats where each channel of its latent is its mean over the test images.

    On a field of 7×7 latents no border reaches the pixels 24 to 31.
    """
    latent = torch.from_numpy(head.latent[head.batches.index(batches)]).double()
    field = latent[None, :, None, None].expand(1, -1, FIELD, FIELD)
    inside = slice(PERIOD * (FIELD // 2), PERIOD * (FIELD // 2 + 1))
    return trained.run(head, field, batches, "decoder")[0, 0, inside, inside].numpy()


def _garments() -> dict[str, np.ndarray]:
    """The first test image of each kind."""
    images, labels = data.load("test")
    return {name: images[labels.tolist().index(n)] for n, name in enumerate(data.CLASS_NAMES)}


def scripts() -> dict[str, str]:
    """The scripts that bring the weights: file names and texts.

    Returns:
        First what the page loads with the explorable: the layers, the garments and the weights at
        the end of the training. Then for each head the weights at the moments before.

    Example:
        >>> list(scripts())[:2]
        ['draw-weights.js', 'draw-blog.js']
    """
    heads = [trained.load(name) for name in records.load("weights").results]
    files = [f"draw-{trained.slug(head.name)}.js" for head in heads]
    last = len(heads[0].batches) - 1
    content = {
        "epochs": [round(batches / 47, 1) for batches in heads[0].batches],
        "encoder": heads[0].layers["encoder"],
        "garments": {name: _base64(image.tobytes()) for name, image in _garments().items()},
        "heads": [
            {
                "name": head.name,
                "file": file,
                "decoder": head.layers["decoder"],
                "weights": {last: _packed(head, last)},
            }
            for head, file in zip(heads, files, strict=True)
        ],
    }
    made = {"draw-weights.js": f"upconv.trained = {_json(content)};\n"}
    for n, (head, file) in enumerate(zip(heads, files, strict=True)):
        before = {moment: _packed(head, moment) for moment in range(last)}
        made[file] = f"Object.assign(upconv.trained.heads[{n}].weights, {_json(before)});\n"
    return made


def _packed(head: trained.Head, moment: int) -> list[str]:
    """The tensors of a moment, the mean latent last; each a scale, then 24 bits for each number.

    With 32 bits all heads together would not fit into 300 kB. The scale makes the difference
    as small as that of a rounding: the numbers of a tensor are of one size.
    """
    packed = []
    for tensor in (*head.tensors(head.batches[moment]), head.latent[moment]):
        scale = np.float32(np.abs(tensor).max() / (2**23 - 2)) or np.float32(1)
        numbers = np.round(tensor.ravel() / np.float64(scale)).astype("<i4")
        bits = numbers.view(np.uint8).reshape(-1, 4)[:, :3]
        packed.append(_base64(scale.astype("<f4").tobytes() + bits.tobytes()))
    return packed


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
