"""Runs the chapters before Sphinx reads them, and keeps what they showed.

myst-nb alone does all of this but four things, which this extension adds:

- The cache is keyed on the chapter's code cells only, so an edit to the package would leave stale
  outputs in the book. Here the cache lives in a folder named after the package, its data and the
  installed versions: any change there begins a new folder, and the old ones are removed.
- Chapters run two at a time, and say so.
- A failing cell is named, with its chapter and line, at the very end of the build's output.
- Sphinx keeps pages that gave warnings and is silent about them the next time. Here only a build
  that ended clean leaves something to build upon.

It is imported by the tests too, which compare a second run of the chapters with the kept outputs.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import platform
import re
import shutil
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbclient import NotebookClient
from sphinx.errors import SphinxError
from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOGGER = logging.getLogger(__name__)
AT_A_TIME = 2  # a chapter needs up to 1 GB of memory, and the book may take 2
MARK = "clean"  # stands beside the doctrees of a build that ended without a warning


def fingerprint(root: Path) -> str:
    """Sixteen letters that change when anything under code/ or an installed version does.

    Scripts and style sheets do not count: the pages load them, and no cell shows one.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    project = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    for name in sorted({*project["dependencies"], *project["optional-dependencies"]["book"]}):
        digest.update(f"{name} {metadata.version(name)}\n".encode())
    for path in sorted((root / "code").rglob("*")):
        hidden = any(p == "__pycache__" or p.endswith(".egg-info") for p in path.parts)
        if path.is_file() and not hidden and path.suffix not in (".js", ".css"):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def cache_folder(root: Path) -> Path:
    """The folder of the outputs that belong to the present state of the package."""
    return root / "_build" / ".jupyter_cache" / fingerprint(root)


def read_chapter(path: Path) -> nbformat.NotebookNode | None:
    """The chapter as a notebook without outputs; None if it is a page without code cells."""
    text = path.read_text("utf8")
    if not is_myst_markdown_notebook(text):
        return None
    config = MdParserConfig(enable_extensions={"colon_fence", "dollarmath"})
    notebook = read_myst_markdown_notebook(text, config=config, add_source_map=True, path=path)
    return notebook if any(cell.cell_type == "code" for cell in notebook.cells) else None


def chapters(root: Path) -> list[Path]:
    """The pages of the table of contents that have code cells, in its order."""

    def files(entry: dict) -> list[str]:
        below = entry.get("parts", []) + entry.get("chapters", []) + entry.get("sections", [])
        here = [entry[key] for key in ("root", "file") if key in entry]
        return here + [name for child in below for name in files(child)]

    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    pages = [root / f"{name.removesuffix('.md')}.md" for name in files(toc)]
    return [page for page in pages if read_chapter(page)]


def published(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The chapter with the outputs that the built pages show.

    Raises:
        KeyError: if the cache holds no run of these code cells.
    """
    if not folder.exists():  # asking would make an empty one, which a build would take for its own
        raise KeyError(str(folder))
    return get_cache(folder).merge_match_into_notebook(read_chapter(path))[1]


def execute(path: Path, timeout: int) -> tuple[nbformat.NotebookNode, float, str | None]:
    """Runs a chapter in its own folder: the notebook, its seconds, and what failed in words."""
    notebook = read_chapter(path)
    begun = []
    start = time.perf_counter()
    try:
        NotebookClient(
            notebook,
            timeout=timeout,
            record_timing=False,  # it would become part of the cell, and of the cache's key
            extra_arguments=["--log-level=ERROR"],  # the kernel's own log is not the reader's
            resources={"metadata": {"path": str(path.parent)}},
            on_cell_start=lambda cell, cell_index: begun.append(cell_index),
        ).execute()
        failure = None
    except Exception as error:  # a failing cell, a timeout, a kernel that died
        failure = _blame(notebook, path, max(begun, default=0), error)
    return notebook, time.perf_counter() - start, failure


def _blame(notebook: nbformat.NotebookNode, path: Path, index: int, error: Exception) -> str:
    """Names the cell at which a run ended, counted among the code cells from 1."""
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
    line = notebook.metadata["source_map"][index]
    source = "\n".join(f"    | {text}" for text in notebook.cells[index].source.splitlines())
    # A CellExecutionError tells the source and the whole traceback; its last line is the error.
    told = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [repr(error)]
    return (
        f"{os.path.relpath(path)}, line {line}: code cell {number} failed\n{source}\n    {told[-1]}"
    )


def execute_all(paths: list[Path], folder: Path, timeout: int, say=LOGGER.info) -> list[str]:
    """Runs the chapters that the cache does not know, and returns the failures in words."""
    cache = get_cache(folder)
    cached = {record.hashkey for record in cache.list_cache_records()}
    keys = {path: cache.create_hashed_notebook(read_chapter(path))[1] for path in paths}
    todo = [path for path in paths if keys[path] not in cached]
    if not todo:
        return []
    # On a fresh machine matplotlib writes its font list at its first import, and says so on
    # stderr, which would then be part of a chapter.
    if find_spec("matplotlib"):
        import_module("matplotlib.font_manager")

    lock, failures, left = threading.Lock(), [], len(todo)

    def run(path: Path) -> None:
        nonlocal left
        say(f"executing {path.stem} ...")
        notebook, seconds, failure = execute(path, timeout)
        with lock:
            left -= 1
            verb = "FAILED after" if failure else "executed in"
            say(f"{path.stem} {verb} {seconds:.1f} s; {left} of {len(todo)} chapters remain")
            if failure:
                failures.append(failure)
                return
            cache.cache_notebook_bundle(
                CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds}),
                check_validity=False,
                overwrite=True,
            )

    say(f"executing {len(todo)} of {len(paths)} chapters, {AT_A_TIME} at a time")
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(run, todo))
    return failures


def _choose_cache(app: Sphinx, config) -> None:
    """Points myst-nb at the cache of the present package, and forgets unclean builds."""
    root = Path(app.srcdir)
    folder = cache_folder(root)
    config.nb_execution_cache_path = str(folder)
    mark = Path(app.doctreedir) / MARK
    if not folder.exists() or not mark.exists():
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)
    mark.unlink(missing_ok=True)
    if folder.parent.exists():
        for old in folder.parent.iterdir():
            if old != folder:
                shutil.rmtree(old) if old.is_dir() else old.unlink()


def _execute_first(app: Sphinx, env, docnames: list[str]) -> None:
    paths = [Path(env.doc2path(name)) for name in docnames]
    notebooks = [path for path in paths if path.suffix == ".md" and read_chapter(path)]
    if not notebooks:
        return
    folder = Path(app.config.nb_execution_cache_path)
    failures = execute_all(notebooks, folder, app.config.nb_execution_timeout)
    if failures:
        message = "A cell failed, so there is no book.\n\n" + "\n\n".join(failures)
        # jupyter-book prints a long traceback of its own after this error: the last word is ours.
        atexit.register(print, f"\n{message}", flush=True)
        raise SphinxError(message)


def _mark_clean(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and not app._warncount:
        (Path(app.doctreedir) / MARK).touch()


def setup(app: Sphinx) -> dict:
    """Sphinx calls this."""
    # The kernels inherit both. Two chapters run side by side, and more threads would only wait
    # for one another; results then also do not hang on the number of cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    app.connect("config-inited", _choose_cache)
    app.connect("env-before-read-docs", _execute_first)
    app.connect("build-finished", _mark_clean, priority=900)
    return {"version": "1", "parallel_read_safe": True}
