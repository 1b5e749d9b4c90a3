"""Makes the API page of the package's docstrings, which are written to be read in a terminal.

- A shape is written ``(batch, channels, *size)``, which reStructuredText would take for emphasis.
- ``upconv.solve`` is the public name of what autodoc knows as ``upconv.geometry.solve``: both lead
  to it.
- Its style sheet lets long names break.
"""

import re

import upconv
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CODE = re.compile(r"(``.*?``)")


def keep_stars(app: Sphinx, what: str, name: str, thing: object, options, lines: list[str]) -> None:
    """Escapes the stars of a docstring, but not those in code or in an example."""
    example = False
    for number, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            parts = CODE.split(line)
            parts[::2] = [part.replace("*", r"\*") for part in parts[::2]]
            lines[number] = "".join(parts)


def resolve_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Leads ``upconv.name`` to the module where the name is defined."""
    package, _, name = node.get("reftarget", "").partition(".")
    public, _, member = name.partition(".")
    if node.get("refdomain") != "py" or package != "upconv" or public not in upconv._MODULE_OF:
        return None
    target = f"upconv.{upconv._MODULE_OF[public]}.{public}" + (f".{member}" if member else "")
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, content
    )


def setup(app: Sphinx) -> dict:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    # Before napoleon, whose priority is 500 and which writes stars of its own.
    app.connect("autodoc-process-docstring", keep_stars, priority=400)
    app.add_css_file("api.css")
    app.connect("missing-reference", resolve_public_name)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
