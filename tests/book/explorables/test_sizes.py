"""The explorable "sizes": its numbers are the package's, in whatever way a reader sets them."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from upconv import Geometry, definition, solve
from upconv.book.explorables import sizes
from upconv.book.explorables.sizes import still

SETTINGS = ("stride", "kernel", "padding", "dilation", "output_padding")
BOUNDS = {"max_kernel": 7, "max_stride": 4, "max_padding": 3}


def put(page, name, value):
    """Sets a slider or a field by its label, as a reader does."""
    page.get_by_label(name, exact=True).fill(str(value))


def operation(page, transposed):
    page.get_by_label("transposed convolution" if transposed else "convolution", exact=True).check()


def set_all(page, settings):
    """All the settings, by the controls; a size of 40 lets each of them go where it wants."""
    operation(page, settings["transposed"])
    put(page, "input size", 40)
    if page.get_by_label("output_padding", exact=True).is_enabled():
        put(page, "output_padding", 0)  # which the stride stays above
    for name in SETTINGS:
        if name != "output_padding" or (settings["transposed"] and settings["stride"] > 1):
            put(page, name, settings[name])
    put(page, "input size", settings["input_size"])


def state(page):
    return page.evaluate("upconv.mounted[0].model.all()")


def said(page):
    return page.locator(".upconv-live > p:not(.upconv-said)").inner_text()


ROWS = ("small", "stamps", "line", "large")


def row(page, name):
    """The row of the picture as [column, text], and the words above it."""
    n = ROWS.index(name) if state(page)["transposed"] else 3 - ROWS.index(name)
    return page.evaluate(
        """n => { const row = document.querySelectorAll(".upconv-panel > div")[n];
        const squares = [...row.querySelectorAll("span")];
        return [squares.map((one) => [Number(one.style.gridColumnStart), one.textContent]),
          row.firstChild.textContent + (row.childNodes[1].data ?? "")] }""",
        n,
    )


def values(page, name):
    """The numbers of a row from left to right."""
    return [text for _, text in row(page, name)[0]]


def part(page, n):
    """The buttons of what lies below the picture: 0 the sizes that meet, 2 the ways."""
    return page.locator(".upconv-panel ~ div").nth(n).locator("button")


def meeting(page):
    """The sizes that meet: what their buttons say, and whether they are the current."""
    return [[one.inner_text(), one.get_attribute("aria-pressed")] for one in part(page, 0).all()]


def geometry_of(settings):
    return Geometry(**{name: settings[name] for name in SETTINGS})


def expected(settings):
    """Sizes and rows of the picture, by the definition."""
    geometry, size = geometry_of(settings), settings["input_size"]
    x = np.arange(size) % 9 + 1
    weight = np.arange(1, settings["kernel"] + 1)
    p = settings["padding"]
    if settings["transposed"]:
        whole = geometry_of(settings | {"padding": 0})
        line = definition.conv_transpose(x[None, None], weight[None, None], whole)[0, 0]
        rows = {"small": x, "line": line, "large": line[p : len(line) - p]}
        assert len(rows["large"]) == geometry.transposed_shape(size)[0]
    else:
        y = definition.conv(x[None, None], weight[None, None], geometry)[0, 0]
        rows = {"small": y, "line": np.pad(x, p), "large": x}
    return {name: [str(int(value)) for value in values] for name, values in rows.items()}


def settings_at_random(n, largest):
    """Legal settings; a convolution's output_padding is that of its way back."""
    draw = random.Random(n)
    while True:
        settings = {
            name: draw.randint(0 if name == "padding" else 1, sizes.MOST[name])
            for name in ("stride", "kernel", "padding", "dilation")
        }
        settings["input_size"] = draw.randint(1, largest)
        settings["transposed"] = draw.random() < 0.5
        settings["output_padding"] = draw.randrange(settings["stride"])
        geometry = geometry_of(settings | {"output_padding": 0})
        try:
            if settings["transposed"]:
                geometry_of(settings).transposed_shape(settings["input_size"])
            else:
                back = geometry.adjoint_to(settings["input_size"])
                settings["output_padding"] = back.output_padding[0]
        except ValueError:
            continue
        return settings


@pytest.fixture(scope="module")
def page(live):
    page = live("sizes").page
    page.set_default_timeout(5000)
    page.set_viewport_size({"width": 1440, "height": 1000})
    return page


@pytest.mark.parametrize("n", range(40))
def test_sizes_and_values_are_the_packages(n, page):
    settings = settings_at_random(n, largest=12 if n % 4 else 200)
    set_all(page, settings)
    assert {name: state(page)[name] for name in settings} == settings
    geometry, rows = geometry_of(settings), expected(settings)
    i, small, large = settings["input_size"], len(rows["small"]), len(rows["large"])
    into = large if settings["transposed"] else small
    assert said(page).startswith(f"Size {i} becomes size {into}."), said(page)
    (meet,) = geometry.ambiguous_inputs(small)
    backs = [geometry.adjoint_to(size).output_padding[0] for size in meet]
    assert meeting(page) == [
        [f"{a} gives {size}", str(size == large).lower()]
        for a, size in zip(backs, meet, strict=True)
    ]
    for name, expected_values in rows.items():
        shown, (_, words) = values(page, name), row(page, name)
        assert shown == expected_values[len(expected_values) - len(shown) :]
        # On a wide page there is room for 40 positions and more.
        assert ("(the end)" in words) == (len(rows["line"]) != len(values(page, "line")))
        assert len(values(page, "line")) >= min(40, len(rows["line"]))


def test_stamps_of_what_is_shown_add_up_to_the_line(page):
    """Also at the left end of a line that is shown in part: every column there is whole."""
    page.set_viewport_size({"width": 320, "height": 900})
    page.wait_for_function("document.querySelector('.upconv-panel').clientWidth < 300")
    try:
        set_all(
            page,
            {
                "transposed": True,
                "stride": 2,
                "kernel": 4,
                "padding": 1,
                "dilation": 1,
                "output_padding": 1,
                "input_size": 14,
            },
        )
        sums = {}
        for column, text in row(page, "stamps")[0]:
            sums[column] = sums.get(column, 0) + int(text)
        line, words = row(page, "line")
        assert words == "added up, size 30 + 1 (the end)"
        assert 9 <= len(line) < 14
        assert [sums.get(column, 0) for column, _ in line] == [int(text) for _, text in line]
        assert [column for column, _ in line] == list(range(1, 2 * len(line), 2))
    finally:
        page.set_viewport_size({"width": 1440, "height": 1000})


def test_the_first_state_is_the_stills(live):
    reader = live("sizes", input_size=14, kernel=4, stride=2, padding=1)
    assert said(reader.page) == "Size 14 becomes size 28."
    reader = live("sizes")
    assert values(reader.page, "large") == ["2", "5", "4", "9", "6", "13", "8"]
    assert "The output has 7 values: 2 5 4 9 6 13 8." in still().alt
    assert meeting(reader.page) == [["0 gives 7", "true"], ["1 gives 8", "false"]]


def test_output_padding_keeps_what_was_cropped_by_keyboard_alone(live):
    page = live("sizes").page
    page.get_by_label("output_padding", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert values(page, "large") == ["2", "5", "4", "9", "6", "13", "8", "12"]
    assert values(page, "line")[-1] == "0"
    longer = "Size 4 becomes size 8. output_padding makes the line longer (dashed): "
    assert said(page) == f"{longer}1 more kept (purple), cropped without it."
    page.wait_for_function(
        "text => document.querySelector('[role=status]').textContent === text", arg=said(page)
    )
    put(page, "padding", 0)
    assert said(page).endswith("1 more kept (purple), 1 beyond all stamps, always 0.")
    part(page, 0).nth(0).press("Enter")
    assert state(page)["output_padding"] == 0
    assert page.evaluate("document.activeElement.textContent") == "0 gives 9"


@pytest.mark.parametrize("n", range(40, 60))
def test_to_turn_round_twice_changes_nothing(n, page):
    settings = settings_at_random(n, largest=30)
    set_all(page, settings)
    before = state(page)
    operation(page, not settings["transposed"])
    assert state(page)["input_size"] == len(
        expected(before)["large" if before["transposed"] else "small"]
    )
    operation(page, settings["transposed"])
    assert state(page) == before


def test_a_size_that_meets_others_is_one_click_away(page):
    settings = {"stride": 3, "kernel": 4, "padding": 1, "dilation": 1, "output_padding": 0}
    set_all(page, settings | {"transposed": False, "input_size": 40})
    # (40 + 2 − 4) mod 3 is 2, so 40 is the last of the three that become 13.
    for n, size in enumerate([38, 39, 40]):
        assert [text for text, _ in meeting(page)] == ["0 gives 38", "1 gives 39", "2 gives 40"]
        part(page, 0).nth(n).click()
        assert (state(page)["output_padding"], state(page)["input_size"]) == (n, size)
        assert said(page).startswith(f"Size {size} becomes size 13.")


@pytest.mark.parametrize(("have", "want"), [(14, 28), (28, 14), (7, 7), (1, 3), (5, 1), (100, 9)])
def test_the_wanted_size_lists_what_solve_finds(have, want, page):
    put(page, "I have", have)
    put(page, "and want", want)
    transposed = want > have
    found = solve(have, want, transposed=transposed, **BOUNDS)
    buttons = part(page, 2)
    assert buttons.count() == len(found)
    for n, geometry in list(enumerate(found))[:: max(1, len(found) // 8)]:
        text = buttons.nth(n).inner_text()
        words = {"padding": 0, "output_padding": 0}
        words |= {name: int(value) for name, value in (one.split() for one in text.split(", "))}
        assert Geometry(**words) == geometry
        buttons.nth(n).click()
        assert buttons.nth(n).get_attribute("aria-pressed") == "true"
        assert state(page).items() >= {"transposed": transposed, "input_size": have}.items()
        assert (state(page)["kernel"],) == geometry.kernel
        assert said(page).startswith(f"Size {have} becomes size {want}.")


def test_where_nothing_fits_it_says_so(page):
    put(page, "I have", 14)
    put(page, "and want", 900)
    assert part(page, 2).count() == 0
    assert page.get_by_text("Settings of a transposed convolution for that: 0").count() == 1


@pytest.mark.parametrize("text", ["", "0", "-3", "1.5", "2000", "1e9"])
@pytest.mark.parametrize("name", ["I have", "and want", "input size"])
def test_what_is_no_size_is_refused_by_the_browser(name, text, page, reader):
    field = page.get_by_label(name, exact=True)
    set_all(page, settings_at_random(0, 12))
    put(page, name, 14)
    before = state(page)
    put(page, name, text)
    assert field.evaluate("field => field.matches(':invalid') && field.validationMessage")
    assert state(page) == before
    assert reader.errors == []
    field.blur()
    assert field.input_value() == "14"


def test_letters_in_a_field_do_no_harm(page, reader):
    field = page.get_by_label("input size", exact=True)
    field.fill("7")
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("e")
    assert field.evaluate("field => field.validationMessage")
    page.keyboard.press("Tab")
    assert field.input_value() == "7"
    assert said(page).startswith("Size 7")
    assert reader.errors == []


@pytest.mark.parametrize("clipboard", ["navigator.clipboard", "undefined"])
def test_the_code_is_copied(clipboard, live):
    """Also where the page has no clipboard of its own, as over http."""
    reader = live("sizes")
    page = reader.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("globalThis.real = navigator.clipboard; real.writeText('nothing')")
    page.evaluate(f"""Object.defineProperty(navigator, "clipboard", {{ value: {clipboard} }})""")
    page.get_by_label("Keras", exact=True).check()
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("real.readText()") == page.locator("pre").text_content()
    assert page.locator("pre").text_content().startswith("import keras")
    page.wait_for_function("document.querySelector('[role=status]').textContent === 'Copied'")
    page.get_by_label("JAX", exact=True).check()
    page.get_by_role("button", name="Copy", exact=True).click()  # it can be done again
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("real.readText()").startswith("import jax")
    assert reader.errors == []


def test_where_nothing_may_be_copied_it_is_selected(live):
    page = live("sizes").page
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("String(getSelection())").startswith("import torch")
    assert page.get_by_role("button", name="Copied").count() == 0


@pytest.mark.parametrize("width", [320, 1440])
def test_nothing_moves_under_the_readers_hand(width, live):
    """While a slider is dragged, no control above the picture changes its place, nor does that."""
    page = live("sizes").page
    page.set_viewport_size({"width": width, "height": 1000})
    places = """() => [...document.querySelectorAll(".upconv-live :is(input, .upconv-panel)")]
        .map((one) => one.getBoundingClientRect().top).slice(0, 9)"""
    page.wait_for_timeout(100)
    before = pytest.approx(page.evaluate(places), abs=0.5)  # pixels
    for name in SETTINGS:
        slider = page.get_by_label(name, exact=True)
        value = state(page)[name]
        for key in ("End", "ArrowLeft", "Home"):
            slider.press(key)
            assert page.evaluate(places) == before, (name, key)
        put(page, name, value)
        assert page.evaluate(places) == before
    page.set_viewport_size({"width": 1440, "height": 1000})


def test_the_sliders_end_where_the_still_does(live):
    page = live("sizes", input_size=40).page
    for name in ("stride", "kernel", "padding", "dilation"):
        assert int(page.get_by_label(name, exact=True).get_attribute("max")) == sizes.MOST[name]
    assert int(page.get_by_label("input size", exact=True).get_attribute("max")) == 1024
    assert page.evaluate("upconv.mounted[0].model.get('padding')") == 1


# The still figure


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": 0}, "kernel: got 0"),
        ({"kernel": 8}, "kernel: got 8; want at most 7"),
        ({"stride": 5}, "stride: got 5; want at most 4"),
        ({"padding": 4}, "padding: got 4; want at most 3"),
        ({"dilation": 4}, "dilation: got 4; want at most 3"),
        ({"input_size": 1025}, "input_size: got 1025; want at most 1024"),
        ({"input_size": 0}, "input_shape: got 0"),
        ({"output_padding": 2}, "output_padding: got 2"),
        ({"output_padding": 1, "stride": 1, "dilation": 2}, "output_padding: got 1"),
        ({"input_size": 1, "padding": 2}, "padding: got"),
        ({"input_size": 1, "padding": 0, "transposed": False}, "input_shape: got 1"),
        ({"transposed": 1}, "transposed: got 1"),
    ],
)
def test_the_still_refuses_by_name(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        still(**settings)


def test_the_still_of_a_convolution_shows_the_way_back():
    alt = still(input_size=8, transposed=False).alt
    assert alt.startswith(
        "An input of 8 becomes an output of 4 under kernel 3, stride 2, padding 1."
    )
    assert "The way back: A number line." in alt
    assert "The output has 8 values" in alt


def test_a_long_line_gives_way_to_the_sizes_that_meet():
    alt = still(input_size=56, transposed=False).alt
    assert "55 and 56 go to 28; they come back with output_padding 0, 1." in alt
