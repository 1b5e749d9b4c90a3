"""The images of the book: a small part of Fashion-MNIST, shipped; the whole and digits if you ask.

Sources: Fashion-MNIST, Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; Zalando SE, MIT licence,
whose text lies beside the shipped files, in ``fashion_mnist/README.md``. MNIST, LeCun and Cortes,
CC BY-SA 3.0; not shipped. What is not shipped is read from where Debian's package
``dataset-fashion-mnist`` installs it, or from the cache of ``keras.datasets``, and fetched by Keras
into that cache only with ``download=True``.
"""

import gzip
import os
import struct
import zipfile
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
INSTALLED = Path("/usr/share/datasets/fashion-mnist")  # by Debian's dataset-fashion-mnist
_PART = {"train": 6000, "test": 1000}
_WHOLE = {"train": 60000, "test": 10000}
_KERAS = {"whole": "fashion_mnist", "digits": "mnist"}  # modules of keras.datasets
_ORIGINAL = {"train": "train", "test": "t10k"}  # how the files of the original begin


def load(
    split: str = "train", dataset: str = "part", *, download: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one split, in the order of the original.

    Args:
        split: ``"train"`` or ``"test"``.
        dataset: ``"part"``, the shipped part of Fashion-MNIST (6,000 and 1,000 images);
            ``"whole"``, all of it (60,000 and 10,000); or ``"digits"``, the MNIST digits (as many).
        download: whether Keras may fetch what is neither installed nor in its cache.

    Returns:
        Images, uint8, shape (n, 28, 28), 0 is the black background; labels, uint8, shape (n,), see
        `CLASS_NAMES`; a digit's label is the digit.

    Raises:
        ValueError: an unknown split or dataset, or a damaged file, which is named.
        FileNotFoundError: a missing file; it is named, and how to get it.
        ConnectionError: a download that failed.

    Example:
        >>> images, labels = load("test")
        >>> images.shape, CLASS_NAMES[labels[0]]
        ((1000, 28, 28), 'Ankle boot')
    """
    for name, value, known in (("split", split, _PART), ("dataset", dataset, ("part", *_KERAS))):
        if value not in known:
            raise ValueError(f"{name}: got {value!r}; want one of {', '.join(map(repr, known))}")
    if dataset == "part":
        count, mend = _PART[split], "reinstall upconv"
        images = _read_idx(FOLDER / f"{split}-images.idx3.gz", (count, 28, 28), mend)
        labels = _read_idx(FOLDER / f"{split}-labels.idx1.gz", (count,), mend)
        return images, labels
    installed = dataset == "whole" and INSTALLED.is_dir()
    if download and not installed:
        _fetch(dataset)
    count = _WHOLE[split]
    mend = f"get it with load({split!r}, {dataset!r}, download=True), which needs the network"
    if dataset == "digits":
        return _read_npz(_cache() / "mnist.npz", split, count, mend)
    folder, name = INSTALLED if installed else _cache() / "fashion-mnist", _ORIGINAL[split]
    if installed:
        mend = "install dataset-fashion-mnist again"
    images = _read_idx(folder / f"{name}-images-idx3-ubyte.gz", (count, 28, 28), mend)
    labels = _read_idx(folder / f"{name}-labels-idx1-ubyte.gz", (count,), mend)
    return images, labels


def _cache() -> Path:
    """Where keras.datasets keeps its files."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"


def _fetch(dataset: str) -> None:
    """Has Keras's own loader put the files into its cache; those that are there it leaves alone."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    name = _KERAS[dataset]
    try:
        getattr(keras.datasets, name).load_data()
    except (EOFError, ValueError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error):
        return  # a damaged file, which is named when it is read
    except Exception as error:  # Keras raises a bare one where the network fails
        if "URL fetch failure" not in str(error):
            raise
        raise ConnectionError(
            f"keras.datasets.{name}: {error}; without the network, copy its files from a machine "
            f"that has them to {_cache()}"
        ) from error


def _read_idx(path: Path, shape: tuple[int, ...], mend: str) -> np.ndarray:
    """The unsigned bytes of a gzipped idx file, after checking that it holds exactly `shape`."""
    _exists(path, mend)
    try:
        content = gzip.decompress(path.read_bytes())  # checks the CRC and the length
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path, str(error), mend) from error
    # An idx header: two zero bytes, the type (8 is unsigned byte), the rank, then every dimension.
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    if content[: len(header)] != header:
        raise _damaged(
            path,
            f"got the header {content[: len(header)].hex()}; want {header.hex()}, an idx file of "
            f"unsigned bytes with shape {shape}",
            mend,
        )
    pixels = np.frombuffer(content, np.uint8, offset=len(header))
    if pixels.size != np.prod(shape):
        raise _damaged(path, f"got {pixels.size} values; want {np.prod(shape)} for {shape}", mend)
    return pixels.reshape(shape).copy()  # a copy, since a view of bytes cannot be written to


def _read_npz(path: Path, split: str, count: int, mend: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one split of an npz file as Keras keeps it, after checking them."""
    _exists(path, mend)
    arrays = []
    for key, shape in ((f"x_{split}", (count, 28, 28)), (f"y_{split}", (count,))):
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                array = file[key]  # read to its end, which checks the CRC
        except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise _damaged(path, f"{key}: {error}", mend) from error
        if array.dtype != np.uint8 or array.shape != shape:
            raise _damaged(
                path,
                f"{key}: got {array.dtype} of shape {array.shape}; want uint8 of {shape}",
                mend,
            )
        arrays.append(array)
    return tuple(arrays)


def _exists(path: Path, mend: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: this file is missing; {mend}")


def _damaged(path: Path, how: str, mend: str) -> ValueError:
    again = "" if path.parent in (FOLDER, INSTALLED) else "delete it, then "
    return ValueError(f"{path}: damaged ({how}); {again}{mend}")
