"""The explorable "routes" against the package: what a reader sees there, number by number."""

from __future__ import annotations

import random
import re
import statistics

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from upconv import (
    Geometry,
    average_pool_gradient,
    collapse,
    divide,
    insert_zeros,
    max_pool,
    max_pool_gradient,
    max_unpool,
    native,
    phase_gains,
    sum_pool_gradient,
)
from upconv.book import explorables
from upconv.book.explorables.routes import still

READ = """() => {
  const number = (text) => Number(text.replace("−", "-"));
  const all = {};
  for (const panel of document.querySelectorAll(".upconv-live .upconv-panel:not([hidden])")) {
    const rows = [...panel.querySelectorAll("tr")];
    const bars = [...panel.querySelectorAll(".upconv-bar")];
    all[panel.querySelector("p").textContent] = rows.length
      ? rows.map((row) => [...row.cells].map((cell) => number(cell.textContent))).flat()
      : bars.map((bar) => number(bar.textContent));
  }
  return { all, words: document.querySelector(".upconv-live > p").textContent,
    framed: [...document.querySelectorAll(".upconv-bar")].flatMap(
      (bar, n) => bar.dataset.mark ? [n] : []) };
}"""


def choose(page, group: str, option: str) -> None:
    """Clicks one of a group of radio buttons."""
    page.get_by_role("group", name=group, exact=True).get_by_label(option, exact=True).check()


def fill(page, label: str, numbers) -> None:
    """Gives each bar of a row its number, as the keys of a range input would."""
    inputs = page.get_by_role("group", name=label, exact=True).locator("input")
    assert inputs.count() == len(numbers)
    inputs.evaluate_all(
        """(inputs, numbers) => numbers.forEach((value, n) => {
        inputs[n].value = value;
        inputs[n].dispatchEvent(new Event("input")); })""",
        list(numbers),
    )


def image(numbers, axes: int) -> torch.Tensor:
    """(1, 1, side) or (1, 1, side, side)."""
    side = round(len(numbers) ** (1 / axes))
    return torch.tensor(numbers).double().reshape(1, 1, *(side,) * axes)


def same(shown, wanted) -> None:
    """Holds what a table shows to three digits, as it writes them."""
    np.testing.assert_allclose(shown, wanted.flatten(), rtol=6e-3, atol=1e-9)


def drawn(draw, count: int, limit: int) -> list[int]:
    """Whole numbers, many of them at the limits."""
    return [draw.choice([-limit, limit, draw.randint(-limit, limit)]) for _ in range(count)]


def convolved(x, weight, scale: int):
    """Nearest upsampling and a convolution that keeps the size, by torch alone."""
    axes, k = x.ndim - 2, weight.shape[-1]
    large = F.interpolate(x, scale_factor=scale, mode="nearest")
    around = [(k - 1) // 2, k // 2] * axes
    return (F.conv1d, F.conv2d)[axes - 1](F.pad(large, around), weight)


SETTINGS = [
    (start, scale, axes, extra)
    for start in ("the convolution", "the strided layer")
    for scale in (2, 3)
    for axes in (1, 2)
    for extra in (0, 1, 2)
]


@pytest.mark.parametrize("seed", range(2))
def test_routes_shows_what_the_package_computes(seed, live):
    page = live("routes").page
    draw = random.Random(seed)
    factorable = 0
    for start, scale, axes, extra in draw.sample(SETTINGS, len(SETTINGS)):
        strided = start == "the strided layer"
        k = extra + (scale if strided else 1)
        choose(page, "Axes", f"{axes}-D")
        choose(page, "Scale", str(scale))
        choose(page, "Drag the kernel of", start)
        page.get_by_label("Kernel size").fill(str(k))
        names = ["Kernel after upsampling", f"Kernel with stride {scale}"]
        weight = drawn(draw, k**axes, 3 * scale**axes if strided else 3)
        if strided and extra == 1:  # a multiple of the box, now and then
            small = image(drawn(draw, 2**axes, 3), axes)
            weight = collapse(small, scale).weight.flatten().int().tolist()
        fill(page, names[strided], weight)
        numbers = drawn(draw, (4, 9)[axes - 1], 9)
        fill(page, "Input", numbers)

        seen = page.evaluate(READ)
        all_tables, x, given = seen["all"], image(numbers, axes), image(weight, axes)
        same(all_tables["Input"], x)
        same(all_tables[names[strided]], given)
        division = divide(given, scale) if strided else None
        small = division.quotient if strided else given
        padding = (((small.shape[-1] - 1) // 2, small.shape[-1] // 2),) * axes
        one_layer = collapse(small, scale, padding=padding)
        stamp = given if strided else one_layer.weight
        if strided:
            same(all_tables[f"{names[0]}: quotient"], small)
            same(all_tables["Remainder"], division.remainder)
        else:
            same(all_tables[f"{names[1]}: collapsed"], stamp)
            assert "Remainder" not in all_tables
        two, one = convolved(x, small, scale), native(x, stamp, one_layer.geometry)
        same(all_tables["Upsampled, convolved"], two)
        same(all_tables[f"One layer with stride {scale}"], one)
        same(all_tables["Difference"], one - two)
        if axes == 1:
            same(all_tables["Upsampled"], F.interpolate(x, scale_factor=scale))

        differ = int((one != two).sum())
        if strided:
            stamped = native(x, division.remainder, one_layer.geometry)
            np.testing.assert_allclose(one - two, stamped, atol=1e-9)
            verdict = "Factorable" if division.factorable else "Not factorable"
            assert seen["words"].startswith(verdict)
            factorable += division.factorable
            if axes == 1 and not division.factorable:
                gains = phase_gains(given, scale).flatten().int().tolist()
                shown = seen["words"].replace("−", "-")
                assert f"({', '.join(map(str, gains))})" in shown
        assert seen["words"].endswith(f"{differ} of {one.numel()} outputs differ.")
        assert strided or not differ
    assert factorable >= 4  # both verdicts were met


@pytest.mark.parametrize("seed", range(10))
def test_poolings_pass_back_what_the_package_computes(seed, live):
    draw = random.Random(seed)
    page = live("routes", view="pooling").page
    for axes, scale in draw.sample([(1, 2), (1, 3), (2, 2), (2, 3)], 4):
        choose(page, "Axes", f"{axes}-D")
        choose(page, "Scale", str(scale))
        small = (3, 2)[axes - 1]
        numbers = drawn(draw, (small * scale) ** axes, 9)  # with many ties
        gradient = drawn(draw, small**axes, 12)
        fill(page, "Input", numbers)
        fill(page, "Gradient to pass back", gradient)
        seen = page.evaluate(READ)
        x, g = image(numbers, axes), image(gradient, axes)
        size, tiles = x.shape[2:], Geometry((scale,) * axes, stride=scale)
        _, indices = max_pool(x, tiles)
        assert seen["framed"] == sorted(indices.flatten().tolist())
        tables, n = seen["all"], scale**axes
        same(tables["Sum: nearest upsampling"], sum_pool_gradient(g, tiles, size))
        same(tables[f"Average: that / {n}"], average_pool_gradient(g, tiles, size))
        unpooled = tables["Maximum: unpooling"]
        same(unpooled, max_pool_gradient(g, indices, size))
        same(unpooled, max_unpool(g, indices, tiles))
        same(tables["Slice: zero insertion"], insert_zeros(g, scale, size))
        nothing = int((max_unpool(g, indices, tiles) == 0).sum())
        assert f"passes nothing to {nothing} of {x.numel()} inputs" in seen["words"]


def test_the_kernel_that_followed_is_the_one_to_drag_next(live):
    page = live("routes", weight=[1, -2, 3]).page
    choose(page, "Drag the kernel of", "the strided layer")
    seen = page.evaluate(READ)
    assert seen["all"]["Kernel with stride 2"] == [3, 1, -1, 1]
    assert seen["all"]["Remainder"] == [0, 0, 0, 0]
    page.get_by_label("Kernel with stride 2 [0, 3]").press("ArrowUp")
    seen = page.evaluate(READ)
    assert seen["all"]["Remainder"] == [0, 0, 0, 1]
    assert seen["words"].startswith("Not factorable")
    choose(page, "Drag the kernel of", "the convolution")
    assert page.evaluate(READ)["all"]["Kernel after upsampling"] == [1, -2, 3]


@pytest.mark.parametrize("axes", [1, 2])
def test_a_weight_follows_the_pointer_and_a_finger(axes, live):
    page = live("routes", axes=axes).page
    cell = page.locator('.upconv-bar:has([aria-label^="Kernel after"])').first
    for kind in ("mouse", "touch"):
        page.get_by_label(re.compile(r"Kernel after upsampling \[")).first.fill("0")
        box = cell.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        if kind == "mouse":
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + 40, y - 16, steps=5)  # the finger may leave the bar
        else:
            finger = page.context.new_cdp_session(page)
            for event, dy in (("touchStart", 0), ("touchMove", -8), ("touchMove", -16)):
                points = [{"x": x, "y": y + dy}]
                finger.send("Input.dispatchTouchEvent", {"type": event, "touchPoints": points})
        page.wait_for_function("cell => cell.textContent === '2'", arg=cell.element_handle())
        if kind == "mouse":
            page.mouse.move(x, y + 200)
            page.mouse.up()
        else:
            events = (("touchMove", [{"x": x, "y": y + 200}]), ("touchEnd", []))
            for event, points in events:
                finger.send("Input.dispatchTouchEvent", {"type": event, "touchPoints": points})
        page.wait_for_function("cell => cell.textContent === '−3'", arg=cell.element_handle())
        assert page.evaluate("scrollY") == 0
        page.mouse.move(x, y)
        assert cell.inner_text() == "−3"  # let go
    cell.click()
    assert cell.locator("input").evaluate("input => input === document.activeElement")


def test_keys_move_a_weight_and_the_page_says_what_came_of_it(live):
    page = live("routes", start="transposed", weight=[1, 2, 3]).page
    weight = page.get_by_label("Kernel with stride 2 [0, 1]")
    assert weight.get_attribute("aria-valuetext") == "2"
    weight.press("ArrowUp")
    weight.press("ArrowUp")
    page.get_by_text("Factorable").wait_for()
    page.wait_for_function(
        "words => document.querySelector('.upconv-said').textContent === words",
        arg="Factorable. 0 of 8 outputs differ.",
    )
    weight.press("Home")
    assert weight.get_attribute("aria-valuetext") == "−6"
    assert page.evaluate(READ)["all"]["Remainder"] == [0, 0, 10]


def test_nothing_is_announced_before_the_reader_acts(live):
    page = live("routes").page
    page.wait_for_timeout(400)
    assert page.locator(".upconv-said").text_content() == ""


@pytest.mark.parametrize("width", [320, 830])
@pytest.mark.parametrize("start", ["convolution", "transposed"])
def test_nothing_jumps_while_a_weight_is_dragged(start, width, live):
    page = live("routes", start=start, kernel=3).page
    page.set_viewport_size({"width": width, "height": 900})
    tops = set()
    for value in (3, -3, 0, 1, 2):
        fill(page, "Input", [9, -value, value, -9])
        label = "Kernel with stride 2" if start == "transposed" else "Kernel after upsampling"
        fill(page, label, [value, 2, -1])  # with 3, factorable
        tops.add(
            page.evaluate(
                """JSON.stringify([...document.querySelectorAll(".upconv-bar, td")].map(
                (cell) => [cell.offsetTop, cell.offsetWidth]))"""
            )
        )
    assert len(tops) == 1


@pytest.mark.parametrize("settings", [{}, {"axes": 2}, {"view": "pooling", "axes": 2}])
def test_a_drag_stays_within_a_frame(settings, live):
    times = live("routes", **settings).page.evaluate(
        """() => [...document.querySelectorAll(".upconv-bar input")].map((input) => {
        const taken = [3, -3, 2, -1, 1].map((value) => {
          const start = performance.now();
          input.value = value;
          input.dispatchEvent(new Event("input"));
          return performance.now() - start;
        });
        return taken.sort((a, b) => a - b)[2]; })"""
    )
    assert statistics.median(times) <= 16, times


# The figure for print


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("start", ["convolution", "transposed"])
@pytest.mark.parametrize("view", ["routes", "pooling"])
def test_the_still_begins_as_the_explorable_does(view, start, axes, live):
    settings = {"view": view, "start": start, "axes": axes, "scale": 3, "kernel": 3}
    tables = live("routes", **settings).page.evaluate(READ)["all"]
    alt = still(**settings).alt
    for numbers in tables.values():
        listed = ", ".join(f"{value:.3g}".replace("-", "−") for value in numbers)
        if numbers != tables.get("Upsampled") and any(numbers):
            # The difference is told by the remainder that makes it.
            assert listed in alt or numbers == tables.get("Difference")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"view": "both"}, "view: got 'both'; want one of routes, pooling"),
        ({"start": "linear"}, "start: got 'linear'"),
        ({"scale": 4}, "scale: got 4; want one of 2, 3"),
        ({"axes": True}, "axes: got True"),
        ({"kernel": 4}, "kernel: got 4; want one of 1, 2, 3"),
        ({"start": "transposed", "scale": 3, "kernel": 2}, "kernel: got 2; want one of 3, 4, 5"),
        ({"weight": [1, 2]}, "weight: got [1, 2]; want 3 integers from -3 to 3"),
        ({"weight": [1, 2, 4]}, "weight: got [1, 2, 4]"),
        ({"x": [1, 2, 3, 0.5]}, "x: got [1, 2, 3, 0.5]; want 4 integers"),
        ({"view": "pooling", "x": [1] * 4}, "x: got [1, 1, 1, 1]; want 6 integers"),
        ({"view": "pooling", "gradient": [13, 0, 0]}, "gradient: got [13, 0, 0]"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorables.explorable("routes", **settings)
