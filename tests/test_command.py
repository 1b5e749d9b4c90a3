"""The command `upconv bench`: what it measures, prints, writes and refuses."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from upconv import Geometry, bench, records, timing
from upconv import __main__ as command

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["--layer", "channels=2 out_channels=3 kernel=3 size=4", "--forms", "columns,polyphase"]
QUICK = ["--rounds", "3", "--threads", "1"]
PAIR = "channels=4 out_channels=2 kernel=3 padding=1 size=5x6 batch=2"


@pytest.fixture(autouse=True)
def small_roof(monkeypatch):
    roof = {"channels": 4, "size": 8, "matrix": 8, "copied": 2**10}
    monkeypatch.setattr(bench, "ROOF", roof)
    monkeypatch.setattr(bench, "compare", functools.partial(timing.compare, at_least=0))


def run(*arguments):
    return command.main(["bench", *arguments])


def works(*arguments):
    return command._works(command._parser().parse_args(["bench", *arguments]))


def test_it_prints_a_table_and_writes_a_record_and_a_picture(tmp_path, capsys):
    json, picture = tmp_path / "mine.json", tmp_path / "mine.png"
    status = run(*SMALL, *QUICK, "--pair", PAIR, "--json", str(json), "--picture", str(picture))
    out = capsys.readouterr().out
    assert status == 0
    assert sorted(tmp_path.iterdir()) == [json, picture]
    record = records.load("mine", tmp_path)
    assert list(record.results) == ["roof", SMALL[1], PAIR]
    assert record.settings["threads"] == 1
    for row in bench.table(record):
        ratio = re.escape(command._ratio(row.torch))
        assert re.search(rf"^{row.candidate} +\S+ {ratio} ", out, re.MULTILINE)
    assert "UpsampleConv channels_last" in out
    assert " ".join(record.origin.split()) in " ".join(out.split())
    assert max(map(len, out.split("All samples")[0].splitlines())) <= 80


def test_the_settings_reach_the_measurement(monkeypatch):
    seen = {}

    def measure(works, **settings):
        seen.update(settings, works=works)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "measure", measure)
    options = ["--layouts", "contiguous", "--dtype", "bf16", "--device", "cuda", "--training"]
    run("fcn", "--forms", "auto", *options, *QUICK, "--peers", "onnxruntime,JAX")
    assert list(seen.pop("works")) == ["FCN k4 s2", "FCN k16 s8"]
    assert callable(seen.pop("progress"))
    assert seen == {
        "forms": ["auto"],
        "layouts": ["contiguous"],
        "dtype": "bf16",
        "device": "cuda",
        "peers": ["ONNX Runtime", "JAX"],
        "training": True,
        "rounds": 3,
        "threads": 1,
    }


def test_the_list_prints_every_layer_in_words_that_make_it(capsys):
    assert run("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {**bench.LAYERS, **bench.PAIRS}
    assert len(lines) == len(listed)
    for line, (name, work) in zip(lines, listed.items(), strict=True):
        option, text = re.fullmatch(rf'{re.escape(name)} +(--layer|--pair) "(.*)"', line).groups()
        assert works(option, text) == {text: work}


def test_layers_are_chosen_by_a_part_of_their_names_and_nothing_means_all():
    assert list(works("dcgan")) == [name for name in bench.LAYERS if name.startswith("DCGAN")]
    assert list(works("pair 8", "u-net")) == ["pair 8 to 8", *list(bench.LAYERS)[6:8]]
    assert works() == {**bench.LAYERS, **bench.PAIRS}


@pytest.mark.parametrize(
    ("option", "text", "work"),
    [
        (
            "--layer",
            command.LAYER,  # of the help
            ((128, 8, 14, 14), (8, 4, 3, 3), Geometry((3, 3), 2, 1, 1, 1)),
        ),
        (
            "--layer",
            "channels=4 out_channels=6 kernel=3x5 stride=2x1 dilation=1x2 groups=2 size=7x9",
            ((1, 4, 7, 9), (4, 3, 3, 5), Geometry((3, 5), (2, 1), dilation=(1, 2), groups=2)),
        ),
        (
            "--layer",
            "channels=1 out_channels=1 kernel=4 stride=2 size=9 axes=1",
            ((1, 1, 9), (1, 1, 4), Geometry((4,), 2)),
        ),
        (
            "--pair",
            "channels=4 out_channels=6 kernel=3 padding=1 scale=2x3 size=5x6 groups=2",
            bench.Pair((1, 4, 5, 6), (6, 2, 3, 3), Geometry((3, 3), 1, 1, groups=2), (2, 3)),
        ),
        (
            "--pair",
            "channels=1 out_channels=1 kernel=3 size=4x4x4",
            bench.Pair((1, 1, 4, 4, 4), (1, 1, 3, 3, 3), Geometry((3, 3, 3)), (2, 2, 2)),
        ),
    ],
)
def test_a_layer_is_what_its_settings_say(option, text, work):
    assert works(option, text) == {text: work}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet"], "layer: got 'resnet'; want part of a name that --list prints"),
        (
            ["--layer", "channels=8"],
            "--layer: got 'channels=8'; want out_channels, kernel, size as w",
        ),
        (["--layer", "chanels=8"], "--layer: got 'chanels=8'; want channels, out_channels, kernel"),
        (["--layer", f"{SMALL[1]} scale=2"], "--layer: got 'scale=2'; want channels"),
        (["--layer", f"{SMALL[1]} stride"], "--layer: got 'stride'; want channels"),
        (["--layer", f"{SMALL[1]} stride=-1"], "--layer: got 'stride=-1'; want channels"),
        (
            ["--layer", f"{SMALL[1]} stride=0"],
            "--layer: stride: got 0; want an integer of at least",
        ),
        (["--layer", f"{SMALL[1]} batch=2x2"], "--layer: got batch=(2, 2); want an integer"),
        (["--layer", f"{SMALL[1]} axes=0"], "--layer: got axes=0; want an integer of at least 1"),
        (["--layer", f"{SMALL[1]} axes=4"], "--layer: kernel: got (3, 3, 3, 3); want 1 to 3 axes"),
        (["--layer", f"{SMALL[1]} groups=2"], "--layer: got out_channels=3; want a multiple of 2"),
        (["--pair", f"{PAIR} groups=3"], "--pair: got channels=4; want a multiple of 3"),
        (["--pair", f"{PAIR} stride=2"], "--pair: got 'stride=2'; want channels"),
        (["--forms", "gather"], "forms: got 'gather'; want auto, fastest"),
        (["--layouts", "nhwc"], "layouts: got 'nhwc'; want contiguous, channels_last"),
        (["--dtype", "fp64"], "dtype: got 'fp64'; want fp32, bf16, fp16"),
        (["--device", "tpu"], "device: got 'tpu'; want cpu or cuda"),
        (["--device", "cuda:99"], "device: got 'cuda:99', which torch does not find here"),
        (["--peers", "theano"], "peer: got 'theano'; want one of ONNX Runtime"),
        (["--rounds", "2"], "rounds: got 2; want an integer of at least 3"),
        (["--threads", "0"], "threads: got 0; want an integer of at least 1"),
        (["--json", "mine.txt"], "--json: got 'mine.txt'; want a file that ends in .json"),
        (["--json", "no-folder/mine.json"], "no-folder/mine.json: got a folder that is not there"),
        (["--picture", "mine.gif"], "path: got 'mine.gif'; want one that ends in .png, .svg"),
    ],
)
def test_bad_input_is_refused_by_name_before_anything_is_measured(
    arguments, message, capsys, monkeypatch
):
    monkeypatch.setattr(bench, "compare", None)
    assert run(*arguments) == 2
    told = capsys.readouterr()
    assert told.err.splitlines()[-1].startswith(f"upconv: {message}")
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "arguments", [["bench", "--rounds", "many"], ["bench", "--fast"], [], ["x"]]
)
def test_a_command_line_that_says_nothing_is_refused_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert re.fullmatch(r"upconv: .+\n", capsys.readouterr().err)


def test_without_matplotlib_a_picture_is_refused_before_anything_is_measured(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(bench, "compare", None)
    assert run(*SMALL, "--picture", "x.png") == 2
    assert "a picture wants matplotlib" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["measure", "save"])
def test_ctrl_c_ends_it_and_leaves_no_file(where, monkeypatch, tmp_path, capsys):
    def stop(*args, **settings):
        raise KeyboardInterrupt

    module, name = (bench, "_measured") if where == "measure" else (Path, "write_text")
    monkeypatch.setattr(module, name, stop)
    assert run(*SMALL, *QUICK, "--json", str(tmp_path / "x.json")) == 130
    assert capsys.readouterr().err.endswith("upconv: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path, capsys):
    def full(*args, **settings):
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(Path, "write_text", full)
    assert run(*SMALL, *QUICK, "--json", str(tmp_path / "x.json")) == 2
    assert "No space left on device" in capsys.readouterr().err


def test_wrong_values_are_told_and_are_a_failure(monkeypatch, capsys):
    right = bench.conv_transpose

    def conv_transpose(*args, form, **settings):
        return right(*args, form=form, **settings) * (2 if form == "columns" else 1)

    monkeypatch.setattr(bench, "conv_transpose", conv_transpose)
    assert run(*SMALL, *QUICK) == 1
    assert "refused: columns: values off by 1 of the largest" in capsys.readouterr().out


def test_what_is_left_out_is_told(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    def conv_transpose(*args, form, **settings):
        raise NotImplementedError("no such kernel")

    monkeypatch.setattr(bench, "conv_transpose", conv_transpose)
    assert run(*SMALL, *QUICK, "--peers", "onnxruntime") == 0
    out = capsys.readouterr().out
    assert "left out: polyphase: NotImplementedError: no such kernel" in out
    assert "Not installed, so left out: ONNX Runtime." in out


@pytest.mark.parametrize(
    ("number", "text"), [(0.01234, "0.0123"), (12.34, "12.3"), (999.4, "999"), (1234.5, "1234")]
)
def test_numbers_are_short(number, text):
    assert command._short(number) == text


def test_it_is_a_module_and_a_script():
    listing = [sys.executable, "-m", "upconv", "bench", "--list"]
    done = subprocess.run(listing, capture_output=True, text=True, check=True, encoding="utf8")
    assert done.stdout.splitlines()[0].startswith("DCGAN 1024 to 512")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    assert project["scripts"] == {"upconv": "upconv.__main__:main"}
    assert metadata.version("rich")
