"""Sessions of a store: the drivers that write to it, their claims, and which of them are alive."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from dynamaze.benchmarks.harness.store.connection import Connection
from dynamaze.benchmarks.harness.store.provenance import (
    ProcessIdentity,
    collect_provenance,
    is_alive,
    process_identity,
)
from dynamaze.benchmarks.harness.store.sqlite_file import StoreError, open_store_file

HEARTBEAT_SECONDS = 20.0
"""Interval at which a driver with claims reports that it is alive."""

STALE_SECONDS = 180.0
"""Age of the last report after which the claims of a driver on another machine are free."""


class Sessions:
    """Session of this driver, and those of others.

    Args:
        connection: to the store.
        provenance: of the runs recorded here; by default that of this process.
    """

    def __init__(self, connection: Connection, provenance: Mapping[str, Any] | None) -> None:
        self._connection = connection
        self._provenance = provenance
        self._own: int | None = None
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def describe(self, provenance: Mapping[str, Any]) -> None:
        """Set the provenance, if no run was recorded here before."""
        if self._own is None:
            self._provenance = provenance

    def close(self) -> None:
        """Give the claims back; a second call does nothing."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        if self._own is not None:
            with suppress(StoreError), self._connection.transaction():
                self._end(self._own)
            self._own = None

    def own(self) -> int:
        """Return the id of this driver's session, which is added at its first use."""
        if self._own is None:
            provenance = self._provenance or collect_provenance()
            cursor = self._connection.execute(
                "INSERT INTO sessions (machine, pid, started, heartbeat, provenance) "
                "VALUES (?, ?, ?, ?, ?)",
                *process_identity(),
                time.time(),
                json.dumps(dict(provenance)),
            )
            self._own = int(cursor.lastrowid or 0)
            self._connection.after_rollback(self._forget)
        return self._own

    def free_dead_claims(self) -> None:
        """Drop the claims of drivers that have ended."""
        claimants = self._connection.execute(
            """SELECT id, machine, pid, started, heartbeat FROM sessions
            WHERE id != ? AND (heartbeat IS NOT NULL
            OR id IN (SELECT session_id FROM claims))""",
            self._own,
        ).fetchall()
        for session, machine, pid, started, heartbeat in claimants:
            if not _is_living(ProcessIdentity(machine, pid, started), heartbeat):
                self._end(session)

    def start_heart(self) -> None:
        """Begin to report regularly that this driver is alive."""
        if self._heart is None and self._connection.path is not None:
            self._heart = threading.Thread(target=self._beat, name="store heartbeat", daemon=True)
            self._heart.start()

    def _forget(self) -> None:
        self._own = None

    def _end(self, session: int) -> None:
        self._connection.execute("DELETE FROM claims WHERE session_id = ?", session)
        self._connection.execute("UPDATE sessions SET heartbeat = NULL WHERE id = ?", session)

    def _beat(self) -> None:
        """Report by a connection of its own, which waits for no long transaction here."""
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with suppress(sqlite3.Error, StoreError):
                connection = open_store_file(self._connection.path, True)
                try:
                    connection.execute(
                        "UPDATE sessions SET heartbeat = ? WHERE id = ?", (time.time(), self._own)
                    )
                finally:
                    connection.close()


def _is_living(identity: ProcessIdentity, heartbeat: float | None) -> bool:
    if heartbeat is None:
        return False
    living = is_alive(identity) if identity.machine == process_identity().machine else None
    return time.time() - heartbeat < STALE_SECONDS if living is None else living
