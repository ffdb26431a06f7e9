"""What all experiments share: jobs in processes, what is kept of a run that was stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from dynamaze.benchmarks.harness.runner import Storing, kept_folder, stored_tables, work
from dynamaze.benchmarks.harness.table import Table, write_csv

JOBS = [(number,) for number in range(5)]


@dataclass(frozen=True)
class Toy(Storing):
    name: ClassVar[str] = "toy"

    seed: int = 0
    workers: int = 1


@pytest.fixture(autouse=True)
def _importable_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


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
def test_tables_come_in_the_order_of_the_jobs(workers: int) -> None:
    seen: list[None] = []
    tables = work(square, JOBS, workers=workers, on_run=lambda: seen.append(None))
    assert numbers(tables) == list(range(5))
    assert len(seen) == 5


def test_each_process_computes_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert [int(t["threads"][0]) for t in work(threads, JOBS[:2], workers=2)] == [1, 1]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_run_that_was_stopped_goes_on_to_the_same_tables(tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        work(stop_at_three, JOBS, workers=1, keep=keep)
    assert len(list(keep.iterdir())) == 3
    with pytest.raises(AssertionError, match="job 3"):
        work(unwanted, JOBS, workers=1, keep=keep)
    seen: list[None] = []
    again = work(square, JOBS, workers=1, keep=keep, on_run=lambda: seen.append(None))
    assert len(seen) == 5
    for table, fresh in zip(again, work(square, JOBS, workers=1), strict=True):
        for name, column in fresh.items():
            np.testing.assert_array_equal(table[name], column)
    assert not keep.exists()


def test_what_is_kept_belongs_to_these_numbers_alone(tmp_path: Path) -> None:
    toy = Toy(output=tmp_path)
    same = replace(toy, workers=2, redraw=True)
    assert kept_folder(toy) == kept_folder(same)
    assert kept_folder(toy) != kept_folder(replace(toy, seed=1))
    assert kept_folder(toy, apart_from=("seed",)) == kept_folder(
        replace(toy, seed=1), apart_from=("seed",)
    )


def test_tables_that_are_not_stored_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="without --redraw"):
        stored_tables(tmp_path, "toy")
    for name in ("toy", "toy_runs", "toys"):
        write_csv(tmp_path / f"{name}.csv", square(1))
    assert list(stored_tables(tmp_path, "toy")) == ["toy", "toy_runs"]


def test_no_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers=0; expected at least 1"):
        work(square, JOBS, workers=0)
