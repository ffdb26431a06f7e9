"""The command: parts, and a table that fits 80 columns."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from dynamaze.benchmarks.harness.analysis.table import read_csv
from dynamaze.benchmarks.harness.timing import Measure, SpeedRow
from dynamaze.benchmarks.speed import command
from dynamaze.benchmarks.speed.command import PARTS, Part, Speed, main, speed_grid

ROWS = [
    SpeedRow("gym.make steps", "1.52 M/s", "FrozenLake-v1", "0.14 M/s", "10.8x", ">= 8x", True),
    SpeedRow("a name of a measurement that is far longer than its column", "1.0 us"),
    SpeedRow("GP, 2000 transitions", "123.4 ms", target="<= 10 ms", met=False),
    SpeedRow("steps beside envpool", "", "envpool", "not installed", met=False),
]


def printed(rows: list[SpeedRow]) -> list[str]:
    """Return the lines of the table in 80 columns."""
    stream = StringIO()
    Console(file=stream, width=80).print(speed_grid(rows))
    return stream.getvalue().splitlines()


def test_parts_are_those_of_option() -> None:
    assert get_args(Part) == tuple(PARTS)
    names = [measure.__name__ for part in PARTS.values() for measure in part]
    assert len(names) == len({*names}) == 39


def test_grid_fits_80_columns() -> None:
    lines = printed(ROWS)
    assert max(map(len, lines)) == 80
    words = " ".join(lines).split()
    for row in ROWS:
        for text in row[:-1]:
            assert {*text.split()} <= {*words}


def test_grid_tells_what_is_met() -> None:
    lines = {line.split()[0]: line.split() for line in printed(ROWS) if line.strip()}
    assert lines["gym.make"][-1] == "yes"
    assert lines["GP,"][-4:] == ["<=", "10", "ms", "NO"]  # without a baseline in one line
    assert lines["steps"] == ["steps", "beside", "envpool"]  # no target: nothing is met
    assert lines["envpool"] == ["envpool", "not", "installed"]


def test_main_measures_chosen_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(repeats: int) -> list[SpeedRow]:
        return [SpeedRow("toy", f"{repeats} us")]

    def unwanted(repeats: int) -> list[SpeedRow]:
        raise AssertionError

    parts: dict[str, tuple[Measure, ...]] = {"peers": (measure,), "start": (unwanted,)}
    monkeypatch.setattr(command, "PARTS", parts)
    main(Speed(repeats=7, parts=("peers",), output=tmp_path))
    assert "7 us" in capsys.readouterr().out
    table = read_csv(tmp_path / "results" / "speed.csv")
    assert table["measurement"].tolist() == ["toy"]
