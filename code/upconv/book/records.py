"""Records: results over many seeds, too long for a chapter's minute, kept in the tree.

A record is one JSON file in ``records/`` with its date, its machine, its versions and its settings.
``python -m upconv.book.records heads`` measures the record of that name anew and writes it; the
chapter that shows it names the command, and runs one seed again as a check on it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import date
from importlib import import_module, metadata
from pathlib import Path

__all__ = ["Record", "load", "measure"]

FOLDER = Path(__file__).parent / "records"
EXPERIMENTS = {
    "heads": "upconv.book.autoencoder.heads",
    "learning_rate": "upconv.book.autoencoder.learning_rate",
    "zeros": "upconv.book.zeros.experiment",
    "checkerboards": "upconv.book.survival.experiment",
    "smoothness": "upconv.book.smoothness.measure",
    "remedies": "upconv.book.remedies.experiment",
    "weights": "upconv.book.autoencoder.weights",
}
"""For each record, the function that measures it: it returns its settings and its results."""


@dataclass(frozen=True)
class Record:
    """What was measured, when, where and with what.

    Attributes:
        name: of the record, and of its file.
        date: day of the measurement, as 2026-11-24.
        machine: processor and number of its cores.
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


def load(name: str, folder: Path = FOLDER) -> Record:
    """The record of this name.

    Args:
        name: of the record.
        folder: where the records lie.

    Raises:
        FileNotFoundError: if there is none; the message names the command that makes it.
        ValueError: for a file that is damaged or holds something else; it is named.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such record; `python -m upconv.book.records {name}` makes it"
        )

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
        experiment: returns its settings and its results, both JSON without NaN.
        packages: those whose versions belong to the record.

    Example:
        >>> record = measure("half", lambda: ({"of": 3}, {"is": 1.5}), ("numpy",))
        >>> record.results, list(record.versions)
        ({'is': 1.5}, ['Python', 'numpy'])
    """
    start = time.perf_counter()
    settings, results = experiment()
    return Record(
        name,
        date.today().isoformat(),
        _machine(),
        {"Python": platform.python_version(), **{p: metadata.version(p) for p in packages}},
        round(time.perf_counter() - start, 1),
        settings,
        results,
    )


def save(record: Record, folder: Path = FOLDER) -> Path:
    """Writes a record into its file, whole or not at all, and returns the file.

    Args:
        record: the record.
        folder: where the records lie.

    Raises:
        ValueError: for a result that is not finite.
    """
    path = folder / f"{record.name}.json"
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text + "\n", encoding="utf-8")
    os.replace(unfinished, path)
    return path


def _machine() -> str:
    """The name of the processor, where the system tells it, and the number of its cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    """Measures the records that are named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m upconv.book.records", description=__doc__)
    parser.add_argument("names", nargs="+", choices=EXPERIMENTS, metavar="record")
    for name in parser.parse_args().names:
        module, function = EXPERIMENTS[name].rsplit(".", 1)
        experiment = getattr(import_module(module), function)
        print(save(measure(name, experiment, ("numpy", "torch", "keras"))))


if __name__ == "__main__":
    main()
