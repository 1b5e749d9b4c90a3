"""Records: what was measured, kept in a file with all that belongs to it.

A record is one JSON file with its date, its machine, its versions, its settings and its results.
It is written whole or not at all, and a file that is damaged or holds something else is refused
by its name.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import date
from importlib import metadata
from pathlib import Path

import torch

__all__ = ["Record", "load", "measure", "save"]


@dataclass(frozen=True)
class Record:
    """What was measured, when, where and with what.

    Attributes:
        name: of the record, and of its file.
        date: day of the measurement, as 2026-11-24.
        machine: processor and number of its cores and of the threads that computed; where a GPU
            computed, its name comes first.
        versions: of Python and of the packages that took part.
        seconds: how long the measurement took.
        settings: what was set: seeds, epochs, rates.
        results: what came out.
    """

    name: str
    date: str
    machine: str
    versions: dict[str, str]
    seconds: float
    settings: dict
    results: dict

    @property
    def origin(self) -> str:
        """Date, machine, versions and duration in a sentence, for a caption.

        Example:
            >>> Record("x", "2026-11-24", "a CPU, 2 cores", {"torch": "2.13.0"}, 90, {}, {}).origin
            'Recorded on 2026-11-24, a CPU, 2 cores, torch 2.13.0, in 2 min.'
        """
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        minutes = math.ceil(self.seconds / 60)
        return f"Recorded on {self.date}, {self.machine}, {versions}, in {minutes} min."


def load(name: str, folder: str | Path) -> Record:
    """The record of this name.

    Args:
        name: of the record.
        folder: where its file lies.

    Raises:
        FileNotFoundError: if there is none; the file is named.
        ValueError: for a file that is damaged or holds something else; it is named.
    """
    path = Path(folder) / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such record")

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a result")

    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except ValueError as error:
        raise ValueError(f"{path}: got a damaged file ({error}); want JSON") from error
    want = [field.name for field in fields(Record)]
    if not isinstance(content, dict) or list(content) != want or content["name"] != name:
        raise ValueError(f"{path}: got another content; want {', '.join(want)} of {name!r}")
    return Record(**content)


def measure(
    name: str, experiment: Callable[[], tuple[dict, dict]], packages: tuple[str, ...]
) -> Record:
    """Runs an experiment and makes a record of it.

    Args:
        name: of the record.
        experiment: returns its settings and its results, both JSON without NaN. If the settings
            say ``device`` or ``threads``, the machine is described by them; if not, by the CPU and
            torch's number of threads.
        packages: those whose versions belong to the record.

    Example:
        >>> record = measure("half", lambda: ({"threads": 1}, {"is": 1.5}), ("numpy",))
        >>> record.results, list(record.versions), record.machine.endswith(" cores, 1 thread")
        ({'is': 1.5}, ['Python', 'numpy'], True)
    """
    start = time.perf_counter()
    settings, results = experiment()
    return Record(
        name,
        date.today().isoformat(),
        _machine(settings.get("device", "cpu"), settings.get("threads", torch.get_num_threads())),
        {"Python": platform.python_version(), **{p: metadata.version(p) for p in packages}},
        round(time.perf_counter() - start, 1),
        settings,
        results,
    )


def save(record: Record, folder: str | Path) -> Path:
    """Writes a record into its file, whole or not at all, and returns the file.

    Args:
        record: the record.
        folder: where its file shall lie.

    Raises:
        ValueError: for a result that is not finite.
    """
    path = Path(folder) / f"{record.name}.json"
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False)
    unfinished = path.with_suffix(".unfinished")
    try:
        unfinished.write_text(text + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    finally:  # Ctrl-C, or a full disk
        unfinished.unlink(missing_ok=True)
    return path


def _machine(device: str, threads: int) -> str:
    """The names of the GPU and the processor, where the system tells, and what there is of it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    gpu = [torch.cuda.get_device_name(device)] if device.startswith("cuda") else []
    plural = "" if threads == 1 else "s"
    cpu = names[0] if names else platform.machine()
    return ", ".join([*gpu, cpu, f"{os.cpu_count()} cores", f"{threads} thread{plural}"])
