"""Tables of results: columns by name, stored as CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.storage import write_atomically

Table = dict[str, npt.NDArray[Any]]
"""Column name -> (rows,) values; text, integers or floats."""

Tables = dict[str, Table]
"""Tables of an experiment by name."""

Lines = list[tuple[str, ...]]
"""Table for the terminal: the first line has the names of the columns."""


def make_table(**columns: npt.ArrayLike) -> Table:
    """Return a table of columns; a single value stands in every row."""
    arrays = np.broadcast_arrays(*(np.atleast_1d(column) for column in columns.values()))
    return {name: array.copy() for name, array in zip(columns, arrays, strict=True)}


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of rows with the same columns."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def stack(tables: Sequence[Table]) -> Table:
    """Concatenate the rows of tables with the same columns."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def stack_runs(results: Sequence[Sequence[Table]], *, by_number: bool = False) -> Table:
    """Concatenate the tables of all runs of all settings (the result of `Runner.run`).

    Args:
        results: for each setting the tables of its runs.
        by_number: True: the first run of every setting, then the second of every setting, and so
            on; False: setting by setting.
    """
    runs = [(number, table) for tables in results for number, table in enumerate(tables)]
    if by_number:
        runs.sort(key=lambda run: run[0])  # stable: settings stay in their order
    return stack([table for _, table in runs])


def rows_where(table: Table, /, **values: Any) -> Table:
    """Return the rows in which columns have these values: `rows_where(table, maze="blocking")`."""
    mask = np.logical_and.reduce([table[column] == value for column, value in values.items()])
    return {name: column[mask] for name, column in table.items()}


def distinct(table: Table, column: str) -> list[Any]:
    """Return the different values of a column, in the order of the rows."""
    return list(dict.fromkeys(table[column].tolist()))


def by_run(table: Table, column: str) -> npt.NDArray[Any]:
    """Return (runs, ...) the values of a column in the rows of each run, in the order of runs."""
    return np.stack([rows_where(table, run=run)[column] for run in np.unique(table["run"])])


def write_csv(path: str | os.PathLike[str], table: Table) -> None:
    """Write a table atomically, and create the file's folder if it is missing.

    Floats are written with all digits, so that reading gives bit-identical numbers.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(values.tolist() for values in table.values()), strict=True))
    write_atomically(path, text.getvalue().encode())


def read_csv(path: str | os.PathLike[str]) -> Table:
    """Read a table that `write_csv` wrote.

    Raises:
        ValueError: if it is no such file, or a row has another number of fields than the header.
        OSError: if it cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
    except (csv.Error, ValueError) as error:  # no line, no text, a NUL
        raise ValueError(f"{path} is not a CSV file of UTF-8 text with a header") from error
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(f"{path} line {number}: {len(row)} fields; expected {len(header)}")
    columns = zip(*rows, strict=True) if rows else [[] for _ in header]
    return {name: _typed(values) for name, values in zip(header, columns, strict=True)}


def rename_entries(table: Table, names: Mapping[str, str]) -> Table:
    """Return a table with other names for some columns and text values.

    Args:
        table: a table.
        names: old name -> new name; other names stay.
    """
    return {
        names.get(column, column): np.array([names.get(text, text) for text in values.tolist()])
        if values.dtype.kind == "U"
        else values
        for column, values in table.items()
    }


def retyped(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return text as whole numbers or floats, if all of it is; other values as they are."""
    return _typed(values.tolist()) if values.dtype.kind == "U" else values


def _typed(values: Sequence[str]) -> npt.NDArray[Any]:
    for dtype in (np.int64, np.float64):
        try:
            return np.array(values, dtype=dtype)
        except ValueError:
            continue
    return np.array(values)
