"""What is executed when: book/_ext/execution.py, on a small book of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PAGE = """\
---
file_format: mystnb
kernelspec:
  name: python3
---
# One

Some prose.

```{code-cell} ipython3
from pathlib import Path
with open("../runs", "a") as runs:
    print("the package says", Path("../code/value.txt").read_text(), file=runs)
print(Path("../runs").read_text().splitlines()[-1])
```
"""


@pytest.fixture
def book(tmp_path):
    """A book of one chapter and a package of one file."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "value.txt").write_text("seven")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["numpy"]\noptional-dependencies.book = ["sphinx"]\n'
    )
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.append({str(ROOT / 'book' / '_ext')!r})\n"
        "extensions = ['myst_nb', 'execution']\n"
        "nb_execution_mode = 'cache'\nnb_execution_raise_on_error = True\n"
        "html_theme = 'basic'\nroot_doc = 'book/one'\ninclude_patterns = ['book/**']\n"
    )
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "one.md").write_text(PAGE)
    return tmp_path


def build(book):
    """Builds as `make book` does, in a process of its own: exit status, output, the page."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--nitpicky"]
    done = subprocess.run(
        [*command, "-d", "_build/doctrees", ".", "_build/html"],
        cwd=book,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    page = book / "_build" / "html" / "book" / "one.html"
    return done.returncode, done.stdout, page.read_text("utf8") if page.exists() else ""


def runs(book):
    """What each run of the chapter left behind."""
    return (book / "runs").read_text().splitlines()


def test_prose_keeps_the_outputs_and_the_package_renews_them(book):
    status, told, page = build(book)
    assert status == 0, told
    assert "executing 1 of 1 chapters" in told
    assert "the package says seven" in page
    # Once: what ran before Sphinx read the page is what myst-nb finds.
    assert runs(book) == ["the package says seven"]

    (book / "book" / "one.md").write_text(PAGE.replace("Some prose", "Other prose"))
    status, told, page = build(book)
    assert status == 0, told
    assert "executing" not in told
    assert "Other prose" in page
    assert len(runs(book)) == 1

    (book / "code" / "value.txt").write_text("eight")
    status, told, page = build(book)
    assert status == 0, told
    assert "the package says eight" in page
    assert runs(book)[1:] == ["the package says eight"]
    (cache,) = (book / "_build" / ".jupyter_cache").iterdir()  # the old one is gone

    # A script of the pages is no part of what the cells show.
    (book / "code" / "page.js").write_text("x = 1")
    status, told, _ = build(book)
    assert status == 0, told
    assert len(runs(book)) == 2

    # Without its outputs an unchanged page is built again, for the tests need what it shows.
    shutil.rmtree(cache)
    assert build(book)[0] == 0
    assert len(runs(book)) == 3


def test_a_failing_cell_fails_the_build_and_is_named_at_the_end(book):
    (book / "book" / "one.md").write_text(PAGE + "\n```{code-cell}\nhere = 1\nhere / 0\n```\n")
    status, told, _ = build(book)
    assert status != 0
    *_, where, first, second, error = told.strip().splitlines()
    assert where.endswith("one.md, line 17: code cell 2 failed")
    assert (first.strip(), second.strip()) == ("| here = 1", "| here / 0")
    assert error.strip() == "ZeroDivisionError: division by zero"


def test_a_warning_fails_every_build_until_it_is_mended(book):
    (book / "book" / "one.md").write_text(PAGE + "\n{ref}`nowhere`\n")
    for _ in range(2):
        status, told, _ = build(book)
        assert status != 0
        assert "nowhere" in told
    (book / "book" / "one.md").write_text(PAGE)
    assert build(book)[0] == 0
