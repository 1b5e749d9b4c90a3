"""The built book as a reader meets it: in a real browser, over http and opened from disk.

Every helper returns the faults that it finds, as text; on the book it must find none. The second
half of the file plants one fault at a time on a small page, and each helper must find its own.
"""

from __future__ import annotations

import functools
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import browser
import pytest
from browser import Reader

WIDTHS = (320, 768, 1440)


# What can be read without a browser


class Html(HTMLParser):
    """What one page says about itself: its links, anchors, headings, title and language."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.headings: list[int] = []
        self.described = self.redirect = False
        self.language = self.title = ""
        self.in_title = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.update(attributes[name] for name in ("id", "name") if attributes.get(name))
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))
        elif tag == "html":
            self.language = attributes.get("lang") or ""
        elif tag == "title":
            self.in_title = not self.title  # an SVG has titles too
        elif tag == "meta":
            self.described |= attributes.get("name") == "description"
            self.redirect |= (attributes.get("http-equiv") or "").lower() == "refresh"

    def handle_endtag(self, tag):
        self.in_title &= tag != "title"

    def handle_data(self, data):
        self.title += data if self.in_title else ""


@functools.cache
def read(path: Path) -> Html:
    """The page at `path`, parsed once."""
    return Html(path)


def pages(root: Path) -> list[Path]:
    """All the pages of a site but the redirects and the theme's own templates."""
    found = (path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts)
    return [path for path in found if not read(path).redirect]


def broken_links(path: Path) -> list[str]:
    """Links and images of a page that lead to no file or no anchor of the site."""
    faults = []
    for link in read(path).links:
        if urlsplit(link).scheme or link.startswith("//"):
            continue
        address, anchor = urldefrag(link)
        target = path.parent / unquote(urlsplit(address).path) if address else path
        if not target.is_file():
            faults.append(f"{path.name}: {link}: no such file")
        elif anchor and target.suffix == ".html" and unquote(anchor) not in read(target).ids:
            faults.append(f"{path.name}: {link}: no such anchor")
    return faults


def headless(path: Path) -> list[str]:
    """What a page lacks for those who hear it or find it: title, language, order of headings."""
    page = read(path)
    faults = [] if page.title.strip() else ["no title"]
    if not page.language:
        faults.append("no language")
    if page.headings.count(1) != 1:
        faults.append(f"{page.headings.count(1)} headings of the first level")
    for above, below in zip(page.headings, page.headings[1:], strict=False):
        if below > above + 1:
            faults.append(f"an h{below} follows an h{above}")
    return [f"{path.name}: {fault}" for fault in faults]


# What takes a browser


def unrendered_math(page) -> list[str]:
    """Formulas that stayed TeX, and errors that MathJax shows."""
    return page.evaluate("faults.unrenderedMath()")


def too_wide(page) -> list[str]:
    """What makes the page scroll sideways, at each of the widths."""
    faults = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        faults += page.evaluate("faults.tooWide()")
    return faults


def unlabelled(page) -> list[str]:
    """Images and figures that say nothing to those who do not see them."""
    return page.evaluate("faults.unlabelled()")


def pale_text(page) -> list[str]:
    """Text with a contrast below 4.5 to what lies under it, in the light and the dark theme."""
    return page.evaluate("[...faults.paleText('light'), ...faults.paleText('dark')]")


def look(reader: Reader, address: str, inside: str) -> dict[str, list[str]]:
    """All the faults of one page, by kind."""
    reader.open(address, inside)
    faults = {
        "math": unrendered_math(reader.page),
        "wide": too_wide(reader.page),
        "label": unlabelled(reader.page),
        "pale": pale_text(reader.page),
    }
    # What arrives late, fonts of the wide layout say, belongs to this page too.
    loading = {"outside": reader.outside, "errors": reader.errors, "failed": reader.failed}
    return faults | loading


# The browser and the book


@pytest.fixture(scope="module", params=["http", "disk"])
def site(request, book, serve) -> str:
    """The address of the book: once over http, once from disk."""
    return serve(book) if request.param == "http" else book.as_uri()


@pytest.fixture(scope="module")
def faults(site, book, reader) -> dict[str, list[str]]:
    """The faults of all the pages by kind, each page visited once."""
    found: dict[str, list[str]] = {}
    for path in pages(book):
        name = path.relative_to(book).as_posix()
        for kind, messages in look(reader, f"{site}/{name}", site).items():
            found.setdefault(kind, []).extend(f"{name}: {message}" for message in messages)
    return found


def assert_none(found: list[str]) -> None:
    """Fails with all the faults that were found, one a line."""
    assert not found, "\n" + "\n".join(found)


def test_no_request_leaves_the_site(faults):
    assert_none(faults["outside"])


def test_no_page_logs_an_error(faults):
    assert_none(faults["errors"])


def test_every_request_is_answered(faults):
    assert_none(faults["failed"])


def test_all_math_is_rendered(faults):
    assert_none(faults["math"])


def test_no_page_scrolls_sideways(faults):
    assert_none(faults["wide"])


def test_every_image_and_figure_has_a_text(faults):
    assert_none(faults["label"])


def test_text_stands_out_in_both_themes(faults):
    assert_none(faults["pale"])


def test_no_link_or_image_is_broken(book):
    assert_none([fault for path in pages(book) for fault in broken_links(path)])


def test_every_page_has_a_title_a_language_and_ordered_headings(book):
    assert_none([fault for path in pages(book) for fault in headless(path)])


def test_chapters_describe_themselves(book):
    chapters = (book / "book").rglob("*.html")
    assert_none([path.name for path in chapters if not read(path).described])


def test_the_root_leads_to_the_book(site, reader):
    reader.page.goto(f"{site}/index.html")
    reader.page.wait_for_url("**/book/index.html")


def test_search_finds_a_chapter(site, reader):
    reader.open(f"{site}/book/index.html", site)
    reader.page.set_viewport_size({"width": 1440, "height": 900})
    reader.page.keyboard.press("Control+k")
    reader.page.keyboard.type("transpose")
    reader.page.keyboard.press("Enter")
    reader.page.wait_for_url("**/search.html?q=transpose*")
    results = reader.page.locator("#search-results li a")
    results.first.wait_for()
    assert "transpose.html" in " ".join(link.get_attribute("href") for link in results.all())
    if site.startswith("http"):
        reader.page.locator("#search-results p.context").first.wait_for()
    assert_none(reader.errors + reader.failed + reader.outside)


# Each helper finds the fault that it is for, and none on a page without faults

GOOD = """<!doctype html><html lang="en"><head><title>Good</title>
<link rel="icon" href="data:,"></head><body>
<h1 id="top">Good</h1><article><h2>Part</h2><a href="#top">up</a>
<svg role="img" aria-label="a word" width="90" height="30"><text y="20">word</text></svg>
%s</article></body></html>"""


@pytest.fixture
def small_site(tmp_path):
    """A function that writes a page with something on it, and returns its path."""

    def write(extra: str = "", page: str = GOOD) -> Path:
        read.cache_clear()
        path = tmp_path / "page.html"
        path.write_text(page.replace("%s", extra), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("scheme", ["http", "disk"])
def test_a_good_page_has_no_fault(scheme, small_site, serve, reader):
    path = small_site()
    site = serve(path.parent) if scheme == "http" else path.parent.as_uri()
    assert_none(sum(look(reader, f"{site}/{path.name}", site).values(), []))
    assert_none(broken_links(path) + headless(path))


PLANTED = [
    ("outside", '<script src="https://book.invalid/script.js"></script>', "book.invalid"),
    ("outside", '<img src="//book.invalid/x.png" alt="x">', "book.invalid"),
    ("errors", "<script>console.error('planted')</script>", "planted"),
    ("errors", "<script>throw Error('planted')</script>", "planted"),
    ("failed", '<script src="missing.js"></script>', "missing.js"),
    ("math", r'<span class="math">\(x^2\)</span>', "unrendered"),
    (
        "math",
        '<span class="math"><mjx-container>'
        '<mjx-merror data-mjx-error="Undefined control sequence"></mjx-merror>'
        "</mjx-container></span>",
        "Undefined control sequence",
    ),
    ("wide", '<pre style="width: 400px">x</pre>', "320 px"),
    ("wide", '<div style="width: 1500px">x</div>', "1440 px"),
    ("wide", '<details><div style="width: 900px">x</div></details>', "768 px"),
    ("label", '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "image"),
    ("label", '<img alt=" " src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "image"),
    ("label", '<svg role="img"></svg>', "figure"),
    ("label", '<svg aria-label="words, but no role"></svg>', "figure"),
    ("pale", '<p style="color: #777">grey</p>', 'light: 4.48 for "grey"'),
    (
        "pale",
        '<style>[data-theme="dark"] body { background: #121212 }</style>',
        'dark: 1.12 for "word"',
    ),
    (
        "pale",
        '<svg role="img" aria-label="x" width="90" height="30">'
        '<rect width="90" height="30" fill="#333"/><text y="20">buried</text></svg>',
        'for "buried"',
    ),
]


@pytest.mark.parametrize("scheme", ["http", "disk"])
@pytest.mark.parametrize(("kind", "planted", "message"), PLANTED)
def test_the_browser_finds(kind, planted, message, scheme, small_site, serve, reader):
    path = small_site(planted)
    site = serve(path.parent) if scheme == "http" else path.parent.as_uri()
    assert message in " ".join(look(reader, f"{site}/{path.name}", site)[kind])


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        ('<a href="gone.html">x</a>', "no such file"),
        ('<a href="page.html#gone">x</a>', "no such anchor"),
        ('<a href="#gone">x</a>', "no such anchor"),
        ('<img src="gone.png" alt="x">', "no such file"),
    ],
)
def test_the_parser_finds_broken_links(planted, message, small_site):
    assert message in " ".join(broken_links(small_site(planted)))


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (GOOD.replace("<title>Good</title>", ""), "no title"),
        (GOOD.replace(' lang="en"', ""), "no language"),
        (GOOD.replace("h1", "h2"), "0 headings of the first level"),
        (GOOD.replace("%s", "<h1>Again</h1>"), "2 headings of the first level"),
        (GOOD.replace("%s", "<h4>Deep</h4>"), "an h4 follows an h2"),
    ],
)
def test_the_parser_finds_what_a_page_lacks(page, message, small_site):
    assert message in " ".join(headless(small_site(page=page)))


def test_a_book_that_is_not_built_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "BUILT", tmp_path)
    with pytest.raises(pytest.fail.Exception, match="make book"):
        browser.book.__wrapped__()
