"""Records are whole and say where they come from; a damaged or foreign one is refused by name."""

import json
from pathlib import Path

import pytest
import torch
from upconv import records

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


def test_the_machine_says_how_many_threads_computed():
    def machine(settings):
        return records.measure("good", lambda: (settings, {}), ()).machine

    assert machine({"threads": 3}).endswith(" cores, 3 threads")
    plural = "" if torch.get_num_threads() == 1 else "s"
    assert machine({}).endswith(f" cores, {torch.get_num_threads()} thread{plural}")


def test_where_a_gpu_computes_its_name_comes_first(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"NVIDIA {device}")
    record = records.measure("good", lambda: ({"device": "cuda:1"}, {}), ())
    assert record.machine.startswith("NVIDIA cuda:1, ")


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="good.json: no such record$"):
        records.load("good", tmp_path)


@pytest.mark.parametrize("moment", ["write_text", "replace"])
def test_who_stops_the_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment):
    path = records.save(GOOD, tmp_path)

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path if moment == "write_text" else records.os, moment, stop)
    with pytest.raises(KeyboardInterrupt):
        records.save(records.Record(**{**vars(GOOD), "results": {}}), tmp_path)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == [path]
    assert records.load("good", tmp_path) == GOOD


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
