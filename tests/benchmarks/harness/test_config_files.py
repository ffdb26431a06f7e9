"""Options from TOML files: names, types, precedence and errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tyro

from dynamaze.app.cli import main
from dynamaze.benchmarks.harness.analysis.table import read_csv
from dynamaze.benchmarks.harness.command_line import EXIT_ERROR
from dynamaze.benchmarks.harness.config_files import (
    config_arguments,
    split_config,
    with_config,
)


class Pair(NamedTuple):
    """A record in a tuple."""

    left: int
    right: int


@dataclass(frozen=True)
class Inner:
    """A record."""

    width: int = 1
    is_wide: bool = False


@dataclass(frozen=True)
class Options:
    """Options of each kind."""

    place: tyro.conf.Positional[str] = "here"
    runs: int = 2
    plot_only: bool = False
    names: tuple[str, ...] = ("a",)
    limit: float | None = None
    inner: Inner = Inner()
    pairs: tuple[Pair, ...] = (Pair(1, 2), Pair(3, 4))


def read(text: str, folder: Path, *given: str) -> Options:
    path = folder / "options.toml"
    path.write_text(text)
    return tyro.cli(Options, args=with_config([str(path)], Options, given))


def test_split_config() -> None:
    arguments = ["--config", "a", "--runs", "3", "--config=b"]
    assert split_config(arguments) == (["a", "b"], ["--runs", "3"])
    for missing in (["--config"], ["--config="], ["--config", "--runs"]):
        with pytest.raises(ValueError, match="expected --config FILE"):
            split_config(missing)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runs = 7", {"runs": 7}),
        ("plot-only = true", {"plot_only": True}),
        ("plot_only = false", {"plot_only": False}),
        ('names = ["b", "c"]', {"names": ("b", "c")}),
        ("names = []", {"names": ()}),
        ("limit = -1e-3", {"limit": -1e-3}),
        ('place = "there"', {"place": "there"}),
        ("[inner]\nwidth = 3\nis-wide = true", {"inner": Inner(3, True)}),
        ("inner.width = 4", {"inner": Inner(4)}),
        ("pairs = [[5, 6], {right = 8, left = 7}]", {"pairs": (Pair(5, 6), Pair(7, 8))}),
    ],
)
def test_values_of_each_kind(text: str, expected: dict[str, Any], tmp_path: Path) -> None:
    assert read(text, tmp_path) == Options(**expected)


def test_given_option_wins(tmp_path: Path) -> None:
    text = 'place = "file"\nruns = 7\nplot-only = true\nnames = ["b", "c"]'
    given = ("line", "--runs", "8", "--no-plot-only", "--names", "d")
    assert read(text, tmp_path, *given) == Options("line", 8, False, ("d",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rums = 1", r"options.toml: unknown key 'rums'; expected one of .*did you mean 'runs'\?"),
        ("plotonly = true", r"did you mean 'plot-only'\?"),
        ("inner.with = 1", r"unknown key 'inner.with'; .*did you mean 'width'\?"),
        ("inner = 1", r"inner = 1; expected a table of width, is-wide"),
        ("pairs = [[1, 2]]", r"pairs = \[\[1, 2\]\]; expected a table of 0, 1"),
        ("plot-only = 1", r"plot-only = 1; expected true or false"),
        ("runs = {a = 1}", r"runs = .*; expected a single value"),
        ("runs = = 1", r"options.toml: no TOML: Invalid value \(at line 1, column 8\)"),
    ],
)
def test_wrong_file_is_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(text, tmp_path)
    assert "\n" not in str(caught.value)


def test_wrong_type_is_reported_by_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read('runs = "many"', tmp_path)
    assert "--runs" in capsys.readouterr().err


def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    for name, message in (("missing", "No such file"), ("binary", "no TOML"), (".", "directory")):
        with pytest.raises(ValueError, match=message):
            config_arguments(str(tmp_path / name), Options)


def test_command_reads_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "options.toml"
    path.write_text(f"runs = 4\nbranching = [2]\noutput = '{tmp_path.as_posix()}'")
    assert main(["bench", "run", "figure-8-7", "--config", str(path), "--runs", "3"]) == 0
    assert set(read_csv(tmp_path / "results" / "figure_8_7.csv")["runs"]) == {3}
    path.write_text("branchings = [2]")
    assert main(["bench", "run", "figure-8-7", "--config", str(path)]) == EXIT_ERROR
    assert "did you mean 'branching'?" in capsys.readouterr().err
