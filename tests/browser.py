"""The browser of the tests: one Chromium a module, what it meets while a page loads, and fixtures.

The fixtures are known to every test through ``conftest.py``.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "_build" / "html"
NO_BROWSER = (
    "no Chromium found: install your system's `chromium`, or run "
    "`.venv/bin/playwright install chromium`, or set CHROMIUM to the path of one"
)
PAGE = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>One explorable</title>
<link rel="icon" href="data:,">
<style>
:root {{ --pst-color-text-base: #1f2328; --pst-color-background: #fff; }}
[data-theme="dark"] {{ --pst-color-text-base: #ced6dd; --pst-color-background: #14181e;
  --pst-color-text-muted: #9ca4af; --pst-color-primary: #5fb4f0; }}
body {{ margin: 1rem; color: var(--pst-color-text-base);
  background: var(--pst-color-background); font: 16px/1.5 sans-serif; }}
</style>
<link rel="stylesheet" href="{folder}/explorables.css">
{scripts}
</head><body><main><h1>One explorable</h1>{markup}</main></body></html>"""


class Reader:
    """One browser page, and the faults that it met while it loaded the address that it shows."""

    def __init__(self, page):
        self.page = page
        self.inside = ""
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.failed: list[str] = []
        page.add_init_script(path=Path(__file__).with_name("faults.js"))
        page.on("request", self.on_request)
        page.on("requestfailed", self.on_failure)
        page.on("response", self.on_response)
        page.on("console", self.on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def on_request(self, request):
        if not request.url.startswith((self.inside, "data:", "blob:")):
            self.outside.append(request.url)

    def on_failure(self, request):
        if request.failure != "net::ERR_ABORTED":  # the reader went on to the next page
            self.failed.append(request.url)

    def on_response(self, response):
        if response.status >= 400:
            self.failed.append(response.url)

    def on_console(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def open(self, address: str, inside: str) -> None:
        """Loads `address`, folds everything open and waits for the math; `inside` is the site."""
        self.page.goto("about:blank")  # what the page before still has under way ends here
        self.inside = inside
        self.outside, self.errors, self.failed = [], [], []
        self.page.goto(address, wait_until="load")
        self.page.evaluate("faults.settle()")


@pytest.fixture(scope="module")
def browser():
    """A function that starts Chromium with flags of one's own beside the usual ones.

    For one module: Playwright's event loop may not outlive it, nbval has its own.
    """
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    usual = ["--disable-background-networking", "--disable-component-update"]
    usual += ["--disable-sync", "--no-first-run"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        usual.append("--no-sandbox")
    with playwright() as tools:
        own = tools.chromium.executable_path
        found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), own)
        if not Path(found).is_file():
            pytest.skip(NO_BROWSER)
        started = []

        def start(*flags: str):
            started.append(tools.chromium.launch(executable_path=found, args=[*usual, *flags]))
            return started[-1]

        yield start
        for one in started:
            one.close()


@pytest.fixture(scope="module")
def reader(browser) -> Reader:
    """A page without a GPU in the one browser of the module."""
    return Reader(browser("--disable-gpu").new_page())


@pytest.fixture(scope="module")
def live(reader, tmp_path_factory):
    """A function that opens a small page with one explorable, from disk: `live("sizes", stride=3)`.

    It returns the module's reader, whose page then shows it.
    """
    from upconv.book import explorables

    folder = tmp_path_factory.mktemp("live")
    explorables.write(folder)

    def show(name: str, **settings) -> Reader:
        one = explorables.explorable(name, **settings)
        scripts = [f'<script defer src="{script}"></script>' for script in one.scripts]
        page = PAGE.format(folder=".", scripts="\n".join(scripts), markup=one.markup())
        (folder / "page.html").write_text(page, encoding="utf-8")
        reader.open(f"{folder.as_uri()}/page.html", "file://")
        assert reader.errors == []
        return reader

    return show


@pytest.fixture(scope="module")
def book() -> Path:
    """The folder of the built book."""
    if not (BUILT / "book" / "index.html").is_file():
        pytest.fail(f"the book is not built: run `make book` first (looked in {BUILT})")
    return BUILT


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line of log for each."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def serve():
    """A function that serves a folder over http and returns its address."""
    servers = []

    def start(root: Path) -> str:
        handler = functools.partial(QuietHandler, directory=root)
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=[0.02], daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
