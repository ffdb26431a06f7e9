"""Connection of a store to its SQLite file: transactions, threads, and errors in one sentence."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from dynamaze.benchmarks.harness.store.sqlite_file import StoreError, explain, open_store_file

READING_ERRORS = (sqlite3.Error, UnicodeDecodeError, JSONDecodeError, KeyError, RecursionError)
"""Errors of damaged files."""


class Connection:
    """Connection to a file, which may be used from several threads.

    Args:
        path: the file; None for memory.
        write: False opens an existing file for reading alone.

    Raises:
        StoreError: if the file cannot be opened or created, or is no store of this version.
    """

    def __init__(self, path: Path | None, write: bool) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._undo: list[Callable[[], None]] = []
        with self.errors():
            self._connection = open_store_file(path, write)
            (self.journal,) = self.execute("PRAGMA journal_mode").fetchone()

    @property
    def name(self) -> str:
        """The file, for errors."""
        return "store in memory" if self.path is None else os.fspath(self.path)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Execute a statement with values for its question marks."""
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Execute a statement for each row of values."""
        self._connection.executemany(statement, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything inside, or nothing."""
        with self.errors():
            if self._connection.in_transaction:
                yield
                return
            self._undo.clear()
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back itself
                    self.execute("ROLLBACK")
                for undo in self._undo:
                    undo()
                raise

    def after_rollback(self, undo: Callable[[], None]) -> None:
        """Call a function if the present transaction fails."""
        self._undo.append(undo)

    def error(self, reason: str) -> StoreError:
        """Return an error that names the file."""
        return StoreError(f"{self.name}: {reason}")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Hold the lock, and turn errors of SQLite into one sentence with the file."""
        with self._lock:
            try:
                yield
            except READING_ERRORS as error:
                raise self.error(explain(error)) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Also turn any other error of forged content into one sentence with the file."""
        with self.errors():
            try:
                yield
            except (StoreError, *READING_ERRORS):
                raise
            except Exception as error:
                raise self.error(explain(error)) from error
