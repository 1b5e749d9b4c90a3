"""The book's records: results over many seeds, too long for a chapter's minute, kept in the tree.

They lie in ``records/``, in the format of :mod:`upconv.records`.
``python -m upconv.book.records heads`` measures the record of that name anew and writes it; the
chapter that shows it names the command, and runs one seed again as a check on it.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from upconv import records
from upconv.records import Record, measure

__all__ = ["load", "save"]

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


def load(name: str, folder: Path = FOLDER) -> Record:
    """The record of this name, as :func:`upconv.records.load`.

    Args:
        name: of the record.
        folder: where the records lie.

    Raises:
        FileNotFoundError: if there is none; the message names the command that makes it.
        ValueError: for a file that is damaged or holds something else; it is named.
    """
    try:
        return records.load(name, folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; `python -m upconv.book.records {name}` makes it"
        ) from None


def save(record: Record, folder: Path = FOLDER) -> Path:
    """Writes a record, as :func:`upconv.records.save`, and returns its file.

    Args:
        record: the record.
        folder: where the records lie.

    Raises:
        ValueError: for a result that is not finite.
    """
    return records.save(record, folder)


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
