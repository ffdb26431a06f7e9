"""Tables: columns and rows, selection, and CSV files that are read bit for bit."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis import table as table_module
from dynamaze.benchmarks.harness.analysis.table import (
    Table,
    TableError,
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n\x00", "codec can't decode"),
        (b"a,b\n1,2\n3\n", "line 3: 1 fields; expected 2"),
        (b"a,a\n1,2\n", "two columns of one name"),
        (b'a\n"' + b"x" * 200_000, "field larger than field limit"),
        (b"a\n" + b"1," * 2**20 * 2, "a line of more than"),
        (b",".join(b"%d" % n for n in range(10_001)), "10,001 columns"),
        (
            b"a\n" + b"x" * 10_000 + b"\n" + b"y\n" * 10_000,
            "rows with a field of 10,000 characters",
        ),
    ],
    ids=["empty", "binary", "ragged", "twice", "field", "line", "wide", "long"],
)
def test_read_csv_refuses_damaged_table(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableError, match=rf"t\.csv is no table .*{message}.*; make it again"):
        read_csv(tmp_path / "t.csv")


def test_read_csv_types_of_whole_column(tmp_path: Path) -> None:
    rows = 30_000  # more than a chunk
    late = {
        "text": [*range(rows), "x"],
        "float": [*range(rows), 0.5],
        "long": [*range(rows), 2**70],
        "whole": range(rows + 1),
        "padded": ["007"] * rows + ["agent"],
    }
    lines = [",".join(map(str, row)) for row in zip(*late.values(), strict=True)]
    (tmp_path / "t.csv").write_text("\n".join([",".join(late), *lines]))
    table = read_csv(tmp_path / "t.csv")
    assert [column.dtype.kind for column in table.values()] == ["U", "f", "f", "i", "U"]
    assert table["text"].tolist() == [str(value) for value in late["text"]]
    assert table["padded"].tolist() == late["padded"]
    assert table["float"].tolist() == [float(value) for value in late["float"]]
    assert len(read_csv_text(tmp_path, "a,b\n")["b"]) == 0


def read_csv_text(folder: Path, text: str) -> Table:
    (folder / "text.csv").write_text(text)
    return read_csv(folder / "text.csv")


def test_read_csv_reads_rows_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = mock.Mock(wraps=table_module._chunks)
    monkeypatch.setattr(table_module, "_chunks", counted)
    monkeypatch.setattr(table_module, "CHUNK_FIELDS", 2)
    (tmp_path / "t.csv").write_text('a\n01\n2\n"3\n"\n4\n5\nx\n')  # text from the 3rd row on
    assert read_csv(tmp_path / "t.csv")["a"].tolist() == ["01", "2", "3\n", "4", "5", "x"]
    counted.assert_called_once()


def test_read_csv_refuses_text_of_one_long_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "MOST_TEXT_BYTES", 1000)
    monkeypatch.setattr(table_module, "CHUNK_FIELDS", 10)
    for long in ("y" * 30, "1" * 30 + "y"):
        (tmp_path / "t.csv").write_text("a,b\n" + "1,1\n" * 40 + f"1,{long}\n")
        with pytest.raises(TableError, match=r"41 rows with a field of 3. characters"):
            read_csv(tmp_path / "t.csv")
        (tmp_path / "t.csv").write_text("a,b\n" + f"1,{long}\n" * 40)  # no more than its bytes
        assert read_csv(tmp_path / "t.csv")["b"].tolist() == [long] * 40
