"""Store of runs: an SQLite file with a row for each run of any number of experiments.

The runs of a setting of an experiment are a group: its key is a digest of everything that
determines their results, except their numbers, from which the seeds are derived. So a stopped sweep
continues, an added setting or run is the only one that is run, and edited code runs again.

1. A run is a table. The finite numbers and the text of a table of one row are readable JSON, for
   queries by `sqlite3`; all other columns are bytes, compressed where that saves space. A table
   that is read has the dtypes, bits and order of the one that was stored.
2. Each run is stored with a CRC-32 of its key and content, so that a damaged one is found.
3. A driver claims the runs that it starts, and no other driver runs them. Claims of a driver that
   has ended, by whatever signal, are free: on the same machine at once, else when it has not
   reported for `sessions.STALE_SECONDS`.
4. The journal is a write-ahead log, or a rollback journal on network file systems and wherever else
   a log cannot be set (`Store.journal` names it).
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.store.encoding import (
    EncodedTable,
    decode_stacked,
    decode_table,
    encode_table,
    table_crc,
)
from dynamaze.benchmarks.harness.store.records import (
    Chunk,
    Failure,
    Group,
    RunRecord,
    StoredGroup,
    Sweep,
)
from dynamaze.benchmarks.harness.store.sqlite_file import StoreError
from dynamaze.benchmarks.harness.store.sweeps import SweepStore

__all__ = [
    "Chunk",
    "EncodedTable",
    "Failure",
    "Group",
    "RunRecord",
    "Store",
    "StoreError",
    "StoredGroup",
    "Sweep",
    "decode_table",
    "encode_table",
]

CHUNK = 500
"""Largest number of runs read by one query."""

CHUNK_BYTES = 1 << 24
"""Bytes of runs after which a query ends."""


class Store(SweepStore):
    """Store of runs; a context manager. It may be used from several threads.

    Args:
        path: the file, which is created if it is missing; None keeps the runs in memory.
        write: False opens an existing store for reading alone.
        provenance: of the runs recorded here; by default that of this process.

    Raises:
        StoreError: if the file cannot be opened or created, or is no store of this version.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        write: bool = True,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(path, write, provenance)
        self._digests: dict[int, str] = {}
        self._schemas: dict[str, int] = {}

    def __repr__(self) -> str:
        """Return the call that opens it."""
        return f"Store({None if self.path is None else os.fspath(self.path)!r})"

    # -- runs

    def open_group(self, group: Group) -> int:
        """Return the id of a group, which is added if it is new."""
        digest = group.digest
        find = "SELECT id FROM groups WHERE digest = ?"
        with self._errors():
            row = self._execute(find, digest).fetchone()
            if row is None:
                with self._transaction():
                    self._execute(
                        "INSERT OR IGNORE INTO groups (digest, experiment, label, environment, "
                        "configuration, code) VALUES (?, ?, ?, ?, ?, ?)",
                        digest,
                        *map(_storable, group),
                    )
                row = self._execute(find, digest).fetchone()
            if row is None or row[0] is None:
                raise sqlite3.DatabaseError("malformed: a group has no id")
        return int(row[0])

    def states(self, group_id: int) -> dict[int, str]:
        """Return the numbers of the stored runs, in order: "done" or "failed"."""
        with self._errors():
            done = self._execute("SELECT number FROM runs WHERE group_id = ? ORDER BY 1", group_id)
            states = dict.fromkeys((number for (number,) in done), "done")
            failed = self._execute("SELECT number FROM failures WHERE group_id = ?", group_id)
            failures = [number for (number,) in failed]
        if not failures:
            return states
        states.update(dict.fromkeys(failures, "failed"))
        return dict(sorted(states.items()))

    def claim(self, group_id: int, numbers: Iterable[int]) -> list[int]:
        """Claim runs for this driver.

        Args:
            group_id: their group.
            numbers: the numbers that it would run.

        Returns:
            Those that are not stored, and that no living driver (this one included) has claimed.
        """
        wanted = [int(number) for number in numbers]
        with self._transaction():
            session = self._sessions.own()
            self._sessions.free_dead_claims()
            rows = self._execute(
                """SELECT value FROM json_each(?1) WHERE
                NOT EXISTS (SELECT 1 FROM runs WHERE group_id = ?2 AND number = value) AND
                NOT EXISTS (SELECT 1 FROM failures WHERE group_id = ?2 AND number = value) AND
                NOT EXISTS (SELECT 1 FROM claims WHERE group_id = ?2 AND number = value)
                ORDER BY key""",
                json.dumps(wanted),
                group_id,
            )
            claimed = list(dict.fromkeys(number for (number,) in rows))
            self._check_refused(group_id, set(wanted).difference(claimed))
            self._execute_many(
                "INSERT INTO claims VALUES (?, ?, ?)",
                ((group_id, number, session) for number in claimed),
            )
        self._sessions.start_heart()
        return claimed

    def _check_refused(self, group_id: int, numbers: set[int]) -> None:
        """Check that runs that cannot be claimed are claimed or listed.

        A damaged index hides stored runs from a list, but not from a search for their numbers; a
        driver would wait for them for ever.
        """
        if numbers:
            claims = self._execute("SELECT number FROM claims WHERE group_id = ?", group_id)
            numbers = numbers.difference(number for (number,) in claims)
        if numbers and not numbers <= self.states(group_id).keys():
            raise sqlite3.DatabaseError("malformed: the index of runs hides some of them")

    def release(self, group_id: int, numbers: Iterable[int]) -> None:
        """Give up claims of this driver, without a result."""
        with self._transaction():
            self._execute_many(
                "DELETE FROM claims WHERE group_id = ? AND number = ? AND session_id = ?",
                [(group_id, int(number), self._sessions.own()) for number in numbers],
            )

    def record(self, group_id: int, records: Sequence[RunRecord]) -> None:
        """Store results, in one transaction, and drop their claims.

        A run that is stored already stays as it is; a completed one takes the place of a failed
        one.
        """
        with self._transaction():
            session, digest = self._sessions.own(), self._digest(group_id)
            runs: list[tuple[Any, ...]] = []
            failures: list[tuple[Any, ...]] = []
            for number, table, error, seconds, attempts in records:
                key = (group_id, number)
                if table is None:
                    failures.append((*key, session, seconds, attempts, _storable(error), *key))
                else:
                    schema, crc = self._schema(table.columns), table_crc(digest, number, table)
                    content = (table.metrics or None, table.body or None, crc)
                    runs.append((*key, schema, session, seconds, attempts, *content))
            keys = [(group_id, record.number) for record in records]
            execute = self._execute_many
            execute("DELETE FROM claims WHERE group_id = ? AND number = ?", keys)
            execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", runs)
            execute(
                "DELETE FROM failures WHERE group_id = ? AND number = ?", [run[:2] for run in runs]
            )
            execute(
                "INSERT OR IGNORE INTO failures SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS "
                "(SELECT 1 FROM runs WHERE group_id = ? AND number = ?)",
                failures,
            )

    def forget_failed(self, group_id: int) -> None:
        """Remove the failed runs of a group, so that they are run again."""
        with self._transaction():
            self._execute("DELETE FROM failures WHERE group_id = ?", group_id)

    def drop_damaged(self, group_id: int) -> list[int]:
        """Remove the damaged runs of a group, so that they are run again, and return their numbers.

        A driver calls it before `states`, and warns of what was found.
        """
        damaged = []
        with self._errors():
            for batch in self._batches(group_id):
                damaged += [row[0] for row in batch if not self._is_whole(group_id, row)]
            if damaged:
                with self._transaction():
                    self._execute_many(
                        "DELETE FROM runs WHERE group_id = ? AND number = ?",
                        [(group_id, number) for number in damaged],
                    )
        return damaged

    def tables(
        self, group_id: int, numbers: Iterable[int] | None = None
    ) -> Iterator[tuple[int, Table]]:
        """Yield the numbers and tables of completed runs, in the order of the numbers.

        Args:
            group_id: their group.
            numbers: those to read; None reads all. Missing ones are left out.

        Raises:
            StoreError: for a damaged run.
        """
        for chunk in self.chunks(group_id, numbers):
            names = list(chunk.columns)
            for number, *columns in zip(
                chunk.numbers.tolist(), *chunk.columns.values(), strict=True
            ):
                # A copy: a table that is kept must not keep the whole chunk.
                yield (
                    number,
                    {name: column.copy() for name, column in zip(names, columns, strict=True)},
                )

    def chunks(self, group_id: int, numbers: Iterable[int] | None = None) -> Iterator[Chunk]:
        """Yield the stacked tables of completed runs, in the order of the numbers.

        Arguments and errors are those of `tables`. Memory is that of one chunk.
        """
        for batch in self._batches(group_id, numbers):
            found = []
            with self._reading():
                rows = [self._checked(group_id, row) for row in batch]
                for (columns, _), group in groupby(rows, key=lambda row: (row[1].columns, row[2])):
                    members = list(group)
                    table = decode_stacked(
                        json.loads(columns),
                        [encoded.metrics for _, encoded, _ in members],
                        [encoded.body for _, encoded, _ in members],
                    )
                    numbered = np.array([number for number, _, _ in members])
                    found.append(Chunk(numbered, table, [encoded for _, encoded, _ in members]))
            yield from found

    def failures(self, group_id: int) -> list[Failure]:
        """Return the failed runs of a group, in the order of their numbers."""
        with self._reading():
            return [
                Failure(*row)
                for row in self._execute(
                    "SELECT number, error, attempts, seconds FROM failures WHERE group_id = ? "
                    "ORDER BY 1",
                    group_id,
                )
            ]

    def seconds(self, group_id: int) -> dict[int, float]:
        """Return the duration of each run of a group that did not fail."""
        with self._reading():
            rows = self._execute(
                "SELECT number, seconds FROM runs WHERE group_id = ? ORDER BY number", group_id
            )
            return {int(number): float(took) for number, took in rows}

    def groups(self, experiment: str | None = None) -> list[StoredGroup]:
        """Return the groups, of one experiment or of all, with the counts of their runs."""
        with self._reading():
            rows = self._execute(
                """SELECT id, experiment, label, environment, configuration, code,
                (SELECT count(*) FROM runs WHERE group_id = groups.id),
                (SELECT count(*) FROM failures WHERE group_id = groups.id),
                (SELECT total(seconds) FROM runs WHERE group_id = groups.id)
                FROM groups WHERE ?1 IS NULL OR experiment = ?1 ORDER BY id""",
                experiment,
            )
            return [StoredGroup(row[0], Group(*row[1:6]), *row[6:]) for row in rows]

    def experiments(self) -> list[str]:
        """Return the names of the stored experiments, in the order in which they were added."""
        with self._reading():
            rows = self._execute(
                """SELECT experiment FROM
                (SELECT experiment, 0 AS kind, id FROM groups
                UNION ALL SELECT experiment, 1, id FROM sweeps) ORDER BY kind, id"""
            )
            return list(dict.fromkeys(name for (name,) in rows))

    def column_names(self, group_ids: Iterable[int]) -> list[str]:
        """Return the names of the columns of all completed runs of groups."""
        with self._reading():
            rows = self._execute(
                """SELECT columns FROM schemas WHERE id IN (SELECT DISTINCT schema_id FROM runs
                WHERE group_id IN (SELECT value FROM json_each(?))) ORDER BY id""",
                json.dumps(list(group_ids)),
            )
            names = [column[0] for (columns,) in rows for column in json.loads(columns)]
        return list(dict.fromkeys(names))

    def provenances(self, group_ids: Iterable[int]) -> list[tuple[dict[str, Any], int]]:
        """Return the provenance of the drivers of completed runs of groups, and their counts."""
        with self._reading():
            rows = self._execute(
                """SELECT provenance, count FROM sessions JOIN
                (SELECT session_id, count(*) AS count FROM runs
                WHERE group_id IN (SELECT value FROM json_each(?)) GROUP BY session_id)
                ON id = session_id ORDER BY id""",
                json.dumps(list(group_ids)),
            )
            return [(json.loads(provenance), count) for provenance, count in rows]

    # -- reading

    def _batches(
        self, group_id: int, numbers: Iterable[int] | None = None
    ) -> Iterator[list[tuple[int, EncodedTable, int]]]:
        """Yield lists of number, content and CRC of completed runs, in the order of the numbers."""
        wanted = None if numbers is None else set(map(int, numbers))
        above, last = (-(1 << 63), (1 << 63) - 1)
        if wanted is not None:
            above, last = min(wanted, default=0) - 1, max(wanted, default=-1)
        while rows := self._next_rows(group_id, above, last):
            above = rows[-1][0]
            chosen = [row for row in rows if wanted is None or row[0] in wanted]
            if chosen:
                yield chosen

    def _next_rows(
        self, group_id: int, above: int, last: int
    ) -> list[tuple[int, EncodedTable, int]]:
        """Return the next runs after a number, up to the last one, as many as fit in a chunk."""
        rows, size = [], 0
        with self._errors():
            cursor = self._execute(
                "SELECT number, columns, metrics, body, crc FROM runs "
                "LEFT JOIN schemas ON schemas.id = schema_id "
                "WHERE group_id = ? AND number > ? AND number <= ? ORDER BY number LIMIT ?",
                group_id,
                above,
                last,
                CHUNK,
            )
            for number, columns, metrics, body, crc in cursor:
                rows.append((number, EncodedTable(columns or "", metrics or "", body or b""), crc))
                size += len(body) if isinstance(body, bytes) else 0  # another type is damage
                if size > CHUNK_BYTES:
                    break
            cursor.close()
        return rows

    def _checked(
        self, group_id: int, row: tuple[int, EncodedTable, int]
    ) -> tuple[int, EncodedTable, int]:
        """Return number, content and rows of a run, or raise StoreError if it is damaged."""
        number, encoded, _ = row
        if self._is_whole(group_id, row):
            rows = struct.unpack_from("<Q", encoded.body, 1)[0] if encoded.body else 1
            return number, encoded, rows
        experiment, label = self._execute(
            "SELECT experiment, label FROM groups WHERE id = ?", group_id
        ).fetchone()
        setting = " ".join(f"{experiment}, {label}".strip(", ").split())[:100]
        raise self._connection.error(
            f"run {number} of {setting} is damaged; run the experiment again, which runs it anew"
        )

    def _is_whole(self, group_id: int, row: tuple[int, EncodedTable, int]) -> bool:
        number, encoded, crc = row
        try:
            return table_crc(self._digest(group_id), number, encoded) == crc
        except (AttributeError, TypeError):  # another type than was stored
            return False

    def _digest(self, group_id: int) -> str:
        if group_id not in self._digests:
            row = self._execute("SELECT digest FROM groups WHERE id = ?", group_id).fetchone()
            if row is None:
                raise self._connection.error(f"no group {group_id}")
            self._digests[group_id] = row[0]
        return self._digests[group_id]

    # -- writing

    def _schema(self, columns: str) -> int:
        if columns not in self._schemas:
            self._execute("INSERT OR IGNORE INTO schemas (columns) VALUES (?)", columns)
            row = self._execute("SELECT id FROM schemas WHERE columns = ?", columns).fetchone()
            self._schemas[columns] = row[0]
            self._connection.after_rollback(self._schemas.clear)
        return self._schemas[columns]


def _storable(text: str) -> str:
    """Return text without halves of surrogates, which SQLite cannot store."""
    return text.encode(errors="backslashreplace").decode()
