"""The shipped part of Fashion-MNIST is what it says, and a damaged file is never half-read."""

import gzip
import shutil

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
