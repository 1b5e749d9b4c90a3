"""Draw and reconstruct: in the page every head answers as in Keras, at every moment."""

from __future__ import annotations

import functools
import random
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from upconv import grid_energy
from upconv.book import autoencoder, data, explorables, records, trained
from upconv.book.autoencoder import BATCHES, HEADS
from upconv.book.explorables import draw

torch.set_num_threads(1)
LIMIT = 300_000  # bytes: the final weights of all heads together, and all steps of one head
LAST = len(BATCHES) - 1
SENTENCE = re.compile(
    r"(.+)\. Your picture comes back with a loss of ([\d.]+); a perfect copy has ([\d.]+)\. The "
    r"grid in it is ([\d.]+) of its contrast\. From a constant latent the head makes (?:one plain "
    r"grey|a pattern of ([\d.]+) grey levels)\."
)
FLAT = ("blog", "nearest", "bilinear")
MOMENTS = records.load("weights").results


@functools.cache
def keras_model(head: str, moment: int):
    return autoencoder.restored(head, BATCHES[moment])


@functools.cache
def keras_constant(head: str, moment: int):
    test = autoencoder.pixels(data.load("test")[0])
    return autoencoder.constant(keras_model(head, moment), test)


def settle(page) -> None:
    """Waits until all that is asked for is computed."""
    page.wait_for_function('!document.querySelector(".upconv-live").innerText.includes("…")')


def pictures(page) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, list]]:
    """The picture on the pad, the answers, and the constant answers as far as they are known."""
    told = page.evaluate(
        """() => { const { model } = upconv.mounted[0];
        return { pixels: [...model.get("pixels")], heads: model.get("heads").map((head) => [
          head.name, [...head.shown.answer.values], head.constants[model.get("moment")] ?? null,
        ]) } }"""
    )
    x = np.array(told["pixels"]).reshape(28, 28)
    answers = {name: np.reshape(values, (28, 28)) for name, values, _ in told["heads"]}
    return x, answers, {name: constant for name, _, constant in told["heads"]}


def shown(page, place: str) -> np.ndarray:
    """The grey levels of a canvas."""
    return np.array(
        page.evaluate(
            """place => { const canvas = document.querySelector(place);
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return Array.from({ length: height }, (_, y) =>
              Array.from({ length: width }, (_, x) => data[4 * (y * width + x)])) }""",
            place,
        )
    )


def numbers(page) -> dict[str, str]:
    """What stands below each head."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".upconv-head label")].map(
        (label) => [label.querySelector("input").value, label.querySelector("b").textContent]))"""
    )


def pick(page, value: str) -> None:
    page.locator(f'.upconv-live input[type=radio][value="{value}"]').check(force=True)


def scrub(page, moment: int) -> None:
    page.locator(".upconv-live input[type=range]").fill(str(moment))


def stroke(page, *places: tuple[float, float]) -> None:
    """Draws by pointer through places from 0 to 1, across and down."""
    pad = page.locator(".upconv-pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def keras_answer(head: str, moment: int, x: np.ndarray) -> np.ndarray:
    batch = x[None, :, :, None].astype(np.float32)
    return autoencoder.answer(keras_model(head, moment), batch)[0, :, :, 0]


# The numbers


@pytest.mark.parametrize("moment", [LAST, 3, 0])
def test_every_head_answers_as_keras_does(moment, live):
    page = live("draw", moment=moment).page
    for garment in ("Ankle boot", "Trouser", "Dress", None):
        if garment is None:
            stroke(page, (0.2, 0.1), (0.8, 0.9), (0.8, 0.2))
        else:
            pick(page, garment)
        settle(page)
        x, answers, _ = pictures(page)
        assert x.max() > 0
        assert list(answers) == list(HEADS)
        for head, values in answers.items():
            assert_allclose(values, keras_answer(head, moment, x), atol=1e-5, err_msg=head)


@pytest.mark.parametrize("moment", [LAST, 3])
def test_a_constant_latent_gives_the_learned_heads_away(moment, live):
    page = live("draw", moment=moment, view="constant latent").page
    settle(page)
    constants = pictures(page)[2]
    for head, below in numbers(page).items():
        inside = keras_constant(head, moment).interior[0, 0].numpy()
        piece = np.reshape(constants[head]["values"], (24, 24))
        # There the middle half of 124 pixels begins at pixel 31, one before a period.
        assert_allclose(np.roll(piece, 1, (0, 1)), inside[:24, :24], atol=1e-5, err_msg=head)
        levels = MOMENTS[head]["moments"][moment]["constant"]
        assert_allclose(255 * piece.std(), levels, atol=2e-3)
        assert_allclose(float(below), levels, atol=0.0501)
        assert (below == "0.0") == (head in FLAT)


def test_what_stands_in_the_page_is_right_for_random_settings(live):
    chance = random.Random(5)
    page = live("draw").page
    moment = LAST
    for _ in range(40):
        for change in chance.sample(range(5), 2):
            if change == 0:
                pick(page, chance.choice(data.CLASS_NAMES))
            elif change == 1:
                pick(page, chance.choice(["brush", "eraser"]))
                stroke(page, *[(chance.random(), chance.random()) for _ in range(3)])
            elif change == 2:
                pick(page, chance.choice(list(HEADS)))
            elif change == 3:
                pick(page, chance.choice(draw.VIEWS))
            else:
                moment = chance.randrange(LAST + 1)
                scrub(page, moment)
        settle(page)
        assert_right(page, moment)


def assert_right(page, moment: int) -> None:
    """The numbers and the pictures of a settled page are the package's."""
    x, _, _ = pictures(page)
    head, view = page.evaluate(
        'upconv.mounted.map(({ model }) => [model.get("head"), model.get("view")])[0]'
    )
    below = numbers(page)
    for name in (head, random.Random(head).choice(list(HEADS))):
        pixels, (low, high), told = draw._shown(trained.load(name), x, BATCHES[moment], view)
        assert abs(float(below[name]) - float(told)) <= 10.0 ** -len(told.split(".")[1])
        grey = 255 * (np.clip(pixels, low, high) - low) / (high - low)
        canvas = shown(page, f'.upconv-head input[value="{name}"] + span canvas')
        assert np.abs(canvas - grey).max() <= 0.51
    assert np.abs(shown(page, ".upconv-pad canvas") - 255 * x).max() <= 0.51
    words = SENTENCE.fullmatch(page.locator(".upconv-sentence").inner_text())
    answer, constant = (
        draw._shown(trained.load(head), x, BATCHES[moment], view)
        for view in ("answer", "constant latent")
    )
    epochs = f"{BATCHES[moment] / 47:.1f}".removesuffix(".0")
    assert words[1] == f"{head}, {f'{epochs} epochs' if moment else 'untrained'}"
    wanted = float(answer[2]), autoencoder._cross_entropy(x, x), np.sqrt(grid_energy(answer[0], 2))
    assert_allclose([float(number) for number in words.groups()[1:4]], wanted, atol=1e-3)
    assert (words[5] is None) == (constant[2] == "0.0")
    assert abs(float(words[5] or 0) - float(constant[2])) <= 0.1


# What the reader does


def test_a_pointer_draws_lines_and_erases_them(live):
    page = live("draw", garment="Sandal").page
    page.get_by_role("button", name="clear").click()
    assert pictures_pixels(page).max() == 0
    stroke(page, (0.11, 0.5), (0.9, 0.5))
    drawn = pictures_pixels(page)
    assert (drawn[14, 3:26] == 1).all()
    assert (drawn[[13, 15], 3:26] == 0.7).all()
    assert drawn[:13].max() == drawn[16:].max() == 0
    pick(page, "eraser")
    stroke(page, (0.11, 0.5), (0.5, 0.5))
    assert pictures_pixels(page)[14, 3:14].max() == 0
    assert pictures_pixels(page)[14, 17:25].min() == 1
    assert page.locator(".upconv-garment input:checked").count() == 0
    pick(page, "Sandal")  # and back to the garment
    assert_allclose(pictures_pixels(page), draw._garments()["Sandal"] / 255, atol=1e-12)
    touch = "getComputedStyle(document.querySelector('.upconv-pad canvas')).touchAction"
    assert page.evaluate(touch) == "none"


def pictures_pixels(page) -> np.ndarray:
    return np.reshape(page.evaluate('[...upconv.mounted[0].model.get("pixels")]'), (28, 28))


def test_the_keyboard_draws(live):
    page = live("draw").page
    page.get_by_role("button", name="clear").press("Enter")
    page.locator(".upconv-pad canvas").focus()
    assert page.locator(".upconv-cursor").is_visible()
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowDown", "Enter", *["Shift+ArrowRight"] * 4):
        page.keyboard.press(key)
    drawn = pictures_pixels(page)
    assert drawn[14, 14] == drawn[17, 14] == drawn[17, 18] == 1
    assert drawn[15, 14] == drawn[16, 14] == 0.7  # moved over, but not painted
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        'document.querySelector("[role=status]").textContent == "Row 18, column 1: 0.0"'
    )
    settle(page)


def test_all_heads_follow_while_the_pen_moves(live):
    page = live("draw").page
    settle(page)
    before = numbers(page)
    stroke(page, *[(0.1 + 0.01 * n, 0.2) for n in range(80)])
    settle(page)
    assert all(before[head] != number for head, number in numbers(page).items())


# What is delivered


def test_the_scripts_are_small_and_hold_all_weights():
    made = draw.scripts()
    assert list(made) == ["draw-weights.js", *(f"draw-{trained.slug(head)}.js" for head in HEADS)]
    for file, text in made.items():
        assert 10_000 < len(text.encode("utf8")) <= LIMIT, file


def test_the_steps_are_loaded_only_when_the_reader_scrubs(live):
    reader = live("draw")
    asked = []
    reader.page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[1]))
    settle(reader.page)
    assert asked == []
    scrub(reader.page, 2)
    settle(reader.page)
    assert asked[0] == "draw-transposed-k2.js"  # the one that is looked at closely
    assert sorted(asked) == sorted(f"draw-{trained.slug(head)}.js" for head in HEADS)
    scrub(reader.page, 4)
    settle(reader.page)
    assert len(asked) == len(HEADS)
    assert reader.errors == []


def in_a_cell(page, html: str) -> None:
    """Shows HTML as a notebook does: its scripts are made anew, without an address."""
    page.evaluate(
        """html => { const cell = document.createElement("div");
        cell.innerHTML = html;
        for (const script of cell.querySelectorAll("script")) {
          const again = document.createElement("script");
          again.textContent = script.textContent;
          script.replaceWith(again);
        }
        document.body.append(cell); }""",
        html,
    )


def test_in_a_notebook_the_trained_heads_are_there_and_the_steps_in_the_book(reader):
    reader.open("about:blank", "about:")
    in_a_cell(reader.page, explorables.explorable("draw")._repr_html_())
    settle(reader.page)
    scrub(reader.page, 2)
    reader.page.get_by_text("The steps of the training lie beside the pages of the book").wait_for()
    assert reader.page.locator("input[type=range]").is_disabled()
    settle(reader.page)
    assert_right(reader.page, LAST)
    assert reader.errors + reader.failed + reader.outside == []


def test_without_weights_a_plain_sentence(reader):
    reader.open("about:blank", "about:")
    one = explorables.explorable("draw")
    in_a_cell(reader.page, one._repr_html_().replace(one.scripts["draw-weights.js"], ""))
    assert "weights of the heads did not load" in reader.page.locator(".upconv-live").inner_text()
    assert reader.errors == []


# The still figure


@pytest.mark.parametrize("view", draw.VIEWS)
def test_the_still_figure_says_what_every_head_makes(view):
    figure = draw.still(garment="Coat", moment=3, view=view)
    svg = figure.svg()
    assert figure.alt.startswith("A coat, and what every head")
    for head in HEADS:
        image = draw._garments()["Coat"] / 255
        told = draw._shown(trained.load(head), image, BATCHES[3], view)[2]
        assert f"{head} {told}" in figure.alt
        assert f">{head}</text>" in svg
        if view == "answer":
            pixels = keras_answer(head, 3, image)
            assert abs(float(told) - autoencoder._cross_entropy(image, pixels)) <= 1e-3
    assert svg == draw.still(garment="Coat", moment=3, view=view).svg()


@pytest.mark.parametrize(
    ("setting", "value"), [("garment", "Hat"), ("head", "k5"), ("moment", 8), ("view", "x")]
)
def test_a_setting_that_there_is_not_is_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=f"{setting}: got {value!r}; want one of"):
        draw.still(**{setting: value})
