"""Draw and reconstruct: in the page every head answers as in Keras, at every moment."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from upconv.book import autoencoder, data, explorables, records, trained
from upconv.book.autoencoder import BATCHES, HEADS
from upconv.book.explorables import draw

torch.set_num_threads(1)
LIMIT = 300_000  # bytes: the final weights of all heads together, and all steps of one head
LAST = len(BATCHES) - 1
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


def pixels(page) -> np.ndarray:
    """The picture on the pad."""
    return np.reshape(page.evaluate('upconv.mounted[0].model.get("pixels")'), (28, 28))


def answers(page, view: str = "answer") -> dict[str, np.ndarray]:
    """What every head makes, as the page has computed it."""
    told = page.evaluate(
        """view => upconv.mounted[0].model.get("heads").map(
        ({ name, shown }) => [name, [...shown[view].values]])""",
        view,
    )
    return {name: np.reshape(values, (round(len(values) ** 0.5), -1)) for name, values in told}


def grey(page, place: str) -> np.ndarray:
    """The grey levels of a canvas."""
    return np.array(
        page.locator(place).evaluate(
            """canvas => { const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return Array.from({ length: height }, (_, y) =>
              Array.from({ length: width }, (_, x) => data[4 * (y * width + x)])) }"""
        )
    )


def numbers(page) -> dict[str, str]:
    """What stands below each head."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".upconv-heads p")].map(
        (tile) => [tile.firstChild.ariaLabel, tile.querySelector("b").textContent]))"""
    )


def wear(page, garment: str) -> None:
    page.get_by_role("button", name=garment, exact=True).click()


def choose(page, view: str) -> None:
    page.locator(f'.upconv-live input[value="{view}"]').check(force=True)


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
            wear(page, garment)
        settle(page)
        x, found = pixels(page), answers(page)
        assert x.max() > 0
        assert list(found) == list(HEADS)
        for head, values in found.items():
            assert_allclose(values, keras_answer(head, moment, x), atol=1e-5, err_msg=head)


@pytest.mark.parametrize("moment", [LAST, 3])
def test_a_constant_latent_gives_the_learned_heads_away(moment, live):
    page = live("draw", moment=moment, view="constant latent").page
    settle(page)
    constants = answers(page, "constant latent")
    for head, below in numbers(page).items():
        inside = keras_constant(head, moment).interior[0, 0].numpy()
        piece = constants[head]
        # There the middle half of 124 pixels begins at pixel 31, one before a period.
        assert_allclose(np.roll(piece, 1, (0, 1)), inside[:24, :24], atol=1e-5, err_msg=head)
        levels = MOMENTS[head]["moments"][moment]["constant"]
        assert_allclose(255 * piece.std(), levels, atol=2e-3)
        assert_allclose(float(below), levels, atol=0.0501)
        assert (below == "0.0") == (head in FLAT)


def test_what_stands_in_the_page_is_right_for_random_settings(live):
    chance = random.Random(5)
    page = live("draw").page
    moment, view = LAST, "answer"
    for _ in range(20):
        for change in chance.sample(range(4), 2):
            if change == 0:
                wear(page, chance.choice(data.CLASS_NAMES))
            elif change == 1:
                choose(page, chance.choice(["draw", "erase"]))
                stroke(page, *[(chance.random(), chance.random()) for _ in range(3)])
            elif change == 2:
                view = chance.choice(draw.VIEWS)
                choose(page, view)
            else:
                moment = chance.randrange(LAST + 1)
                scrub(page, moment)
        settle(page)
        assert_right(page, moment, view, chance.sample(list(HEADS), 3))


def assert_right(page, moment: int, view: str, heads) -> None:
    """The numbers and the pictures of a settled page are the package's."""
    x, below = pixels(page), numbers(page)
    for head in heads:
        wanted, (low, high), told = draw._shown(trained.load(head), x, BATCHES[moment], view)
        assert abs(float(below[head]) - float(told)) <= 10.0 ** -len(told.split(".")[1])
        levels = 255 * (np.clip(wanted, low, high) - low) / (high - low)
        canvas = grey(page, f'.upconv-heads canvas[aria-label="{head}"]')
        assert np.abs(canvas - levels).max() <= 0.51
    assert np.abs(grey(page, ".upconv-pad canvas") - 255 * x).max() <= 0.51
    perfect = page.get_by_text("A perfect copy").inner_text()
    copied = autoencoder._cross_entropy(x, x)
    assert_allclose(float(perfect.removesuffix(".").split()[-1]), copied, atol=1e-3)
    epochs = page.locator(".upconv-control output").inner_text()
    assert epochs == f"{BATCHES[moment] / 47:.1f}".removesuffix(".0")


# What the reader does


def test_a_pointer_draws_lines_and_erases_them(live):
    page = live("draw", garment="Sandal").page
    assert_allclose(pixels(page), draw._garments()["Sandal"] / 255, atol=1e-12)
    wear(page, "nothing")
    assert pixels(page).max() == 0
    stroke(page, (0.11, 14.5 / 28), (0.9, 14.5 / 28))
    drawn = pixels(page)
    assert (drawn[14, 4:25] == 1).all()
    assert_allclose(drawn[[13, 15], 4:25], 0.75, atol=0.05)  # 2.5 pixels wide
    assert drawn[:13].max() == drawn[16:].max() == 0
    choose(page, "erase")
    stroke(page, (0.11, 14.5 / 28), (0.5, 14.5 / 28))
    assert pixels(page)[14, 4:14].max() == 0
    assert pixels(page)[14, 17:25].min() == 1
    choose(page, "draw")
    before = pixels(page)
    stroke(page, (1.05, 0.1), (0.9, 0.1))  # pressed beside the pad: from its edge
    assert (pixels(page) != before).nonzero()[0].max() <= 5
    touch = "getComputedStyle(document.querySelector('.upconv-pad canvas')).touchAction"
    assert page.evaluate(touch) == "none"


def test_the_keyboard_draws(live):
    page = live("draw").page
    page.get_by_role("button", name="nothing").press("Enter")
    page.locator(".upconv-pad canvas").focus()
    assert page.locator(".upconv-pad i").is_visible()
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowDown", "Space", *["Shift+ArrowRight"] * 4):
        page.keyboard.press(key)
    drawn = pixels(page)
    assert drawn[14, 14] == drawn[17, 14] == drawn[17, 18] == 1
    assert max(drawn[15, 14], drawn[16, 14]) < 1  # moved over, but not painted
    settle(page)
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        'document.querySelector("[role=status]").textContent == "Row 18, column 1"'
    )


def test_the_numbers_of_all_heads_are_announced(live):
    page = live("draw").page
    settle(page)
    words = "; ".join(f"{head}: {number}" for head, number in numbers(page).items())
    page.wait_for_function(
        "words => document.querySelector('[role=status]').textContent == words", arg=words
    )


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
    for moment in (2, 4):
        scrub(reader.page, moment)
        settle(reader.page)
        assert sorted(asked) == sorted(f"draw-{trained.slug(head)}.js" for head in HEADS)
    assert reader.errors == []


def test_in_a_notebook_the_trained_heads_are_there_and_the_steps_in_the_book(reader):
    reader.open("about:blank", "about:")
    reader.page.set_content(explorables.explorable("draw")._repr_html_())
    settle(reader.page)
    scrub(reader.page, 2)
    reader.page.get_by_text("can be had in the book only").wait_for()
    settle(reader.page)
    for head, values in answers(reader.page).items():
        assert_allclose(values, keras_answer(head, LAST, pixels(reader.page)), atol=1e-5)
    assert reader.errors + reader.failed + reader.outside == []


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
            values = keras_answer(head, 3, image)
            assert abs(float(told) - autoencoder._cross_entropy(image, values)) <= 1e-3
    assert svg == draw.still(garment="Coat", moment=3, view=view).svg()


@pytest.mark.parametrize(("setting", "value"), [("garment", "Hat"), ("moment", 8), ("view", "x")])
def test_a_setting_that_there_is_not_is_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=f"{setting}: got {value!r}; want one of"):
        draw.still(**{setting: value})
