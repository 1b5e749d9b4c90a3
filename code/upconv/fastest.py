"""Which of some calls is the fastest: timed once in each situation, then remembered.

In memory, and in a JSON file if asked. Knows nothing of what the calls compute.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch

from upconv.timing import Call, compare

__all__ = ["fastest", "remember"]

ROUNDS = 7
"""Samples of each call on which the choice rests."""

_found: dict[str, str] = {}
_file: Path | None = None


def fastest(
    situation: str, calls: Mapping[str, Call], *, device: torch.device | str = "cpu"
) -> str:
    """The name of the fastest call: timed the first time in this situation, then remembered.

    The versions, the device and the number of threads belong to the situation by themselves. A
    remembered name that is no longer among the calls is timed anew.

    Args:
        situation: everything else on which the choice may depend, in words.
        calls: the candidates by name, as :func:`upconv.timing.compare` takes them.
        device: where they compute: "cpu" or a CUDA device.

    Raises:
        ValueError: as :func:`upconv.timing.compare`.

    Source:
        Taught in "What it costs".

    Example:
        >>> calls = {"short": lambda: sum(range(99)), "long": lambda: sum(range(99999))}
        >>> fastest("an example", calls), fastest("an example", calls)
        ('short', 'short')
    """
    device = torch.device(device)
    if device.type == "cuda":
        machine = torch.cuda.get_device_name(device)
    else:
        machine = f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    key = f"torch {torch.__version__}, {machine}: {situation}"
    if _found.get(key) not in calls:
        seconds = compare(calls, rounds=ROUNDS, device=device).seconds
        _found[key] = min(calls, key=lambda name: statistics.median(seconds[name]))
        if _file is not None:
            _write(_file)
    return _found[key]


def remember(path: str | os.PathLike | None) -> None:
    """Keep what is found in a file from now on, and begin with what the file holds.

    Args:
        path: of a JSON file, which is made when something is found; None keeps it in memory only.

    Raises:
        ValueError: for a file that is damaged or holds something else; it is named, and left as
            it is.

    Source:
        Taught in "What it costs".

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     remember(f"{folder}/fastest.json")
        ...     name = fastest("another example", {"only": lambda: None})
        ...     remember(None)
        ...     "another example" in Path(folder, "fastest.json").read_text()
        True
    """
    global _file
    held = {}
    if path is not None and os.path.exists(path):
        try:
            held = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"path: got {path}, a damaged file ({error}); want JSON") from error
        if not isinstance(held, dict) or list(held) != ["fastest"] or not _names(held["fastest"]):
            raise ValueError(
                f"path: got {path}, with another content; want what this function kept"
            )
        _found.update(held["fastest"])
    _file = None if path is None else Path(path)


def _names(held: object) -> bool:
    return isinstance(held, dict) and all(isinstance(name, str) for name in held.values())


def _write(path: Path) -> None:
    """Writes what has been found into the file, whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    text = json.dumps({"fastest": _found}, indent=1, ensure_ascii=False)
    unfinished.write_text(text + "\n", encoding="utf-8")
    os.replace(unfinished, path)
