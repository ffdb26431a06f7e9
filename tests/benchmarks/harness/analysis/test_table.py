"""Tables: columns and rows, selection, and CSV files that are read bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import (
    by_run,
    distinct,
    from_rows,
    make_table,
    read_csv,
    rows_where,
    stack_runs,
    write_csv,
)


def test_csv_round_trip(tmp_path: Path) -> None:
    table = {
        "agent": np.array(["a", "b, c"]),
        "step": np.array([1, 2]),
        "reward": np.array([0.1, 1 / 3]),
    }
    write_csv(tmp_path / "deep" / "t.csv", table)
    again = read_csv(tmp_path / "deep" / "t.csv")
    for name, column in table.items():
        np.testing.assert_array_equal(again[name], column)
    (tmp_path / "bad.csv").write_text("a,b\n1\n")
    with pytest.raises(ValueError, match="line 2: 1 fields; expected 2"):
        read_csv(tmp_path / "bad.csv")


def test_make_table_repeats_single_values() -> None:
    table = make_table(agent="a", step=[10, 20], reward=np.array([0.5, 1.5]), runs=3)
    assert {name: column.tolist() for name, column in table.items()} == {
        "agent": ["a", "a"],
        "step": [10, 20],
        "reward": [0.5, 1.5],
        "runs": [3, 3],
    }
    assert [column.dtype.kind for column in table.values()] == ["U", "i", "f", "i"]
    assert {len(column) for column in make_table(agent="a", runs=3).values()} == {1}
    with pytest.raises(ValueError, match="shape mismatch"):
        make_table(step=[1, 2], reward=[1.0, 2.0, 3.0])


def test_rows_where_selects_all_values() -> None:
    rows = [
        {"maze": maze, "agent": agent, "run": run, "reward": 10 * run + len(agent)}
        for maze in ("second", "first")
        for agent in ("a", "bb")
        for run in (1, 0)
    ]
    table = from_rows(rows)
    assert list(table) == ["maze", "agent", "run", "reward"]
    own = rows_where(table, maze="first", agent="bb")
    assert own["reward"].tolist() == [12, 2]
    assert by_run(own, "reward").tolist() == [[2], [12]]
    assert distinct(table, "maze") == ["second", "first"]
    assert len(rows_where(table, agent="c")["run"]) == 0


def test_stack_runs_orders_by_setting_or_number() -> None:
    tables = {"a": 2, "b": 3}
    results = [[make_table(of=name, run=run) for run in range(n)] for name, n in tables.items()]
    assert "".join(stack_runs(results)["of"]) == "aabbb"
    by_number = stack_runs(results, by_number=True)
    assert "".join(by_number["of"]) == "ababb"
    assert by_number["run"].tolist() == [0, 0, 1, 1, 2]
