"""The API page holds every public name, and the docstrings survive on it."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import api
import pytest
import upconv

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "back-matter" / "api.md").read_text(encoding="utf-8")
MODULES = re.findall(r"^\.\. automodule:: (\S+)$", PAGE, re.MULTILINE)


def test_every_module_is_on_the_page():
    package = ROOT / "code" / "upconv"
    written = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in package.rglob("*.py")
        if not path.name.startswith("_") or path.name == "__init__.py"
    }
    inner = {
        name
        for name in written
        if name.startswith(("upconv.book.figures.", "upconv.book.exercises."))
    }
    assert written - inner - {"upconv", "upconv.book", "upconv.frameworks.shared"} == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    module = import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", ()):
        thing = getattr(module, public)
        assert inspect.getdoc(thing), f"{name}.{public}"


@pytest.mark.parametrize("name", upconv._MODULE_OF)
def test_every_name_of_the_package_leads_to_a_module_on_the_page(name):
    assert f"upconv.{upconv._MODULE_OF[name]}" in MODULES


def test_stars_are_kept_outside_of_code_and_examples():
    lines = ["Shape (n, *size), ``(*k,)``.", "", ">>> f(*x)", "'*'", "", "Returns *size."]
    api.keep_stars(None, "function", "f", None, None, lines)
    assert lines == [
        r"Shape (n, \*size), ``(*k,)``.",
        "",
        ">>> f(*x)",
        "'*'",
        "",
        r"Returns \*size.",
    ]
