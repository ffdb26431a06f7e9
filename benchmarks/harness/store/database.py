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
   reported for `STALE_SECONDS`.
4. The journal is a write-ahead log, or a rollback journal on network file systems and wherever else
   a log cannot be set (`Store.journal` names it).
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import struct
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from json import JSONDecodeError
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Lines, Table, Tables
from dynamaze.benchmarks.harness.store.encoding import (
    EncodedTable,
    decode_stacked,
    decode_table,
    encode_table,
    table_crc,
)
from dynamaze.benchmarks.harness.store.provenance import (
    ProcessIdentity,
    collect_provenance,
    is_alive,
    process_identity,
)
from dynamaze.benchmarks.harness.store.sqlite_file import StoreError, explain, open_store_file

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

HEARTBEAT_SECONDS = 20.0
"""Interval at which a driver with claims reports that it is alive."""

STALE_SECONDS = 180.0
"""Age of the last report after which the claims of a driver on another machine are free."""

CHUNK = 500
"""Largest number of runs read by one query."""

CHUNK_BYTES = 1 << 24
"""Bytes of runs after which a query ends."""


class Group(NamedTuple):
    """Everything that the runs of a setting share; they differ by their number alone."""

    experiment: str
    """Name of the experiment: "figure_8_2", "compare"."""
    label: str
    """Agent or setting, as shown."""
    environment: str
    """Id of the environment, or ""."""
    configuration: str
    """Canonical JSON of everything else that determines results (`fingerprint.describe`)."""
    code: str
    """Digest of the code that determines results (`fingerprint.code_digest`)."""

    @property
    def digest(self) -> str:
        """SHA-256 over the five parts."""
        return hashlib.sha256(json.dumps(list(self)).encode()).hexdigest()


class RunRecord(NamedTuple):
    """Result of a run."""

    number: int
    table: EncodedTable | None
    """None if the run failed."""
    error: str = ""
    """Traceback of a failed run."""
    seconds: float = 0.0
    attempts: int = 1


class Failure(NamedTuple):
    """Failed run."""

    number: int
    error: str
    attempts: int
    seconds: float


class StoredGroup(NamedTuple):
    """Group and the counts of its runs."""

    id: int
    group: Group
    done: int
    failed: int
    seconds: float
    """Sum over the completed runs."""


class Sweep(NamedTuple):
    """Sweep of an experiment over its settings."""

    id: int
    experiment: str
    configuration: str
    group_ids: tuple[int, ...]
    provenance: dict[str, Any]
    began: float
    ended: float | None
    """Seconds since 1970; None if it was stopped, or still runs."""
    title: str
    sections: dict[str, Lines]
    caption: str


class Chunk(NamedTuple):
    """Consecutive runs of a group, whose tables have the same columns and number of rows."""

    numbers: np.ndarray[Any, Any]  # (runs,)
    columns: Table  # (runs, rows, ...)
    encoded: list[EncodedTable]


class Store:
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
        self.path = None if path is None else Path(path)
        self.write = write
        self._provenance = provenance
        self._lock = threading.RLock()
        self._session: int | None = None
        self._digests: dict[int, str] = {}
        self._schemas: dict[str, int] = {}
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None
        with self._errors():
            self._connection = open_store_file(self.path, write)
            (self.journal,) = self._connection.execute("PRAGMA journal_mode").fetchone()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Return the call that opens it."""
        return f"Store({None if self.path is None else os.fspath(self.path)!r})"

    def close(self) -> None:
        """Give the claims back and close the file; a second call does nothing."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        with self._lock:
            if self._session is not None:
                with suppress(sqlite3.Error), self._transaction():
                    self._execute("DELETE FROM claims WHERE session_id = ?", self._session)
                    self._execute(
                        "UPDATE sessions SET heartbeat = NULL WHERE id = ?", self._session
                    )
                self._session = None
            self._connection.close()

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
        wanted = json.dumps([int(number) for number in numbers])
        with self._errors(), self._transaction():
            session = self._own_session()
            self._free_dead_claims()
            rows = self._execute(
                """SELECT value FROM json_each(?1) WHERE
                NOT EXISTS (SELECT 1 FROM runs WHERE group_id = ?2 AND number = value) AND
                NOT EXISTS (SELECT 1 FROM failures WHERE group_id = ?2 AND number = value) AND
                NOT EXISTS (SELECT 1 FROM claims WHERE group_id = ?2 AND number = value)
                ORDER BY key""",
                wanted,
                group_id,
            )
            claimed = list(dict.fromkeys(number for (number,) in rows))
            self._connection.executemany(
                "INSERT INTO claims VALUES (?, ?, ?)",
                ((group_id, number, session) for number in claimed),
            )
        self._start_heart()
        return claimed

    def release(self, group_id: int, numbers: Iterable[int]) -> None:
        """Give up claims of this driver, without a result."""
        with self._errors(), self._transaction():
            self._connection.executemany(
                "DELETE FROM claims WHERE group_id = ? AND number = ? AND session_id = ?",
                [(group_id, int(number), self._own_session()) for number in numbers],
            )

    def record(self, group_id: int, records: Sequence[RunRecord]) -> None:
        """Store results, in one transaction, and drop their claims.

        A run that is stored already stays as it is; a completed one takes the place of a failed
        one.
        """
        with self._errors(), self._transaction():
            session, digest = self._own_session(), self._digest(group_id)
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
            execute = self._connection.executemany
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
        with self._errors(), self._transaction():
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
                    self._connection.executemany(
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
            with self._errors():
                rows = [self._checked(group_id, row) for row in batch]
            for (columns, _), group in groupby(rows, key=lambda row: (row[1].columns, row[2])):
                members = list(group)
                yield Chunk(
                    np.array([number for number, _, _ in members]),
                    decode_stacked(
                        json.loads(columns),
                        [encoded.metrics for _, encoded, _ in members],
                        [encoded.body for _, encoded, _ in members],
                    ),
                    [encoded for _, encoded, _ in members],
                )

    def failures(self, group_id: int) -> list[Failure]:
        """Return the failed runs of a group, in the order of their numbers."""
        with self._errors():
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
        with self._errors():
            rows = self._execute(
                "SELECT number, seconds FROM runs WHERE group_id = ? ORDER BY number", group_id
            )
            return {int(number): float(took) for number, took in rows}

    def groups(self, experiment: str | None = None) -> list[StoredGroup]:
        """Return the groups, of one experiment or of all, with the counts of their runs."""
        with self._errors():
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
        with self._errors():
            rows = self._execute(
                """SELECT experiment FROM
                (SELECT experiment, 0 AS kind, id FROM groups
                UNION ALL SELECT experiment, 1, id FROM sweeps) ORDER BY kind, id"""
            )
            return list(dict.fromkeys(name for (name,) in rows))

    def column_names(self, group_ids: Iterable[int]) -> list[str]:
        """Return the names of the columns of all completed runs of groups."""
        with self._errors():
            rows = self._execute(
                """SELECT columns FROM schemas WHERE id IN (SELECT DISTINCT schema_id FROM runs
                WHERE group_id IN (SELECT value FROM json_each(?))) ORDER BY id""",
                json.dumps(list(group_ids)),
            )
            names = [column[0] for (columns,) in rows for column in json.loads(columns)]
        return list(dict.fromkeys(names))

    def provenances(self, group_ids: Iterable[int]) -> list[tuple[dict[str, Any], int]]:
        """Return the provenance of the drivers of completed runs of groups, and their counts."""
        with self._errors():
            rows = self._execute(
                """SELECT provenance, count FROM sessions JOIN
                (SELECT session_id, count(*) AS count FROM runs
                WHERE group_id IN (SELECT value FROM json_each(?)) GROUP BY session_id)
                ON id = session_id ORDER BY id""",
                json.dumps(list(group_ids)),
            )
            return [(json.loads(provenance), count) for provenance, count in rows]

    # -- sweeps

    def begin_sweep(
        self,
        experiment: str,
        configuration: str,
        groups: Iterable[int],
        provenance: Mapping[str, Any] | None = None,
    ) -> int:
        """Record the beginning of a sweep and return its id.

        Args:
            experiment: its name.
            configuration: canonical JSON of all options.
            groups: ids of the groups whose runs it uses.
            provenance: takes the place of the store's, if no run was recorded here before.
        """
        if provenance is not None and self._session is None:
            self._provenance = provenance
        with self._errors(), self._transaction():
            cursor = self._execute(
                "INSERT INTO sweeps (experiment, configuration, group_ids, session_id, began) "
                "VALUES (?, ?, ?, ?, ?)",
                experiment,
                configuration,
                json.dumps(list(groups)),
                self._own_session(),
                time.time(),
            )
            return int(cursor.lastrowid or 0)

    def end_sweep(
        self,
        sweep_id: int,
        tables: Tables,
        *,
        title: str = "",
        sections: Mapping[str, Lines] | None = None,
        caption: str = "",
        pictures: Iterable[bytes] = (),
    ) -> None:
        """Record the end of a sweep, with what its report shows.

        It takes the place of a completed sweep of equal configuration.

        Args:
            sweep_id: from `begin_sweep`.
            tables: the experiment's result.
            title: of the experiment.
            sections: title -> lines of the experiment's summary.
            caption: explanation of the numbers.
            pictures: PNG or SVG documents.
        """
        report = {"title": title, "sections": dict(sections or {}), "caption": caption}
        with self._errors(), self._transaction():
            self._execute(
                "UPDATE sweeps SET ended = ?, report = ? WHERE id = ?",
                time.time(),
                json.dumps(report),
                sweep_id,
            )
            for name, table in tables.items():
                encoded = encode_table(table)
                crc = table_crc(name, sweep_id, encoded)
                self._execute(
                    "INSERT OR REPLACE INTO sweep_tables VALUES (?, ?, ?, ?, ?, ?)",
                    sweep_id,
                    name,
                    *encoded,
                    crc,
                )
            self._execute("DELETE FROM sweep_pictures WHERE sweep_id = ?", sweep_id)
            self._drop_repetitions(sweep_id)
            for picture in pictures:
                self._execute("INSERT INTO sweep_pictures VALUES (?, ?)", sweep_id, picture)

    def _drop_repetitions(self, sweep_id: int) -> None:
        """Remove completed sweeps that this one repeats: the pictures of each take 100 kB."""
        repeated = self._execute(
            """SELECT old.id FROM sweeps AS old JOIN sweeps AS new ON new.id = ?
            WHERE old.id != new.id AND old.ended IS NOT NULL AND old.experiment = new.experiment
            AND old.configuration = new.configuration""",
            sweep_id,
        ).fetchall()
        for table, column in (
            ("sweeps", "id"),
            ("sweep_tables", "sweep_id"),
            ("sweep_pictures", "sweep_id"),
        ):
            self._connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", repeated)

    def sweeps(self, experiment: str | None = None) -> list[Sweep]:
        """Return the sweeps, of one experiment or of all, in the order of their beginnings."""
        with self._errors():
            rows = self._execute(
                """SELECT sweeps.id, experiment, configuration, group_ids, provenance, began, ended,
                report FROM sweeps JOIN sessions ON sessions.id = session_id
                WHERE ?1 IS NULL OR experiment = ?1 ORDER BY sweeps.id""",
                experiment,
            ).fetchall()
            return [_read_sweep(*row) for row in rows]

    def sweep_tables(self, sweep_id: int) -> Tables:
        """Return the tables of a sweep that has ended.

        Raises:
            StoreError: for a damaged table.
        """
        with self._errors():
            rows = self._execute(
                "SELECT name, columns, metrics, body, crc FROM sweep_tables WHERE sweep_id = ? "
                "ORDER BY rowid",
                sweep_id,
            ).fetchall()
        tables = {}
        for name, *content, crc in rows:
            encoded = EncodedTable(*content)
            if table_crc(name, sweep_id, encoded) != crc:
                raise StoreError(
                    f"{self._name}: table {name!r} of a sweep is damaged; run the experiment again"
                )
            tables[name] = decode_table(encoded)
        return tables

    def sweep_pictures(self, sweep_id: int) -> list[bytes]:
        """Return the pictures of a sweep."""
        with self._errors():
            rows = self._execute(
                "SELECT picture FROM sweep_pictures WHERE sweep_id = ? ORDER BY rowid", sweep_id
            )
            return [picture for (picture,) in rows]

    # -- reading

    def _batches(
        self, group_id: int, numbers: Iterable[int] | None = None
    ) -> Iterator[list[tuple[int, EncodedTable, int]]]:
        """Yield lists of number, content and CRC of completed runs, in the order of the numbers."""
        select = (
            "SELECT number, columns, metrics, body, crc FROM runs "
            "LEFT JOIN schemas ON schemas.id = schema_id WHERE group_id = ? AND "
        )
        if numbers is None:
            wanted: list[int] | None = None
            select += "number > ? ORDER BY number LIMIT ?"
        else:
            wanted = sorted(set(map(int, numbers)))
            select += "number IN (SELECT value FROM json_each(?)) ORDER BY number LIMIT ?"
        last, at = -(1 << 63), 0
        while wanted is None or at < len(wanted):
            asked = last if wanted is None else json.dumps(wanted[at : at + CHUNK])
            rows, size = [], 0
            with self._errors():
                cursor = self._execute(select, group_id, asked, CHUNK)
                for number, columns, metrics, body, crc in cursor:
                    rows.append(
                        (number, EncodedTable(columns or "", metrics or "", body or b""), crc)
                    )
                    size += len(body or b"")
                    if size > CHUNK_BYTES:
                        break
                cursor.close()
            if rows:
                yield rows
                last = rows[-1][0]
            is_cut = size > CHUNK_BYTES
            if wanted is None and len(rows) < CHUNK and not is_cut:
                return
            if wanted is not None:
                at = bisect_right(wanted, last) if is_cut else at + CHUNK

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
        raise StoreError(
            f"{self._name}: run {number} of {setting} is damaged; run the experiment again, which "
            "runs it anew"
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
                raise StoreError(f"{self._name}: no group {group_id}")
            self._digests[group_id] = row[0]
        return self._digests[group_id]

    # -- writing

    def _schema(self, columns: str) -> int:
        if columns not in self._schemas:
            self._execute("INSERT OR IGNORE INTO schemas (columns) VALUES (?)", columns)
            row = self._execute("SELECT id FROM schemas WHERE columns = ?", columns).fetchone()
            self._schemas[columns] = row[0]
        return self._schemas[columns]

    def _own_session(self) -> int:
        """Return the id of this driver's session, which is added at its first use."""
        if self._session is None:
            provenance = self._provenance or collect_provenance()
            cursor = self._execute(
                "INSERT INTO sessions (machine, pid, started, heartbeat, provenance) "
                "VALUES (?, ?, ?, ?, ?)",
                *process_identity(),
                time.time(),
                json.dumps(dict(provenance)),
            )
            self._session = int(cursor.lastrowid or 0)
        return self._session

    def _free_dead_claims(self) -> None:
        """Drop the claims of drivers that have ended."""
        claimants = self._execute(
            """SELECT id, machine, pid, started, heartbeat FROM sessions
            WHERE id != ? AND (heartbeat IS NOT NULL
            OR id IN (SELECT session_id FROM claims))""",
            self._session,
        ).fetchall()
        here = process_identity()
        for session, machine, pid, started, heartbeat in claimants:
            identity = ProcessIdentity(machine, pid, started)
            if heartbeat is not None:
                living = is_alive(identity) if machine == here.machine else None
                if living is None:
                    living = time.time() - heartbeat < STALE_SECONDS
                if living:
                    continue
            self._execute("DELETE FROM claims WHERE session_id = ?", session)
            self._execute("UPDATE sessions SET heartbeat = NULL WHERE id = ?", session)

    def _start_heart(self) -> None:
        if self._heart is None and self.path is not None:
            self._heart = threading.Thread(target=self._beat, name="store heartbeat", daemon=True)
            self._heart.start()

    def _beat(self) -> None:
        """Report regularly that this driver is alive, by a connection of its own."""
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with suppress(sqlite3.Error, StoreError):
                connection = open_store_file(self.path, True)
                try:
                    connection.execute(
                        "UPDATE sessions SET heartbeat = ? WHERE id = ?",
                        (time.time(), self._session),
                    )
                finally:
                    connection.close()

    # -- SQLite

    @property
    def _name(self) -> str:
        return "store in memory" if self.path is None else os.fspath(self.path)

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write everything inside, or nothing."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            session = self._session
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back itself
                    self._connection.execute("ROLLBACK")
                self._session = session
                self._schemas.clear()
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Hold the lock, and turn errors of SQLite into one sentence with the file."""
        with self._lock:
            try:
                yield
            except _READING_ERRORS as error:
                raise StoreError(f"{self._name}: {explain(error)}") from error


def _storable(text: str) -> str:
    """Return text without halves of surrogates, which SQLite cannot store."""
    return text.encode(errors="backslashreplace").decode()


def _read_sweep(
    number: int,
    experiment: str,
    configuration: str,
    group_ids: str,
    provenance: str,
    began: float,
    ended: float | None,
    report: str | None,
) -> Sweep:
    shown: Any = json.loads(report) if report else {"title": "", "sections": {}, "caption": ""}
    return Sweep(
        number,
        experiment,
        configuration,
        tuple(json.loads(group_ids)),
        json.loads(provenance),
        began,
        ended,
        shown["title"],
        {title: [tuple(line) for line in lines] for title, lines in shown["sections"].items()},
        shown["caption"],
    )


_READING_ERRORS = (sqlite3.Error, UnicodeDecodeError, JSONDecodeError, KeyError)
"""Errors of damaged files."""
