"""Overlap and phases, driven as a reader does; what the page says is what the package computes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from upconv import imbalance, overlap, phase_gains, project
from upconv.book.explorables import overlap as stills
from upconv.book.figures.style import number

MODEL = "upconv.mounted.at(-1).model"


class Figure:
    """The explorable of a page: its controls by name, and what it says."""

    def __init__(self, reader):
        self.reader, self.page = reader, reader.page

    def slide(self, label: str, value: int) -> None:
        slider = self.page.get_by_label(label, exact=True)
        low = int(slider.get_attribute("min"))
        slider.press("Home")
        for _ in range(value - low):
            slider.press("ArrowRight")
        assert slider.input_value() == str(value)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def choose(self, name: str) -> None:
        self.page.get_by_role("radio", name=name, exact=True).check()

    def write(self, tap: str, text: str) -> None:
        self.page.get_by_label(f"tap {tap}", exact=True).fill(text)

    def table(self, name: str) -> np.ndarray:
        return self.page.get_by_role("grid", name=name).evaluate(
            "table => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
        )

    def text(self, where: str) -> str:
        return self.page.locator(where).inner_text()

    @property
    def counts(self):
        return self.table("Stamps that meet")

    @property
    def gains(self):
        return self.table("Sum of their taps")

    @property
    def answers(self):
        """Of the constant and of the ramp, "no grid" or "grid 0.8"."""
        titles = self.page.locator(".upconv-panel:has(canvas) > p").all_inner_texts()
        constant, ramp = titles
        return [constant.removeprefix("A constant: "), ramp.removeprefix("A ramp: ")]

    @property
    def lit(self):
        """The taps that are set off."""
        marked = self.page.locator("td[data-mark=lit] input")
        return marked.evaluate_all("all => all.map((one) => one.ariaLabel)")

    @property
    def state(self):
        return self.page.evaluate(
            f"""() => {{ const {{ weight, ...settings }} = {MODEL}.all();
            return {{ ...settings, taps: [...(weight?.data ?? [])] }} }}"""
        )

    @property
    def shown(self):
        """The taps in their fields."""
        state = self.state
        taps = self.page.locator("td input").evaluate_all("all => all.map((one) => one.value)")
        return np.array(taps, float).reshape(1, 1, *(state["kernel"],) * state["axes"])

    @property
    def weight(self):
        """The taps: as written by hand, or as the still makes them; and the fields show these."""
        state, shown = self.state, self.shown
        if state["weights"] == "hand":
            weight = np.array(state["taps"], float).reshape(shown.shape)
        else:
            names = ("kernel", "stride", "axes", "weights", "seed")
            weight = stills._weight(*(state[name] for name in names))
        np.testing.assert_allclose(shown, weight, atol=5.1e-4)
        return weight

    def pixels(self, number: int) -> np.ndarray:
        grey = (
            self.page.locator("canvas")
            .nth(number)
            .evaluate(
                """canvas => { const { width, height } = canvas;
            return [width, ...canvas.getContext("2d").getImageData(0, 0, width, height).data] }"""
            )
        )
        return np.array(grey[1::4]).reshape(-1, grey[0])


@pytest.fixture
def figure(live):
    """A function that opens the explorable with these settings."""
    return lambda **settings: Figure(live("overlap", **settings))


def expected(state: dict, weight: np.ndarray) -> dict:
    """What the package has to say about the settings and the taps of a page."""
    axes, kernel, stride, layers = (state[name] for name in ("axes", "kernel", "stride", "layers"))
    weight = torch.from_numpy(weight)
    composed = stills._composed(weight, stride, layers)
    answers = stills._answers(weight, stride, layers).values()
    return {
        "counts": np.atleast_2d(overlap((kernel,) * axes, stride, layers)),
        "gains": np.atleast_2d(phase_gains(composed, stride**layers)[0, 0].numpy()),
        "imbalance": float(imbalance(composed, stride**layers)),
        "grids": [0 if answer.relative < 1e-9 else answer.relative for answer in answers],
        "pictures": [
            np.broadcast_to(picture, (picture.shape[-1],) * 2)
            for picture in (answer.interior[0, 0].numpy() for answer in answers)
        ],
    }


def near(written: str, value: float, decimals: float = 5e-4) -> bool:
    """Whether a text is the value with three significant digits, or three decimals."""
    got = float(written.replace("−", "-"))
    return abs(got - value) <= decimals + 5e-3 * abs(value) + 1e-9


def check(figure) -> None:
    """That every number of the page is the package's."""
    state = figure.state
    wanted = expected(state, figure.weight)
    np.testing.assert_array_equal(np.array(figure.counts, dtype=int), wanted["counts"])
    gains = figure.gains
    assert np.shape(gains) == wanted["gains"].shape
    for written, gain in zip(np.ravel(gains), wanted["gains"].ravel(), strict=True):
        assert near(written, gain), (written, gain)
    even = np.ptp(wanted["gains"]) < 1e-9
    assert (len(set(np.ravel(gains))) == 1) >= even  # equal sums are written equally
    assert (figure.answers[0] == "no grid") == even
    assert wanted["grids"][0] == pytest.approx(wanted["imbalance"], abs=1e-9)
    for answer, share in zip(figure.answers, wanted["grids"], strict=True):
        assert near(answer.removeprefix("grid "), share, 0) if share else answer == "no grid"
    for at, picture in enumerate(wanted["pictures"]):
        low, high = min(0, picture.min()), max(0, picture.max())
        grey = 255 * (picture - low) / (high - low or 1)
        np.testing.assert_allclose(figure.pixels(at), grey, atol=0.51)


def test_it_begins_with_the_point_of_the_chapter(figure):
    """Even counts, uneven sums, a grid; then, after one press, uneven counts, even sums, none."""
    page = figure()
    assert page.counts == [["4", "4"], ["4", "4"]]
    assert len(set(np.ravel(page.gains))) == 4
    assert float(page.answers[0].removeprefix("grid ")) > 0.7
    assert np.ptp(page.pixels(0)) == 255
    check(page)

    page.press("k = 3, (½, 1, ½)")
    assert page.counts == [["4", "2"], ["2", "1"]]
    assert page.gains == [["1", "1"], ["1", "1"]]
    assert page.answers == ["no grid", "no grid"]
    assert np.ptp(page.pixels(0)) == 0
    page.choose("one")
    np.testing.assert_allclose(page.weight[0, 0], [0.5, 1, 0.5])
    check(page)

    page.press("k = 4, random")
    assert page.counts == [["2", "2"]]
    check(page)


@pytest.mark.parametrize(
    ("kernel", "stride", "axes", "weights"),
    [(4, 2, 2, "torch"), (5, 3, 1, "keras"), (3, 2, 2, "bilinear"), (1, 1, 1, "ones")],
)
def test_it_begins_with_the_weights_of_the_still(figure, kernel, stride, axes, weights):
    page = figure(kernel=kernel, stride=stride, axes=axes, weights=weights, seed=kernel)
    wanted = stills._weight(kernel, stride, axes, weights, seed=kernel)
    np.testing.assert_allclose(page.weight, wanted, atol=1e-12)
    check(page)


REMEDIES = ("Divisible kernel", "Resize, convolve", "ICNR", "Bilinear", "Project: flat")
REMEDIES += ("Project: factorable", "Blur after")


@pytest.mark.parametrize("seed", range(5))
def test_what_it_shows_is_what_the_package_computes(figure, seed):
    """Five readers, each with eight settings, set as a reader does."""
    rng = np.random.default_rng(seed)
    page = figure()
    for _ in range(8):
        page.choose(str(rng.choice(["one", "two"])))
        page.slide("Stride s", stride := int(rng.integers(1, 4)))
        page.slide("Kernel k", int(rng.integers(1, 7)))
        page.slide("Layers", int(rng.integers(1, 3 + (stride < 3))))
        page.choose(str(rng.choice(["ones", "torch", "keras"])))
        check(page)
        remedy = page.page.get_by_role("button", name=str(rng.choice(REMEDIES)), exact=True)
        if remedy.is_enabled():
            remedy.click()
            check(page)
        tap = rng.integers(page.state["kernel"], size=page.state["axes"])
        page.write(", ".join(map(str, tap)), f"{rng.normal():.2f}")
        check(page)
    assert page.reader.errors == []


# ------------------------------------------------------------------------------------ Its remedies


@pytest.mark.parametrize("axes", ["one", "two"])
@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 2), (2, 3), (4, 3), (1, 2), (5, 2)])
def test_each_remedy_keeps_its_promise(figure, kernel, stride, axes):
    page = figure()
    page.choose(axes)
    page.slide("Stride s", stride)
    for remedy, flat, straight in (
        ("Resize, convolve", True, False),
        ("ICNR", True, False),
        ("Bilinear", True, True),
        ("Project: flat", True, False),
        ("Project: factorable", True, False),
        ("Blur after", True, False),
    ):
        page.choose("torch")
        page.slide("Kernel k", kernel)
        before = page.weight
        page.press(remedy)
        check(page)
        assert (page.answers[0] == "no grid") == flat, remedy
        if straight:
            assert page.answers[1] == "no grid", remedy
        if remedy.startswith("Project"):
            wanted = project(before, stride, remedy.split(": ")[1])
            np.testing.assert_allclose(page.weight, wanted, atol=1e-12)
        if remedy == "ICNR":
            (taps,) = page.weight[0]
            phases = {taps[np.ix_(*places)].tobytes() for places in phases_of(taps, stride)}
            assert len(phases) == 1
        if remedy == "Blur after":
            blurred = before[0, 0]
            for axis in range(blurred.ndim):
                blurred = np.apply_along_axis(np.convolve, axis, blurred, np.ones(stride) / stride)
            np.testing.assert_allclose(page.weight[0, 0], blurred, atol=1e-12)


def phases_of(taps, stride):
    starts = np.ndindex((stride,) * taps.ndim)
    return [[range(r, len(taps), stride) for r in start] for start in starts]


def test_a_divisible_kernel_evens_the_counts_only(figure):
    page = figure(kernel=3)
    page.press("Divisible kernel")
    assert page.state["kernel"] == 4
    assert np.unique(page.counts) == ["4"]
    assert page.answers[0] != "no grid"


def test_a_second_blur_mends_ramps(figure):
    page = figure(kernel=3)
    page.press("Blur after")
    assert page.answers[0] == "no grid" != page.answers[1]
    page.press("Blur after")
    assert page.answers[1] == "no grid"
    check(page)


def test_draw_again_draws(figure):
    page = figure()
    first = page.weight
    page.press("Draw again")
    second = page.weight
    assert np.abs(first - second).max() > 0.05
    assert np.abs(second).max() <= 1 / 4 + 5e-3  # torch's bound for 16 taps, and the rounding
    page.press("Project: flat")
    page.choose("torch")
    np.testing.assert_array_equal(page.weight, second)  # only that button draws new ones
    page.press("Divisible kernel")
    np.testing.assert_array_equal(page.weight, second)
    page.choose("keras")
    assert 1 / 4 < np.abs(page.weight).max() <= 3**0.5 / 4 + 5e-3
    page.choose("ones")
    assert page.page.get_by_role("button", name="Draw again").is_disabled()


def test_whatever_is_drawn_a_resize_convolution_has_no_grid_on_constants(figure):
    page = figure()
    before = page.weight
    for _ in range(5):
        page.choose("torch")
        page.press("Draw again")
        page.press("Resize, convolve")
        assert np.abs(page.weight - before).max() > 0.05
        assert page.answers[0] == "no grid"
        before = page.weight


# ------------------------------------------------------------------------------- Taps and phases


def test_taps_by_hand_go_from_one_axis_to_two_and_back(figure):
    page = figure(kernel=3, axes=1, weights="bilinear")
    page.write("0", "0.25")
    page.choose("two")
    wanted = np.outer([0.25, 1, 0.5], [0.25, 1, 0.5])
    np.testing.assert_allclose(page.shown[0, 0], wanted, atol=1e-3)  # three decimals
    page.choose("one")
    np.testing.assert_allclose(page.weight[0, 0], [0.25, 1, 0.5])
    check(page)


def test_by_hand_goes_on_with_the_taps_on_show(figure):
    page = figure(kernel=3, axes=1)
    before = page.weight
    page.choose("hand")
    np.testing.assert_array_equal(page.weight, before)
    check(page)


def test_taps_are_written_as_a_reader_writes(figure):
    page = figure(kernel=2, axes=1, weights="ones")
    page.write("0", "-0.5")
    page.page.keyboard.press("End")
    page.page.keyboard.type("5")
    assert page.state["taps"] == [-0.55, 1]
    assert page.state["weights"] == "hand"
    field = page.page.get_by_label("tap 0", exact=True)
    for refused in ("1e9", "-101", ""):
        field.fill(refused)
        assert page.state["taps"][0] == -0.55
    field.press("Tab")
    assert field.input_value() == "-0.55"
    check(page)
    page.page.get_by_label("Kernel k").press("ArrowRight")
    np.testing.assert_allclose(page.shown[0, 0], [-0.55, 1, 0])
    page.slide("Kernel k", 1)
    np.testing.assert_allclose(page.shown[0, 0], [-0.55])
    page.slide("Kernel k", 2)
    np.testing.assert_allclose(page.shown[0, 0], [-0.55, 1])


def test_a_phase_shows_its_taps_by_pointer_and_by_keys(figure):
    page = figure()
    sums = page.page.get_by_role("grid", name="Sum of their taps")
    cells = sums.get_by_role("gridcell")

    def lit_is(row, column):
        assert page.lit == [f"tap {r}, {c}" for r in (row, row + 2) for c in (column, column + 2)]
        total = sum(page.shown[0, 0, r, c] for r in (row, row + 2) for c in (column, column + 2))
        assert near(page.gains[row][column], total)
        assert sums.locator("[data-mark=lit]").inner_text() == page.gains[row][column]

    cells.nth(1).hover()
    lit_is(0, 1)
    page.page.mouse.move(1, 1)
    lit_is(0, 1)  # it stays
    cells.nth(1).focus()
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowLeft")
    lit_is(1, 0)
    page.slide("Stride s", 1)
    assert len(page.lit) == 16
    page.slide("Stride s", 3)
    page.slide("Kernel k", 1)
    cells.last.hover()
    assert page.lit == []
    assert page.gains[2][2] == "0"


def test_the_change_is_announced(figure):
    page = figure()
    page.press("Bilinear")
    page.page.get_by_text("A constant: no grid; A ramp: no grid", exact=True).wait_for()


# ------------------------------------------------------------------------------- The still figure


def test_the_still_says_what_the_package_computes():
    told = stills.still().alt
    weight = stills._weight(4, 2, 2, "torch", 38)
    gains = ", ".join(number(gain) for gain in phase_gains(weight, 2).ravel().round(9))
    assert f"meet 4, 4, 4, 4 stamps; their taps add up to {gains}." in told
    assert f"A constant becomes a grid of {number(imbalance(weight, 2))}" in told
    assert stills.still()._repr_html_() == stills.still()._repr_html_()
    assert "3 layers" in stills.still(layers=3, weights="ones").alt


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": 7}, "kernel: got 7; want one of 1, 2"),
        ({"stride": 0}, "stride: got 0; want one of 1, 2, 3"),
        ({"stride": 3, "layers": 3}, "layers: got 3; want one of 1, 2"),
        ({"axes": 3}, "axes: got 3; want one of 1, 2"),
        ({"weights": "hand"}, "weights: got 'hand'; want one of ones, torch"),
        ({"weights": "bilinear", "kernel": 5}, "weight: got a kernel of 5"),
        ({"seed": -1}, "seed: got -1; want an integer of at least 0"),
    ],
)
def test_the_still_refuses(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        stills.still(**settings)
