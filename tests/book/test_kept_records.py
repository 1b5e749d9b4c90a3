"""Every record of the book is in the tree, and has a command that makes it."""

import json
from importlib import import_module

import pytest
from upconv.book import records
from upconv.records import Record

GOOD = Record(
    "good", "2026-11-24", "a CPU, 2 cores", {"torch": "2.13.0"}, 61.0, {"seeds": 3}, {"loss": 0.5}
)


def test_what_is_saved_is_what_is_loaded(tmp_path):
    path = records.save(GOOD, tmp_path)
    assert path == tmp_path / "good.json"
    assert records.load("good", tmp_path) == GOOD


def test_a_missing_record_is_named_with_its_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such record; `python -m upconv.book.records g"):
        records.load("good", tmp_path)


def test_every_record_in_the_tree_has_a_command_that_makes_it():
    kept = {path.stem for path in records.FOLDER.glob("*.json")}
    assert kept == set(records.EXPERIMENTS)
    for name, address in records.EXPERIMENTS.items():
        module, function = address.rsplit(".", 1)
        assert callable(getattr(import_module(module), function))
        assert json.dumps(records.load(name).results)
