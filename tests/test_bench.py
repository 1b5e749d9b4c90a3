"""What is timed is right, counted and told; no time is asserted."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest
import torch
from upconv import Geometry, bench, records, timing
from upconv.records import Record
from upconv.timing import Ratio

CONV, GROUPED = Geometry((3, 3), padding=1), Geometry((3, 3), padding=1, groups=2)
WORKS = {
    "layer": ((2, 4, 5, 4), (4, 3, 3, 3), Geometry((3, 3), 2, 1)),
    "cropped": ((1, 2, 4, 4), (2, 2, 3, 3), Geometry((3, 3), 2, ((0, 1), (0, 1)))),
    "pair": bench.Pair((1, 4, 6, 6), (2, 4, 3, 3), CONV, (2, 2)),
    "grouped pair": bench.Pair(
        (1, 4, 4, 4), (2, 2, 3, 3), Geometry((3, 3), 1, 1, groups=2), (3, 2)
    ),
    "one axis": ((1, 2, 9), (2, 3, 4), Geometry(4, 2, 1)),
}
SMALL = {"channels": 4, "size": 8, "matrix": 8, "copied": 2**10}


@pytest.fixture(autouse=True)
def small_roof(monkeypatch):
    monkeypatch.setattr(bench, "ROOF", SMALL)
    monkeypatch.setattr(bench, "compare", functools.partial(timing.compare, at_least=0))


def measured(works=WORKS, **settings):
    return bench.measure(works, **{"rounds": 3, **settings})


def recorded(**settings):
    settings = {"forms": ["polyphase"], **settings}
    return records.measure("small", lambda: measured(**settings), bench.packages())


@pytest.mark.parametrize(
    "settings",
    [{}, {"training": True}, {"dtype": "bf16"}, {"dtype": "fp16", "training": True}],
    ids=["forward", "training", "bf16", "fp16, training"],
)
def test_every_candidate_of_every_work_is_found_right_and_timed(settings):
    _, results = measured(**settings)
    assert list(results) == ["roof", *WORKS]
    for name, work in WORKS.items():
        found = results[name]
        candidates = ["torch", *bench.FORMS]
        candidates += ["UpsampleConv"] if isinstance(work, bench.Pair) else []
        layouts = [""] if name == "one axis" else ["", " channels_last"]
        assert (found["left_out"], found["refused"]) == ({}, {})
        assert list(found["seconds"]) == [c + layout for c in candidates for layout in layouts]
        assert {len(samples) for samples in found["seconds"].values()} == {3}
        assert list(found["bytes"]) == list(found["seconds"])


def test_layouts_and_forms_are_those_asked_for_and_torch_runs_in_both():
    _, results = measured({"p": WORKS["pair"]}, forms=["columns"], layouts=["channels_last"])
    assert list(results["p"]["seconds"]) == [
        "torch",
        "torch channels_last",
        "columns channels_last",
        "UpsampleConv channels_last",
    ]


@pytest.mark.parametrize("layout", bench.LAYOUTS)
def test_tensors_and_weights_come_in_the_layout(monkeypatch, layout):
    seen = []

    def conv_transpose(x, weight, **settings):
        seen.append((x.is_contiguous(), weight.is_contiguous()))
        return torch.zeros(1)

    monkeypatch.setattr(bench, "conv_transpose", conv_transpose)
    measured({"l": WORKS["layer"]}, forms=["columns"], layouts=[layout])
    assert set(seen) == {(layout == "contiguous", layout == "contiguous")}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y * 1.001, "values off by 0.001 of the largest; want at most 0.0001"),
        (lambda y: y * float("nan"), "values off by nan of the largest"),
        (lambda y: y[..., 1:].sum(0, keepdim=True), "shape"),
    ],
)
def test_a_candidate_with_wrong_values_is_refused_by_name(monkeypatch, spoil, message, training):
    right = bench.conv_transpose

    def conv_transpose(*args, form, **settings):
        y = right(*args, form=form, **settings)
        return spoil(y) if form == "columns" else y

    monkeypatch.setattr(bench, "conv_transpose", conv_transpose)
    _, results = measured(
        {"l": WORKS["layer"]},
        forms=["columns", "polyphase"],
        layouts=["contiguous"],
        training=training,
    )
    found = results["l"]
    if training and message == "shape":  # backward cannot even run
        assert list(found["left_out"]) == ["columns"]
    else:
        assert list(found["refused"]) == ["columns"]
        assert found["refused"]["columns"].startswith(message)
    assert list(found["seconds"]) == ["torch", "torch channels_last", "polyphase"]


def test_a_candidate_that_does_not_run_is_left_out_and_told(monkeypatch):
    def conv_transpose(*args, **settings):
        raise NotImplementedError('"col2im" not implemented for Half\nand more')

    monkeypatch.setattr(bench, "conv_transpose", conv_transpose)
    _, results = measured({"l": WORKS["layer"]}, forms=["columns"], layouts=["contiguous"])
    told = 'NotImplementedError: "col2im" not implemented for Half'
    assert results["l"]["left_out"] == {"columns": told}


def test_a_dtype_that_torch_lacks_is_refused(monkeypatch):
    def lacks(*args):
        raise NotImplementedError("not for Half")

    right = bench._own
    monkeypatch.setattr(
        bench,
        "_own",
        lambda w, weight, *a: lacks() if weight.dtype is torch.half else right(w, weight, *a),
    )
    with pytest.raises(ValueError, match="dtype: got fp16, which torch lacks on cpu: .* for Half"):
        measured(dtype="fp16")


def test_a_peer_runs_beside_torch_and_is_not_asked_for_its_memory():
    settings, results = measured(peers=["ONNX Runtime"], forms=[], threads=1)
    for name in WORKS:
        assert "ONNX Runtime" in results[name]["seconds"]
        assert "ONNX Runtime" not in results[name]["bytes"]
    assert (settings["peers"], settings["not_installed"]) == (["ONNX Runtime"], [])


@pytest.mark.parametrize(("peers", "rest"), [([], 0), (["ONNX Runtime"], bench.REST)])
def test_where_peers_run_the_threads_of_the_last_one_may_go_to_sleep(monkeypatch, peers, rest):
    seen, compare = [], bench.compare

    def watched(calls, **settings):
        seen.append(settings.pop("rest", 0))
        return compare(calls, **settings)

    monkeypatch.setattr(bench, "compare", watched)
    measured({"l": WORKS["layer"]}, forms=[], peers=peers)
    assert seen == [0, rest]  # the roof's works are all torch's


def test_a_peer_that_only_runs_forward_is_left_out_of_training_and_told():
    _, results = measured({"l": WORKS["layer"]}, peers=["ONNX Runtime"], forms=[], training=True)
    assert "only runs forward" in results["l"]["left_out"]["ONNX Runtime"]


def test_a_peer_that_is_not_installed_is_left_out_and_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    settings, results = measured({"l": WORKS["layer"]}, peers=["ONNX Runtime"], forms=[])
    assert (settings["peers"], settings["not_installed"]) == ([], ["ONNX Runtime"])
    assert "ONNX Runtime" not in results["l"]["seconds"]
    assert bench.packages(["ONNX Runtime"]) == ("torch",)


def test_the_threads_are_set_and_set_back(monkeypatch):
    before, seen = torch.get_num_threads(), []
    settings, _ = measured(
        {"l": WORKS["layer"]},
        threads=before + 1,
        progress=lambda _: seen.append(torch.get_num_threads()),
    )
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before
    assert settings["threads"] == before + 1


def test_progress_is_told_the_roof_and_each_work_in_turn():
    told = []
    measured(progress=told.append, forms=[])
    assert told == ["roof", *WORKS]


# -------------------------------------------------------------------------------------- counts


def test_the_counts_of_a_layer_are_those_of_a_hand():
    # Two inputs, three taps each, nothing cropped: 6 products. Zero insertion: 5 outputs of 3 taps.
    works = {"l": ((1, 1, 2), (1, 1, 3), Geometry(3, 2))}
    _, results = measured(works, forms=["zero_insertion", "polyphase", "auto"])
    found = results["l"]
    assert found["multiplications"]["torch"] == 6
    assert found["multiplications"]["zero_insertion"] == 15
    assert "auto" not in found["multiplications"]
    # In float32: 2 inputs, 3 weights, 5 outputs; and twice the 7 values with zeros between.
    assert found["moved"]["torch"] == 4 * (2 + 3 + 5)
    assert found["moved"]["zero_insertion"] == 4 * (2 + 3 + 5 + 2 * 7)


def test_the_counts_of_a_pair_are_those_of_both_its_steps_and_of_the_collapsed_kernel():
    works = {"p": bench.Pair((1, 1, 4), (1, 1, 3), Geometry(3, padding=1), (2,))}
    _, results = measured(works, forms=["columns"], dtype="bf16")
    found = results["p"]
    assert found["multiplications"] == {"torch": 8 * 3, "columns": 4 * 4}
    # 4 inputs, 3 weights, 8 outputs, and 8 upsampled values that are written and read.
    assert found["moved"]["torch"] == 2 * (4 + 3 + 8 + 2 * 8)


def test_training_makes_and_moves_three_times_as_much():
    forward = measured({"l": WORKS["layer"]})[1]["l"]
    both = measured({"l": WORKS["layer"]}, training=True)[1]["l"]
    for count in ("multiplications", "moved"):
        assert both[count] == {form: 3 * number for form, number in forward[count].items()}


SIZES = {
    "DCGAN 1024 to 512": (8, 8),
    "DCGAN 512 to 256": (16, 16),
    "DCGAN 256 to 128": (32, 32),
    "DCGAN 128 to 3": (64, 64),
    "FCN k4 s2": (34, 34),
    "FCN k16 s8": (280, 280),
    "U-Net, one image": (128, 128),
    "U-Net, four images": (128, 128),
    "8 channels k3 s2": (28, 28),
    "8 channels k4 s2": (28, 28),
}


def test_the_ten_listed_layers_make_their_networks_sizes():
    found = {n: geometry.transposed_shape(x[2:]) for n, (x, _, geometry) in bench.LAYERS.items()}
    assert found == SIZES


def test_the_listed_layers_fit_together():
    listed = {**bench.LAYERS, **bench.PAIRS}
    bench._check_works(listed)
    settings = {"forms": bench.FORMS, "training": False, "dtype": "fp32"}
    for work in listed.values():
        counts = bench._counts(work, settings)["multiplications"]
        products, least = counts.pop("torch"), min(counts.values())
        # Of a pair's products fewer than half are left: four of nine, and some at the border.
        assert least < products / 2 if isinstance(work, bench.Pair) else least >= products


# --------------------------------------------------------------------------------------- tables


def a_record(**results):
    roof = {
        "seconds": {"convolution": [2.0, 1.0], "copy": [0.5, 1.0]},
        "multiplications": {"convolution": 1000},
        "moved": {"copy": 400},
    }  # 1000 multiplications and 800 bytes a second
    return Record("r", "2026-11-24", "a CPU", {}, 1.0, {"dtype": "fp32"}, {"roof": roof, **results})


WORK = {
    "seconds": {
        "torch": [4.0, 4.0, 8.0],
        "torch channels_last": [2.0, 2.0, 2.0],
        "columns channels_last": [1.0, 2.0, 4.0],
        "auto": [1.0, 1.0, 1.0],
        "JAX": [2.0, 2.0, 2.0],
    },
    "bytes": {"torch": 100},
    "multiplications": {"torch": 500, "columns": 200},
    "moved": {"torch": 80, "columns": 320},
}


def test_a_table_tells_ratios_and_the_share_of_the_roof():
    rows = {row.candidate: row for row in bench.table(a_record(work=WORK))}
    columns = rows["columns channels_last"]
    assert columns.torch == Ratio(2, 2, 4)
    assert columns.channels_last == Ratio(0.5, 1, 2)
    assert columns.seconds == 2
    # At the roof torch's 500 products take 0.5 seconds, and columns' 320 bytes 0.4.
    assert columns.roof == 0.4 / 2
    assert rows["torch"].roof == 0.5 / 4
    assert rows["JAX"].roof == 0.5 / 2  # it runs what torch runs
    # Nobody knows which form auto takes: the one that needs least is what it could reach.
    assert rows["auto"].roof == 0.4
    assert (rows["torch"].bytes, rows["JAX"].bytes) == (100, None)


def test_a_record_that_is_measured_is_kept_and_read(tmp_path):
    record = recorded()
    records.save(record, tmp_path)
    assert records.load("small", tmp_path) == record
    rows = bench.table(records.load("small", tmp_path))
    assert {row.work for row in rows} == set(WORKS)
    assert all(row.channels_last is None for row in rows if row.work == "one axis")


@pytest.mark.parametrize(
    "results",
    [
        {},
        {"roof": {}},
        {"loss": [1, 2]},
        {**a_record().results, "work": {"seconds": {"torch": [1]}}},
    ],
)
def test_a_record_of_something_else_is_refused_by_name(results):
    record = Record("heads", "2026-11-24", "a CPU", {}, 1.0, {}, results)
    with pytest.raises(ValueError, match="record: got 'heads', which is none of these"):
        bench.table(record)


def test_a_picture_holds_every_work_and_candidate(tmp_path):
    path = bench.picture(a_record(one=WORK, two=WORK), tmp_path / "x.svg")
    text = path.read_text("utf8")
    for word in [*WORK["seconds"], "one", "two", "a CPU", "times as fast as torch"]:
        assert f"<!-- {word}" in text
    assert list(tmp_path.iterdir()) == [path]


def test_who_stops_the_drawing_leaves_no_half_picture(tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        bench.picture(a_record(work=WORK), tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_an_unknown_kind_or_without_matplotlib_is_refused(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="path: got .*x.gif'; want one that ends in .png, .svg"):
        bench.picture(a_record(work=WORK), tmp_path / "x.gif")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="a picture wants matplotlib, which is not installed"):
        bench.picture(a_record(work=WORK), tmp_path / "x.png")


# ------------------------------------------------------------------------------------------ CUDA


@pytest.fixture
def cuda(monkeypatch):
    """A CUDA device that is the CPU, with the CPU's timer."""
    devices = set()

    def timer(function):
        def on_cpu(*args, device, **settings):
            devices.add(str(device))
            return function(*args, **settings)

        return on_cpu

    monkeypatch.setattr(bench, "_on_device", lambda tensor, device: devices.add(device) or tensor)
    monkeypatch.setattr(bench, "compare", timer(bench.compare))
    monkeypatch.setattr(bench, "peak_memory", timer(timing.peak_memory))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA Test")
    return devices


@pytest.mark.parametrize("training", [False, True])
def test_on_cuda_all_the_same_is_measured_and_the_roof_is_a_matrix_product(cuda, training):
    record = recorded(device="cuda", training=training)
    assert cuda == {"cuda"}
    assert record.machine.startswith("NVIDIA Test, ")
    assert record.settings["device"] == "cuda"
    assert record.settings["tf32"] == torch.backends.cudnn.allow_tf32
    roof = record.results["roof"]
    assert list(roof["seconds"]) == ["matmul", "copy"]
    assert roof["multiplications"] == {"matmul": 8**3}
    for name in WORKS:
        assert (record.results[name]["left_out"], record.results[name]["refused"]) == ({}, {})
    assert bench.table(record)


def test_the_roof_computes_in_tf32_where_convolutions_do(cuda, monkeypatch):
    before, seen = torch.get_float32_matmul_precision(), []
    compare = bench.compare

    def watched(calls, **settings):
        seen.append(torch.get_float32_matmul_precision())
        return compare(calls, **settings)

    monkeypatch.setattr(bench, "compare", watched)
    measured({"l": WORKS["layer"]}, device="cuda:0", forms=[])
    assert seen == ["high", before]
    measured({"l": WORKS["layer"]}, device="cuda:0", dtype="bf16", forms=[])
    assert seen[2:] == ["highest", before]


def test_the_second_cuda_device_of_one_is_refused(cuda):
    with pytest.raises(ValueError, match="device: got 'cuda:1', which torch does not find here"):
        measured(device="cuda:1")


# -------------------------------------------------------------------------------------- bad input


def pair(**changed):
    return WORKS["pair"]._replace(**changed)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"works": {}}, "works: got \\[\\]; want at least one"),
        ({"works": {"roof": WORKS["layer"]}}, "works: got .* none called roof"),
        ({"works": {"l": ((1, 3, 5, 5), (4, 3, 3, 3), CONV)}}, "l: x_shape: got 3 channels"),
        ({"works": {"l": ((1, 4, 1, 1), (4, 3, 1, 1), Geometry((1, 1), 1, 1))}}, "l: padding: got"),
        (
            {"works": {"p": pair(geometry=Geometry((3, 3), padding=((0, 1), 1)))}},
            "p: geometry: got",
        ),
        ({"works": {"p": pair(geometry=Geometry((3, 3), 2, 1))}}, "p: geometry: got .*; want "),
        ({"works": {"p": pair(scale=(0, 2))}}, "p: scale: got 0; want"),
        ({"works": {"p": pair(scale=(2,))}}, "p: scale: got"),
        ({"forms": ["gather"]}, "forms: got 'gather'; want auto, fastest, "),
        ({"layouts": ["nhwc"]}, "layouts: got 'nhwc'; want contiguous, channels_last"),
        ({"dtype": "fp64"}, "dtype: got 'fp64'; want fp32, bf16, fp16"),
        ({"device": "tpu"}, "device: got 'tpu'; want cpu or cuda"),
        ({"device": "meta"}, "device: got 'meta'; want cpu or cuda"),
        ({"device": "cuda"}, "device: got 'cuda', which torch does not find here; want cpu"),
        ({"peers": ["Theano"]}, "peers: got 'Theano'; want ONNX Runtime, "),
        ({"peers": ["JAX"], "dtype": "bf16"}, "peers: got JAX in bf16 on cpu; want fp32 on cpu"),
        ({"threads": 0}, "threads: got 0; want an integer of at least 1"),
        ({"rounds": 2}, "rounds: got 2; want an integer of at least 3"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(monkeypatch, settings, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(bench, "compare", None)
    with pytest.raises(ValueError, match=message):
        measured(**settings)


def test_values_are_the_same_on_every_run():
    one, other = (bench._random((2, 3), 0, torch.float32, "cpu").numpy() for _ in range(2))
    np.testing.assert_array_equal(one, other)
