"""The Keras autoencoder with interchangeable decoders, and the decoder of a U-Net.

The model is that of Chollet's "Building autoencoders in Keras" (2016), in Keras 3 on the torch
backend. Its encoder takes (28, 28, 1) to (4, 4, 8); each *head* is another decoder for it. The
record ``heads`` trains them all over several seeds, ``learning_rate`` the printed model as
printed, with adadelta. Taught in "The Keras autoencoder".
"""

from __future__ import annotations

import base64
import itertools
import os
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras reads it when it is imported

import keras
import numpy as np
import torch
from keras import layers

from upconv import checkerboard
from upconv.book import data, trained
from upconv.frameworks import keras as keras_layers
from upconv.geometry import Geometry

__all__ = [
    "HEADS",
    "ICNR",
    "DepthToSpace",
    "History",
    "answer",
    "build",
    "constant",
    "heads",
    "learning_rate",
    "measured",
    "packed",
    "pixels",
    "reference_losses",
    "restored",
    "train",
    "unet",
    "unpacked",
    "weights",
]

BATCH = 128  # images, as in the blog post


@keras.saving.register_keras_serializable("upconv")
class DepthToSpace(layers.Layer):
    """Channels become pixels: (h, w, s²·c) to (s·h, s·w, c), in TensorFlow's order.

    The phase is the slow part of the channel's index (DCR), where torch's PixelShuffle has it as
    the fast part (CRD).

    Args:
        block_size: s.

    Source:
        Shi et al. (2016); onnxscript#2891 on the two orders. Taught in "The Keras autoencoder".

    Example:
        >>> y = DepthToSpace(2)(np.arange(8.0).reshape(1, 1, 1, 8))
        >>> y[0, :, :, 0].tolist()
        [[0.0, 2.0], [4.0, 6.0]]
    """

    def __init__(self, block_size: int = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        self.block_size = block_size

    def build(self, input_shape: tuple) -> None:
        """Called by Keras with the shape of the first input."""
        if input_shape[-1] % self.block_size**2:
            raise ValueError(
                f"channels: got {input_shape[-1]}; want a multiple of {self.block_size**2}, the "
                "square of block_size"
            )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the result, None where a size is not known."""
        batch, *size, channels = input_shape
        s = self.block_size
        return (batch, *(None if n is None else n * s for n in size), channels // s**2)

    def call(self, x):
        """Called by Keras with a tensor (batch, h, w, s²·c)."""
        _, h, w, channels = keras.ops.shape(x)
        s = self.block_size
        x = keras.ops.reshape(x, (-1, h, w, s, s, channels // s**2))
        x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return keras.ops.reshape(x, (-1, h * s, w * s, channels // s**2))

    def get_config(self) -> dict:
        """What Keras needs to build the layer again."""
        return {**super().get_config(), "block_size": self.block_size}


@keras.saving.register_keras_serializable("upconv")
class ICNR(keras.initializers.Initializer):
    """The same kernel for every phase, so that depth to space begins as nearest upsampling.

    For the kernel of a Keras ``Conv2D`` with s²·c filters before `DepthToSpace`. What is drawn,
    Glorot's uniform distribution, belongs to a kernel with c filters.

    Args:
        block_size: s.
        seed: of the drawing; None takes Keras's global one.

    Raises:
        ValueError: for a number of filters that is no multiple of s².

    Source:
        Aitken et al. (2017). Taught in "The Keras autoencoder".

    Example:
        >>> kernel = ICNR(2, seed=0)((3, 3, 5, 8))
        >>> bool((kernel[..., :2] == kernel[..., 2:4]).all())
        True
    """

    def __init__(self, block_size: int = 2, seed: int | None = None) -> None:
        self.block_size, self.seed = block_size, seed

    def __call__(self, shape: Sequence[int], dtype: str | None = None):
        """A kernel of this shape, (height, width, channels, s²·c)."""
        *rest, filters = shape
        phases = self.block_size**2
        if filters % phases:
            raise ValueError(
                f"filters: got {filters}; want a multiple of {phases}, the square of block_size"
            )
        draw = keras.initializers.GlorotUniform(self.seed)
        kernel = draw((*rest, filters // phases), dtype=dtype)
        return keras.ops.tile(kernel, (*[1] * len(rest), phases))

    def get_config(self) -> dict:
        """What Keras needs to build the initialiser again."""
        return {"block_size": self.block_size, "seed": self.seed}


# A step takes (h, w, channels) to twice the size and `filters` channels, or, where `odd`, to one
# pixel less than twice the size. It returns its layers; the last one has the activation.
Step = Callable[[int, str, bool], list[layers.Layer]]
_LAST_OFF = ((0, 1), (0, 1))  # what Cropping2D cuts: the last row and the last column


def _resize(interpolation: str) -> Step:
    def step(filters: int, activation: str, odd: bool) -> list[layers.Layer]:
        return [
            layers.UpSampling2D(2, interpolation=interpolation),
            *([layers.Cropping2D(_LAST_OFF)] if odd else []),
            layers.Conv2D(filters, 3, padding="same", activation=activation),
        ]

    return step


def _transpose(kernel: int, *, then_conv: bool = False) -> Step:
    def step(filters: int, activation: str, odd: bool) -> list[layers.Layer]:
        upsample = layers.Conv2DTranspose(
            filters,
            kernel,
            strides=2,
            padding="same",
            # Keras makes 2h with None, and 2(h − 1) + k mod 2 + output_padding with a number.
            output_padding=1 - kernel % 2 if odd else None,
            activation=None if then_conv else activation,
        )
        if not then_conv:
            return [upsample]
        return [upsample, layers.Conv2D(filters, 3, padding="same", activation=activation)]

    return step


def _depth_to_space(initializer: Callable[[], keras.initializers.Initializer]) -> Step:
    def step(filters: int, activation: str, odd: bool) -> list[layers.Layer]:
        return [
            layers.Conv2D(
                4 * filters,
                3,
                padding="same",
                activation=activation,
                kernel_initializer=initializer(),
            ),
            DepthToSpace(2),
            *([layers.Cropping2D(_LAST_OFF)] if odd else []),
        ]

    return step


HEADS: dict[str, Step | None] = {
    "blog": None,  # the only one that goes 4→8→16→14→28
    "nearest": _resize("nearest"),
    "bilinear": _resize("bilinear"),
    "transposed k2": _transpose(2),
    "transposed k3": _transpose(3),
    "transposed k4": _transpose(4),
    "transposed k2, conv": _transpose(2, then_conv=True),
    "transposed k3, conv": _transpose(3, then_conv=True),
    "transposed k4, conv": _transpose(4, then_conv=True),
    "depth to space": _depth_to_space(keras.initializers.GlorotUniform),
    "depth to space, ICNR": _depth_to_space(ICNR),
}
"""The decoders by name, and what each puts into the place of the three pairs of the blog's decoder.

All begin with the blog's convolution at 4×4 and make 8, 16 and 1 channels; all but the blog's own
go 4→7→14→28.
"""


def build(head: str = "blog", seed: int = 0) -> keras.Model:
    """The autoencoder with this head, its weights drawn from this seed.

    Args:
        head: one of `HEADS`; "blog" is the model as printed.
        seed: of all random numbers; Python's, NumPy's, torch's and Keras's are set.

    Returns:
        A model (28, 28, 1) to (28, 28, 1) of two, ``model.get_layer("encoder")`` and
        ``model.get_layer("decoder")``; the decoder takes latents of any size. Not compiled.

    Raises:
        ValueError: for an unknown head, or a seed that is no integer of at least 0.

    Source:
        Chollet (2016). Claims autoencoder-shapes and may-replace. Taught in "The Keras
        autoencoder".

    Example:
        >>> model = build("transposed k3")
        >>> model.count_params(), model.get_layer("encoder").output_shape
        (4385, (None, 4, 4, 8))
    """
    if head not in HEADS:
        raise ValueError(f"head: got {head!r}; want one of {', '.join(map(repr, HEADS))}")
    _set_seed(seed)
    encoder = keras.Sequential([keras.Input((28, 28, 1))], name="encoder")
    for filters in (16, 8, 8):
        encoder.add(layers.Conv2D(filters, 3, activation="relu", padding="same"))
        encoder.add(layers.MaxPooling2D(2, padding="same"))
    decoder = keras.Sequential([keras.Input((None, None, 8))], name="decoder")
    decoder.add(layers.Conv2D(8, 3, activation="relu", padding="same"))
    for layer in _blog() if head == "blog" else _three_steps(HEADS[head]):
        decoder.add(layer)
    image = keras.Input((28, 28, 1))
    return keras.Model(image, decoder(encoder(image)), name="autoencoder")


def _blog() -> list[layers.Layer]:
    return [
        layers.UpSampling2D(2),
        layers.Conv2D(8, 3, activation="relu", padding="same"),
        layers.UpSampling2D(2),
        layers.Conv2D(16, 3, activation="relu"),  # the unpadded layer: 16 to 14
        layers.UpSampling2D(2),
        layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
    ]


def _three_steps(step: Step) -> list[layers.Layer]:
    return [*step(8, "relu", True), *step(16, "relu", False), *step(1, "sigmoid", False)]


def pixels(images: np.ndarray) -> np.ndarray:
    """Images as the autoencoder takes them: a channel axis, and grey values from 0 to 1.

    Args:
        images: uint8, (n, 28, 28), as `upconv.book.data.load` returns them.

    Raises:
        ValueError: for another type or another size.

    Example:
        >>> x = pixels(data.load("test")[0])
        >>> x.shape, x.dtype.name, float(x.max())
        ((1000, 28, 28, 1), 'float32', 1.0)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"images: got {images.dtype} of shape {images.shape}; want uint8 of (n, 28, 28)"
        )
    return images[..., None].astype(np.float32) / 255


class History(NamedTuple):
    """The losses of a training: binary cross-entropy a pixel, in nats.

    ``train[e]`` is the mean over the batches of epoch e + 1, each before its own step, as Keras
    prints it; ``test[e]`` is the loss on the test images after e epochs, test[0] before the first.
    """

    train: list[float]
    test: list[float]


def train(
    model: keras.Model,
    *,
    seed: int = 0,
    epochs: int = 10,
    optimizer: str = "adam",
    learning_rate: float | None = None,
    images: np.ndarray | None = None,
    test: np.ndarray | None = None,
    progress: bool = False,
    watch: Callable[[int], None] | None = None,
) -> History:
    """Trains an autoencoder on binary cross-entropy, in batches of 128.

    On one machine the same seed gives the same losses, bit for bit, with one thread.

    Args:
        model: as `build` returns it; it is compiled and trained in place.
        seed: of the order of the images; Python's, NumPy's, torch's and Keras's are set.
        epochs: at least 1.
        optimizer: Keras's name for it.
        learning_rate: None for Keras's default.
        images, test: float32, (n, 28, 28, 1) from 0 to 1; None for the shipped 6,000 and 1,000.
        progress: whether to print a line after each epoch.
        watch: called with the number of batches trained, before the first and after each.

    Raises:
        ValueError: for a number out of range, an unknown optimizer, or images of another shape.

    Source:
        Claim autoencoder-as-printed. Taught in "The Keras autoencoder".

    Example:
        >>> few = pixels(data.load("test")[0][:32])
        >>> history = train(build(), epochs=2, images=few, test=few)
        >>> len(history.train), len(history.test), history.test[2] < history.test[0]
        (2, 3, True)
    """
    _set_seed(seed)
    if not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"epochs: got {epochs!r}; want an integer of at least 1")
    if learning_rate is not None and not learning_rate > 0:
        raise ValueError(f"learning_rate: got {learning_rate!r}; want a number above 0, or None")
    images = _checked("images", images, "train")
    test = _checked("test", test, "test")
    steps = keras.optimizers.get(optimizer)
    if learning_rate is not None:
        steps.learning_rate = learning_rate
    model.compile(optimizer=steps, loss="binary_crossentropy")

    def loss_on_test() -> float:
        return float(model.evaluate(test, test, batch_size=BATCH, verbose=0))

    batches = itertools.count()
    callbacks = []
    if watch:
        watch(next(batches))
        after = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: watch(next(batches))
        )
        callbacks.append(after)
    history = History([], [loss_on_test()])
    for epoch in range(1, epochs + 1):
        fitted = model.fit(images, images, batch_size=BATCH, verbose=0, callbacks=callbacks)
        history.train.append(float(fitted.history["loss"][0]))
        history.test.append(loss_on_test())
        if progress:
            print(f"epoch {epoch}: test loss {history.test[-1]:.3f}")
    return history


def answer(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """What a model makes of x, without gradients.

    Args:
        model: the autoencoder, or one of its halves.
        x: float32, (n, height, width, channels).

    Returns:
        The model's output as an array.

    Example:
        >>> answer(build().get_layer("encoder"), pixels(data.load("test")[0][:1])).shape
        (1, 4, 4, 8)
    """
    with torch.no_grad():
        return model(torch.from_numpy(x), training=False).cpu().numpy()


def reference_losses(images: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """The three losses without which a binary cross-entropy on grey images cannot be read.

    Args:
        images: those from which the two means are taken, (n, …) from 0 to 1.
        test: those on which the losses are, (m, …) of the same size.

    Returns:
        The loss of answering every image with "constant image", the one grey that is best for
        `images`, with "mean image", the mean of `images`, and with "perfect copy", the image
        itself, which is not 0: it is the entropy of its grey values.

    Raises:
        ValueError: for arrays of different sizes, or values outside 0 to 1.

    Source:
        Taught in "The Keras autoencoder".

    Example:
        >>> grey = np.array([[0.0, 0.5], [0.0, 1.0]])
        >>> {name: round(loss, 3) for name, loss in reference_losses(grey, grey).items()}
        {'constant image': 0.662, 'mean image': 0.281, 'perfect copy': 0.173}
    """
    if images.shape[1:] != test.shape[1:]:
        raise ValueError(
            f"test: got images of {test.shape[1:]}; want {images.shape[1:]}, as in images"
        )
    for name, array in (("images", images), ("test", test)):
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(f"{name}: got values outside 0 to 1; want grey values from 0 to 1")
    images, test = images.astype(np.float64), test.astype(np.float64)
    answers = {"constant image": images.mean(), "mean image": images.mean(0), "perfect copy": test}
    return {name: _cross_entropy(test, answer) for name, answer in answers.items()}


def _cross_entropy(target: np.ndarray, answer: np.ndarray | float) -> float:
    answer = np.clip(answer, 1e-7, 1 - 1e-7)  # as Keras does, so that no logarithm is infinite
    loss = -target * np.log(answer) - (1 - target) * np.log(1 - answer)
    return float(loss.mean())


def unet(
    shape: tuple[int, int, int] = (28, 28, 1), filters: Sequence[int] = (8, 16, 32), seed: int = 0
) -> keras.Model:
    """A U-Net: each step of the decoder upsamples, puts the skip beside it, and convolves twice.

    The decoder is that of the Keras 1 code of 2016, in today's words; the printed one had the
    filters (32, 64, 128, 256, 512) and its channels first.

    Args:
        shape: of the image, (height, width, channels).
        filters: of each level; with L of them the image is halved L − 1 times.
        seed: of the weights.

    Returns:
        A model (height, width, channels) to (height, width, 1), a sigmoid last.

    Raises:
        ValueError: for a size that cannot be halved that often without a remainder: the skip
            would be one pixel larger than what is put beside it.

    Source:
        Ronneberger et al. (2015). Claim unet-decoder. Taught in "The Keras autoencoder".

    Example:
        >>> model = unet()
        >>> [layer.output.shape[1:] for layer in model.layers if "concat" in layer.name]
        [(14, 14, 48), (28, 28, 24)]
    """
    halvings = len(filters) - 1
    if halvings < 1:
        raise ValueError(f"filters: got {tuple(filters)}; want those of at least two levels")
    if any(n % 2**halvings for n in shape[:2]):
        raise ValueError(
            f"shape: got {shape}; want a height and a width that {2**halvings} divides, since the "
            f"image is halved {halvings} times"
        )
    _set_seed(seed)
    image = x = keras.Input(shape)
    skips = []
    for count in filters[:-1]:
        x = _two_convolutions(x, count)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = _two_convolutions(x, filters[-1])
    for count, skip in zip(filters[-2::-1], reversed(skips), strict=True):
        x = layers.Concatenate(axis=-1)([layers.UpSampling2D(size=(2, 2))(x), skip])
        x = _two_convolutions(x, count)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x), name="unet")


def _two_convolutions(x, filters: int):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
    return x


def _set_seed(seed: int) -> None:
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed: got {seed!r}; want an integer of at least 0")
    keras.utils.set_random_seed(seed)


def _checked(name: str, images: np.ndarray | None, split: str) -> np.ndarray:
    if images is None:
        return pixels(data.load(split)[0])
    if images.shape[1:] != (28, 28, 1) or len(images) == 0:
        raise ValueError(f"{name}: got shape {images.shape}; want (n, 28, 28, 1)")
    return images


# ---------------------------------------------------------------------------------------- records

EPOCHS = 10
SEEDS = (0, 1, 2)
SHOWN = (0, 1, 8, 18)  # places of an ankle boot, a pullover, a sandal and a bag in the test images
PIECE = 24  # pixels shown of the answer to a constant latent, along each axis


def packed(grey: np.ndarray) -> str:
    """Grey values from 0 to 1 as text for a record: 256 levels, compressed.

    Args:
        grey: any shape; what lies outside 0 to 1 is clipped.

    Example:
        >>> unpacked(packed(np.array([[0.0, 0.2, 1.0]])), (1, 3)).tolist()
        [[0, 51, 255]]
    """
    levels = np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)
    return base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode("ascii")


def unpacked(text: str, shape: tuple[int, ...]) -> np.ndarray:
    """The grey levels, uint8, that `packed` has made text of.

    Args:
        text: from a record.
        shape: that of the array.
    """
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(shape)


def constant(model: keras.Model, test: np.ndarray) -> checkerboard.Response:
    """The answer of a model's decoder to a latent that is the same everywhere.

    Each channel of the latent is its mean over the test images; the field is 16×16, so large that
    the padding does not reach the middle half of the output.

    Args:
        model: as `build` returns it.
        test: float32, (n, 28, 28, 1) from 0 to 1.

    Source:
        Claim resize-conv-minimises. Taught in "The Keras autoencoder".

    Example:
        >>> x = pixels(data.load("test")[0][:2])
        >>> [constant(build(head), x).amplitude > 1e-6 for head in ("nearest", "transposed k3")]
        [False, True]
    """
    latent = answer(model.get_layer("encoder"), test).mean((0, 1, 2))
    with torch.no_grad():
        return checkerboard.constant_response(
            model.get_layer("decoder"),
            torch.from_numpy(latent)[None],
            16,
            stride=8,
            layout="channels_last",
        )


def measured(model: keras.Model, test: np.ndarray) -> dict[str, float]:
    """The grid in a model's pictures: on the test images, and off the data.

    Args:
        model: as `build` returns it.
        test: float32, (n, 28, 28, 1) from 0 to 1.

    Returns:
        "grid": the amplitude of the finest grid, of period 2, in the reconstructions, relative to
        each picture's own spread, as the root mean square over the pictures. "constant": the root
        mean square of what varies in the answer to a `constant` latent, in grey levels, 0 to 255.
    """
    return {
        "grid": _grid(answer(model, test)),
        "constant": 255 * constant(model, test).amplitude,
    }


def _grid(pictures: np.ndarray) -> float:
    return float(np.sqrt(checkerboard.grid_energy(pictures[..., 0], 2).mean()))


def heads() -> tuple[dict, dict]:
    """Measures the record ``heads``: every head, three seeds, ten epochs.

    Returns:
        Settings and results; for each head its parameters, and for each seed its losses, what
        `measured` says before and after the training, and, packed, the reconstructions of the
        images `SHOWN` and a piece of the answer to a constant latent.
    """
    torch.set_num_threads(1)
    images, test = (pixels(data.load(split)[0]) for split in ("train", "test"))
    results = {
        "real": {"grid": _grid(test)},
        "references": reference_losses(images, test),
        "heads": {head: {"seeds": []} for head in HEADS},
    }
    for seed in SEEDS:
        for head, result in results["heads"].items():
            model = build(head, seed)
            result["parameters"] = model.count_params()
            before = measured(model, test)
            history = train(model, seed=seed, epochs=EPOCHS, images=images, test=test)
            piece = constant(model, test).interior[0, 0, :PIECE, :PIECE]
            result["seeds"].append(
                {
                    "train": [round(loss, 5) for loss in history.train],
                    "test": [round(loss, 5) for loss in history.test],
                    "before": before,
                    "after": measured(model, test),
                    "pictures": packed(answer(model, test[list(SHOWN)])),
                    "piece": packed(piece.numpy()),
                }
            )
            print(f"seed {seed}, {head}: test loss {history.test[-1]:.4f}", flush=True)
    settings = {
        "seeds": list(SEEDS),
        "epochs": EPOCHS,
        "optimizer": "adam",
        "batch": BATCH,
        "images": len(images),
        "test images": len(test),
    }
    return settings, results


RATES = {
    "adadelta at 0.001": ("adadelta", 0.001),  # Keras 3's default
    "adadelta at 1.0": ("adadelta", 1.0),  # the default of Keras 1 and 2
}


def learning_rate() -> tuple[dict, dict]:
    """Measures the record ``learning_rate``: the printed model, two rates of adadelta, three seeds.

    Returns:
        Settings and results; for each rate and seed its losses. Those with adam are the head
        "blog" of the record `heads`.
    """
    torch.set_num_threads(1)
    images, test = (pixels(data.load(split)[0]) for split in ("train", "test"))
    results = {"references": reference_losses(images, test), "rates": {}}
    for name, (optimizer, rate) in RATES.items():
        results["rates"][name] = []
        for seed in SEEDS:
            history = train(
                build("blog", seed),
                seed=seed,
                epochs=EPOCHS,
                optimizer=optimizer,
                learning_rate=rate,
                images=images,
                test=test,
            )
            results["rates"][name].append(
                {kind: [round(x, 5) for x in losses] for kind, losses in history._asdict().items()}
            )
            print(f"{name}, seed {seed}: test loss {history.test[-1]:.4f}", flush=True)
    settings = {"seeds": list(SEEDS), "epochs": EPOCHS, "batch": BATCH, "images": len(images)}
    return settings, results


# ---------------------------------------------------------------------------------------- weights

BATCHES = (0, 24, 47, 70, 94, 188, 329, 470)  # 47 are an epoch: 0, ½, 1, 1½, 2, 4, 7 and 10


def restored(head: str, batches: int = BATCHES[-1]) -> keras.Model:
    """A head's autoencoder with the weights that are stored, as seed 0 has trained it.

    Args:
        head: one of `HEADS`.
        batches: how far it is trained, one of `BATCHES`.

    Raises:
        ValueError: for an unknown head, or another number of batches.
        FileNotFoundError: as `upconv.book.trained.load`.

    Example:
        >>> test = pixels(data.load("test")[0])
        >>> round(_cross_entropy(test, answer(restored("transposed k3"), test)), 3)
        0.318
    """
    model = build(head)
    tensors = trained.load(head).tensors(batches)
    for variable, tensor in zip(model.weights, tensors, strict=True):
        variable.assign(np.moveaxis(tensor, (0, 1), (-1, -2)) if tensor.ndim > 1 else tensor)
    return model


def _numbers(model: keras.Model) -> np.ndarray:
    """The weights one after the other, each kernel with its channels first."""
    arrays = (variable.value.detach().numpy() for variable in model.weights)
    return np.concatenate(
        [np.moveaxis(a, (-1, -2), (0, 1)).ravel() if a.ndim > 1 else a for a in arrays]
    )


def _described(model: keras.Model) -> dict[str, list[dict]]:
    """What each layer of encoder and decoder does, in the words of the package."""
    return {
        part: [_layer(layer) for layer in model.get_layer(part).layers]
        for part in ("encoder", "decoder")
    }


def _layer(layer: layers.Layer) -> dict:
    if isinstance(layer, layers.UpSampling2D):
        return {"op": "interpolate", "mode": layer.interpolation.removeprefix("bi")}
    if isinstance(layer, layers.Cropping2D):
        return {"op": "crop"}
    if isinstance(layer, DepthToSpace):
        return {"op": "depth_to_space"}
    if isinstance(layer, layers.MaxPooling2D):  # an odd size is padded below and on the right
        odd = layer.input.shape[1] % 2
        return {"op": "max_pool", **_geometry(Geometry((2, 2), 2, ((0, odd), (0, odd))))}
    if isinstance(layer, layers.Conv2DTranspose):
        settings = layer.kernel_size, layer.strides, layer.padding, layer.output_padding
        op, geometry = "conv_transpose", keras_layers.geometry_of(*settings)
    else:
        op, geometry = "conv", Geometry(layer.kernel_size, padding=int(layer.padding == "same"))
    *kernel, last, first = layer.kernel.shape
    return {
        "op": op,
        "shape": [first, last, *kernel],
        **_geometry(geometry),
        "activation": layer.activation.__name__,
    }


def _geometry(geometry: Geometry) -> dict:
    return {"geometry": {s: getattr(geometry, s) for s in ("kernel", "stride", "padding")}}


def weights() -> tuple[dict, dict]:
    """Measures the record ``weights``, and stores the weights: every head of seed 0, trained again.

    The training is that of the record `heads`. What `upconv.book.trained.load` reads is written.

    Returns:
        Settings and results; for each head its layers and, at each of `BATCHES`, the test loss and
        what `measured` says.
    """
    torch.set_num_threads(1)
    images, test = (pixels(data.load(split)[0]) for split in ("train", "test"))
    results = {}
    for head in HEADS:
        model = build(head, 0)
        kept = []

        def keep(batches: int, model: keras.Model = model, kept: list = kept) -> None:
            if batches in BATCHES:
                latent = answer(model.get_layer("encoder"), test).mean((0, 1, 2))
                loss = _cross_entropy(test, answer(model, test))
                kept.append((_numbers(model), latent, {"loss": loss} | measured(model, test)))

        history = train(model, seed=0, epochs=EPOCHS, images=images, test=test, watch=keep)
        numbers, latent, told = zip(*kept, strict=True)
        trained.save(head, np.stack(numbers), np.stack(latent))
        results[head] = {"layers": _described(model), "moments": told}
        print(f"{head}: test loss {history.test[-1]:.4f}", flush=True)
    return {"seed": 0, "batches": BATCHES, "epochs": EPOCHS, "batch": BATCH}, results
