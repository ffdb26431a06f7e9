"""Stacked tables of runs: the same as a list of tables."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import stack
from dynamaze.benchmarks.harness.running.run_tables import RunTables
from dynamaze.benchmarks.harness.running.runner import column


@pytest.fixture
def tables() -> RunTables:
    """Runs 1, 2 and 4 of 6; the last one has another number of rows."""
    return RunTables(
        6,
        [
            (np.array([1, 2]), {"value": np.array([[1.0, 10.0], [2.0, 20.0]])}),
            (np.array([4]), {"value": np.array([[4.0]])}),
        ],
    )


def test_tables_stand_at_their_numbers(tables: RunTables) -> None:
    expected = [None, [1.0, 10.0], [2.0, 20.0], None, [4.0], None]
    assert len(tables) == 6
    assert [each and each["value"].tolist() for each in tables] == expected
    assert [each and each["value"].tolist() for each in tables[:]] == expected
    assert tables[-2]["value"].tolist() == [4.0]
    assert tables[-1] is None
    with pytest.raises(IndexError):
        tables[6]


def test_tables_are_copies(tables: RunTables) -> None:
    tables[1]["value"][0] = 9.0
    assert tables[1]["value"][0] == 1.0


def test_column_joins_stacks() -> None:
    whole = RunTables(
        3,
        [
            (np.array([0, 1]), {"value": np.array([[0.0], [1.0]])}),
            (np.array([2]), {"value": np.array([[2.0]]), "other": np.array([[5.0]])}),
        ],
    )
    assert column(whole, "value").tolist() == [[0.0], [1.0], [2.0]]
    assert stack(whole)["value"].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="run 0 has no column 'other'"):
        column(whole, "other")


def test_column_rejects_other_shapes() -> None:
    odd = RunTables(
        2,
        [
            (np.array([0]), {"value": np.array([[0.0]])}),
            (np.array([1]), {"value": np.array([[1.0, 2.0]])}),
        ],
    )
    with pytest.raises(ValueError, match="column 'value' of run 1 has shape"):
        column(odd, "value")
