"""The race on the reader's machine: right before it is timed, and plain about what went wrong.

No time is asserted: here a software adapter computes, or the CPU.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from browser import PAGE, Reader
from upconv.book import explorables, records
from upconv.book.explorables import gpu
from upconv.timing import ratio

SOFTWARE = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
CHAPTER = Path(__file__).resolve().parents[3] / "book" / "speed" / "your-gpu.md"
SCRIPT = (explorables.FOLDER / "gpu.js").read_text("utf8")
QUICK = {
    "ROUNDS = 15": "ROUNDS = 3",
    "SAMPLE = 0.02": "SAMPLE = 3e-3",
    "REPEATS = 1024": "REPEATS = 128",  # fewer may end within one step of the clock
    "TURN = 12": "TURN = 1",
}
LINES = ".upconv-live > p"  # the machine, the state of the run, what is heard
TITLES = gpu.TITLES


class Race:
    """A page with the explorable, what a reader sees of it, and what he does to it."""

    def __init__(self, page, folder: Path):
        self.reader, self.page, self.folder = Reader(page), page, folder

    def open(self, before: str = "", quick: bool = True, size: int = 8) -> Race:
        """Opens it anew, with fewer rounds if `quick`, after the script `before` has run."""
        settings = {"channels": 8, "size": size}
        script = SCRIPT
        for old, new in QUICK.items() if quick else ():
            assert old in script
            script = script.replace(old, new)
        (self.folder / "gpu.js").write_text(script, encoding="utf-8")
        sources = explorables.FOLDER.as_uri()
        files = [f"{sources}/arithmetic.js", f"{sources}/host.js", "gpu.js"]
        scripts = [f'<script defer src="{file}"></script>' for file in files]
        page = PAGE.format(
            folder=sources,
            scripts="\n".join([f"<script>{before}</script>", *scripts]),
            markup=explorables.explorable("gpu", **settings).markup(),
        )
        (self.folder / "page.html").write_text(page, encoding="utf-8")
        self.reader.open(f"{self.folder.as_uri()}/page.html", "file://")
        self.wait_for("(lines) => !lines[0].includes('…')")
        return self

    def wait_for(self, condition: str) -> None:
        """Until the condition holds of the texts of the lines."""
        self.page.wait_for_function(
            f"() => ({condition})([...document.querySelectorAll('{LINES}')].map(p => p.innerText))",
            timeout=60_000,
        )

    def says(self) -> list[str]:
        return self.page.locator(LINES).all_inner_texts()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def start(self, until: str, act: str) -> Race:
        """Starts a run, and acts in the page at the moment in which its state says this.

        What is sent to the page only then, as a click, may come after the end of a quick run.
        """
        self.page.evaluate(
            f"""() => {{
              const [, state] = document.querySelectorAll("{LINES}");
              const button = (name) =>
                [...document.querySelectorAll("button")].find((one) => one.textContent === name);
              const watch = new MutationObserver(() => {{
                if (!state.textContent.includes({until!r})) return;
                watch.disconnect();
                {act};
              }});
              watch.observe(state, {{ childList: true }});
              button("Run").click();
            }}"""
        )
        return self

    def finish(self) -> Race:
        self.page.get_by_role("button", name="Run", exact=True).wait_for(timeout=60_000)
        return self

    def run(self) -> Race:
        self.press("Run")
        return self.finish()

    def rows(self) -> dict[str, list[str]]:
        """Count and time of each form, as they are shown."""
        found = self.page.locator(".upconv-race tr:has(td)").evaluate_all(
            "rows => rows.map(row => [row.cells[0].textContent, "
            "...[...row.cells].slice(1).map(cell => cell.innerText)])"
        )
        assert [title for title, *_ in found] == list(TITLES.values())
        return {form: cells for form, (_, *cells) in zip(TITLES, found, strict=True)}

    def timed(self) -> set[str]:
        """The forms for which a time is shown."""
        return {form for form, (_, time) in self.rows().items() if re.search(r"\d ms$", time)}

    def choose(self, **settings) -> None:
        labels = {"channels": "Channels", "size": "Input size"}
        for name, value in settings.items():
            group = self.page.get_by_role("group", name=labels[name])
            group.get_by_role("radio", name=str(value), exact=True).check()

    def record(self, folder: Path) -> records.Record:
        """What the page offers to copy, saved and loaded as a reader would."""
        text = self.page.get_by_role("button", name="Copy as JSON").get_attribute("value")
        (folder / "gpu.json").write_text(text, encoding="utf-8")
        return records.load("gpu", folder)


def race_on(browser, tmp_path_factory, *flags) -> Race:
    context = browser(*flags).new_context(permissions=["clipboard-read", "clipboard-write"])
    return Race(context.new_page(), tmp_path_factory.mktemp("race"))


@pytest.fixture(scope="module")
def software(browser, tmp_path_factory):
    """Where WebGPU computes on the CPU."""
    return race_on(browser, tmp_path_factory, *SOFTWARE)


@pytest.fixture(scope="module")
def without(browser, tmp_path_factory):
    """Where there is no WebGPU."""
    return race_on(browser, tmp_path_factory, "--disable-gpu")


@pytest.fixture(params=["software", "without"])
def race(request):
    """One after the other on both."""
    return request.getfixturevalue(request.param)


# What it counts


def test_the_counts_in_the_page_are_the_packages(without):
    without.open()
    for channels, size in product(gpu.CHANNELS, gpu.SIZES):
        without.choose(channels=channels, size=size)
        made = gpu.counts(channels, size)
        for form, (count, time) in without.rows().items():
            ratio, number = count.split("\n")
            assert number == f"{made[form]:,}"
            want = made[form] / made["gather"]
            assert float(ratio.removesuffix(" ×")) == pytest.approx(want, rel=5e-3)
            assert time.strip() == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 7}, "channels: got 7; want one of 8, 16, 32"),
        ({"size": 64}, "size: got 64; want one of 8, 16, 32"),
        ({"size": True}, "size: got True; want one of 8, 16, 32"),
    ],
)
def test_settings_that_the_page_cannot_take_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        gpu.still(**settings)


def test_the_still_figure_says_that_it_shows_counts():
    figure = gpu.still(channels=8, size=8)
    made = gpu.counts(8, 8)
    assert figure.alt.startswith("Bars of counts, not of times: ")
    assert f"zero insertion {made['zero_insertion'] / made['gather']:.3g}" in figure.alt
    assert "(no times)" in figure.svg()


# A whole run


@pytest.mark.parametrize("size", [8, 16])
def test_every_form_is_right_and_timed(race, size):
    race.open(size=size).run()
    assert race.says()[1].startswith("3 rounds")
    assert race.timed() == set(TITLES)
    assert race.reader.errors == []


def assert_shown(race, seconds: dict[str, list[float]]) -> None:
    """The ratios in the page are those that the package computes from the record."""
    for form in seconds:
        low, middle, high = ratio(seconds, form, base="gather")
        shown = re.findall(r"[\d.]+", race.rows()[form][1])[:3]
        assert [float(ratio) for ratio in shown] == pytest.approx([middle, low, high], rel=6e-3)


def test_a_run_is_a_record_of_the_book(race, tmp_path):
    race.open(quick=False).run()
    assert race.says()[1].startswith("15 rounds")
    record = race.record(tmp_path)
    chosen = {"channels": 8, "size": 8, "kernel": 4, "stride": 2, "padding": 1}
    assert chosen.items() <= record.settings.items()
    assert record.machine == race.says()[0]
    assert record.settings["wrong"] == {}
    assert set(record.settings["repeats"]) == set(TITLES)
    assert "Recorded on" in record.origin
    (layer,) = record.results
    assert layer == "8 channels, 8×8"
    seconds = record.results[layer]["seconds"]
    assert list(seconds) == list(TITLES)
    for samples in seconds.values():
        assert len(samples) == 15
        assert all(sample > 0 for sample in samples)
    assert_shown(race, seconds)


def test_the_chapters_lines_read_the_record(without, tmp_path, monkeypatch, capsys):
    without.open().run().record(tmp_path)
    (lines,) = re.findall(r"^```python\n(.*?)^```$", CHAPTER.read_text("utf8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    told = capsys.readouterr().out
    assert told.startswith("No WebGPU here: plain JavaScript on the CPU ")
    assert all(f" {form} Ratio(" in told for form in TITLES)


def test_the_chapter_names_the_settings_of_the_script():
    text = " ".join(CHAPTER.read_text("utf8").split())
    assert "until it takes 20 ms or so" in text
    assert "const SAMPLE = 0.02;" in SCRIPT
    assert "stopped at 1024 repeats" in text
    assert "const REPEATS = 1024;" in SCRIPT
    assert "whole numbers from −8 to 7" in text
    assert "Math.floor(draw(-8, 8))" in SCRIPT


# What it is called


def test_a_software_adapter_is_no_gpu(software):
    software.open(size=32)
    assert software.says()[0].startswith("Software adapter: not a GPU (google swiftshader")
    checked = software.page.locator("input:checked").evaluate_all(
        "all => all.map(one => one.value)"
    )
    assert checked == ["8", "16"]


def test_without_webgpu_it_is_the_cpu(without):
    without.open()
    assert without.says()[0] == "No WebGPU here: plain JavaScript on the CPU"
    without.run()
    assert without.says()[0] == "No WebGPU here: plain JavaScript on the CPU"
    assert without.timed() == set(TITLES)


def test_a_gpu_is_called_by_its_name(software):
    info = "{ get: () => ({ vendor: 'acme', architecture: 'anvil', device: '', description: '' }) }"
    software.open(f"Object.defineProperty(GPUAdapter.prototype, 'info', {info});", size=32)
    assert software.says()[0] == "GPU: acme anvil"
    assert software.page.locator("input:checked").nth(1).input_value() == "32"  # not made smaller


def test_what_it_does_is_told_while_it_does_it(race):
    told = race.open().page.evaluate(
        """async () => {
          const [, state] = document.querySelectorAll(".upconv-live > p");
          const told = new Set();
          const note = () => told.add(state.textContent);
          new MutationObserver(note).observe(state, { childList: true });
          document.querySelector(".upconv-controls > button").click();
          const frame = () => new Promise(requestAnimationFrame);
          while (!state.textContent.startsWith("3 rounds")) await frame();
          return [...told];
        }"""
    )
    assert told[0] == "Computing what must come out …"
    wanted = [
        f"{verb}: {title} …" for verb in ("Checking", "Warming up") for title in TITLES.values()
    ]
    wanted += [f"Round {round} of 3 …" for round in range(1, 4)]
    assert set(wanted) <= set(told)
    assert all(re.fullmatch(r"[^…]+ …|3 rounds.*", words) for words in told)
    assert "undefined" not in " ".join(told)


def test_without_timestamps_the_wait_is_timed(software, tmp_path):
    none = "{ get: () => new Set() }"
    software.open(f"Object.defineProperty(GPUAdapter.prototype, 'features', {none});").run()
    assert software.timed() == set(TITLES)
    assert software.record(tmp_path).settings["clock"] == "mapAsync"
    software.open().run()
    assert software.record(tmp_path).settings["clock"] == "timestamp-query"


# Planted wrong kernels

THEN = "nearest_then_convolution"
WRONG = [
    ("gather", "m + 1 - t", "m - 1 - t", ["gather"]),
    ("gather", "t < K", "t < K - 1", ["gather"]),
    ("gather", "= sum;", "= sum + 0.00001 * sum;", ["gather"]),
    ("gather", "var sum", "if (plane >= 0) { return; }\nvar sum", ["gather"]),
    ("insert", "row + 2 - K", "row + 4 - K", ["zero_insertion"]),
    ("convolve", "K + t) * K + u]", "K + u) * K + t]", ["zero_insertion", THEN]),
    ("polyphase", "(m + 1) & 1", "m & 1", ["polyphase"]),
    ("polyphase", "c < 2 * N", "c < 2 * N - 2", ["polyphase"]),
    ("enlarge", "(r >> 1)", "(c >> 1)", [THEN]),
]


def plant(race, kernel: str, old: str, new: str) -> None:
    """Puts an error into a kernel, by the same object from which the page takes it."""
    text = race.page.evaluate("kernel => upconv.gpu.kernels[kernel]", kernel)
    assert old in text
    race.page.evaluate(
        "([kernel, text]) => { upconv.gpu.kernels[kernel] = text }",
        [kernel, text.replace(old, new)],
    )


@pytest.mark.parametrize(
    ("machine", "kernel", "old", "new", "forms"),
    [("without", *wrong) for wrong in WRONG] + [("software", *WRONG[n]) for n in (0, 3, 6)],
)
def test_a_wrong_kernel_is_named_and_not_timed(machine, kernel, old, new, forms, tmp_path, request):
    race = request.getfixturevalue(machine).open()
    plant(race, kernel, old, new)
    race.run()
    for form in forms:
        assert race.rows()[form][1].strip() == "wrong, not timed"
    assert race.timed() == set(TITLES) - set(forms)
    record = race.record(tmp_path)
    assert list(record.settings["wrong"]) == forms
    assert set(list(record.results.values())[0]["seconds"]) == set(TITLES) - set(forms)
    assert ("×" in race.rows()[THEN][1]) == (not {"gather", THEN} & set(forms))


def test_a_kernel_that_is_refused_ends_the_run_and_is_told(race):
    plant(race.open(), "gather", "sum += w", "summ += w")
    race.run()
    assert re.match("The run has ended: .*(summ is not defined|ShaderModule)", race.says()[1])
    assert race.timed() == set()


# What goes wrong while it runs


def go_on(race) -> None:
    """After whatever went wrong, no time is shown, and another run goes well."""
    assert race.timed() == set()
    assert race.page.get_by_role("button", name="Copy as JSON").is_disabled()
    race.run()
    assert race.says()[1].startswith("3 rounds")
    assert race.timed() == set(TITLES)
    assert race.reader.errors == []


@pytest.mark.parametrize("until", ["Checking", "Round"])
def test_a_lost_gpu_is_told_and_the_page_goes_on(software, until):
    software.open(
        """const request = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (wanted) {
          return globalThis.device = await request.call(this, wanted);
        };"""
    )
    software.start(until, "device.destroy()").finish()
    assert software.says()[1].startswith("The run has ended: the GPU was lost (")
    assert software.says()[1].endswith("and what was measured is gone.")
    go_on(software)


def test_memory_that_runs_out_is_told_and_the_page_goes_on(software):
    software.open(
        """const pop = GPUDevice.prototype.popErrorScope;
        GPUDevice.prototype.popErrorScope = async function () {
          const error = await pop.call(this);
          return globalThis.full ? new GPUOutOfMemoryError("planted") : error;
        };
        globalThis.full = true;"""
    )
    software.run()
    assert software.says()[1].endswith("the GPU has too little memory. Choose a smaller layer.")
    software.page.evaluate("full = false")
    go_on(software)


def test_a_device_that_is_refused_is_told_and_the_page_goes_on(software):
    software.open(
        """const request = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = function (wanted) {
          return globalThis.busy ? Promise.reject(Error("planted")) : request.call(this, wanted);
        };
        globalThis.busy = true;"""
    )
    software.run()
    assert software.says()[1] == "The run has ended: planted"
    software.page.evaluate("busy = false")
    go_on(software)


def test_a_clock_that_stands_still_is_told(software):
    software.open("GPUCommandEncoder.prototype.resolveQuerySet = () => {};").run()
    assert software.says()[1] == "The run has ended: the clock of the GPU does not go on."
    assert software.timed() == set()


HIDE = "globalThis.hide = {}; document.dispatchEvent(new Event('visibilitychange'))"


def test_a_round_in_a_hidden_tab_is_dropped_and_told(race, tmp_path):
    race.open("Object.defineProperty(document, 'hidden', { get: () => globalThis.hide ?? false });")
    race.start("Round 2", HIDE.format("true"))
    race.wait_for("(lines) => lines[1].startsWith('Paused, for this tab is hidden')")
    race.page.wait_for_timeout(100)
    assert race.says()[1].startswith("Paused, for this tab is hidden")  # still
    race.page.evaluate(HIDE.format("false"))
    race.finish()
    record = race.record(tmp_path)
    dropped = record.settings["dropped"]
    assert dropped >= 1  # a busy machine may add one
    why = "dropped: the tab was hidden, or the clock jumped."
    assert race.says()[1] == f"3 rounds, {dropped} {why}"
    (found,) = record.results.values()
    assert {len(samples) for samples in found["seconds"].values()} == {3}
    assert_shown(race, found["seconds"])


@pytest.mark.parametrize("until", ["Checking", "Round"])
def test_stop_ends_the_run_and_the_page_goes_on(race, until):
    race.open().start(until, "button('Stop').click()").finish()
    assert race.says()[1] == "Stopped."
    go_on(race)


def test_another_setting_ends_the_run_which_shows_nothing_any_more(race, tmp_path):
    race.open().start(
        "Round",
        """document.querySelector("[value='16']").click();
        globalThis.said = state.textContent;
        button("Run").click()""",  # the new run, while the old one has not ended yet
    )
    race.finish()
    assert race.page.evaluate("said") == "Not run yet."
    race.page.wait_for_timeout(200)
    assert race.says()[1].startswith("3 rounds")
    assert race.timed() == set(TITLES)
    assert race.record(tmp_path).settings["channels"] == 16
    race.choose(channels=8)
    assert race.timed() == set()


# By keyboard, and what is heard


def test_it_is_driven_by_keyboard_and_heard(race):
    race.open(size=16)
    page = race.page
    page.evaluate("document.querySelector('.upconv-live').tabIndex = -1")
    page.evaluate("document.querySelector('.upconv-live').focus()")
    for key in ("Tab", "ArrowRight", "Tab", "ArrowLeft", "Tab"):
        page.keyboard.press(key)
    checked = page.locator("input:checked").evaluate_all("all => all.map(one => one.value)")
    assert checked == ["16", "8"]
    page.wait_for_function(
        "document.querySelector('.upconv-said').textContent.startsWith('Not run yet. Form')"
    )
    page.keyboard.press("Enter")
    race.finish()
    assert page.evaluate("document.activeElement.textContent") == "Run"  # the focus has stayed
    page.wait_for_function(
        "document.querySelector('.upconv-said').textContent.startsWith('3 rounds')"
    )
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Copy as JSON"
    page.keyboard.press("Enter")
    race.wait_for("(lines) => lines[1] === 'Copied.'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith('{\n "name": "gpu",')


def test_what_the_browser_does_not_copy_is_told(without):
    without.open("Object.defineProperty(navigator, 'clipboard', { value: undefined });").run()
    without.press("Copy as JSON")
    assert without.says()[1] == "Your browser lets no page copy."


def test_the_kernels_can_be_read(without):
    page = without.open().page  # which unfolds everything
    shown = page.locator("details pre").inner_text()
    kernels = page.evaluate("upconv.gpu.kernels")
    assert len(kernels) == 5
    assert all(f"// {name}{text}" in shown for name, text in kernels.items())
