"""The glossary: every entry is whole, and what it says of the frameworks is asked of the real ones.

A line of names reads "PyTorch `x`, `y`; Keras and ONNX `z`": a name in code belongs to the
frameworks before it, and what stands in brackets is said about it, not named.
"""

import re
from functools import cache
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from torch.nn import functional as F

WORDS = Path(__file__).resolve().parents[2] / "book" / "back-matter" / "words.md"

# Keras reads a torch tensor by NumPy's old protocol, which warns since NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# Where a framework keeps what the glossary calls by short names; the first begins its long ones.
HOMES = {
    "PyTorch": ["torch", "torch.nn", "torch.nn.functional"],
    "Keras": [f"keras{room}" for room in ("", ".layers", ".losses", ".initializers")]
    + ["keras.optimizers", "keras.ops"],
    "TensorFlow": ["tf", "tf.nn", "tf.image"],
    "JAX": ["jax", "jax.lax", "jax.image"],
    "ONNX": ["onnx"],
    "SciPy": ["scipy"],
}


# The entries


class Entry:
    """One entry of the glossary: its terms, its explanation, its languages, its line of names."""

    def __init__(self, block: str):
        lines = block.split("\n")
        self.terms = [line for line in lines if line and line[0] != " "]
        paragraphs = [line.strip() for line in lines if line.startswith("  ")]
        self.explanation, self.languages, self.names, *self.more = [*paragraphs, "", "", ""][:4]


def entries_of(text: str) -> list[Entry]:
    """The entries of a page's glossary, in its order."""
    inside = text.split("```{glossary}\n:sorted:\n\n")[1].split("\n```")[0]
    return [Entry(block) for block in re.split(r"\n\n(?=\S)", inside)]


def faults(entry: Entry) -> list[str]:
    """What an entry lacks."""
    chinese = r"中文 \[[^]]*([\u4e00-\u9fff]|im)[^]]*\]\{\.language-zh\}"
    russian = r"русский \[[^]]*([а-яё]|im|U-Net)[^]]*\]\{\.language-ru\}"
    wanted = {
        "a sentence": entry.explanation.endswith(".") and entry.explanation[0].isupper(),
        "Chinese and Russian": re.fullmatch(f"{chinese} · {russian}", entry.languages),
        "one line of names": not any(entry.more),
    }
    return [f"{entry.terms[0]}: want {what}" for what, there in wanted.items() if not there]


ENTRIES = entries_of(WORDS.read_text("utf8"))
TERMS = [term for entry in ENTRIES for term in entry.terms]


def test_every_entry_is_explained_and_named_in_chinese_and_russian():
    assert [fault for entry in ENTRIES for fault in faults(entry)] == []


def test_no_term_has_two_entries():
    assert len(set(TERMS)) == len(TERMS)


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        (("  A word.", "  a word"), "a sentence"),
        (("词", "word"), "Chinese and Russian"),
        (("слово", "word"), "Chinese and Russian"),
        (("PyTorch `Fold`", "PyTorch `Fold`\n\n  More."), "one line of names"),
    ],
)
def test_a_faulty_entry_is_found(planted, fault):
    good = "word\n  A word.\n\n  中文 [词]{.language-zh} · русский [слово]{.language-ru}\n\n"
    good += "  PyTorch `Fold`"
    assert faults(Entry(good)) == []
    assert faults(Entry(good.replace(*planted))) == [f"word: want {fault}"]


# The names


def named(line: str) -> list[tuple[str, str]]:
    """(framework, code) for each name of a line, without what stands in brackets."""
    found, frameworks, depth, complete = [], [], 0, True
    for token in re.findall(rf"`[^`]+`|[()]|Keras 1\b|\b(?:{'|'.join(HOMES)})\b", line):
        if token in "()":
            depth += 1 if token == "(" else -1
        elif depth:
            continue
        elif token[0] == "`":
            found += [(framework, token[1:-1]) for framework in frameworks]
            complete = True
        else:
            frameworks = [token] if complete else [*frameworks, token]
            complete = False
    return [(framework, code) for framework, code in found if framework != "Keras 1"]


def parameters(thing) -> set[str]:
    """The parameters of a function or class, the attributes and ports of an ONNX operator."""
    if type(thing).__name__ == "OpSchema":
        return {*thing.attributes, *(port.name for port in (*thing.inputs, *thing.outputs))}
    try:
        return set(signature(thing).parameters)
    except (TypeError, ValueError):  # not callable, or built in and silent about it
        return set()


def full(name: str):
    """What a name with dots names; tf is TensorFlow, as everywhere."""
    return resolve_name(re.sub(r"^tf\b", "tensorflow", name))


def things(framework: str, name: str) -> list:
    """What a framework calls so: an operator, or what one of its homes holds."""
    if framework == "ONNX":
        defs = full("onnx.defs")
        return [defs.get_schema(name)] if defs.has(name) else []
    if "." in name:
        return [full(name)] if name.split(".")[0] == HOMES[framework][0] else []
    homes = map(full, HOMES[framework])
    return [getattr(home, name) for home in homes if hasattr(home, name)]


@cache
def all_parameters(framework: str) -> set[str]:
    """The parameters of everything public in a framework's homes but the first, its root."""
    if framework == "ONNX":
        return set().union(*map(parameters, full("onnx.defs").get_all_schemas()))
    homes = map(full, HOMES[framework][1:])
    public = [getattr(home, name) for home in homes for name in dir(home) if name[0] != "_"]
    return set().union(*map(parameters, public))


def lacks(framework: str, code: str) -> str:
    """What a framework lacks of `name` or `name(parameter=…)`; nothing if all is there."""
    name, called = re.match(r"([\w.]+)(\(.*\))?", code).groups()
    wanted = set(re.findall(r"(\w+)=", called or ""))
    try:
        found = things(framework, name)
    except (AttributeError, ImportError):
        found = []
    if not found and (called or name not in all_parameters(framework)):
        return name
    return ", ".join(wanted.difference(*map(parameters, found)))


NAMES = sorted({pair for entry in ENTRIES for pair in named(entry.names)})


@pytest.mark.parametrize(("framework", "code"), NAMES)
def test_the_framework_has_what_the_glossary_names(framework, code):
    assert lacks(framework, code) == ""


def test_names_belong_to_the_frameworks_before_them():
    line = "PyTorch `a` (`b`), `c`; Keras and ONNX `d(e=1)`; Keras 1 `f`; JAX has none"
    expected = [("PyTorch", "a"), ("PyTorch", "c"), ("Keras", "d(e=1)"), ("ONNX", "d(e=1)")]
    assert named(line) == expected


@pytest.mark.parametrize(
    ("framework", "code", "lack"),
    [
        ("PyTorch", "ConvTransposed2d", "ConvTransposed2d"),
        ("PyTorch", "MaxPool2d(return_index=True)", "return_index"),
        ("PyTorch", "keras.ops.fft2", "keras.ops.fft2"),
        ("Keras", "MaxUnpooling2D", "MaxUnpooling2D"),
        ("TensorFlow", "tf.nn.depth_to_spaces", "tf.nn.depth_to_spaces"),
        ("JAX", "jax.image.resize(mode=…)", "mode"),
        ("ONNX", "Unpool", "Unpool"),
        ("ONNX", "Resize(method=…)", "method"),
    ],
)
def test_a_wrong_name_is_found(framework, code, lack):
    assert lacks(framework, code) == lack


def texts(code: str) -> dict[str, str]:
    """The parameters of a name that have a text as their value."""
    return dict(re.findall(r'(\w+)="([^"]*)"', code))


WITH_TEXTS = [(framework, code) for framework, code in NAMES if texts(code)]


def call(framework: str, code: str) -> None:
    """Calls what a name names on a small image, with the texts that it gives; refused if wrong."""
    name, given = code.split("(")[0], texts(code)
    axes = 3 if "trilinear" in given.values() else 2
    x, size = np.zeros([4] * axes, "float32"), (8,) * axes
    before = {  # what the function wants besides
        "interpolate": (torch.tensor(x[None, None]), size),
        "keras.ops.image.resize": (x[..., None], size),
        "tf.image.resize": (x[..., None], size),
        "jax.image.resize": (x, size),
        "torch.nn.init.kaiming_uniform_": (torch.zeros(2, 2),),
        "VarianceScaling": (1.0,),
    }
    if framework == "ONNX":
        by_onnx(x, 8, **{"mode": "linear"} | given)
    elif name.startswith("jax.nn"):
        resolve_name(name)(1.0, distribution="normal", **given)(full("jax.random.key")(0), (2, 2))
    elif name == "UpSampling2D":  # which looks at its interpolation only when it is called
        things(framework, name)[0](2, **given)(x[None, ..., None])
    else:
        things(framework, name)[0](*before[name], **given)


@pytest.mark.parametrize(("framework", "code"), WITH_TEXTS)
def test_the_framework_takes_the_texts_that_the_glossary_gives(framework, code):
    call(framework, code)


@pytest.mark.parametrize(
    ("framework", "code"),
    [
        ("PyTorch", 'interpolate(mode="cubic")'),
        ("PyTorch", 'torch.nn.init.kaiming_uniform_(mode="in")'),
        ("Keras", 'UpSampling2D(interpolation="area")'),
        ("Keras", 'VarianceScaling(mode="in")'),
        ("TensorFlow", 'tf.image.resize(method="cubic")'),
        ("JAX", 'jax.image.resize(method="nearest-exact")'),
        ("JAX", 'jax.nn.initializers.variance_scaling(mode="in")'),
        ("ONNX", 'Resize(mode="bilinearly")'),
    ],
)
def test_a_wrong_text_is_refused(framework, code):
    with pytest.raises(Exception, match=r"(?i)invalid|unsupported|mode|method|interpolation"):
        call(framework, code)


# The conventions that the entries state


@cache
def image(size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(size, size)).astype("float32")


def by_torch(x, size, mode, **settings):
    return F.interpolate(torch.tensor(x[None, None]), (size, size), mode=mode, **settings)[0, 0]


def by_keras(x, size, mode):
    keras = full("keras")
    if size % len(x):
        y = keras.ops.image.resize(x[..., None], (size, size), interpolation=mode)
    else:
        y = keras.layers.UpSampling2D(size // len(x), interpolation=mode)(x[None, ..., None])[0]
    return keras.ops.convert_to_numpy(y)[..., 0]


def by_tensorflow(x, size, mode):
    return full("tf.image.resize")(x[..., None], (size, size), method=mode).numpy()[..., 0]


def by_jax(x, size, mode, **settings):
    return np.asarray(full("jax.image.resize")(x, (size, size), method=mode, **settings))


def by_onnx(x, size, mode, **attributes):
    helper, session = full("onnx.helper"), full("onnxruntime.InferenceSession")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    node = helper.make_node("Resize", ["x", "", "", "size"], ["y"], mode=mode, **attributes)
    number, integer = 1, 7  # onnx.TensorProto.FLOAT, INT64
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", number, x.shape)],
        [helper.make_tensor_value_info("y", number, [size] * x.ndim)],
        [helper.make_tensor("size", integer, [x.ndim], [size] * x.ndim)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    return session(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"x": x}
    )[0]


ALL = [by_torch, by_keras, by_tensorflow, by_jax, by_onnx]
rounding = {"rtol": 0, "atol": 1e-5}  # float32 sums of at most 16 products of order 1


@pytest.mark.parametrize("by", ALL)
def test_nearest_upsampling_by_a_whole_factor_is_one_thing(by):
    np.testing.assert_array_equal(by(image(5), 15, "nearest"), image(5).repeat(3, 0).repeat(3, 1))


NEAREST_EXACT = [
    lambda x, size: by_torch(x, size, "nearest-exact"),
    lambda x, size: by_keras(x, size, "nearest"),
    lambda x, size: by_tensorflow(x, size, "nearest"),
    lambda x, size: by_jax(x, size, "nearest"),
    lambda x, size: by_onnx(x, size, "nearest", nearest_mode="round_prefer_ceil"),
]


@pytest.mark.parametrize("by", NEAREST_EXACT)
@pytest.mark.parametrize("size", [7, 8, 12])
def test_nearest_exact_takes_the_centre(by, size):
    at = (np.arange(size) + 0.5) * 5 // size
    at = at.astype(int)
    np.testing.assert_array_equal(by(image(5), size), image(5)[np.ix_(at, at)])


@pytest.mark.parametrize("size", [7, 8, 12])
def test_nearest_of_torch_takes_the_corner(size):
    at = np.arange(size) * 5 // size
    corner = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for y in (by_torch(image(5), size, "nearest"), by_onnx(image(5), size, "nearest", **corner)):
        np.testing.assert_array_equal(y, image(5)[np.ix_(at, at)])


@pytest.mark.parametrize("by", ALL)
@pytest.mark.parametrize("size", [7, 10, 15])
def test_bilinear_enlargements_agree(by, size):
    y = by_torch(image(5), size, "bilinear", align_corners=False)
    np.testing.assert_allclose(by(image(5), size, "bilinear"), y, **rounding)


def test_jax_alone_smooths_when_it_shrinks():
    x, y = image(7), by_torch(image(7), 5, "bilinear")
    for by in (by_keras, by_tensorflow, by_onnx):
        np.testing.assert_allclose(by(x, 5, "bilinear"), y, **rounding)
    np.testing.assert_allclose(by_jax(x, 5, "bilinear", antialias=False), y, **rounding)
    assert np.abs(by_jax(x, 5, "bilinear") - y.numpy()).max() > 0.1


@pytest.mark.parametrize(
    ("by", "a"), [(by_torch, -0.75), (by_onnx, -0.75), (by_tensorflow, -0.5), (by_jax, -0.5)]
)
def test_the_parameter_of_the_cubic(by, a):
    def weight(d):
        d = abs(d)
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * (d**3 - 5 * d**2 + 8 * d - 4)

    # New pixels 6 and 7 of an image twice as large lie a quarter before and behind old pixel 3.
    before = np.array([weight(2.75 - n) for n in range(1, 5)])
    behind = np.array([weight(3.25 - n) for n in range(2, 6)])
    y = np.asarray(by(image(7), 14, "bicubic"))
    np.testing.assert_allclose(y[6, 7], before @ image(7)[1:5, 2:6] @ behind, **rounding)


def test_the_cubic_of_keras_is_its_backends():
    y = by_torch(image(5), 10, "bicubic")  # the tests run Keras on torch
    np.testing.assert_allclose(by_keras(image(5), 10, "bicubic"), y, **rounding)


def test_trilinear_enlargements_agree():
    x = np.random.default_rng(0).normal(size=(3, 3, 3)).astype("float32")
    y = F.interpolate(torch.tensor(x[None, None]), (5, 5, 5), mode="trilinear")[0, 0]
    there = full("jax.image.resize")(x, (5, 5, 5), method="trilinear")
    np.testing.assert_allclose(there, y, **rounding)
    np.testing.assert_allclose(by_onnx(x, 5, "linear"), y, **rounding)


def test_area_interpolation_at_whole_factors_and_between():
    larger, smaller = (
        image(5).repeat(3, 0).repeat(3, 1),
        F.avg_pool2d(torch.tensor(image(6)[None]), 2),
    )
    for by in (by_torch, by_tensorflow, by_jax):
        np.testing.assert_allclose(by(image(5), 15, "area"), larger, **rounding)
        np.testing.assert_allclose(by(image(6), 3, "area"), smaller[0], **rounding)
    # From 3 pixels to 2, the first new one covers one and a half.
    x = np.array([[0.0, 1, 0]] * 3, dtype="float32")
    assert float(by_torch(x, 2, "area")[0, 0]) == pytest.approx(1 / 2)
    for by in (by_tensorflow, by_jax):
        assert float(by(x, 2, "area")[0, 0]) == pytest.approx(1 / 3)


def test_align_corners_keeps_the_centres_of_the_corners():
    x, y = image(5), by_torch(image(5), 9, "bilinear", align_corners=True)
    at = np.arange(9) * (5 - 1) / (9 - 1)
    tents = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(5)))
    np.testing.assert_allclose(y, tents @ x @ tents.T, **rounding)
    there = by_onnx(x, 9, "bilinear", coordinate_transformation_mode="align_corners")
    np.testing.assert_allclose(there, y, **rounding)
    old = full("tf.compat.v1.image.resize")(x[None, ..., None], (9, 9), align_corners=True)
    np.testing.assert_allclose(old.numpy()[0, ..., 0], y, **rounding)


def test_pixel_shuffle_takes_neighbours_and_depth_to_space_every_cth():
    channels = np.arange(12, dtype="float32").reshape(1, 1, 1, 12)
    neighbours = channels.reshape(3, 2, 2)
    every_third = channels.reshape(4, 3).T.reshape(3, 2, 2)
    shuffled = torch.pixel_shuffle(torch.tensor(channels).movedim(-1, 1), 2)[0]
    np.testing.assert_array_equal(shuffled, neighbours)
    keras = full("keras.ops")
    for y in (
        keras.convert_to_numpy(keras.depth_to_space(channels, 2)),
        full("tf.nn.depth_to_space")(channels, 2).numpy(),
    ):
        np.testing.assert_array_equal(np.moveaxis(y[0], -1, 0), every_third)


def test_adadelta_learns_a_thousand_times_slower_in_keras():
    weight = torch.nn.Parameter(torch.zeros(1))
    assert torch.optim.Adadelta([weight]).param_groups[0]["lr"] == 1.0
    rate = full("keras.optimizers.Adadelta")().learning_rate
    assert float(rate) == pytest.approx(0.001)


def test_sum_pooling_by_the_names_given():
    x = torch.tensor(image(6)[None])
    blocks = x.reshape(1, 3, 2, 3, 2).sum((2, 4))
    for layer in (torch.nn.LPPool2d(1, 2), torch.nn.AvgPool2d(2, divisor_override=1)):
        np.testing.assert_allclose(layer(x), blocks, **rounding)


def test_the_fan_in_of_a_transposed_layer_counts_its_output_channels():
    layer = torch.nn.ConvTranspose2d(2, 8, 3)
    fan_in, _ = torch.nn.init._calculate_fan_in_and_fan_out(layer.weight)
    assert fan_in == 8 * 3**2
    # The bound that a uniform rule with this fan-in has, seen from 144 weights.
    assert 0.9 < layer.weight.abs().max().item() * np.sqrt(8 * 3**2) <= 1
    layer = full("keras.layers.Conv2DTranspose")(8, 3)
    layer.build((None, 4, 4, 2))
    limit = np.sqrt(6 / (8 * 3**2 + 2 * 3**2))  # Glorot's: both fans, whichever is which
    kernel = full("keras.ops.convert_to_numpy")(layer.kernel)
    assert 0.9 < np.abs(kernel).max() / limit <= 1
