"""The directive ``explorable``: an interactive figure, numbered and captioned like any other.

    ```{explorable} sizes
    :name: fig-sizes-live
    :settings: {kernel: 3, stride: 2}

    The caption.
    ```

Its still figure is drawn when the page is read; its scripts are copied beside the pages, and only
pages with an explorable load them.
"""

from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from upconv.book import explorables

COPIES = "explorables"  # the folder beneath _static


class ExplorableDirective(SphinxDirective):
    """A figure node with the explorable's place in the page, and its caption."""

    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged_required, "settings": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        settings = yaml.safe_load(self.options.get("settings", "{}"))
        try:
            live = explorables.explorable(self.arguments[0], **settings)
        except ValueError as error:
            raise self.error(f"explorable: {error}") from None
        if not self.content or "name" not in self.options:
            raise self.error("explorable: got no caption or no name; want both")
        text = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, text)
        figure = nodes.figure("", classes=["upconv-explorable-figure"])
        figure += nodes.raw("", live.markup(), format="html")
        figure += nodes.caption("", "", *text[0].children)
        self.set_source_info(figure)
        self.add_name(figure)
        for script in live.scripts:  # an edited script writes the page anew
            if (explorables.FOLDER / script).is_file():
                self.env.note_dependency(str(explorables.FOLDER / script))
        wanted = self.env.metadata[self.env.docname].setdefault("explorables", [])
        wanted += [script for script in live.scripts if script not in wanted]
        return [figure]


def copy_scripts(app: Sphinx) -> None:
    """Writes scripts and style sheet, before the pages that name them are written."""
    explorables.write(Path(app.outdir) / "_static" / COPIES)


def load_scripts(app: Sphinx, page: str, template: str, context: dict, tree) -> None:
    """Makes a page with explorables load what they need."""
    scripts = app.env.metadata.get(page, {}).get("explorables", [])
    if scripts:
        app.add_css_file(f"{COPIES}/explorables.css")
    for script in scripts:
        app.add_js_file(f"{COPIES}/{script}", loading_method="defer")


def setup(app: Sphinx) -> dict:
    """Sphinx calls this."""
    app.add_directive("explorable", ExplorableDirective)
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", load_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
