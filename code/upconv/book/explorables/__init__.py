"""Explorables: interactive figures, each a script of ours that runs in a page and in a notebook.

The folder holds, for each explorable, its script (``sizes.js``) and a module of the same name
(``sizes.py``) whose function ``still`` draws the figure that stands in its place in print and
without JavaScript; the arguments of ``still`` are the settings that the explorable starts with.
Three files serve them all: ``arithmetic.js`` computes, ``host.js`` starts them and makes their
controls, ``explorables.css`` is their look. A chapter shows one by the directive ``explorable``, a
notebook by :func:`explorable`.
"""

from __future__ import annotations

import html
import inspect
import json
from importlib import import_module
from pathlib import Path

__all__ = ["Explorable", "explorable"]

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"))
SHARED = ("arithmetic", "host")


class Explorable:
    """An interactive figure with its settings; shown as the last value of a notebook cell.

    Args:
        name: of the explorable.
        settings: those that it starts with; the others have its own defaults.

    Raises:
        ValueError: for a name or a setting that there is not.

    Example:
        >>> Explorable("sizes", stride=3).settings["stride"]
        3
    """

    def __init__(self, name: str, **settings) -> None:
        if name not in NAMES:
            raise ValueError(f"name: got {name!r}; want one of {', '.join(NAMES)}")
        self.name = name
        still = import_module(f"{__name__}.{name}").still
        signature = inspect.signature(still)
        for setting in settings:
            if setting not in signature.parameters:
                known = ", ".join(signature.parameters) or "none"
                raise ValueError(f"{setting}: no setting of {name!r}; want one of {known}")
        bound = signature.bind(**settings)
        bound.apply_defaults()
        self.settings = bound.arguments
        self.still = still(**self.settings)

    @property
    def scripts(self) -> tuple[str, ...]:
        """The files that it needs, in the order in which they must run."""
        return tuple(f"{name}.js" for name in (*SHARED, self.name))

    def markup(self) -> str:
        """Its place in a page, where its scripts, loaded apart, will find it."""
        settings = html.escape(json.dumps(self.settings))
        return (
            f'<div class="upconv-explorable" data-name="{self.name}" data-settings="{settings}">'
            f'<div class="upconv-still">{self.still._repr_html_()}</div></div>'
        )

    def __repr__(self) -> str:
        return repr(self.still)

    def _repr_html_(self) -> str:
        style = (FOLDER / "explorables.css").read_text(encoding="utf-8")
        scripts = [(FOLDER / name).read_text(encoding="utf-8") for name in self.scripts]
        return f"<style>{style}</style>{self.markup()}<script>{''.join(scripts)}</script>"


def explorable(name: str, **settings) -> Explorable:
    """An interactive figure of the book, in a notebook cell.

    Args:
        name: "operator", "sizes", "overlap", "routes", "draw" or "gpu".
        settings: what it starts with, by the names that its figure has in the book.

    Raises:
        ValueError: for a name, or a setting, that there is not.

    Example:
        >>> figure = explorable("sizes", input_size=14, kernel=4, padding=1)
        >>> figure.still.alt[:75]
        'An input of 14 becomes an output of 28 under kernel 4, stride 2, padding 1.'
    """
    return Explorable(name, **settings)
