"""Records are whole and say where they come from; a damaged or foreign one is refused by name."""

import json
from importlib import import_module

import pytest
from upconv.book import records

GOOD = records.Record(
    "good", "2026-11-24", "a CPU, 2 cores", {"torch": "2.13.0"}, 61.0, {"seeds": 3}, {"loss": 0.5}
)


def test_what_is_saved_is_what_is_loaded(tmp_path):
    path = records.save(GOOD, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["good.json"]
    assert path == tmp_path / "good.json"
    assert records.load("good", tmp_path) == GOOD


def test_a_record_says_where_it_comes_from():
    record = records.measure("good", lambda: ({"seeds": 3}, {"loss": 0.5}), ("numpy", "torch"))
    assert record.settings == {"seeds": 3}
    assert record.results == {"loss": 0.5}
    assert list(record.versions) == ["Python", "numpy", "torch"]
    assert record.date in record.origin
    assert "cores" in record.machine


def test_a_missing_record_is_named_with_its_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such record; `python -m upconv.book.records g"):
        records.load("good", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("}", "", "good.json: got a damaged file"),
        ("0.5", "NaN", "good.json: got a damaged file .NaN is not a result"),
        ('"seconds"', '"minutes"', "good.json: got another content; want name, date, machine"),
        ('"good"', '"other"', "got another content; want .* of 'good'"),
    ],
)
def test_a_damaged_or_foreign_record_is_refused_by_name(tmp_path, old, new, message):
    path = records.save(GOOD, tmp_path)
    text = path.read_text("utf8")
    path.write_text(text.replace(old, new), "utf8")
    assert path.read_text("utf8") != text
    with pytest.raises(ValueError, match=message):
        records.load("good", tmp_path)


@pytest.mark.parametrize("content", [5, list(vars(GOOD))])
def test_what_is_no_table_is_no_record(tmp_path, content):
    (tmp_path / "good.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="got another content"):
        records.load("good", tmp_path)


def test_what_is_not_finite_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.save(records.Record(**{**vars(GOOD), "results": {"x": float("nan")}}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_record_in_the_tree_has_a_command_that_makes_it():
    kept = {path.stem for path in records.FOLDER.glob("*.json")}
    assert kept == set(records.EXPERIMENTS)
    for name, address in records.EXPERIMENTS.items():
        module, function = address.rsplit(".", 1)
        assert callable(getattr(import_module(module), function))
        assert json.dumps(records.load(name).results)
