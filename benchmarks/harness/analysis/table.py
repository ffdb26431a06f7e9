"""Tables of results: columns by name, stored as CSV."""

from __future__ import annotations

import csv
import gc
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.reading import open_for_reading
from dynamaze.common.validation import PrintableError

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


class TableError(PrintableError):
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

    The file is read in chunks, in memory of a few times its size.

    Raises:
        TableError: (a ValueError) if it is no such file, or a row has another number of fields than
            the header.
        OSError: if it cannot be read.
    """
    try:
        with open_for_reading(path) as file, _no_collection():
            _check_lines(file)
            header = next(_rows(file), None)
            if not header:
                raise ValueError("it is empty")
            if len(header) > MOST_COLUMNS:
                raise ValueError(f"{len(header):,} columns; expected at most {MOST_COLUMNS:,}")
            if len(set(header)) < len(header):
                raise ValueError("two columns of one name")
            columns = [_Column() for _ in header]
            left = max(MOST_TEXT_BYTES, MOST_TEXT_RATIO * os.fstat(file.fileno()).st_size)
            for fields in _chunks(file, len(header)):
                for column, texts in zip(columns, fields, strict=True):
                    left -= column.add(texts, left)
    except (csv.Error, ValueError) as error:
        raise TableError(
            f"{path} is no table of UTF-8 text with a header ({error}); make it again, or move it "
            "away"
        ) from None
    return {name: column.whole() for name, column in zip(header, columns, strict=True)}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector: millions of short-lived rows, which have no cycles, start it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


MOST_COLUMNS, MOST_LINE = 10_000, 2**20
"""Limits of a table: columns, and bytes of a line."""

MOST_TEXT_BYTES, MOST_TEXT_RATIO = 5 * 10**7, 8
"""Bytes of the columns of text that are allowed for every file, and for each of its bytes."""

CHUNK_FIELDS = 20_000
"""Fields that are read at once."""


class _Column:
    """Column whose dtype is that of all its fields: whole numbers, floats or text."""

    def __init__(self) -> None:
        self._kind = 0  # of `PARSERS`
        self._parts: list[npt.NDArray[Any]] = []
        self._numbers: list[str] = []  # the fields behind parts of numbers, joined: little memory
        self._widest = self._rows = 0  # of text

    def add(self, texts: Sequence[str], left: int) -> int:
        """Add the fields of a chunk of rows, and return the bytes by which text grew.

        Raises:
            ValueError: for text that grows by more bytes than are left.
        """
        while self._kind < len(PARSERS):
            with suppress(ValueError, OverflowError):
                joined = SEPARATOR.join(texts)
                if joined.count(SEPARATOR) < len(texts):
                    parse, dtype = PARSERS[self._kind]
                    self._parts.append(np.fromiter(map(parse, texts), dtype, len(texts)))
                    self._numbers.append(joined)
                    return 0
            self._kind += 1
        earlier, self._numbers = self._numbers, []
        if earlier:
            self._parts = []
        grown = 0
        for chunk in (*(joined.split(SEPARATOR) for joined in earlier), texts):
            grown += self._add_text(chunk, left - grown)
        return grown

    def _add_text(self, texts: Sequence[str], left: int) -> int:
        before = self._rows * self._widest
        self._rows += len(texts)
        self._widest = max(self._widest, *map(len, texts))
        grown = 4 * (self._rows * self._widest - before)
        if grown > left:  # a single long text makes all fields as long
            raise ValueError(f"{self._rows:,} rows with a field of {self._widest:,} characters")
        self._parts.append(np.array(texts))
        return grown

    def whole(self) -> npt.NDArray[Any]:
        """Return the values of all rows."""
        return np.concatenate(self._parts) if self._parts else np.array([], PARSERS[0][1])


SEPARATOR = "\n"
"""Character of no number that `csv.writer` writes."""

PARSERS: Sequence[tuple[Callable[[str], float], Any]] = ((int, np.int64), (float, np.float64))
"""Kinds of numbers; each can hold those before it. Without any a column is text."""


def _chunks(file: BinaryIO, width: int) -> Iterator[list[tuple[str, ...]]]:
    """Yield the columns of chunks of the rows below the header."""
    rows = _rows(file)
    next(rows)
    start = 2
    while chunk := list(islice(rows, max(1, CHUNK_FIELDS // width))):
        if set(map(len, chunk)) != {width}:
            number, found = next((n, len(r)) for n, r in enumerate(chunk, start) if len(r) != width)
            raise ValueError(f"line {number}: {found} fields; expected {width}")
        yield list(zip(*chunk, strict=True))
        start += len(chunk)


def _rows(file: BinaryIO) -> Iterator[list[str]]:
    """Return a reader of all rows, from the beginning."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield from csv.reader(text)
    finally:
        if not file.closed:  # after an error
            text.detach()


def _check_lines(file: BinaryIO) -> None:
    """Check that no line is long: the reader would hold all of its fields.

    Raises:
        ValueError: for a line of more than twice `MOST_LINE` bytes, or some shorter ones.
    """
    while block := file.read(MOST_LINE):
        if len(block) == MOST_LINE and b"\n" not in block:
            raise ValueError(f"a line of more than {MOST_LINE:,} bytes")


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
    if values.dtype.kind == "U":
        for parse, dtype in PARSERS:
            with suppress(ValueError, OverflowError):
                return np.array(list(map(parse, values.tolist())), dtype)
    return values
