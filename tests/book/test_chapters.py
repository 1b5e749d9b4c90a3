"""The chapters run again, cell by cell: that this happens, and that it can fail.

The cells themselves are collected by tests/conftest.py. Here stand the guards: what is compared is
what the pages show, nothing is left out, and each kind of difference has been seen to fail.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import execution
import nbformat
import pytest
from bs4 import BeautifulSoup
from jupyter_cache import get_cache

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = execution.chapters(ROOT)
CODE_CELL = re.compile(r"^```\{code-cell\}", re.MULTILINE)


def environment(**more):
    """The environment of a process that imports the execution extension."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "book" / "_ext"), **more}


def pytest_in(root, *arguments, **more):
    """The output of a pytest of its own, with its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=root,
        env=environment(**more),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


def test_as_many_cells_are_collected_as_the_toc_has():
    toc = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text("utf8"))
    cells = {name: len(CODE_CELL.findall((ROOT / f"{name}.md").read_text("utf8"))) for name in toc}
    expected = {f"{name}.md": count for name, count in cells.items() if count}
    assert {name for name in toc if name.count("/") > 1 and "/back-matter/" not in name} <= {
        name.removesuffix(".md") for name in expected
    }

    _, told = pytest_in(ROOT, "--collect-only", "-q", "tests/conftest.py", "book")
    collected = re.findall(r"^(book/\S+\.md)::cell", told, re.MULTILINE)
    assert {name: collected.count(name) for name in collected} == expected


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_cell_was_run_and_the_page_shows_its_outputs(path):
    notebook = execution.published(path, execution.cache_folder(ROOT))
    page = (ROOT / "_build" / "html" / path.relative_to(ROOT)).with_suffix(".html")
    html = page.read_text("utf8")
    text = BeautifulSoup(html, "html.parser").get_text()
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        assert cell.execution_count is not None
        if {"remove-output", "remove-cell"} & set(cell.metadata.get("tags", [])):
            continue
        for output in cell.outputs:
            if output.output_type == "stream":
                assert output.text.strip() in text
            elif "text/html" in output.data:
                assert output.data["text/html"].strip() in html
            elif set(output.data) == {"text/plain"}:
                assert output.data["text/plain"].strip() in text


HEADER = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n# {name}\n"
CELL = "\n```{{code-cell}} ipython3\n{source}\n```\n"

# What the cells of each chapter of a small book do.
GOOD = {
    "stream": "print('shown')",
    "value": "2 + 2",
    "figure": "from IPython.display import HTML; HTML('<svg>a figure</svg>')",
    "nothing": "value = 3",
    "semicolon": "value;",
    "state": "assert open('state').read() in ('before', 'after')",
}
BAD = {
    "a tampered stream": "print('a stream')",
    "a tampered value where there are no figures": "False",
    "a tampered figure": "from IPython.display import HTML; HTML('<svg>my figure</svg>')",
    "silence where the page shows something": "silence = 1",
    "something where the page is silent": "if open('state').read() == 'after': print('new')",
    "an error": "assert open('state').read() == 'before'",
    "a cell that was never run": "print('never run')",
}
SMALL_BOOK = {
    "good": GOOD.values(),
    "bad": BAD.values(),
    "edited": ["print('edited since')"],
}


# Runs it as the build does.
RUN = """
from execution import cache_folder, chapters, execute_all
from pathlib import Path
root = Path.cwd()
assert execute_all(chapters(root), cache_folder(root), 60, say=print) == []
"""


def tamper(root):
    """Changes the kept outputs of the bad chapter, as if its page had shown something else."""
    cache = get_cache(execution.cache_folder(root))
    record = cache.match_cache_notebook(execution.read_chapter(root / "book" / "bad.md"))
    (path,) = Path(cache.path).rglob(f"{record.hashkey}/base.ipynb")
    notebook = nbformat.read(path, as_version=4)
    stream, value, figure, silence, _, _, never = notebook.cells
    stream.outputs[0].text = "another stream\n"
    value.outputs[0].data["text/plain"] = "True"
    figure.outputs[0].data["text/html"] = "<svg>one figure</svg>"
    silence.outputs.append(nbformat.v4.new_output("stream", text="something\n"))
    never.update(execution_count=None, outputs=[])
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """PASSED or FAILED for each cell of a small book that was tampered with."""
    root = tmp_path_factory.mktemp("small")
    for folder in ("book", "tests", "code"):
        (root / folder).mkdir()
    for name in ("conftest.py", "browser.py"):
        shutil.copy(ROOT / "tests" / name, root / "tests")
    (root / "pyproject.toml").write_text(
        '[project]\ndependencies = ["numpy"]\noptional-dependencies.book = ["sphinx"]\n'
        '[tool.pytest.ini_options]\ntestpaths = ["tests", "book"]\n'
    )
    first, *rest = SMALL_BOOK
    chapters = "".join(f"- file: book/{name}\n" for name in rest)
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: book/{first}\nchapters:\n{chapters}")
    for name, sources in SMALL_BOOK.items():
        cells = "".join(CELL.format(source=source) for source in sources)
        (root / "book" / f"{name}.md").write_text(HEADER.format(name=name) + cells)

    (root / "book" / "state").write_text("before")
    subprocess.run(
        [sys.executable, "-c", RUN], cwd=root, env=environment(), check=True, capture_output=True
    )

    (root / "book" / "state").write_text("after")
    tamper(root)
    edited = root / "book" / "edited.md"
    edited.write_text(edited.read_text().replace("edited since", "edited"))

    _, told = pytest_in(root, "-rA", "--color=no", "--continue-on-collection-errors")
    found = re.findall(r"^(PASSED|FAILED|ERROR) book/(\w+)\.md(?:::cell (\d+))?", told, re.M)
    return {(name, int(number or 0)): verdict for verdict, name, number in found}


@pytest.mark.parametrize(("number", "what"), list(enumerate(GOOD, start=1)))
def test_a_cell_that_shows_the_same_passes(verdicts, number, what):
    assert verdicts["good", number] == "PASSED"


@pytest.mark.parametrize(("number", "what"), list(enumerate(BAD, start=1)))
def test_a_difference_fails(verdicts, number, what):
    assert verdicts["bad", number] == "FAILED"


def test_a_chapter_edited_since_the_build_is_an_error(verdicts):
    assert verdicts["edited", 0] == "ERROR"


@pytest.mark.parametrize(("ci", "workers", "status"), [("true", "1", 1), ("", "0", 0)])
def test_a_skipped_test_fails_the_run_in_ci_only(tmp_path, ci, workers, status):
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "browser.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    (tmp_path / "tests" / "test_skip.py").write_text(
        "import pytest\ndef test_it():\n    pytest.skip('no browser here')\n"
    )
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.md").write_text("# Index\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    done, told = pytest_in(tmp_path, "-n", workers, "tests", CI=ci)
    assert done == status
    assert ("which CI=true does not allow" in told) == bool(ci)
    assert ("tests/test_skip.py::test_it: Skipped: no browser here" in told) == bool(ci)
