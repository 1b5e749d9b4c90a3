"""What every explorable promises its reader, tried in the built book by a restless one.

The second half of the file plants faults in a small explorable of its own: each check must find
the one that it is for.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from upconv.book import explorables

BYTES = 100_000  # all the code of all explorables, before the weights
LOAD = 200  # milliseconds from the parsed page to the live explorable
SCRIPT = 16  # milliseconds of script, by the processor, for one operation: a frame at 60 Hz
NAMES = explorables.NAMES
ROOT = Path(__file__).resolve().parents[3]


def places(book: Path) -> dict[str, str]:
    """For each explorable, the first page of the book that shows it."""
    found = {}
    for path in sorted((book / "book").rglob("*.html")):
        for name in re.findall(r'upconv-explorable" data-name="(\w+)"', path.read_text("utf8")):
            found.setdefault(name, path.relative_to(book).as_posix())
    return found


@pytest.fixture(scope="module", params=["http", "disk"])
def site(request, book, serve) -> str:
    """The address of the book: once over http, once from disk."""
    return serve(book) if request.param == "http" else book.as_uri()


@pytest.fixture(scope="module")
def visit(reader, book):
    """A function that opens the page of an explorable, in the built book."""
    reader.page.add_init_script(path=Path(__file__).with_name("reader.js"))

    def open_page(name: str, site: str | None = None, width: int = 1440):
        site = site or book.as_uri()
        reader.page.set_viewport_size({"width": width, "height": 900})
        reader.open(f"{site}/{places(book)[name]}", site)
        return reader

    return open_page


def violations(page, context: str = ".upconv-live") -> list[str]:
    """What axe-core has to say against a part of the page."""
    found = Axe().run(page, context, {"preload": False}).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def walk(page) -> tuple[list[str], list[str]]:
    """Tabs through an explorable: faults of the focus, and what can be operated but not reached."""
    page.evaluate(
        """() => { const start = document.createElement("a");
        start.href = "#";
        restless.live()[0].before(start);
        start.focus(); }"""
    )
    faults, reached = [], set()
    for _ in range(400):
        page.keyboard.press("Tab")
        focus = page.evaluate("restless.focus()")
        if focus is None:
            break
        reached.add(focus["index"])
        if not focus["outlined"]:
            faults.append(f"{focus['name']}: no outline under the focus")
    # One of a group of radio buttons has the focus for all, and arrow keys lead to the others.
    left = page.evaluate(
        """reached => restless.controls(restless.live()[0])
        .filter((control, i) => control.type !== "radio" && !reached.includes(i))
        .map((control) => control.outerHTML.slice(0, 100))""",
        sorted(reached),
    )
    return faults, left


def load_time(page, name: str) -> float:
    """Milliseconds that the host took to start an explorable."""
    return page.evaluate("name => performance.getEntriesByName(`upconv ${name}`)[0].duration", name)


def script_times(page, repeats: int) -> dict[str, float]:
    """Milliseconds of script that an operation of each control takes: the median of several.

    They are those of the processor, so that other work on the machine does not count. Nor does
    what is left to later frames: an operation begins when nothing more runs.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def script() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        (found,) = (one["value"] for one in metrics if one["name"] == "ScriptDuration")
        return 1000 * found

    def calm() -> float:
        before, now = -1.0, script()
        while now > before:
            page.wait_for_timeout(20)
            before, now = now, script()
        return now

    names = page.evaluate(
        """() => { restless.held = restless.live().flatMap(restless.controls);
        restless.draw = restless.random(1);
        return restless.held.map(restless.name); }"""
    )
    times = {}
    for n, name in enumerate(names):
        taken = []
        for _ in range(repeats):
            before = calm()
            page.evaluate(
                """n => { const control = restless.held[n];
                if (control.isConnected && !control.disabled)
                  restless.operate(control, restless.draw); }""",
                n,
            )
            taken.append(script() - before)
        times[name] = statistics.median(taken)
    session.detach()
    return times


def announced(page) -> list[str]:
    """What is said aloud after some operations; what the start has to say is not counted."""
    return page.evaluate(
        """async () => {
        const [el] = restless.live();
        const regions = [...el.querySelectorAll("[role=status], [aria-live]")];
        const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));
        await wait(400);
        regions.forEach((region) => region.replaceChildren());
        const draw = restless.random(3);
        for (let i = 0; i < 20; i += 1) {
          const all = restless.controls(el);
          restless.operate(all[Math.floor(draw() * all.length)], draw);
        }
        const words = () => regions.map((region) => region.textContent.trim()).filter(Boolean);
        for (let i = 0; i < 20 && !words().length; i += 1) await wait(50);
        return words();
        }"""
    )


def moving(page) -> list[str]:
    """What moves during operations, for a reader who asked for rest."""
    page.emulate_media(reduced_motion="reduce")
    try:
        page.reload()
        page.evaluate("restless.play(40, 1)")
        return page.evaluate(
            "document.getAnimations().map((one) => one.effect.target.outerHTML.slice(0, 100))"
        )
    finally:
        page.emulate_media(reduced_motion="no-preference")


def stands(page, name: str) -> bool:
    """Whether a reader sees the still figure, with its alt text, and not the explorable."""
    place = page.locator(f'[data-name="{name}"]').first
    still = place.locator(".upconv-still svg").first
    told = still.is_visible() and still.get_attribute("aria-label").strip()
    return bool(told) and not place.locator(".upconv-live").is_visible()


def stands_in_print(page, name: str) -> bool:
    page.emulate_media(media="print")
    try:
        return stands(page, name)
    finally:
        page.emulate_media(media="screen")


def test_the_book_shows_every_explorable(book):
    assert set(places(book)) == set(NAMES)


def test_all_the_code_fits_its_budget():
    files = [*explorables.FOLDER.glob("*.js"), *explorables.FOLDER.glob("*.css")]
    sizes = {path.name: path.stat().st_size for path in files}
    assert sum(sizes.values()) <= BYTES, sizes


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_over_http_and_from_disk(name, site, visit):
    reader = visit(name, site)
    reader.page.wait_for_selector(f'[data-name="{name}"][data-live]')
    assert not reader.page.locator(f'[data-name="{name}"] .upconv-still').first.is_visible()
    assert reader.errors + reader.failed + reader.outside == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_there_at_once(name, visit):
    taken = []
    for _ in range(5):
        taken.append(load_time(visit(name).page, name))
    assert statistics.median(taken) <= LOAD, taken


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_within_a_frame(name, visit):
    times = script_times(visit(name).page, 5)
    assert times
    assert max(times.values()) <= SCRIPT, times


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing(name, theme, visit):
    page = visit(name).page
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    assert violations(page) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_keyboard_reaches_everything_and_is_seen(name, visit):
    assert walk(visit(name).page) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_what_changed_is_announced(name, visit):
    assert announced(visit(name).page) != []


@pytest.mark.parametrize("width", [320, 1440])
@pytest.mark.parametrize("name", NAMES)
def test_hundreds_of_changes_do_no_harm(name, width, visit):
    reader = visit(name, width=width)
    for seed in range(3):
        assert reader.page.evaluate("seed => restless.play(200, seed)", seed) == []
        assert reader.page.evaluate("faults.tooWide()") == []
    assert reader.errors == []


@pytest.mark.parametrize("name", NAMES)
def test_a_finger_can_hit_what_can_be_operated(name, visit):
    assert visit(name, width=320).page.evaluate("restless.small()") == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_moves_for_those_who_asked_for_rest(name, visit):
    assert moving(visit(name).page) == []


@pytest.mark.parametrize("name", NAMES)
def test_print_shows_the_still_figure(name, visit):
    assert stands_in_print(visit(name).page, name)


def test_without_javascript_the_still_figures_stand(browser, book):
    page = browser("--disable-gpu").new_context(java_script_enabled=False).new_page()
    for name, where in places(book).items():
        page.goto(f"{book.as_uri()}/{where}")
        assert stands(page, name), name


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_in_a_notebook_cell(name, reader):
    """As JupyterLab shows a trusted output: set as HTML, its scripts made anew, then attached."""
    reader.open("about:blank", "about:")
    for _ in range(2):  # two cells with the same explorable
        reader.page.evaluate(
            """html => { const cell = document.createElement("div");
            cell.innerHTML = html;
            for (const script of cell.querySelectorAll("script")) {
              const again = document.createElement("script");
              again.textContent = script.textContent;
              script.replaceWith(again);
            }
            document.body.append(cell); }""",
            explorables.explorable(name)._repr_html_(),
        )
    assert reader.page.locator(".upconv-explorable[data-live]").count() == 2
    # Controls of one name in two cells would be one group, and a label would name another's.
    once = "all => new Set(all).size === all.length"
    for what in ("all.map(one => one.id)", "all.filter(one => one.checked).map(one => one.name)"):
        found = reader.page.locator(".upconv-live input[id], .upconv-live input:checked")
        assert found.evaluate_all(f"all => ({once})({what}.filter(Boolean))")
    groups = reader.page.locator("fieldset:has(input[type=radio])")
    assert groups.count() == reader.page.locator("input[type=radio]:checked").count()
    assert reader.errors + reader.failed + reader.outside == []


# Each check finds the fault that it is for, and none in a good explorable

GOOD = """
const { make, slider, announcer } = upconv.ui;
upconv.explorable("planted", { render({ model, el }) {
  const one = slider({ model, name: "x", label: "x", min: 1, max: 9 });
  const said = announcer();
  const square = make("p");
  const show = () => { square.textContent = model.get("x") ** 2; said.say(square.textContent) };
  model.on("change", show);
  show();
  el.append(one.element, square, said.element);
  %s
} });
"""


@pytest.fixture
def planted(reader, tmp_path):
    """A function that opens a small explorable with a line of its own."""
    from browser import PAGE

    reader.page.add_init_script(path=Path(__file__).with_name("reader.js"))

    def write(line: str = "", style: str = ""):
        script = (explorables.FOLDER / "host.js").read_text("utf8")
        number = "globalThis.upconv = { arithmetic: { number: String } };"
        scripts = f"<style>{style}</style>"
        markup = (
            '<div class="upconv-explorable" data-name="planted" data-settings="{&quot;x&quot;:3}">'
            '<div class="upconv-still"><svg aria-label="9" width="9" height="9"></svg></div></div>'
            f"<script>{number}{script}{GOOD.replace('%s', line)}</script>"
        )
        folder = explorables.FOLDER.as_uri()
        text = PAGE.format(folder=folder, scripts=scripts, markup=markup)
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        reader.open(f"{tmp_path.as_uri()}/page.html", "file://")
        return reader.page

    return write


def test_a_good_explorable_passes(planted, reader):
    page = planted()
    assert violations(page) == []
    assert walk(page) == ([], [])
    assert announced(page) != []
    assert moving(page) == []
    assert stands_in_print(page, "planted")
    assert page.evaluate("[...restless.play(100, 1), ...restless.small()]") == []
    assert reader.errors + reader.failed + reader.outside == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('el.append(make("p", {}, "NaN"));', 'says "NaN'),
        ('model.on("change", () => { square.textContent += ` ${model.get("y")}` });', "undefined"),
        ('model.on("change", () => one.input.setAttribute("aria-valuetext", 0 / 0));', "NaN"),
        ('el.append(make("svg:svg", {}, make("svg:rect", { x: 0 / 0 })));', "draws"),
    ],
)
def test_restless_play_finds(line, message, planted):
    assert message in " ".join(planted(line).evaluate("restless.play(40, 1)"))


def test_an_error_in_a_listener_is_heard(planted, reader):
    planted('model.on("change", () => { throw Error("planted") });').evaluate("restless.play(9, 1)")
    reader.page.wait_for_timeout(50)
    assert "planted" in " ".join(reader.errors)


def test_a_failing_render_leaves_the_still_and_is_heard(planted, reader):
    page = planted('throw Error("planted")')
    assert page.locator(".upconv-live").count() == 0
    assert "planted" in " ".join(reader.errors)


@pytest.mark.parametrize(
    "line", ['el.append(make("input"));', 'el.append(make("p", { style: "color: #aaa" }, "pale"));']
)
def test_axe_finds(line, planted):
    assert violations(planted(line)) != []


def test_walking_finds_what_the_keyboard_cannot_reach_or_see(planted):
    unreachable = 'el.append(make("button", { tabindex: -1 }, "x"));'
    assert walk(planted(unreachable))[1] != []
    assert walk(planted(style="input { outline: none !important }"))[0] != []


def test_slow_and_small_controls_are_found(planted):
    slow = "for (let i = 0; i < 1e7; i += 1) globalThis.sum = Math.sqrt(i);"
    page = planted(f'model.on("change", () => {{ {slow} }});')
    assert max(script_times(page, 3).values()) > SCRIPT
    assert planted('el.append(make("button", { style: "width: 9px" }, "x"));').evaluate(
        "restless.small()"
    )


def test_a_slow_start_is_found(planted):
    slow = "const end = performance.now() + 220; while (performance.now() < end);"
    assert load_time(planted(slow), "planted") > LOAD


def test_silence_is_found(planted):
    assert announced(planted("said.element.remove();")) == []
    # Words at the start are no answer to what a reader does.
    assert announced(planted("said.say = () => {};")) == []


def test_what_moves_is_found(planted):
    assert moving(planted("square.animate({ opacity: [0, 1] }, 1e6);")) != []


@pytest.mark.parametrize(
    "style",
    [
        ".upconv-live { display: block !important }",
        ".upconv-still { display: none !important }",
    ],
)
def test_print_that_shows_the_wrong_one_is_found(style, planted):
    assert not stands_in_print(planted(style=style), "planted")


def test_a_still_that_needs_javascript_is_found(planted, browser):
    address = planted(style=".upconv-still:not([data-live] *) { display: none }").url
    page = browser("--disable-gpu").new_context(java_script_enabled=False).new_page()
    page.goto(address)
    assert not stands(page, "planted")


@pytest.mark.parametrize(
    ("source", "told"), [("https://example.org/x.png", "outside"), ("missing.png", "failed")]
)
def test_a_request_that_leaves_the_site_or_fails_is_found(source, told, planted, reader):
    planted(f"new Image().src = {source!r};")
    reader.page.wait_for_timeout(100)
    assert source in " ".join(getattr(reader, told))


# The Python side


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("nothing", {}, "name: got 'nothing'; want one of"),
        ("sizes", {"size": 3}, "size: no setting"),
    ],
)
def test_an_unknown_name_or_setting_is_refused(name, settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorables.explorable(name, **settings)


@pytest.mark.parametrize("name", NAMES)
def test_script_and_still_stand_side_by_side(name):
    one = explorables.explorable(name)
    assert (explorables.FOLDER / f"{name}.js").is_file()
    assert repr(one).strip()
    assert "</script" not in "".join(one.scripts.values())


def test_no_cell_of_a_chapter_shows_a_script():
    # The cache of the outputs would not know of an edit to it.
    cells = re.compile(r"```{code-cell}.*?^```", re.MULTILINE | re.DOTALL)
    for path in (ROOT / "book").rglob("*.md"):
        assert "explorable(" not in "".join(cells.findall(path.read_text("utf8"))), path


@pytest.fixture
def small_book(tmp_path):
    """A function that builds a book of two pages, the first with a directive: output, pages."""
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.append({str(ROOT / 'book' / '_ext')!r})\n"
        "extensions = ['myst_parser', 'explorables']\nnumfig = True\nhtml_theme = 'basic'\n"
    )
    (tmp_path / "index.md").write_text("# One\n\n```{toctree}\nwith\nwithout\n```\n")
    (tmp_path / "without.md").write_text("# Without\n\nSee {numref}`fig-live`.\n")

    def build(directive: str):
        (tmp_path / "with.md").write_text(f"# With\n\n{directive}\n")
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", ".", "_build"]
        done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
        pages = [tmp_path / "_build" / f"{name}.html" for name in ("with", "without")]
        return done.stderr, *(page.read_text("utf8") for page in pages)

    return build


def test_the_directive_makes_a_numbered_figure_and_loads_its_scripts(small_book):
    name = NAMES[0]
    told, page, other = small_book(
        f"```{{explorable}} {name}\n:name: fig-live\n\nA caption *with* `code`.\n```"
    )
    assert told == ""
    assert "A caption <em>with</em>" in page
    assert "Fig. 1" in other
    for file in ("arithmetic.js", "host.js", f"{name}.js", "explorables.css"):
        assert f"_static/explorables/{file}" in page
        assert f"_static/explorables/{file}" not in other


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("{explorable} nothing\n:name: fig-live\n\nA caption.", "got 'nothing'; want one of"),
        (f"{{explorable}} {NAMES[0]}\n:name: fig-live", "no caption"),
        (f"{{explorable}} {NAMES[0]}\n\nA caption.", "no name"),
        (
            f"{{explorable}} {NAMES[0]}\n:name: fig-live\n:settings: {{nothing: 1}}\n\nA caption.",
            "nothing: no setting",
        ),
    ],
)
def test_the_directive_refuses(directive, message, small_book):
    assert message in small_book(f"```{directive}\n```")[0]
