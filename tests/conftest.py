"""What all the tests share: the nbval collector, hypothesis profiles, no skips in CI.

The collector gives every chapter of the table of contents to nbval, which runs its code cells in
a new kernel and compares each output with the one that the built book shows. nbval by itself reads
`.ipynb` files only, and would find no outputs in a MyST chapter, hence nothing to compare.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from nbval.plugin import IPyNbCell, IPyNbFile
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_ext"))
os.environ.setdefault("KERAS_BACKEND", "torch")  # as in the build
os.environ.setdefault("OMP_NUM_THREADS", "1")

import execution  # noqa: E402 (its folder has only now been put on the path)
from browser import book, browser, live, reader, serve  # noqa: E402, F401 (fixtures)

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
# Time is no part of what is claimed: a busy machine is not a failure.
TIMELESS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", **TIMELESS, derandomize=True)
settings.register_profile("long", **TIMELESS, max_examples=10_000, print_blob=True)
settings.load_profile(PROFILE)


class Chapter(IPyNbFile):
    """One chapter: its cells, and beside each the output that was published."""

    def collect(self):
        """One item a code cell, named by its number and its line."""
        folder = execution.cache_folder(self.config.rootpath)
        try:
            self.nb = execution.published(self.path, folder)
        except KeyError:
            message = f"{self.path.name}: the built book shows another state of it; `make book`"
            raise self.CollectError(message) from None
        number = 0
        for cell, line in zip(self.nb.cells, self.nb.metadata["source_map"], strict=True):
            if cell.cell_type == "code":
                number += 1
                tags = cell.metadata.get("tags", [])
                yield ChapterCell.from_parent(
                    self,
                    name=f"cell {number}, line {line}",
                    cell_num=number,
                    cell=cell,
                    options={
                        "check": True,
                        "check_exception": "raises-exception" in tags,
                        "skip": False,
                    },
                )

    def setup(self):
        """Starts the kernel, in the chapter's folder as in the build."""
        super().setup()
        client = self.kernel.kc

        # nbval leaves out the history, without which a closing semicolon hides no output.
        def execute(source, allow_stdin=None):
            return client.execute(source, allow_stdin=allow_stdin, stop_on_error=False)

        self.kernel.execute_cell_input = execute


class ChapterCell(IPyNbCell):
    """One code cell."""

    def runtest(self):
        """Runs it; a cell whose reference was never run proves nothing, and fails."""
        if self.cell.execution_count is None:
            self.raise_cell_error("the published page has no run of this cell")
        super().runtest()


class ChapterCollector:
    """Collects the chapters among the files that pytest walks."""

    def pytest_collect_file(self, file_path, parent):
        """Called by pytest for every file."""
        if file_path.suffix == ".md" and file_path in execution.chapters(parent.config.rootpath):
            return Chapter.from_parent(parent, path=file_path)
        return None


@pytest.fixture
def said(capsys):
    """What the exercises' `check` prints for an answer, its lines joined."""
    from upconv.book.exercises import check

    def say(name, answer):
        assert check(name, answer) is None
        lines = capsys.readouterr().out.splitlines()
        return " ".join(lines)

    return say


def pytest_configure(config):
    """Registers the collector for the whole tree: a conftest's own hooks end at its folder."""
    config.pluginmanager.register(ChapterCollector(), "chapters")


# Each of these takes up to a gigabyte, and what imports a framework never gives it back. So one
# worker runs them one after the other, in this order, beside a worker for all the rest.
HEAVY = (
    "book/",
    "tests/book/test_pages.py",
    "tests/book/test_trained.py",
    "tests/book/explorables/test_draw.py",
    "tests/frameworks/test_keras.py",  # starts processes of its own, so before TensorFlow is here
    "tests/book/test_claims_",
    "tests/book/test_words.py",
    "code/upconv/frameworks/",
    "tests/frameworks/",
    "tests/test_peers.py",
)


def heaviness(nodeid: str) -> int:
    """The place of a test in the order of the heavy ones; -1 for a light one."""
    return next((n for n, start in enumerate(HEAVY) if nodeid.startswith(start)), -1)


def pytest_collection_modifyitems(items):
    """Puts the heavy tests last, in their order."""
    items.sort(key=lambda item: heaviness(item.nodeid))


class Scheduler(LoadFileScheduling):
    """Gives each file to one worker, and all heavy files to the same."""

    def _split_scope(self, nodeid):
        return "heavy" if heaviness(nodeid) >= 0 else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Called by xdist; `make test-long` lets it share out single tests instead."""
    return Scheduler(config, log) if config.getvalue("dist") == "loadfile" else None


def skipped(config) -> list:
    """The reports of the tests that were skipped."""
    return config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", [])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """In CI a skipped test is a failed run."""
    in_worker = hasattr(session.config, "workerinput")
    if os.environ.get("CI") == "true" and not in_worker and skipped(session.config):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """Says what was skipped where nothing may be, and how much a long run has tried."""
    if os.environ.get("CI") == "true" and skipped(config):
        terminalreporter.section("skipped, which CI=true does not allow", red=True)
        for report in skipped(config):
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[-1]}")
    if PROFILE == "long":
        terminalreporter.section("random geometries that passed")
        for report in [report for group in terminalreporter.stats.values() for report in group]:
            told = re.findall(r"(\d+) passing", getattr(report, "_hypothesis_stats", ""))
            if told:
                terminalreporter.line(f"{sum(map(int, told)):>7,}  {report.nodeid}")
