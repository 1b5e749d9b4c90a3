"""The operator and its matrix: what the page shows is what the package computes."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from upconv import Geometry, arithmetic, conv_matrix, definition
from upconv.book.explorables.operator import LIMITS, LONGEST, MODES, still

SETTINGS = tuple(LIMITS)

# What a reader does, and what a reader sees, in one call each.
TOOLS = """globalThis.tools = (() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const labelled = (label) =>
    all("label").find((one) => one.textContent === label && one.checkVisibility());
  const slider = (label) => document.getElementById(labelled(label).htmlFor);
  const move = (input, value) => {
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  // Moves a slider to a share of its way, and returns its ends and its value.
  const slide = (label, share) => {
    const input = slider(label);
    const [low, high] = [Number(input.min), Number(input.max)];
    if (!input.disabled) move(input, low + Math.round(share * (high - low)));
    return [low, Number(input.value), high];
  };
  const values = (labels) => labels.map((label) => Number(slider(label).value));
  const cells = () => all(".upconv-grid td").map((cell) => ({
    name: cell.ariaLabel, text: cell.textContent, mark: cell.dataset.mark ?? "",
    note: cell.dataset.note, phase: cell.dataset.phase,
    table: cell.closest("table").ariaLabel,
  }));
  const drawn = () => all(".upconv-operator .tap").map((path) => path.getAttribute("d"));
  const focus = (name, nth = 0) =>
    all(".upconv-grid td").filter((cell) => cell.ariaLabel.startsWith(name))[nth].focus();
  const text = () => document.querySelector(".upconv-foot p").textContent;
  return { slider, move, slide, values, cells, drawn, focus, text };
})()"""


class Page:
    """The explorable in the browser, its settings as the controls show them, and the package's."""

    def __init__(self, live, **settings):
        self.reader = live("operator", **settings)
        self.page = self.reader.page
        self.page.evaluate(TOOLS)

    def tool(self, call, *arguments):
        return self.page.evaluate(f"arguments => tools.{call}(...arguments)", list(arguments))

    def choose(self, text):
        self.page.get_by_role("radio", name=text, exact=True).check(force=True)

    def shuffle(self, draw):
        """Moves every control somewhere, in any order."""
        self.choose(draw.choice(MODES).replace("_", " "))
        self.choose(draw.choice(("1-D", "2-D")))
        for name in draw.sample(SETTINGS, len(SETTINGS)):
            # A small kernel and stride leave room for the other settings.
            share = draw.random() ** (2 if name in ("kernel", "stride") else 0.8)
            low, value, high = self.tool("slide", name, share)
            assert LIMITS[name][0] <= low <= value <= high <= LIMITS[name][1]

    def read(self):
        """Settings, arrays and cells as they stand in the page; the geometry made of them."""
        checked = [one.get_attribute("value") for one in self.page.locator("input:checked").all()]
        self.mode, axes = checked[0], int(checked[1])
        settings = dict(zip(SETTINGS, self.tool("values", SETTINGS), strict=True))
        size = (settings.pop("input_size"),) * axes
        self.geometry = Geometry((settings.pop("kernel"),) * axes, **settings)
        self.forward = self.mode == "forward"
        self.cells = self.tool("cells")
        reach = self.geometry.output_shape if self.forward else self.geometry.transposed_shape
        self.size = {"input": size, "weight": self.geometry.kernel, "output": reach(size)}
        for kind in self.size:
            setattr(self, kind, self.numbers(kind))
        return self

    def numbers(self, kind):
        """The values of all inputs, weights or outputs; NaN where there is none yet."""
        values = np.full(self.size[kind], np.nan)
        for cell in self.cells:
            name, _, text = cell["name"].partition(":")
            if name.startswith(f"{kind} "):
                position = tuple(map(int, re.findall(r"\d+", name)))
                values[position] = float(cell["text"] or np.nan)
        return values

    def expected(self, x=None):
        """The output by the definition."""
        compute = definition.conv if self.forward else definition.conv_transpose
        x = self.input if x is None else x
        return compute(x[None, None], self.weight[None, None], self.geometry)[0, 0]

    def matrix(self, kernel=None):
        """C or Cᵀ by the package: a row for each output."""
        kernel = self.weight if kernel is None else kernel
        small, large = ("output", "input") if self.forward else ("input", "output")
        matrix = conv_matrix(kernel, self.size[large], self.geometry, dense=True)
        # An output_padding of a stride or more leaves room for windows that belong to no input.
        windows = np.arange(len(matrix)).reshape(self.geometry.output_shape(self.size[large]))
        matrix = matrix[windows[tuple(slice(n) for n in self.size[small])].ravel()]
        return matrix if self.forward else matrix.T

    def links(self):
        """Which taps (counted from 1, 0 for none) join the outputs (rows) and inputs (columns)."""
        return self.matrix(np.arange(1, self.weight.size + 1).reshape(self.weight.shape))

    def marked(self, kind):
        """The numbers of the things of a kind that are lit, in whichever table."""
        found = set()
        for cell in self.tool("cells"):
            name = cell["name"].partition(":")[0]
            if name.startswith(f"{kind} ") and cell["mark"]:
                position = tuple(map(int, re.findall(r"\d+", name)))
                found.add(int(np.ravel_multi_index(position, self.size[kind])))
        return found

    def name(self, kind, n):
        position = ", ".join(str(m) for m in np.unravel_index(n, self.size[kind]))
        return f"{kind} ({position}):"


@pytest.fixture
def operator(live):
    """A function that opens the explorable with settings of one's own."""
    opened = []

    def show(**settings):
        opened.append(Page(live, **settings))
        return opened[-1]

    yield show
    for one in opened:
        assert one.reader.errors == []


def spelled(sentence: str) -> tuple[float, float]:
    """Both sides of the sum in a sentence."""
    _, *terms, total = sentence.removesuffix(".").replace("·", "*").split(" = ")
    return eval(terms[0]) if terms else 0, float(total)


@pytest.mark.parametrize("seed", range(4))
def test_outputs_and_matrix_are_the_packages_for_random_settings(seed, operator):
    draw, one = random.Random(seed), operator()
    seen = set()
    for _ in range(20):
        one.shuffle(draw)
        one.read()
        seen.add((one.mode, one.geometry.axes, one.geometry.dilation[0] > 1))
        longest = max(*one.size["input"], *one.size["output"])
        assert longest <= LONGEST[one.geometry.axes]
        np.testing.assert_array_equal(one.output, one.expected())

        # The matrix: the square of each weight, at its row and its column.
        links = one.links()
        np.testing.assert_array_equal(links, one.matrix())  # the weights are 1, 2, 3, …
        drawn = np.zeros_like(links)
        for tap, path in enumerate(one.tool("drawn"), start=1):
            for x, y, side in re.findall(r"M([\d.]+) ([\d.]+)h(\d+)", path):
                row, column = (round((float(px) - 24) / float(side)) for px in (y, x))
                drawn[row, column] = tap
        np.testing.assert_array_equal(drawn, links)
    assert len(seen) >= 8
    assert any(mode == "forward" and dilated for mode, _, dilated in seen)


def test_pointing_lights_what_is_connected_and_spells_the_sum(operator):
    draw, one = random.Random(5), operator()
    for _ in range(16):
        one.shuffle(draw)
        one.read()
        links = one.links()
        rows, columns = np.nonzero(links)
        joined = {"output": rows, "input": columns, "weight": links[rows, columns] - 1}
        for kind in joined:
            n = draw.randrange(int(np.prod(one.size[kind])))
            one.tool("focus", one.name(kind, n))
            taking = joined[kind] == n
            for other, numbers in joined.items():
                expected = set(numbers[taking].tolist()) | ({n} if other == kind else set())
                assert one.marked(other) == expected
            said = one.tool("text")
            if kind == "output":
                left, right = spelled(said)
                assert left == right == one.output.ravel()[n]
            elif kind == "input":
                added = re.findall(r"(\d+)·(\d+) to (\([\d, ]+\))", said)
                got = {to: float(w) * float(x) for w, x, to in added}
                outputs = [one.name("output", m)[7:-1] for m in rows[taking]]
                by_matrix = one.matrix()[rows[taking], n] * one.input.ravel()[n]
                assert got == dict(zip(outputs, by_matrix.tolist(), strict=True))
            else:
                assert said.endswith(f", in {taking.sum()} products.")


def test_the_corner_says_the_weight_that_an_input_meets_and_what_an_output_is_given(operator):
    one = operator(mode="transposed", input_size=2, stride=2, padding=1).read()
    one.tool("focus", one.name("output", 4))
    notes = {cell["name"]: cell["note"] for cell in one.tool("cells") if cell["note"]}
    assert notes == {
        "input (0, 0): 1": "×9",
        "input (0, 1): 2": "×7",
        "input (1, 0): 3": "×3",
        "input (1, 1): 4": "×1",
    }
    one.tool("focus", one.name("input", 3))
    notes = {cell["name"]: cell["note"] for cell in one.tool("cells") if cell["note"]}
    assert {name[:13]: note for name, note in notes.items()} == {
        "output (1, 1)": "+4",
        "output (1, 2)": "+8",
        "output (2, 1)": "+16",
        "output (2, 2)": "+20",
    }


def test_padding_is_shown_around_the_input_and_what_it_crops_around_the_output(operator):
    one = operator(mode="forward", input_size=4, padding=2)
    names = [cell["name"] for cell in one.tool("cells")]
    assert sum(name.startswith("border ") for name in names) == 8**2 - 4**2
    one = operator(mode="transposed", input_size=3, stride=2, padding=1).read()
    cropped = [cell for cell in one.cells if cell["name"].startswith("cropped")]
    shown = [cell["text"] for cell in one.cells if cell["table"].startswith("Output")]
    full = replace(one.geometry, padding=0)
    whole = definition.conv_transpose(one.input[None, None], one.weight[None, None], full)
    np.testing.assert_array_equal(np.array(shown, dtype=float), whole.ravel())
    assert len(cropped) == whole.size - one.output.size
    one.tool("focus", one.name("input", 0))
    assert sum(bool(c["mark"]) for c in one.tool("cells") if c["table"].startswith("Output")) == 9


def test_zero_insertion_shows_the_zeros_and_the_window_that_reads_them(operator):
    draw, one = random.Random(11), operator(mode="zero_insertion", input_size=2, stride=2)
    for _ in range(10):
        one.choose("zero insertion")
        one.choose(draw.choice(("1-D", "2-D")))
        for name in draw.sample(SETTINGS, len(SETTINGS)):
            one.tool("slide", name, draw.random() ** 2)
        one.read()
        field = [cell for cell in one.cells if cell["table"].startswith("With zeros")]
        values = np.array([0 if cell["text"] == "·" else int(cell["text"]) for cell in field])
        side = round(len(field) ** (1 / one.geometry.axes))
        field_shape = (side,) * one.geometry.axes
        # At stride 1 the flipped kernel on this field is the output.
        plain = Geometry(one.geometry.kernel, dilation=one.geometry.dilation)
        flipped = np.flip(one.weight)
        y = definition.conv(values.reshape(1, 1, *field_shape), flipped[None, None], plain)[0, 0]
        np.testing.assert_array_equal(y, one.output)
        shown = [c["text"] for c in one.cells if c["table"].startswith("Kernel")]
        np.testing.assert_array_equal(np.array(shown, dtype=float), flipped.ravel())
        n = draw.randrange(one.output.size)
        one.tool("focus", one.name("output", n))
        window = conv_matrix(np.ones(plain.kernel), field_shape, plain, dense=True)[n] > 0
        marks = [bool(c["mark"]) for c in one.tool("cells") if c["table"].startswith("With zeros")]
        np.testing.assert_array_equal(marks, window)


def test_the_count_of_products_by_zero_is_that_of_the_package(operator):
    one = operator(mode="zero_insertion", input_size=2, stride=2, kernel=3).read()
    counts = arithmetic("zero_insertion", (1, 1, 2, 2), (1, 1, 3, 3), one.geometry)
    summary = f"{counts.by_zero} of {counts.multiplications} products are by zero"
    assert summary in one.page.locator(".upconv-operator > p").first.inner_text()


def test_inserted_zeros_and_the_border_differ_by_more_than_colour(operator):
    one = operator(mode="zero_insertion", axes=1, input_size=3, stride=2, kernel=3)
    field = [c["text"] for c in one.tool("cells") if c["table"].startswith("With zeros")]
    assert field == ["·", "·", "1", "0", "2", "0", "3", "·", "·"]


def test_each_phase_has_its_weights_and_its_outputs(operator):
    draw, one = random.Random(13), operator(mode="polyphase", input_size=3, stride=2)
    for _ in range(10):
        one.choose("polyphase")
        one.choose(draw.choice(("1-D", "2-D")))
        for name in draw.sample(SETTINGS, len(SETTINGS)):
            one.tool("slide", name, draw.random() ** 1.5)
        one.read()
        subkernels = {}
        for cell in one.cells:
            if len(cell["table"]) == 1:
                subkernels.setdefault(cell["table"], set()).add(cell["name"].partition(":")[0])
        taps = [tap for own in subkernels.values() for tap in own]
        assert len(taps) == len(set(taps)) == one.weight.size  # every weight in one sub-kernel
        phases = {}
        for cell in one.cells:
            if cell["name"].startswith("output "):
                phases[cell["name"].partition(":")[0] + ":"] = cell["phase"]
        links = one.links()
        for n in range(one.output.size):
            own = subkernels.get(phases[one.name("output", n)], set())
            seen = {one.name("weight", tap - 1)[:-1] for tap in links[n] if tap}
            assert seen <= own


def test_turning_from_forward_to_transposed_turns_the_matrix(operator):
    draw, one = random.Random(17), operator()
    for _ in range(10):
        one.choose("forward")
        one.choose(draw.choice(("1-D", "2-D")))
        for name in draw.sample(SETTINGS, len(SETTINGS)):
            one.tool("slide", name, draw.random())
        before = one.read().matrix()
        one.choose("transposed")
        np.testing.assert_array_equal(one.read().matrix(), before.T)
        one.choose("forward")
        np.testing.assert_array_equal(one.read().matrix(), before)


# Steps


def press(one, name):
    one.page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("mode", MODES)
def test_steps_go_forth_and_back(mode, operator):
    one = operator(mode=mode, input_size=4 if mode == "forward" else 2, stride=1, padding=1).read()
    whole = one.output
    steps = one.input.size if mode == "transposed" else whole.size
    for n in (1, 2, 3, 2):
        press(one, "Back" if (n == 2 and one.page.get_by_text("3 of ").count()) else "Step")
        one.page.get_by_text(f"{n} of {steps} steps", exact=True).wait_for()
        one.read()
        if mode == "transposed":
            used = np.where(np.arange(one.input.size).reshape(one.input.shape) < n, one.input, 0)
            np.testing.assert_array_equal(one.output, one.expected(used))
        else:
            shown = ~np.isnan(one.output)
            assert shown.sum() == n
            np.testing.assert_array_equal(one.output[shown], whole[shown])
        kind = "input" if mode == "transposed" else "output"
        at = [c["name"] for c in one.tool("cells") if c["mark"] == "at"]
        assert any(name.startswith(kind) for name in at)


def test_polyphase_goes_phase_by_phase(operator):
    one = operator(mode="polyphase", input_size=2, stride=2)
    phases = []
    for _ in range(25):
        press(one, "Step")
        (at,) = (c for c in one.tool("cells") if c["mark"] == "at")
        phases.append(at["phase"])
    assert "".join(phases) == "a" * 9 + "b" * 6 + "c" * 6 + "d" * 4


def test_it_plays_pauses_and_ends_whole(operator):
    one = operator().read()
    press(one, "Play")
    one.page.get_by_text("2 of 4 steps", exact=True).wait_for()
    press(one, "Pause")
    one.page.wait_for_timeout(1000)
    assert one.page.get_by_text("2 of 4 steps", exact=True).count() == 1
    press(one, "Play")
    one.page.get_by_text("4 of 4 steps", exact=True).wait_for()
    one.page.get_by_role("button", name="Play", exact=True).wait_for()
    np.testing.assert_array_equal(one.read().output, one.expected())


@pytest.mark.parametrize("touch", ["cell", "slider", "mode"])
def test_touching_anything_pauses(touch, operator):
    one = operator()
    press(one, "Play")
    if touch == "cell":
        one.tool("focus", "input (2, 2)")
    elif touch == "slider":
        one.tool("slide", "padding", 1)
    else:
        one.choose("transposed")
    assert one.page.get_by_role("button", name="Play", exact=True).count() == 1


def test_it_never_moves_by_itself_and_goes_slowly_where_rest_is_wanted(operator):
    one = operator()
    one.page.emulate_media(reduced_motion="reduce")
    try:
        before = one.tool("cells")
        one.page.wait_for_timeout(1000)
        assert one.tool("cells") == before
        press(one, "Play")
        one.page.wait_for_timeout(1500)
        assert one.page.get_by_text("1 of 4 steps", exact=True).count() == 1
    finally:
        one.page.emulate_media(reduced_motion="no-preference")


# Pointer and keyboard


@pytest.mark.parametrize("mode", ["forward", "transposed"])
def test_the_pointer_finds_rows_and_columns_of_the_drawing(mode, operator):
    one = operator(mode=mode, input_size=4 if mode == "forward" else 2).read()
    links = one.links()
    box = one.page.locator(".upconv-operator svg").bounding_box()
    side = (box["width"] - 25) / links.shape[1]

    def at(row, column):
        x = box["x"] + (12 if column < 0 else 24 + (column + 0.5) * side)
        y = box["y"] + (12 if row < 0 else 24 + (row + 0.5) * side)
        one.page.mouse.move(x, y)
        return one.tool("text")

    one.page.locator(".upconv-operator svg").scroll_into_view_if_needed()
    box = one.page.locator(".upconv-operator svg").bounding_box()
    for row, column in ((1, 2), (3, 0), (0, links.shape[1] - 1)):
        assert at(row, column).startswith(one.name("output", row)[:-1] + " ")
        assert at(row, -1).startswith(one.name("output", row)[:-1] + " ")
        assert at(-1, column).startswith(one.name("input", column)[:-1] + " ")
        assert one.marked("output") == set(np.flatnonzero(links[:, column]).tolist())


def test_the_keyboard_alone_does_it_all(operator):
    one = operator()
    keyboard = one.page.keyboard

    def tab_to(script, most=40):
        for _ in range(most):
            keyboard.press("Tab")
            if one.page.evaluate(f"(at => {script})(document.activeElement)"):
                return
        pytest.fail(f"no Tab leads to {script}")

    tab_to("at.type === 'radio'")
    keyboard.press("ArrowRight")  # transposed: 2×2 inputs now
    tab_to("at.labels?.[0]?.textContent === 'stride'")
    keyboard.press("ArrowRight")
    one.read()
    assert (one.mode, one.geometry.stride) == ("transposed", (2, 2))
    tab_to("at.ariaLabel?.startsWith('input (0, 0)')")
    keyboard.press("ArrowDown")
    assert one.tool("text").startswith("input (1, 0) is 3; it adds 1·3 to (2, 0)")
    tab_to("at.ariaLabel?.startsWith('weight (0, 0)')")
    keyboard.press("End")
    assert one.tool("text").startswith("weight (0, 2) is 3, in ")
    tab_to("at.ariaLabel?.startsWith('output (0, 0)')")
    keyboard.press("ArrowRight")
    assert one.tool("text") == "output (0, 1) = 2·1 = 2."
    tab_to("at.labels?.[0]?.textContent === 'row'")
    keyboard.press("End")
    assert one.tool("text").startswith("output (4, 4)")
    tab_to("at.labels?.[0]?.textContent === 'column'")
    keyboard.press("ArrowRight")
    assert one.tool("text").startswith("input")
    tab_to("at.textContent === 'Step'")
    keyboard.press("Enter")
    assert one.page.get_by_text("1 of 4 steps", exact=True).count() == 1
    one.page.wait_for_function(
        "document.querySelector('.upconv-said').textContent.startsWith('input (0, 0) is 1;')"
    )


# The still figure


def test_the_still_shows_the_settings_that_the_explorable_starts_with():
    figure = still(mode="zero_insertion", input_size=2, stride=2, decimal=True, focus=12)
    assert "output 5×5" in figure.alt
    assert "25×4 matrix Cᵀ" in figure.alt
    assert "Its row 12 is framed: 4 weights" in figure.alt
    assert ">1379<" in figure.svg()
    column = still(mode="transposed", axes=1, input_size=3, stride=2, dilation=3, output_padding=2)
    assert "matrix Cᵀ" in column.alt
    assert "Its column 0 is framed: 3 weights" in column.alt


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "backward"}, "mode: got 'backward'"),
        ({"axes": 3}, "axes: got 3; want 1 or 2"),
        ({"kernel": 6}, "kernel: got 6; want an integer from 1 to 5"),
        ({"stride": 0}, "stride: got 0"),
        ({"padding": 4}, "padding: got 4"),
        ({"dilation": 1.5}, "dilation: got 1.5"),
        ({"output_padding": 1}, "output_padding: got one in forward mode"),
        ({"mode": "transposed", "output_padding": 1}, "output_padding: got 1 with stride 1"),
        ({"input_size": 9}, "input_size: got 9, so that input or output has 9"),
        ({"mode": "transposed", "input_size": 7}, "input_size: got 7, so that"),
        ({"focus": 4}, "focus: got 4; want an integer from 0 to 3"),
    ],
)
def test_what_the_sliders_cannot_reach_is_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        still(**settings)
