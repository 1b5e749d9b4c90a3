"""Seconds and memory of what a reader and a contributor wait for. Nothing is asserted.

Run by `make bench`, on a machine that does nothing else. It builds the book in a copy of the
tree, so that the built pages stay as they are.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "book" / "_ext"))

import execution  # noqa: E402 (its folder has only now been put on the path)

# Runs one chapter, as the build does, in a process of its own.
CHAPTER = (
    "import execution, pathlib, sys; sys.exit(execution.execute(pathlib.Path(sys.argv[1]), 600)[2])"
)
JUPYTER_BOOK = Path(sys.executable).with_name("jupyter-book")
BUILD = [JUPYTER_BOOK, "build", "-W", "-n", "--keep-going", "."]


def memory(process):
    """Bytes that a process and all below it hold; pages that they share are counted once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += (
                one.memory_full_info().pss if sys.platform == "linux" else one.memory_info().rss
            )
        except psutil.Error:  # it has just ended
            continue
    return total


def measure(command, cwd):
    """Seconds, peak memory in bytes, and the exit status."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, cwd=cwd, stdout=told, stderr=subprocess.STDOUT)
        ended, peak = threading.Event(), 0

        def watch():
            nonlocal peak
            while not ended.wait(0.2):
                try:
                    peak = max(peak, memory(psutil.Process(process.pid)))
                except psutil.Error:
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
        if status:
            told.seek(0)
            print(told.read().decode(errors="replace")[-2000:])
    return seconds, peak, status


def processor():
    """The name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def report(what, seconds, peak, status):
    """Prints one row."""
    failed = f"   exit status {status}" if status else ""
    print(f"{what:<26}{seconds:>7.1f}{peak / 2**30:>10.2f} GiB{failed}", flush=True)


def main():
    """Prints one row as soon as it is measured."""
    gigabytes = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    print(f"{processor()}, {os.cpu_count()} cores, {gigabytes:.0f} GiB, {platform.platform()}")
    print(f"Python {platform.python_version()}; load before the first run {load:.1f}\n")
    print(f"{'what':<24}{'seconds':>9}{'peak memory':>14}")

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignored = shutil.ignore_patterns(".git", ".venv", "_build", ".hypothesis", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        page = copy / "book" / "from-c-to-ct" / "matrix.md"

        def edit():
            page.write_text(page.read_text("utf8") + "\nOne more sentence.\n", "utf8")

        for what, before, command, cwd in [
            ("cold book build", None, BUILD, copy),
            ("unchanged rebuild", None, BUILD, copy),
            ("rebuild after prose edit", edit, BUILD, copy),
            ("make test", None, ["make", "test"], ROOT),
        ]:
            if before:
                before()
            seconds, peak, status = measure(command, cwd)
            report(what, seconds, peak, status)
        for chapter in execution.chapters(ROOT):
            command = [sys.executable, "-c", CHAPTER, str(chapter)]
            report(f"{chapter.stem} alone", *measure(command, ROOT / "book" / "_ext"))


if __name__ == "__main__":
    main()
