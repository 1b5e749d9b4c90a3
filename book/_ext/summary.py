"""Gives each page a description for search engines: its first paragraph, in plain text."""

from docutils import nodes
from sphinx.application import Sphinx

LIMIT = 160  # what search engines show


def summary(doctree: nodes.document) -> str:
    """The first paragraph of a page, cut at a word, without its markup."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) <= LIMIT:
            return text
        return text[: LIMIT - 1].rsplit(" ", 1)[0] + "…"
    return ""


def add_summary(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """A page that describes itself (`html_meta` in its front matter) is left alone."""
    if doctree and 'name="description"' not in context.get("metatags", ""):
        context["page_summary"] = summary(doctree)


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_summary)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
