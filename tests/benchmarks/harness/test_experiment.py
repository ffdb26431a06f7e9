"""Running of experiments: jobs in processes, cached jobs of a stopped run, stored tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from dynamaze.benchmarks.harness.experiment import (
    JobsConfig,
    cache_folder,
    read_tables,
    run_jobs,
    run_module,
    summary_grid,
)
from dynamaze.benchmarks.harness.table import Table, make_table, write_csv


@dataclass(frozen=True)
class Toy(JobsConfig):
    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"

    runs: int = 5
    workers: int = 1

    @property
    def jobs(self) -> Sequence[tuple[Any, ...]]:
        return [(number,) for number in range(self.runs)]


@dataclass(frozen=True)
class SeedIgnored(Toy):
    cache_ignores: ClassVar[tuple[str, ...]] = ("seed",)


@pytest.fixture(autouse=True)
def _importable_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3]))


def square(number: int) -> Table:
    return {"number": np.array([number]), "square": np.array([number**2 / 3])}


def threads(number: int) -> Table:
    return {"threads": np.array([int(os.environ["OMP_NUM_THREADS"])])}


def stop_at_three(number: int) -> Table:
    if number == 3:
        raise KeyboardInterrupt
    return square(number)


def unwanted(number: int) -> Table:
    raise AssertionError(f"job {number} was done before")


def numbers(tables: list[Table]) -> list[int]:
    return [int(table["number"][0]) for table in tables]


@pytest.mark.parametrize("workers", [1, 2])
def test_run_jobs_preserves_order(workers: int) -> None:
    seen: list[None] = []
    tables = run_jobs(square, Toy(workers=workers), lambda: seen.append(None))
    assert numbers(tables) == list(range(5))
    assert len(seen) == 5


def test_run_jobs_limits_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert [int(t["threads"][0]) for t in run_jobs(threads, Toy(workers=2, runs=2))] == [1, 1]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_run_jobs_resumes_from_cache(tmp_path: Path) -> None:
    cache_dir = tmp_path / "kept"
    toy = Toy(cache_dir=cache_dir)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(stop_at_three, toy)
    assert len(list(cache_dir.iterdir())) == 3
    with pytest.raises(AssertionError, match="job 3"):
        run_jobs(unwanted, toy)
    seen: list[None] = []
    again = run_jobs(square, toy, lambda: seen.append(None))
    assert len(seen) == 5
    for table, fresh in zip(again, run_jobs(square, Toy()), strict=True):
        for name, column in fresh.items():
            np.testing.assert_array_equal(table[name], column)
    assert not cache_dir.exists()


def test_cache_folder_depends_on_numbers(tmp_path: Path) -> None:
    toy = Toy(output=tmp_path)
    same = replace(toy, workers=2, plot_only=True, cache_dir=tmp_path)
    assert cache_folder(toy) == cache_folder(same)
    assert cache_folder(toy) != cache_folder(replace(toy, seed=1))
    other = SeedIgnored(output=tmp_path)
    assert cache_folder(other) == cache_folder(replace(other, seed=1))


def test_read_tables_needs_stored_tables(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="without --plot-only"):
        read_tables(tmp_path, "toy")
    for name in ("toy", "toy_runs", "toys"):
        write_csv(tmp_path / f"{name}.csv", square(1))
    assert list(read_tables(tmp_path, "toy")) == ["toy", "toy_runs"]


@pytest.mark.parametrize(
    "table", [make_table(run=[0, 0, 1, 1, 2, 2]), make_table(agent=["a", "b"], runs=[3, 2])]
)
def test_plot_only_shows_stored_runs(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(tmp_path / "results" / "toy.csv", table)
    experiment = SimpleNamespace(plot=lambda *_: Figure(), summary=lambda *_: [("agent",), ("a",)])
    run_module(experiment, Toy(output=tmp_path, plot_only=True, runs=100))
    assert "mean of 3 runs" in capsys.readouterr().out


def test_run_jobs_rejects_zero_workers() -> None:
    with pytest.raises(ValueError, match="workers=0; expected a whole number of at least 1"):
        run_jobs(square, Toy(workers=0))


def test_summary_grid_shows_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    Console().print(summary_grid("Toy", [("steps",), ("50 [over 50, over 50]",)]))
    assert "50 [over 50, over 50]" in capsys.readouterr().out
