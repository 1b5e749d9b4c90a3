"""The command ``upconv``: ``upconv bench`` times your layers, in every form, on your machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from upconv import bench, peers, records
from upconv.geometry import Geometry
from upconv.records import Record
from upconv.timing import Ratio

LAYER = "channels=8 out_channels=4 kernel=3 stride=2 padding=1 output_padding=1 size=14 batch=128"
PAIR = "channels=128 out_channels=128 kernel=3 padding=1 scale=2 size=32"
DEFAULTS = {
    "--layer": {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0},
    "--pair": {"padding": 0, "scale": 2},
}
"""What a layer may leave unsaid, besides batch, groups and the number of axes."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command, and returns its exit status.

    Args:
        arguments: those of the command line by default.
    """
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        return asked.run(asked)
    except (ValueError, ImportError, OSError) as error:
        print(f"upconv: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("upconv: interrupted", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"upconv: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="upconv", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser(
        "bench",
        help="time layers in every form, against torch and other frameworks",
        description="Times layers that upsample: torch's own, the equal forms, other frameworks. "
        "Values are compared first; then all run in turn, so that what slows the machine slows "
        "them all.",
    )
    command.set_defaults(run=_bench)
    add = command.add_argument
    add("works", nargs="*", metavar="layer", help="listed layers whose names hold this text")
    add("--list", action="store_true", help="print the names of the listed layers, and end")
    add(
        "--layer",
        action="append",
        default=[],
        help=f'a transposed convolution: "{LAYER}"; 3x5 is a number for each axis',
    )
    add(
        "--pair",
        action="append",
        default=[],
        help=f'nearest upsampling and a convolution: "{PAIR}"',
    )
    add("--forms", type=_names, default=bench.FORMS, help=f"default: {','.join(bench.FORMS)}")
    add("--layouts", type=_names, default=bench.LAYOUTS, help=f"{','.join(bench.LAYOUTS)} (both)")
    add("--dtype", default="fp32", help=f"{', '.join(bench.DTYPES)} (fp32)")
    add("--device", default="cpu", help="cpu, cuda, cuda:1, … (cpu)")
    add("--peers", type=_peers, default=[], help="onnxruntime,openvino,jax,tensorflow, or all")
    add("--training", action="store_true", help="forward and backward, not forward alone")
    add("--rounds", type=int, default=15, help="samples of each (15)")
    add("--threads", type=int, help="of the CPU (as many as torch takes)")
    add("--json", type=Path, metavar="FILE", help="write the record, with all samples")
    add("--picture", type=Path, metavar="FILE", help="draw it: .png, .svg or .pdf")
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


def _peers(text: str) -> list[str]:
    """Peers, as one types them: without spaces, in any case."""
    known = {name.replace(" ", "").lower(): name for name in peers.PEERS}
    if text == "all":
        return list(peers.PEERS)
    return [known.get(name.lower(), name) for name in _names(text)]


def _bench(asked: argparse.Namespace) -> int:
    console = Console(highlight=False)
    if asked.list:
        for name, work in {**bench.LAYERS, **bench.PAIRS}.items():
            console.print(f"{name:24} {_told(work)}", soft_wrap=True, markup=False)
        return 0
    works = _works(asked)
    for path in (asked.json, asked.picture):
        if path is not None and not path.absolute().parent.is_dir():
            raise ValueError(f"{path}: got a folder that is not there; want one that is")
    if asked.json is not None and asked.json.suffix != ".json":
        raise ValueError(f"--json: got {str(asked.json)!r}; want a file that ends in .json")
    if asked.picture is not None:
        bench.check_picture(asked.picture)

    record = _measured(asked, works)
    for name in works:
        _print(console, record, name)
    if missing := record.settings["not_installed"]:
        console.print(f"Not installed, so left out: {', '.join(missing)}.")
    console.print(record.origin)
    if asked.json is not None:
        console.print(f"All samples: {records.save(record, asked.json.parent)}", soft_wrap=True)
    if asked.picture is not None:
        console.print(f"Picture: {bench.picture(record, asked.picture)}", soft_wrap=True)
    refused = any(found["refused"] for found in record.results.values())
    return 1 if refused else 0


def _measured(asked: argparse.Namespace, works: dict[str, bench.Work]) -> Record:
    """The record, while a bar in the terminal shows how far it is."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    terminal = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=terminal, transient=True) as bar:
        task = bar.add_task("", total=len(works) + 1)
        begun = 0

        def progress(name: str) -> None:
            nonlocal begun
            bar.update(task, description=name, completed=begun)
            begun += 1

        def experiment() -> tuple[dict, dict]:
            return bench.measure(
                works,
                forms=asked.forms,
                layouts=asked.layouts,
                dtype=asked.dtype,
                device=asked.device,
                peers=asked.peers,
                training=asked.training,
                rounds=asked.rounds,
                threads=asked.threads,
                progress=progress,
            )

        name = "bench" if asked.json is None else asked.json.stem
        return records.measure(name, experiment, bench.packages(asked.peers))


# ------------------------------------------------------------------------------- what is asked for


def _works(asked: argparse.Namespace) -> dict[str, bench.Work]:
    """The layers that are asked for: all listed ones if nothing else is said."""
    listed = {**bench.LAYERS, **bench.PAIRS}
    works: dict[str, bench.Work] = {}
    for text in asked.works:
        found = {name: work for name, work in listed.items() if text.lower() in name.lower()}
        if not found:
            raise ValueError(f"layer: got {text!r}; want part of a name that --list prints")
        works |= found
    works |= {text: _layer(text) for text in asked.layer}
    works |= {text: _pair(text) for text in asked.pair}
    return works or listed


def _said(option: str, text: str) -> tuple[dict[str, object], tuple[int, ...]]:
    """The settings of one layer: integers, or one for each axis; and its size."""
    wanted = ("channels", "out_channels", "kernel", "size")
    said: dict[str, object] = {"batch": 1, "groups": 1, "axes": 2, **DEFAULTS[option]}
    known = (*wanted, *said)
    for part in text.split():
        name, _, value = part.partition("=")
        numbers = value.split("x")
        if name not in known or not all(number.isdecimal() for number in numbers):
            raise ValueError(f"{option}: got {part!r}; want {', '.join(known)}, as in stride=2")
        said[name] = int(value) if len(numbers) == 1 else tuple(map(int, numbers))
    missing = [name for name in wanted if name not in said]
    if missing:
        raise ValueError(f"{option}: got {text!r}; want {', '.join(missing)} as well")
    for name in ("channels", "out_channels", "batch", "groups", "axes"):
        if not isinstance(said[name], int) or said[name] < 1:
            raise ValueError(f"{option}: got {name}={said[name]}; want an integer of at least 1")
    size = said["size"]
    return said, size if isinstance(size, tuple) else (size,) * said["axes"]


def _geometry(option: str, said: dict[str, object], axes: int) -> Geometry:
    names = ("kernel", "stride", "padding", "dilation", "output_padding", "groups")
    settings = {name: said[name] for name in names if name in said}
    if isinstance(said["kernel"], int):
        settings["kernel"] = (said["kernel"],) * axes
    try:
        return Geometry(**settings)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _layer(text: str) -> bench.Work:
    said, size = _said("--layer", text)
    geometry = _geometry("--layer", said, len(size))
    outs = _share("--layer", "out_channels", said)
    x_shape = said["batch"], said["channels"], *size
    return x_shape, (said["channels"], outs, *geometry.kernel), geometry


def _pair(text: str) -> bench.Pair:
    said, size = _said("--pair", text)
    geometry = _geometry("--pair", said, len(size))
    scale = said["scale"] if isinstance(said["scale"], tuple) else (said["scale"],) * len(size)
    ins = _share("--pair", "channels", said)
    x_shape = said["batch"], said["channels"], *size
    return bench.Pair(x_shape, (said["out_channels"], ins, *geometry.kernel), geometry, scale)


def _share(option: str, name: str, said: dict[str, object]) -> int:
    """How many of these channels belong to one group."""
    share, left = divmod(said[name], said["groups"])
    if left:
        raise ValueError(f"{option}: got {name}={said[name]}; want a multiple of {said['groups']}")
    return share


# --------------------------------------------------------------------------------- what is printed


def _told(work: bench.Work) -> str:
    """A work in the words of --layer and --pair."""
    x_shape, weight_shape, geometry, *scale = work
    outs = weight_shape[0] if scale else weight_shape[1] * geometry.groups
    words = {
        "channels": x_shape[1],
        "out_channels": outs,
        "kernel": geometry.kernel,
        "stride": geometry.stride,
        "padding": tuple(before for before, _ in geometry.padding),
        "output_padding": geometry.output_padding,
        "scale": scale[0] if scale else None,
        "size": x_shape[2:],
        "batch": x_shape[0],
    }
    defaults = {"stride": 1, "padding": 0, "output_padding": 0, "scale": None, "batch": 1}
    plain = {
        name: value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
        for name, value in words.items()
    }
    kept = {n: v for n, v in plain.items() if n not in defaults or v != defaults[n]}
    option = "--pair" if scale else "--layer"
    return f'{option} "{" ".join(f"{name}={value}" for name, value in kept.items())}"'


def _print(console: Console, record: Record, work: str) -> None:
    """The table of one work, and what was left out of it or refused."""
    rows = [row for row in bench.table(record) if row.work == work]
    fastest = min(row.seconds for row in rows)
    style = {"title_justify": "left", "title_style": "bold", "box": None, "padding": (0, 1, 0, 0)}
    table = Table(title=work, **style)
    table.add_column("candidate", no_wrap=True)
    for column in ("ms", "× torch", "× channels_last", "roof", "MiB"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.candidate,
            _short(row.seconds * 1e3),
            _ratio(row.torch),
            "–" if row.channels_last is None else _ratio(row.channels_last),
            f"{row.roof:.0%}",
            "–" if row.bytes is None else _short(row.bytes / 2**20),
            style="bold" if row.seconds == fastest else "",
        )
    console.print(table)
    found = record.results[work]
    for candidate, why in found["left_out"].items():
        console.print(f"  left out: {candidate}: {why}", markup=False)
    for candidate, why in found["refused"].items():
        console.print(f"  refused: {candidate}: {why}", markup=False)
    if found["disturbed"]:
        console.print(f"  threads waited for a core in {found['disturbed']} of the rounds")
    console.print()


def _short(number: float) -> str:
    """Three digits that count, at most."""
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def _ratio(ratio: Ratio) -> str:
    low, median, high = (f"{x:.2f}" if x < 10 else _short(x) for x in ratio)
    return f"{median} ({low}–{high})"


if __name__ == "__main__":
    sys.exit(main())
