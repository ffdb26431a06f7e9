"""Tables: CSV files are read bit for bit, and ragged rows are rejected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.table import read_csv, write_csv


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
