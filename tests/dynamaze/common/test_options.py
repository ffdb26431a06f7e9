"""Ranges and paths that are declared with the options of a command."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import pytest

from dynamaze.app import cli
from dynamaze.benchmarks.harness.command_line import config_type, import_command
from dynamaze.common.options import (
    Count,
    Fraction,
    OutputFile,
    OutputFolder,
    Range,
    Seconds,
    Steps,
    check_lists,
    check_no_device,
    check_numbers,
    check_paths,
    declared,
)


class Pair(NamedTuple):
    """A record in a tuple."""

    left: Fraction
    right: int = 0


@dataclass(frozen=True)
class Options:
    """Options of each kind."""

    steps: Steps = 5
    limit: Seconds | None = None
    counts: tuple[Count, ...] = (1, 2)
    pairs: tuple[Pair, ...] = (Pair(0.5),)
    share: Annotated[float, Range(0, 1, above=True)] = 1.0
    teacher: str = ""
    folder: OutputFolder = Path()
    file: OutputFile | None = None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "steps=0; expected a whole number of at least 1"),
        ({"steps": 10**12}, r"steps=1000000000000; expected at most 100000000"),
        ({"steps": 10**400}, r"steps=10+\.\.\.; expected at most 100000000"),
        ({"steps": -(10**400)}, r"steps=-10+\.\.\.; expected a whole number of at least 1"),
        ({"limit": math.nan}, "limit=nan; expected a number above 0"),
        ({"limit": math.inf}, "limit=inf; expected at most"),
        ({"counts": (1, 0)}, "counts=0; expected"),
        ({"pairs": (Pair(0.5), Pair(2))}, r"pairs\.1\.left=2; expected a number in \[0, 1\]"),
        ({"share": 0.0}, r"share=0.0; expected a number in \(0, 1\]"),
    ],
)
def test_check_numbers_names_option(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        check_numbers(Options(**given))


def test_check_lists() -> None:
    check_lists(Options())
    with pytest.raises(ValueError, match=r"^counts=\(\); expected at least one"):
        check_lists(Options(counts=()))


def test_check_paths(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for good in ({"folder": tmp_path / "a" / "b"}, {"file": tmp_path / "a" / "b"}):
        check_paths(Options(**good))
    for bad, message in (
        ({"folder": tmp_path / "file"}, r"folder='.*file'; '.*file' is a file; expected a folder"),
        ({"folder": tmp_path / "file" / "x"}, "is a file; expected a folder"),
        ({"file": tmp_path / "file" / "x"}, "is a file; expected a folder"),
        ({"file": tmp_path}, "is a folder; expected the name of a file"),
        ({"file": tmp_path / ("x" * 300)}, "shorter name|name too long"),
        ({"folder": Path("a\0b")}, "folder='a"),
    ):
        with pytest.raises(ValueError, match=message):
            check_paths(Options(**bad))
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="there is no such device")
def test_check_no_device() -> None:
    check_no_device(Options(teacher="a.b:c"))
    for name in ("file", "teacher"):
        with pytest.raises(ValueError, match=f"^{name}='/dev/zero' is neither file nor folder"):
            check_no_device(Options(**{name: "/dev/zero"}))


WITHOUT_RANGE = {"workers", "problems"}
"""Options whose range is not a constant: cores, and products of several numbers."""


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_number_has_range(name: str) -> None:
    pytest.importorskip("stable_baselines3", reason="some commands need it")
    kind = config_type(import_command(name, cli.COMMANDS[name]), cli.COMMANDS[name])
    hints = get_type_hints(kind)
    needed = {
        field.name
        for field in fields(kind)
        if {int, float} & {hints[field.name], *get_args(hints[field.name])}
    }
    hidden = get_type_hints(kind, include_extras=True)
    has_range = {each for each in needed if "Range(" in str(hidden[each])}
    assert needed - has_range <= WITHOUT_RANGE


def test_declared_lists_checks() -> None:
    names = [each.name for each in declared(Options())]
    assert names == ["steps", "counts", "counts", "pairs.0.left", "share", "folder"]
