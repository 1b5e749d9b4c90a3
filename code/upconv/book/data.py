"""The images of the book: a small part of Fashion-MNIST, shipped with the package.

Source: Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; Zalando SE, MIT licence. The licence text
lies beside the files, in ``fashion_mnist/README.md``.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""The word for each label, 0 to 9."""

FOLDER = Path(__file__).parent / "fashion_mnist"
_COUNTS = {"train": 6000, "test": 1000}


def load(split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one split, in the order of the original.

    Args:
        split: ``"train"`` (6,000 images) or ``"test"`` (1,000 images).

    Returns:
        Images, uint8, shape (n, 28, 28), 0 is the black background; labels, uint8, shape (n,), see
        `CLASS_NAMES`.

    Raises:
        ValueError: an unknown split, or a damaged file, which is named.
        FileNotFoundError: a missing file, which is named.

    Example:
        >>> images, labels = load("test")
        >>> images.shape, CLASS_NAMES[labels[0]]
        ((1000, 28, 28), 'Ankle boot')
    """
    if split not in _COUNTS:
        raise ValueError(f"split: got {split!r}; want one of {', '.join(map(repr, _COUNTS))}")
    count = _COUNTS[split]
    images = _read_idx(FOLDER / f"{split}-images.idx3.gz", (count, 28, 28))
    labels = _read_idx(FOLDER / f"{split}-labels.idx1.gz", (count,))
    return images, labels


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The unsigned bytes of a gzipped idx file, after checking that it holds exactly `shape`."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: this file of Fashion-MNIST is missing; reinstall upconv")
    try:
        content = gzip.decompress(path.read_bytes())  # checks the CRC and the length
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: damaged ({error}); reinstall upconv") from error
    # An idx header: two zero bytes, the type (8 is unsigned byte), the rank, then every dimension.
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    if content[: len(header)] != header:
        raise ValueError(
            f"{path}: got the header {content[: len(header)].hex()}; want {header.hex()}, an idx "
            f"file of unsigned bytes with shape {shape}"
        )
    pixels = np.frombuffer(content, np.uint8, offset=len(header))
    if pixels.size != np.prod(shape):
        raise ValueError(f"{path}: got {pixels.size} values; want {np.prod(shape)} for {shape}")
    return pixels.reshape(shape).copy()  # a copy, since a view of bytes cannot be written to
