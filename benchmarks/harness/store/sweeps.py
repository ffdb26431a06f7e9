"""Sweeps in a store: which runs an experiment used, when, by which command, and what it showed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dynamaze.benchmarks.harness.analysis.table import Lines, Tables
from dynamaze.benchmarks.harness.store.connection import Connection
from dynamaze.benchmarks.harness.store.encoding import (
    EncodedTable,
    decode_table,
    encode_table,
    table_crc,
)
from dynamaze.benchmarks.harness.store.records import Sweep
from dynamaze.benchmarks.harness.store.sessions import Sessions


class SweepStore:
    """Sweeps in an open file, without their runs (`database.Store` has both)."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        write: bool,
        provenance: Mapping[str, Any] | None,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.write = write
        self._connection = Connection(self.path, write)
        self._sessions = Sessions(self._connection, provenance)
        self._execute, self._execute_many = self._connection.execute, self._connection.execute_many
        self._errors, self._transaction = self._connection.errors, self._connection.transaction
        self._reading = self._connection.reading
        self.journal: str = self._connection.journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the claims back and close the file; a second call does nothing."""
        self._sessions.close()
        self._connection.close()

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
        if provenance is not None:
            self._sessions.describe(provenance)
        with self._transaction():
            cursor = self._execute(
                "INSERT INTO sweeps (experiment, configuration, group_ids, session_id, began) "
                "VALUES (?, ?, ?, ?, ?)",
                experiment,
                configuration,
                json.dumps(list(groups)),
                self._sessions.own(),
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
        with self._transaction():
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
            self._execute_many(f"DELETE FROM {table} WHERE {column} = ?", repeated)

    def sweeps(self, experiment: str | None = None) -> list[Sweep]:
        """Return the sweeps, of one experiment or of all, in the order of their beginnings."""
        with self._reading():
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
        tables = {}
        with self._reading():
            rows = self._execute(
                "SELECT name, columns, metrics, body, crc FROM sweep_tables WHERE sweep_id = ? "
                "ORDER BY rowid",
                sweep_id,
            )
            for name, *content, crc in rows:
                encoded = EncodedTable(*content)
                if table_crc(name, sweep_id, encoded) != crc:
                    raise self._connection.error(
                        f"table {name!r} of a sweep is damaged; run the experiment again"
                    )
                tables[name] = decode_table(encoded)
        return tables

    def sweep_pictures(self, sweep_id: int) -> list[bytes]:
        """Return the pictures of a sweep."""
        with self._reading():
            rows = self._execute(
                "SELECT picture FROM sweep_pictures WHERE sweep_id = ? ORDER BY rowid", sweep_id
            )
            return [picture for (picture,) in rows]


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
