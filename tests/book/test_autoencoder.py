"""The Keras autoencoder: the model is the printed one, and the heads are what they say."""

import keras
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F
from upconv import layers as initialisers
from upconv.book import autoencoder, data, figures
from upconv.book.autoencoder import HEADS, ICNR, DepthToSpace, build, train

# As the question S2 prints it; only the import of an unused backend is left out.
PRINTED = """
from keras.layers import Input, Dense, Conv2D, MaxPooling2D, UpSampling2D
from keras.models import Model

input_img = Input(shape=(28, 28, 1))  # adapt this if using `channels_first` image data format

x = Conv2D(16, (3, 3), activation='relu', padding='same')(input_img)
x = MaxPooling2D((2, 2), padding='same')(x)
x = Conv2D(8, (3, 3), activation='relu', padding='same')(x)
x = MaxPooling2D((2, 2), padding='same')(x)
x = Conv2D(8, (3, 3), activation='relu', padding='same')(x)
encoded = MaxPooling2D((2, 2), padding='same')(x)

# at this point the representation is (4, 4, 8) i.e. 128-dimensional

x = Conv2D(8, (3, 3), activation='relu', padding='same')(encoded)
x = UpSampling2D((2, 2))(x)
x = Conv2D(8, (3, 3), activation='relu', padding='same')(x)
x = UpSampling2D((2, 2))(x)
x = Conv2D(16, (3, 3), activation='relu')(x)
x = UpSampling2D((2, 2))(x)
decoded = Conv2D(1, (3, 3), activation='sigmoid', padding='same')(x)

autoencoder = Model(input_img, decoded)
autoencoder.compile(optimizer='adadelta', loss='binary_crossentropy')
"""
PARAMETERS = {  # 9 or k² taps for each pair of channels, and the biases
    "blog": 4385,
    "nearest": 4385,
    "bilinear": 4385,
    "transposed k2": 2488 + (4 * 8 * 8 + 8) + (4 * 8 * 16 + 16) + (4 * 16 + 1),
    "transposed k3": 4385,
    "transposed k4": 2488 + (16 * 8 * 8 + 8) + (16 * 8 * 16 + 16) + (16 * 16 + 1),
    "transposed k2, conv": 3345 + (9 * 8 * 8 + 8) + (9 * 16 * 16 + 16) + (9 * 1 + 1),
    "transposed k3, conv": 4385 + (9 * 8 * 8 + 8) + (9 * 16 * 16 + 16) + (9 * 1 + 1),
    "transposed k4, conv": 5841 + (9 * 8 * 8 + 8) + (9 * 16 * 16 + 16) + (9 * 1 + 1),
    "depth to space": 2488 + 4 * (4385 - 2488),
    "depth to space, ICNR": 2488 + 4 * (4385 - 2488),
}


@pytest.fixture(scope="module")
def few():
    return autoencoder.pixels(data.load("test")[0][:32])


def printed():
    room = {}
    exec(PRINTED, room)
    return room["autoencoder"]


def weights(model):
    """Copies of a model's weights; Keras's own get_weights warns under NumPy 2."""
    return [variable.value.detach().numpy().copy() for variable in model.weights]


def leaves(model):
    """The layers that compute, in order; those of models inside a model too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def test_the_blogs_head_is_the_model_as_printed(few):
    ours, theirs = build("blog"), printed()
    for layer, other in zip(leaves(ours), leaves(theirs), strict=True):
        config, wanted = layer.get_config(), other.get_config()
        assert type(layer) is type(other)
        assert {**config, "name": ""} == {**wanted, "name": ""}
    theirs.set_weights(weights(ours))
    assert_array_equal(ours(few).detach(), theirs(few).detach())


@pytest.mark.parametrize("head", HEADS)
def test_every_head_takes_the_latent_back_to_the_image(few, head):
    model = build(head)
    decoder = model.get_layer("decoder")
    assert model.count_params() == PARAMETERS[head]
    assert model.get_layer("encoder").output_shape == (None, 4, 4, 8)
    pictures = autoencoder.answer(model, few)
    assert pictures.shape == few.shape
    assert ((pictures > 0) & (pictures < 1)).all()
    # The decoder is convolutional, so it takes a larger latent; a pixel is cut off after one step.
    assert decoder(torch.zeros(1, 16, 16, 8)).shape == (1, 124, 124, 1)
    sizes = [h for _, h, _, _ in shapes_of(decoder, torch.zeros(1, 4, 4, 8))]
    assert set(sizes) == ({4, 8, 16, 14, 28} if head == "blog" else {4, 7, 14, 28}) | (
        {8}
        if any(isinstance(layer, keras.layers.Cropping2D) for layer in decoder.layers)
        else set()
    )


def shapes_of(model, x):
    for layer in model.layers:
        x = layer(x)
        yield tuple(x.shape)


@pytest.mark.parametrize("head", ["blog", "transposed k3", "depth to space, ICNR"])
def test_the_seed_decides_the_weights(head):
    first, again, other = build(head, 1), build(head, 1), build(head, 2)
    for a, b in zip(weights(first), weights(again), strict=True):
        assert_array_equal(a, b)
    assert not np.array_equal(weights(first)[0], weights(other)[0])


@pytest.mark.parametrize("head", HEADS)
def test_the_encoder_is_the_same_under_every_head(head):
    ours, blog = (weights(build(name, 3).get_layer("encoder")) for name in (head, "blog"))
    for a, b in zip(ours, blog, strict=True):
        assert_array_equal(a, b)


def test_depth_to_space_is_the_pixel_shuffle_in_another_order_of_channels():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 12)).astype(np.float32)
    y = DepthToSpace(2)(x)
    assert y.shape == (2, 6, 8, 3)
    for i, j, c in np.ndindex(2, 2, 3):
        assert_array_equal(y[:, i::2, j::2, c], x[..., (2 * i + j) * 3 + c])
    crd = torch.tensor(x).unflatten(3, (4, 3)).transpose(3, 4).flatten(3)  # c·s² + phase
    shuffled = F.pixel_shuffle(crd.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    assert_array_equal(y, shuffled)


def test_depth_to_space_equals_tensorflows():
    tf = pytest.importorskip("tensorflow")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 18)).astype(np.float32)
    assert_array_equal(DepthToSpace(3)(x), tf.nn.depth_to_space(x, 3))


def test_icnr_begins_as_a_convolution_before_nearest_upsampling():
    kernel = torch.as_tensor(ICNR(2, seed=0)((3, 3, 5, 12))).detach()
    x = torch.randn(1, 6, 7, 5, generator=torch.Generator().manual_seed(0))
    conv = keras.layers.Conv2D(12, 3, padding="same", use_bias=False)
    conv.build(x.shape)
    conv.set_weights([kernel.numpy()])
    small = F.conv2d(x.movedim(3, 1), kernel[..., :3].permute(3, 2, 0, 1), padding=1)
    nearest = small.repeat_interleave(2, 2).repeat_interleave(2, 3).movedim(1, 3)
    assert_allclose(DepthToSpace(2)(conv(x)).detach(), nearest, atol=1e-5)
    # What is drawn belongs to the small kernel: uniform up to Glorot's bound for 3 filters.
    bound = np.sqrt(6 / (9 * 5 + 9 * 3))
    assert 0.9 * bound < float(kernel.abs().max()) <= bound


def test_icnr_is_the_packages_in_another_order_of_channels():
    kernel = torch.as_tensor(ICNR(2, seed=0)((3, 3, 5, 12))).detach()
    small = kernel[..., :3].permute(3, 2, 0, 1)  # torch: (out, in, height, width)
    weight = initialisers.icnr_(torch.empty(12, 5, 3, 3), 2, lambda part: part.copy_(small))
    crd = kernel.unflatten(3, (4, 3)).transpose(3, 4).flatten(3).permute(3, 2, 0, 1)
    assert_array_equal(crd, weight)


@pytest.mark.parametrize("head", ["depth to space", "depth to space, ICNR"])
def test_a_model_is_built_again_from_its_configuration(few, head):
    model = build(head)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(weights(model))
    assert_array_equal(autoencoder.answer(again, few), autoencoder.answer(model, few))


def test_training_is_the_same_every_time_and_another_for_another_seed(few):
    one, two, other = (
        train(build(), seed=seed, epochs=2, images=few.repeat(8, 0), test=few) for seed in (0, 0, 1)
    )
    assert one == two
    assert one.train != other.train
    assert len(one.train) == 2
    assert len(one.test) == 3
    assert one.test[0] > one.test[1] > one.test[2]


def test_the_losses_are_keras_own(few):
    model = build()
    history = train(model, epochs=1, images=few, test=few)
    pictures = autoencoder.answer(model, few).astype(np.float64)
    wanted = -(few * np.log(pictures) + (1 - few) * np.log(1 - pictures)).mean()
    assert_allclose(history.test[1], wanted, rtol=1e-5)
    assert_allclose(history.train[0], history.test[0], rtol=1e-5)  # one batch, before its step


@pytest.mark.parametrize(
    ("optimizer", "rate", "set"),
    [("adadelta", None, 0.001), ("adadelta", 1.0, 1.0), ("adam", None, 0.001)],
)
def test_the_rate_is_keras_default_unless_another_is_named(few, optimizer, rate, set):
    model = build()
    train(model, epochs=1, optimizer=optimizer, learning_rate=rate, images=few, test=few)
    assert type(model.optimizer).__name__.lower() == optimizer
    assert_allclose(model.optimizer.learning_rate.value.item(), set)


def test_progress_is_one_line_an_epoch(few, capsys):
    history = train(build(), epochs=2, images=few, test=few, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"epoch {e}: test loss {history.test[e]:.3f}" for e in (1, 2)]


def test_reference_losses_are_entropies(few):
    def entropy(p):
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.nan_to_num(p * np.log(p)) + np.nan_to_num((1 - p) * np.log(1 - p))
        return -terms

    references = autoencoder.reference_losses(few, few)
    x = few.astype(np.float64)
    # Where answers and targets have the same mean, the loss is the entropy of that mean.
    wanted = entropy(x.mean()), entropy(x.mean(0)).mean(), entropy(x).mean()
    assert_allclose(list(references.values()), wanted, atol=1e-6)  # Keras clips at 1e-7
    # No constant is better than the mean, and nothing is better than the copy.
    assert list(references.values()) == sorted(references.values(), reverse=True)
    for grey in (0.9 * x.mean(), 1.1 * x.mean()):
        assert (
            -(x * np.log(grey) + (1 - x) * np.log(1 - grey)).mean() > references["constant image"]
        )


@pytest.mark.parametrize("head", HEADS)
def test_a_constant_latent_shows_the_grid_of_the_untrained_heads_that_can_make_one(few, head):
    grid = 255 * autoencoder.constant(build(head), few).amplitude
    flat = ("blog", "nearest", "bilinear", "depth to space, ICNR")
    assert grid < 1e-3 if head in flat else grid > 0.1


def test_packed_pictures_come_back():
    levels = np.arange(256).reshape(4, 8, 8)
    text = autoencoder.packed(levels / 255)
    assert_array_equal(autoencoder.unpacked(text, (4, 8, 8)), levels)
    assert autoencoder.unpacked(autoencoder.packed(np.array([-1.0, 2.0])), (2,)).tolist() == [
        0,
        255,
    ]


@pytest.fixture
def short(monkeypatch, few):
    """The records' experiments on a few images, for one epoch and one seed."""
    load = data.load
    monkeypatch.setattr(data, "load", lambda split: tuple(a[:40] for a in load(split)))
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)
    monkeypatch.setattr(autoencoder, "SEEDS", (4,))


def test_the_record_of_the_heads_holds_every_head(short, monkeypatch):
    names = ("blog", "transposed k3")
    monkeypatch.setattr(autoencoder, "HEADS", {name: HEADS[name] for name in names})
    settings, results = autoencoder.heads()
    assert settings["seeds"] == [4]
    assert settings["epochs"] == 1
    for name in names:
        head = results["heads"][name]
        assert head["parameters"] == PARAMETERS[name]
        (seed,) = head["seeds"]
        assert (len(seed["train"]), len(seed["test"])) == (1, 2)
        assert seed["before"].keys() == seed["after"].keys() == {"grid", "constant"}
        assert autoencoder.unpacked(seed["pictures"], (4, 28, 28)).max() > 0
        assert autoencoder.unpacked(seed["piece"], (24, 24)).max() > 0
    assert results["references"].keys() == {"constant image", "mean image", "perfect copy"}
    assert results["real"]["grid"] > 0


def test_the_record_of_the_learning_rate_holds_both(short):
    settings, results = autoencoder.learning_rate()
    assert settings["seeds"] == [4]
    slow, fast = (results["rates"][f"adadelta at {rate}"] for rate in ("0.001", "1.0"))
    assert slow[0]["test"][0] == fast[0]["test"][0]
    assert slow[0]["test"][1] > fast[0]["test"][1]


def test_the_unet_puts_what_it_upsamples_before_the_skip(few):
    model = autoencoder.unet((28, 28, 1), (4, 8, 16))
    joints = [layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate)]
    for joint, (size, filters) in zip(joints, ((14, 8), (28, 4)), strict=True):
        upsampled, skip = joint.input
        assert upsampled.shape == (None, size, size, 2 * filters)
        assert skip.shape == (None, size, size, filters)
    assert autoencoder.answer(model, few).shape == few.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build("k3"), "head: got 'k3'; want one of 'blog', 'nearest'"),
        (lambda: build(seed=-1), "seed: got -1; want an integer of at least 0"),
        (lambda: build(seed=0.5), "seed: got 0.5; want an integer of at least 0"),
        (lambda: train(build(), epochs=0), "epochs: got 0; want an integer of at least 1"),
        (lambda: train(build(), learning_rate=0), "learning_rate: got 0; want a number above 0"),
        (lambda: train(build(), optimizer="adamm"), "adamm"),
        (
            lambda: train(build(), images=np.zeros((2, 28, 28))),
            r"images: got shape \(2, 28, 28\); want \(n, 28, 28, 1\)",
        ),
        (
            lambda: train(build(), test=np.zeros((0, 28, 28, 1))),
            r"test: got shape \(0, 28, 28, 1\)",
        ),
        (
            lambda: autoencoder.pixels(np.zeros((2, 28, 28))),
            r"images: got float64 of shape \(2, 28, 28\); want uint8 of \(n, 28, 28\)",
        ),
        (
            lambda: autoencoder.reference_losses(np.ones((2, 3)), np.ones((2, 4))),
            r"test: got images of \(4,\); want \(3,\), as in images",
        ),
        (
            lambda: autoencoder.reference_losses(np.ones(3), np.full(3, 255.0)),
            "test: got values outside 0 to 1",
        ),
        (
            lambda: autoencoder.unet(filters=(8,)),
            r"filters: got \(8,\); want those of at least two",
        ),
        (
            lambda: autoencoder.unet((30, 28, 1)),
            r"shape: got \(30, 28, 1\); want a height and a width that 4 divides",
        ),
        (lambda: DepthToSpace(2)(np.zeros((1, 2, 2, 6))), "channels: got 6; want a multiple of 4"),
        (lambda: ICNR(2)((3, 3, 1, 6)), "filters: got 6; want a multiple of 4"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------------------------------- Figures


def seeds_of(*losses):
    return {"blog": [losses[0]], "transposed k3": list(losses)}


FIGURES = {
    "reconstructions": (
        lambda: figures.reconstructions(
            {"image": np.zeros((2, 28, 28)), "a, b": np.full((2, 28, 28), 7)}
        ),
        "in grey levels: a, b 7.",
        ["image", "a,", "b"],
    ),
    "routes": (
        lambda: figures.routes([28, 14, 7, 4], {"post": [8, 16, 14, 28], "straight": [7, 14, 28]}),
        "Up again, post: 4, 8, 16, 14, 28; straight: 4, 7, 14, 28.",
        ["28", "16", "post", "straight"],
    ),
    "learning_curves": (
        lambda: figures.learning_curves(
            {"slow": [[0.7, 0.6], [0.7, 0.5]], "fast": [[0.7, 0.3]]}, {"mean image": 0.49}
        ),
        "slow: from 0.700 to 0.550; fast: from 0.700 to 0.300. Dashed: mean image 0.490.",
        ["slow", "fast", "mean image", "epochs"],
    ),
    "seeds_by_head": (
        lambda: figures.seeds_by_head(
            {"new": seeds_of(0.5, 0.25), "trained": seeds_of(0.02, 0.01)},
            "grid",
            marks={"real images": 0.03},
            logarithmic=True,
        ),
        "trained: blog 0.02 to 0.02, transposed k3 0.01 to 0.02. Dashed: real images 0.03.",
        ["blog", "transposed k3", "new", "trained", "real images"],
    ),
    "constant_answers": (
        lambda: figures.constant_answers(
            {"blog": (np.ones((4, 4)), 1e-5), "k3": (np.eye(4), 12.34)}
        ),
        "blog 0, k3 12.3 grey levels.",
        ["blog", "12.3"],
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_says_what_it_shows_and_is_the_same_every_time(name):
    draw, ends, texts = FIGURES[name]
    figure = draw()
    svg = figure.svg()
    assert figure.alt.endswith(ends)
    assert all(f">{text}" in svg for text in texts)
    assert svg == draw().svg()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.reconstructions({}), r"rows: got \[\] pictures in a row"),
        (
            lambda: figures.reconstructions({"a": np.zeros((1, 2, 2)), "b": np.zeros((2, 2, 2))}),
            r"rows: got \[1, 2\] pictures in a row; want as many in each",
        ),
        (
            lambda: figures.routes([4], dict.fromkeys("abcd", [8])),
            "decoders: got 4; want at most 3",
        ),
        (
            lambda: figures.learning_curves(dict.fromkeys("abcde", [[1, 0]]), {}),
            "curves: got 5 names; want at most 4",
        ),
        (
            lambda: figures.seeds_by_head(dict.fromkeys("abc", seeds_of(1)), "x"),
            "values: got 3 kinds; want at most 2",
        ),
        (lambda: figures.constant_answers({}), "pieces: got none; want at least one"),
    ],
)
def test_a_figure_of_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
