"""Explorables: interactive figures, each a script of ours that runs in a page and in a notebook.

The folder holds, for each explorable, its script (``sizes.js``) and a module of the same name
(``sizes.py``) whose function ``still`` draws the figure that stands in its place in print and
without JavaScript; the arguments of ``still`` are the settings that the explorable starts with.
Three files serve them all: ``arithmetic.js`` computes, ``host.js`` starts them and makes their
controls, ``explorables.css`` is their look. What an explorable needs beside, such as weights, its
module makes: a function ``scripts`` returns texts by file name; the first is run before the
explorable's own script, the others it loads when it wants them. A chapter shows one by the
directive ``explorable``, a notebook by :func:`explorable`.
"""

from __future__ import annotations

import html
import inspect
import json
import shutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

__all__ = ["Explorable", "explorable", "write"]

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
        still = _module(name).still
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
    def scripts(self) -> dict[str, str]:
        """The scripts that it needs by file name, in the order in which they must run."""
        first, own = (
            {f"{name}.js": (FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names}
            for names in (SHARED, [self.name])
        )
        return first | dict(list(_made(self.name).items())[:1]) | own

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
        scripts = "".join(self.scripts.values())
        return f"<style>{style}</style>{self.markup()}<script>{scripts}</script>"


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


def write(folder: Path) -> None:
    """Writes all scripts, those that Python makes too, and the style sheet into a folder.

    Args:
        folder: is made where there is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*FOLDER.glob("*.js"), *FOLDER.glob("*.css")):
        shutil.copy(path, folder)
    for name in NAMES:
        for file, text in _made(name).items():
            (folder / file).write_text(text, encoding="utf-8")


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")


def _made(name: str) -> dict[str, str]:
    """The scripts that the module of an explorable makes; most make none."""
    return getattr(_module(name), "scripts", dict)()
