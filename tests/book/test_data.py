"""The images are what they say, nothing is fetched unasked, a damaged file is never half-read."""

import gzip
import shutil
import struct

import numpy as np
import pytest
from upconv.book import data

FILES = (
    "train-images.idx3.gz",
    "train-labels.idx1.gz",
    "test-images.idx3.gz",
    "test-labels.idx1.gz",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the data that a test may damage."""
    copy = tmp_path / "fashion_mnist"
    shutil.copytree(data.FOLDER, copy)
    monkeypatch.setattr(data, "FOLDER", copy)
    return copy


def damage(path, content):
    """Replaces a file by one of sound gzip with another content."""
    path.write_bytes(gzip.compress(content(gzip.decompress(path.read_bytes()))))


@pytest.mark.parametrize(("split", "count"), [("train", 6000), ("test", 1000)])
def test_every_split_has_its_images_labels_and_ten_classes(split, count):
    images, labels = data.load(split)
    assert images.shape == (count, 28, 28)
    assert images.dtype == np.uint8
    assert labels.shape == (count,)
    assert labels.dtype == np.uint8
    assert set(labels) == set(range(len(data.CLASS_NAMES)))
    assert images.min() == 0
    assert images.max() == 255


def test_the_images_are_the_first_of_the_original():
    # The first labels, and the sum of the first image, of the files that Zalando published.
    images, labels = data.load("train")
    assert labels[:8].tolist() == [9, 0, 0, 3, 0, 2, 7, 2]
    assert images[0].sum() == 76247
    images, labels = data.load("test")
    assert labels[:8].tolist() == [9, 2, 1, 1, 6, 1, 4, 6]
    assert images[0].sum() == 33456


def test_the_images_can_be_written_to():
    images, _ = data.load("test")
    images[0] = 0
    assert data.load("test")[0][0].any()


def test_the_files_are_small_and_their_licence_is_beside_them():
    assert sum((data.FOLDER / name).stat().st_size for name in FILES) < 5_000_000
    readme = (data.FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Zalando SE" in readme
    assert "Permission is hereby granted, free of charge" in readme


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split: got 'valid'; want one of 'train', 'test'"):
        data.load("valid")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        data.load(name.split("-")[0])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_a_file_cut_short_is_named(folder, name, cut):
    path = folder / name
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=name):
        data.load(name.split("-")[0])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 0.5, -6])
def test_a_changed_byte_is_noticed(folder, name, place):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=name):
        data.load(name.split("-")[0])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda b: b"\x00\x00\x0d" + b[3:], id="floats, not bytes"),
        pytest.param(lambda b: b[:7] + b"\x01" + b[8:], id="another count"),
        pytest.param(lambda b: b[:-1], id="a value too few"),
        pytest.param(lambda b: b + b"\x00", id="a value too many"),
        pytest.param(lambda b: b"", id="nothing"),
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_sound_gzip_of_the_wrong_content_is_refused(folder, name, content):
    damage(folder / name, content)
    with pytest.raises(ValueError, match=name):
        data.load(name.split("-")[0])


# ------------------------------------------------------------------- The whole, and the digits


COUNTS = {"train": 7, "test": 5}  # instead of 60,000 and 10,000
NAMES = {"train": "train", "test": "t10k"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of keras.datasets, and a whole that is small."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(data, "_WHOLE", COUNTS)
    monkeypatch.setattr(data, "INSTALLED", tmp_path / "installed")  # which is not there
    return tmp_path / "datasets"


def arrays(split):
    """Images and labels of which no two are alike."""
    count = COUNTS[split]
    images = np.arange(count * 784, dtype=np.uint32).reshape(count, 28, 28) * 7 % 251
    return images.astype(np.uint8), np.arange(count, dtype=np.uint8)


def idx(array):
    """The bytes of an idx file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def keep_fashion(cache):
    """Puts into the cache the four files that keras.datasets.fashion_mnist keeps there."""
    folder = cache / "fashion-mnist"
    folder.mkdir(parents=True, exist_ok=True)
    for split, name in NAMES.items():
        for array, kind in zip(arrays(split), ("images-idx3", "labels-idx1"), strict=True):
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))


def keep_digits(cache, **changed):
    """Puts into the cache the file that keras.datasets.mnist keeps there."""
    cache.mkdir(parents=True, exist_ok=True)
    (x_train, y_train), (x_test, y_test) = arrays("train"), arrays("test")
    content = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    content = {key: value for key, value in (content | changed).items() if value is not None}
    np.savez(cache / "mnist.npz", **content)


KEEP = {"whole": keep_fashion, "digits": keep_digits}
LOADERS = {"whole": "fashion_mnist", "digits": "mnist"}
datasets = pytest.mark.parametrize("dataset", KEEP)
splits = pytest.mark.parametrize("split", COUNTS)


@datasets
@splits
def test_what_lies_in_keras_cache_is_read(cache, dataset, split):
    KEEP[dataset](cache)
    for got, want in zip(data.load(split, dataset), arrays(split), strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == np.uint8
        assert got.flags.writeable


@splits
def test_what_is_installed_comes_first_and_is_never_fetched(cache, monkeypatch, split):
    import keras

    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", pytest.fail)
    keep_fashion(cache)
    (cache / "fashion-mnist").rename(data.INSTALLED)
    for got, want in zip(data.load(split, "whole", download=True), arrays(split), strict=True):
        np.testing.assert_array_equal(got, want)
    for path in data.INSTALLED.iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="install dataset-fashion-mnist again"):
        data.load(split, "whole")


@datasets
@splits
def test_nothing_is_fetched_unless_asked_for(cache, monkeypatch, dataset, split):
    import keras

    for name in LOADERS.values():
        monkeypatch.setattr(getattr(keras.datasets, name), "load_data", pytest.fail)
    with pytest.raises(
        FileNotFoundError, match=f"load.'{split}', '{dataset}', download=True."
    ) as e:
        data.load(split, dataset)
    assert str(cache) in str(e.value)
    data.load(split)  # the shipped part needs neither


@datasets
@splits
def test_what_is_asked_for_is_fetched_by_keras_own_loader(cache, monkeypatch, dataset, split):
    import keras

    loader = getattr(keras.datasets, LOADERS[dataset])
    monkeypatch.setattr(loader, "load_data", lambda: KEEP[dataset](cache))
    images, labels = data.load(split, dataset, download=True)
    np.testing.assert_array_equal(images, arrays(split)[0])
    np.testing.assert_array_equal(labels, arrays(split)[1])


@datasets
def test_without_the_network_the_error_says_what_is_missing_and_where_it_belongs(
    cache, monkeypatch, dataset
):
    import keras

    def offline():
        raise Exception("URL fetch failure on an address: None -- unreachable")

    loader = getattr(keras.datasets, LOADERS[dataset])
    monkeypatch.setattr(loader, "load_data", offline)
    with pytest.raises(ConnectionError, match=rf"keras.datasets.{LOADERS[dataset]}: .*copy its fi"):
        data.load("test", dataset, download=True)


def test_the_cache_is_where_keras_keeps_it(cache, monkeypatch):
    # Keras's own loader reads what this module reads, and gives the same.
    from keras.datasets import fashion_mnist

    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(cache.parent))
    keep_fashion(cache)
    (images, labels), _ = fashion_mnist.load_data()
    ours = data.load("train", "whole")
    np.testing.assert_array_equal(ours[0], images)
    np.testing.assert_array_equal(ours[1], labels)


@splits
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
@pytest.mark.parametrize("cut", [0, 5, -1])
def test_a_file_of_the_whole_that_is_cut_short_is_named(cache, split, kind, cut):
    keep_fashion(cache)
    path = cache / "fashion-mnist" / f"{NAMES[split]}-{kind}-ubyte.gz"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=f"{path.name}: damaged .*delete it, then get it with"):
        data.load(split, "whole")


@pytest.mark.parametrize("cut", [0, 5, 0.5, -1])
def test_digits_cut_short_are_named(cache, cut):
    keep_digits(cache)
    path = cache / "mnist.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content)) if isinstance(cut, float) else cut])
    with pytest.raises(ValueError, match=r"mnist.npz: damaged .*delete it, then get it with"):
        data.load("train", "digits")


def test_a_changed_byte_among_the_digits_is_noticed(cache):
    keep_digits(cache)
    path = cache / "mnist.npz"
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist.npz: damaged \(x_train: .*CRC"):
        data.load("train", "digits")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": None}, "x_train: 'x_train is not a file in the archive'"),
        ({"x_train": arrays("test")[0]}, r"x_train: got uint8 of shape \(5, 28, 28\)"),
        (
            {"y_train": np.arange(7.0)},
            r"y_train: got float64 of shape \(7,\); want uint8 of \(7,\)",
        ),
        ({"y_train": np.array([None] * 7)}, "y_train: Object arrays cannot be loaded"),
    ],
    ids=["a missing array", "too few", "another type", "objects"],
)
def test_digits_of_another_kind_are_refused(cache, changed, message):
    keep_digits(cache, **changed)
    with pytest.raises(ValueError, match=f"mnist.npz: damaged .{message}"):
        data.load("train", "digits")


def test_an_unknown_dataset_is_refused():
    with pytest.raises(
        ValueError, match="dataset: got 'mnist'; want one of 'part', 'whole', 'digi"
    ):
        data.load("train", "mnist")
