"""Tables of results: columns by name, stored as CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.reading import open_for_reading

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


class TableError(ValueError):
    """File that is no readable table; the message names the file and the reason."""


def write_csv(path: str | os.PathLike[str], table: Table) -> None:
    """Write a table atomically, and create the file's folder if it is missing.

    Floats are written with all digits, so that reading gives bit-identical numbers.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, csv_content(table))


def csv_content(table: Table) -> bytes:
    """Return the content of the file of a table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(values.tolist() for values in table.values()), strict=True))
    return text.getvalue().encode()


def read_csv(path: str | os.PathLike[str]) -> Table:
    """Read a table that `write_csv` wrote.

    The file is read in chunks, twice: first for the types of the columns, then for their values.

    Raises:
        TableError: (a ValueError) if it is no such file, or a row has another number of fields than
            the header.
        OSError: if it cannot be read.
    """
    try:
        with open_for_reading(path) as file:
            size = os.fstat(file.fileno()).st_size
            header, columns, count = _column_types(file)
            widest = max(dtype.itemsize for dtype in columns)
            # A single long text makes all fields of its column as long.
            if count * widest > max(MOST_COLUMN_BYTES, 20 * size):
                raise ValueError(f"{count:,} rows with a field of {widest // 4:,} characters")
            table = {
                name: np.empty(count, dtype) for name, dtype in zip(header, columns, strict=True)
            }
            for start, rows in _chunks(file, len(header)):
                for values, texts in zip(table.values(), zip(*rows, strict=True), strict=True):
                    values[start : start + len(rows)] = np.array(texts, values.dtype)
    except (csv.Error, ValueError, OverflowError) as error:
        raise TableError(
            f"{path} is no table of UTF-8 text with a header ({error}); make it again, or move it "
            "away"
        ) from None
    return table


MOST_COLUMNS, MOST_LINE, MOST_COLUMN_BYTES = 10_000, 2**20, 10**8
"""Limits of a table: columns, characters of a line, and bytes of a column of text, unless the file
is large."""

CHUNK_FIELDS = 200_000
"""Fields that are read at once."""


def _column_types(file: BinaryIO) -> tuple[list[str], list[np.dtype[Any]], int]:
    """Return the header, the dtypes of the columns and the number of rows."""
    header = next(csv.reader(_lines(file)), None)
    if not header:
        raise ValueError("it is empty")
    if len(header) > MOST_COLUMNS:
        raise ValueError(f"{len(header):,} columns; expected at most {MOST_COLUMNS:,}")
    if len(set(header)) < len(header):
        raise ValueError("two columns of one name")
    kinds, widths, count = [INTEGER] * len(header), [1] * len(header), 0
    for _, rows in _chunks(file, len(header)):
        count += len(rows)
        for at, texts in enumerate(zip(*rows, strict=True)):
            kinds[at] = max(kinds[at], _dtype_of(texts), key=KINDS.index)
            widths[at] = max(widths[at], *map(len, texts))
    columns = zip(kinds, widths, strict=True)
    return (
        header,
        [np.dtype((kind, width)) if kind == TEXT else kind for kind, width in columns],
        count,
    )


def _chunks(file: BinaryIO, width: int) -> Iterator[tuple[int, list[list[str]]]]:
    """Yield the rows below the header, in chunks, with the number of rows before."""
    rows = csv.reader(_lines(file))
    next(rows)
    start = 0
    while chunk := list(islice(rows, max(1, CHUNK_FIELDS // width))):
        for number, row in enumerate(chunk, start + 2):
            if len(row) != width:
                raise ValueError(f"line {number}: {len(row)} fields; expected {width}")
        yield start, chunk
        start += len(chunk)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines from the beginning."""
    file.seek(0)
    while line := file.readline(MOST_LINE + 1):
        if len(line) > MOST_LINE:
            raise ValueError(f"a line of more than {MOST_LINE:,} characters")
        yield line.decode()


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
    return values.astype(_dtype_of(values.tolist())) if values.dtype.kind == "U" else values


KINDS = INTEGER, FLOAT, TEXT = np.dtype(np.int64), np.dtype(np.float64), np.dtype(np.str_)
"""Dtypes of columns: each can hold what those before it can."""


def _dtype_of(texts: Sequence[str]) -> np.dtype[Any]:
    """Return the dtype of whole numbers or floats, if all texts are, else of text."""
    for dtype in (INTEGER, FLOAT):
        with suppress(ValueError, OverflowError):
            np.array(texts, dtype)
            return dtype
    return TEXT
