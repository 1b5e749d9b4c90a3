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
        return self.table("Stamps that meet in each phase")

    @property
    def gains(self):
        return self.table("Sum of the taps of each phase")

    @property
    def headings(self):
        return self.page.locator(".upconv-panel > p").all_inner_texts()

    @property
    def sentence(self):
        return self.text(".upconv-told")

    @property
    def phase(self):
        return self.text(".upconv-tables > p")

    @property
    def state(self):
        return self.page.evaluate(f"{MODEL}.all()")

    @property
    def weight(self):
        state = self.state
        shape = (1, 1, *(state["kernel"],) * state["axes"])
        return np.array(state["taps"], dtype=float).reshape(shape)

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
    counts, sums, *answers, taps = figure.headings
    assert counts.endswith(": even") == (np.ptp(wanted["counts"]) == 0)
    even = np.ptp(wanted["gains"]) < 1e-9
    assert (": even" in sums) == even
    if even:
        assert len(set(np.ravel(gains))) == 1
        assert f"add up to {gains[0][0]} in each phase: even" in figure.sentence
    else:
        assert near(sums.split("imbalance ")[1], wanted["imbalance"], 0)
    for heading, name, share in zip(
        answers, ("A constant", "A ramp"), wanted["grids"], strict=True
    ):
        assert re.match(f"{name}: (no grid|grid .*)$", heading)
        assert near(heading.split("grid ")[1], share, 0) if share else "no grid" in heading
    constant, ramp = (heading.split(": ")[1] for heading in answers)
    assert figure.sentence.endswith(f"On a constant: {constant}; on a ramp: {ramp}.")
    assert f"k = {state['kernel']}" in taps
    for at, picture in enumerate(wanted["pictures"]):
        low, high = min(0, picture.min()), max(0, picture.max())
        grey = 255 * (picture - low) / (high - low or 1)
        np.testing.assert_allclose(figure.pixels(at), grey, atol=0.51)


def test_it_begins_with_the_point_of_the_chapter(figure):
    """Even counts, uneven sums, a grid; then, after one press, uneven counts, even sums, none."""
    page = figure()
    assert page.counts == [["4", "4"], ["4", "4"]]
    assert len(set(np.ravel(page.gains))) == 4
    assert "in each pixel: even" in page.sentence
    assert "in each phase: uneven" in page.sentence
    constant = float(page.headings[2].removeprefix("A constant: grid "))
    assert constant > 0.7
    assert np.ptp(page.pixels(0)) == 255
    check(page)

    page.press("k = 3, (½, 1, ½)")
    assert page.counts == [["4", "2"], ["2", "1"]]
    assert page.gains == [["1", "1"], ["1", "1"]]
    assert page.headings[2:4] == ["A constant: no grid", "A ramp: no grid"]
    assert page.sentence == (
        "1 to 4 stamps in each pixel: uneven. Their taps add up to 1 in each phase: even. "
        "On a constant: no grid; on a ramp: no grid."
    )
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
        page.choose(str(rng.choice(["ones", "random (torch)", "random (Keras)", "by hand"])))
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
        page.choose("random (torch)")
        page.slide("Kernel k", kernel)
        note = page.text(".upconv-note")
        before = page.weight
        page.press(remedy)
        assert page.text(".upconv-note") != note
        check(page)
        assert (page.headings[2] == "A constant: no grid") == flat, remedy
        if straight:
            assert page.headings[3] == "A ramp: no grid", remedy
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
    assert page.headings[0] == "Stamps that meet: even"
    assert "uneven" in page.headings[1]


def test_a_second_blur_mends_ramps(figure):
    page = figure(kernel=3)
    page.press("Blur after")
    assert page.headings[2] == "A constant: no grid"
    assert page.headings[3] != "A ramp: no grid"
    page.press("Blur after")
    assert page.headings[3] == "A ramp: no grid"
    check(page)


def test_draw_again_draws_and_the_first_draw_can_be_had_back(figure):
    page = figure()
    first = page.weight
    page.press("Draw again")
    second = page.weight
    assert np.abs(first - second).max() > 0.05
    assert np.abs(second).max() <= 1 / 4 + 5e-3  # torch's bound for 16 taps, and the rounding
    page.choose("random (Keras)")
    assert 1 / 4 < np.abs(page.weight).max() <= 3**0.5 / 4 + 5e-3
    page.press("k = 4, random")
    np.testing.assert_array_equal(page.weight, first)
    page.choose("ones")
    assert page.page.get_by_role("button", name="Draw again").is_disabled()


def test_whatever_is_drawn_a_resize_convolution_has_no_grid_on_constants(figure):
    page = figure()
    page.press("Resize, convolve")
    for _ in range(5):
        before = page.weight
        page.press("Draw again")
        assert np.abs(page.weight - before).max() > 0.05
        assert page.headings[2] == "A constant: no grid"


# ------------------------------------------------------------------------------- Taps and phases


def test_an_interpolation_by_hand_stays_one_on_one_axis_and_on_two(figure):
    page = figure(kernel=3, weights="bilinear")
    page.choose("by hand")
    page.choose("one")
    np.testing.assert_allclose(page.weight[0, 0], [0.5, 1, 0.5])
    page.choose("two")
    np.testing.assert_allclose(page.weight[0, 0], np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]))
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
        check(page)
    field.press("Tab")
    assert field.input_value() == "-0.55"
    page.page.get_by_label("Kernel k").press("ArrowRight")
    assert page.state["taps"] == [-0.55, 1, 0]
    page.slide("Kernel k", 1)
    assert page.state["taps"] == [-0.55]
    page.choose("two")
    np.testing.assert_allclose(page.state["taps"], [0.3025])


def test_a_phase_shows_its_taps_by_pointer_and_by_keys(figure):
    page = figure()
    sums = page.page.get_by_role("grid", name="Sum of the taps of each phase")
    sums.get_by_role("gridcell").nth(1).hover()
    lit = ".upconv-kernel td[data-mark=lit] input"

    def shown():
        names = page.page.locator(lit).evaluate_all("all => all.map((one) => one.ariaLabel)")
        terms = re.findall(r"[−\d.]+", page.phase.split(":")[1].replace("− ", "−").rstrip("."))
        *taps, total = (float(term.replace("−", "-")) for term in terms)
        np.testing.assert_allclose(sum(taps), total, atol=1e-9)
        return names

    assert shown() == [f"tap {r}, {c}" for r in (0, 2) for c in (1, 3)]
    assert page.phase.startswith("Phase (0, 1): ")
    page.page.mouse.move(1, 1)
    assert page.phase.startswith("Phase (0, 1): ")  # it stays
    sums.get_by_role("gridcell").nth(1).focus()
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowLeft")
    assert shown() == [f"tap {r}, {c}" for r in (1, 3) for c in (0, 2)]
    page.slide("Stride s", 1)
    assert page.phase.startswith("Phase (0, 0): ")
    page.slide("Stride s", 3)
    page.slide("Kernel k", 1)
    sums.get_by_role("gridcell").last.hover()
    assert page.phase == "Phase (2, 2): no taps = 0."


def test_the_change_is_announced(figure):
    page = figure()
    page.press("Bilinear")
    said = page.page.get_by_role("status").filter(has_text="On a constant: no grid")
    said.wait_for()
    assert said.inner_text() == page.sentence


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
