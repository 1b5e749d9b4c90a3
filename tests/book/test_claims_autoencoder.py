"""The claims that the chapter "The Keras autoencoder" settles, decided: one test for each row."""

import re
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from keras import layers
from numpy.testing import assert_allclose
from upconv import collapse
from upconv.book import autoencoder, data, records
from upconv.frameworks import keras as keras_layers

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.fixture(scope="module")
def images():
    return autoencoder.pixels(data.load("test")[0])


def last(runs):
    """The test losses at the end, one for each seed."""
    return [run["test"][-1] for run in runs]


def section(target):
    """The text of the section below a target, up to the next heading of the same level."""
    text = (BOOK / "autoencoders-and-artifacts" / "autoencoder.md").read_text(encoding="utf-8")
    return re.split(r"^## ", text.split(f"({target})=")[1], flags=re.MULTILINE)[1]


def test_keras_history():
    told = section("claim-keras-history")
    bibliography = (BOOK / "references.bib").read_text(encoding="utf-8")
    cited = re.findall(r"\{cite:[pt]\}`([^`]+)`", told)
    for key in ("chollet2016building", "keras2016proper", "keras2016deconvolution"):
        assert key in cited
    assert "chollet2017introducing" in cited
    for key in cited:
        assert re.search(rf"^@\w+\{{{key},$", bibliography, re.MULTILINE), key
    assert "14 May 2016" in told
    # What can be run of it: the layer is there today, its first name is not, the post's layers are.
    assert hasattr(layers, "Conv2DTranspose")
    assert not hasattr(layers, "Deconvolution2D")
    assert hasattr(layers, "UpSampling2D")


def test_autoencoder_shapes():
    encoder = autoencoder.build("blog").get_layer("encoder")
    assert encoder.output_shape == (None, 4, 4, 8)
    assert np.prod(encoder.output_shape[1:]) == 128

    def decoder(padding):
        first, *rest = (
            layers.Conv2D(filters, 3, padding=padded)
            for filters, padded in zip((8, 8, 16, 1), padding, strict=True)
        )
        steps = [layer for conv in rest for layer in (layers.UpSampling2D(2), conv)]
        return keras.Sequential([layers.Input((4, 4, 8)), first, *steps])

    ways = list(product(("same", "valid"), repeat=4))
    sizes = {way: decoder(way).output_shape[1] for way in ways}
    assert sizes["same", "same", "same", "same"] == 32
    assert [way for way in ways if sizes[way] == 28] == [("same", "same", "valid", "same")]
    # No step of the route 4→7→14→28 needs one.
    straight = autoencoder.build("transposed k3").get_layer("decoder")
    assert straight.output_shape == (None, None, None, 1)
    assert straight.compute_output_shape((1, 4, 4, 8)) == (1, 28, 28, 1)
    assert all(layer.padding == "same" for layer in straight.layers)


def test_autoencoder_as_printed(images):
    assert_allclose(keras.optimizers.Adadelta().learning_rate.value.item(), 0.001)
    references = autoencoder.reference_losses(autoencoder.pixels(data.load("train")[0]), images)
    rates = records.load("learning_rate").results["rates"]
    # On one side of the condition nothing is learnt but a part of how dark the images are…
    assert min(last(rates["adadelta at 0.001"])) > references["constant image"]
    # …on the other side much more than one picture for all.
    assert max(last(rates["adadelta at 1.0"])) < references["mean image"] - 0.1
    # The records are no fairy tale: a few steps show it.
    few = autoencoder.pixels(data.load("train")[0][:1024])
    ends = {}
    for rate in (0.001, 1.0):
        model = autoencoder.build("blog")
        history = autoencoder.train(
            model, optimizer="adadelta", learning_rate=rate, epochs=3, images=few, test=few
        )
        ends[rate] = history.test[0] - history.test[-1]
    assert ends[0.001] < 0.01 < ends[1.0]


def test_may_replace(images):
    x = images[:8]
    blog = autoencoder.build("blog", seed=5)
    decoder = blog.get_layer("decoder")
    # Exactly, if each pair's kernel is collapsed: the size is 4×4, whatever the weights.
    first, *paired = [layer for layer in decoder.layers if isinstance(layer, layers.Conv2D)]
    replaced = keras.Sequential([first])
    for conv in paired:
        weight, bias = (variable.value.detach() for variable in conv.weights)
        margin = 1 if conv.padding == "same" else 0
        kernel, geometry, *_ = collapse(weight.permute(3, 2, 0, 1), 2, padding=margin)
        assert geometry.kernel == (4, 4)
        replaced.add(keras_layers.write(geometry, kernel.numpy(), bias.numpy()))
        replaced.add(layers.Activation(conv.activation))
    latent = torch.from_numpy(autoencoder.answer(blog.get_layer("encoder"), x))
    with torch.no_grad():
        assert_allclose(replaced(latent), decoder(latent), atol=1e-6)
    # And freely: the same shapes, and for 3×3 the same number of parameters.
    heads = records.load("heads").results["heads"]
    references = records.load("heads").results["references"]
    for kernel in (2, 3, 4):
        model = autoencoder.build(f"transposed k{kernel}")
        assert not any(
            isinstance(layer, layers.UpSampling2D) for layer in model.get_layer("decoder").layers
        )
        assert model.output_shape == blog.output_shape
        assert model.count_params() == heads[f"transposed k{kernel}"]["parameters"]
        losses = last(heads[f"transposed k{kernel}"]["seeds"])
        assert len(losses) >= 3
        assert max(losses) < references["mean image"] - 0.1
    assert autoencoder.build("transposed k3").count_params() == blog.count_params()
    post = np.mean(last(heads["blog"]["seeds"]))
    behind = {k: np.mean(last(heads[f"transposed k{k}"]["seeds"])) - post for k in (2, 3, 4)}
    assert max(behind[3], behind[4]) < 0.02
    assert behind[2] < 0.06
    # The mesh: in some seeds of the kernels 2 and 3 more than in real images, in none of 4.
    grids = {
        k: [seed["after"]["grid"] for seed in heads[f"transposed k{k}"]["seeds"]] for k in (2, 3, 4)
    }
    real = records.load("heads").results["real"]["grid"]
    assert max(grids[4]) < real < min(max(grids[2]), max(grids[3]))


def test_unet_decoder():
    conv4, conv5 = layers.Input((8, 8, 16)), layers.Input((4, 4, 32))
    up6 = layers.Concatenate(axis=-1)([layers.UpSampling2D(size=(2, 2))(conv5), conv4])
    conv6 = layers.Conv2D(16, 3, activation="relu", padding="same")(up6)
    conv6 = layers.Conv2D(16, 3, activation="relu", padding="same")(conv6)
    assert up6.shape == (None, 8, 8, 48)
    assert conv6.shape == (None, 8, 8, 16)
    # The values: first what was upsampled, each pixel twice along each axis, then the skip.
    small, skip = torch.randn(1, 4, 4, 32), torch.randn(1, 8, 8, 16)
    joined = keras.Model([conv5, conv4], up6)([small, skip])
    assert torch.equal(joined[..., :32], small.repeat_interleave(2, 1).repeat_interleave(2, 2))
    assert torch.equal(joined[..., 32:], skip)
    # With the axis of 2016 it fails today, or, worse, stacks two images.
    with pytest.raises(ValueError, match="Concatenate"):
        layers.Concatenate(axis=1)([layers.UpSampling2D(size=(2, 2))(conv5), conv4])
    stacked = layers.Concatenate(axis=1)([layers.Input((8, 8, 16)), conv4])
    assert stacked.shape == (None, 16, 8, 16)
    # The whole network has such a step for each skip.
    net = autoencoder.unet((32, 32, 1), (4, 8, 16, 32))
    joints = [layer for layer in net.layers if isinstance(layer, layers.Concatenate)]
    assert [joint.output.shape[1] for joint in joints] == [8, 16, 32]
    assert autoencoder.answer(net, np.zeros((1, 32, 32, 1), np.float32)).shape == (1, 32, 32, 1)
