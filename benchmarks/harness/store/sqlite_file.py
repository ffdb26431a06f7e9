"""File of a store: created complete, checked before it is opened, with a journal that is safe.

It is written under another name and then linked, so that a killed driver leaves no half-made store,
and a file that is not a store is never changed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from functools import cache, partial
from pathlib import Path

from dynamaze.common.atomic_files import create_atomically, remove_strays
from dynamaze.common.validation import PrintableError

FORMAT = 1
"""Version of the tables in the file; no other is read."""

APPLICATION_ID = 0x44794D7A
"""SQLite's `application_id` of our files ("DyMz")."""

LOCK_SECONDS = 30.0
"""Time to wait for another process's write."""

_HEADER = b"SQLite format 3\x00"

_SCHEMA = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    machine TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL,
    heartbeat REAL,                                  -- NULL after its end
    provenance TEXT NOT NULL                         -- JSON
);
CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    experiment TEXT NOT NULL, label TEXT NOT NULL, environment TEXT NOT NULL,
    configuration TEXT NOT NULL,                     -- JSON
    code TEXT NOT NULL
);
CREATE TABLE schemas (id INTEGER PRIMARY KEY, columns TEXT NOT NULL UNIQUE);
CREATE TABLE runs (
    group_id INTEGER NOT NULL REFERENCES groups,
    number INTEGER NOT NULL,
    schema_id INTEGER NOT NULL REFERENCES schemas,
    session_id INTEGER NOT NULL REFERENCES sessions,
    seconds REAL NOT NULL, attempts INTEGER NOT NULL,
    metrics TEXT, body BLOB, crc INTEGER NOT NULL,
    UNIQUE (group_id, number)
);
CREATE TABLE failures (
    group_id INTEGER NOT NULL REFERENCES groups,
    number INTEGER NOT NULL,
    session_id INTEGER NOT NULL REFERENCES sessions,
    seconds REAL NOT NULL, attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (group_id, number)
) WITHOUT ROWID;
CREATE TABLE claims (
    group_id INTEGER NOT NULL, number INTEGER NOT NULL,
    session_id INTEGER NOT NULL REFERENCES sessions,
    PRIMARY KEY (group_id, number)
) WITHOUT ROWID;
CREATE TABLE sweeps (
    id INTEGER PRIMARY KEY,
    experiment TEXT NOT NULL,
    configuration TEXT NOT NULL,                     -- JSON
    group_ids TEXT NOT NULL,                         -- JSON
    session_id INTEGER NOT NULL REFERENCES sessions,
    began REAL NOT NULL, ended REAL,
    report TEXT                                      -- JSON: title, sections, caption
);
CREATE TABLE sweep_tables (
    sweep_id INTEGER NOT NULL REFERENCES sweeps, name TEXT NOT NULL,
    columns TEXT NOT NULL, metrics TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (sweep_id, name)
);
CREATE TABLE sweep_pictures (sweep_id INTEGER NOT NULL REFERENCES sweeps, picture BLOB NOT NULL);
"""


class StoreError(PrintableError):
    """File that is no usable store, or a damaged run; the message names the file and the reason."""


_EXPLANATIONS = {
    "full": "no space is left on the disk; what was stored before is kept",
    "locked": f"locked by another process for more than {LOCK_SECONDS:g} s",
    "malformed": "the store is damaged; move it away, or restore a copy",
    "not a database": "the store is damaged; move it away, or restore a copy",
    "no such": "the store is damaged; move it away, or restore a copy",
    "readonly": "the store cannot be written",
    "unable to open": "the store cannot be opened; expected a folder and a file to write to",
    "disk I/O": "the disk reports an error; what was stored before is kept",
    "closed database": "the store is closed",
}


def explain(error: Exception) -> str:
    """Return the reason of an error of SQLite, or of text from it that cannot be decoded."""
    if not isinstance(error, sqlite3.Error):
        return _EXPLANATIONS["malformed"]
    text = " ".join(str(error).split())  # of a damaged schema it has several lines
    for part, explanation in _EXPLANATIONS.items():
        if part in text:
            return f"{explanation} (SQLite: {text})"
    return f"SQLite: {text}"


def open_store_file(path: Path | None, write: bool) -> sqlite3.Connection:
    """Open a store, which is created if it is missing and may be written.

    Raises:
        StoreError: if the file is no store of this version.
        sqlite3.Error: if SQLite cannot open it.
    """
    if path is None:
        return _new_store()
    with _opening:
        _check_or_create(path, write)
        connection = _open_for_writing(path) if write else _open_for_reading(path)
        try:
            _check_schema(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _check_or_create(path: Path, write: bool) -> None:
    remove_strays(path.parent)
    try:
        if not path.exists():
            if not write:
                raise StoreError(
                    f"{path}: no such store; run an experiment first, such as "
                    "`dynamaze bench run figure-8-2`, or name another file"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            _create(path)
        if not _is_open(path):
            check_header(path)
    except OSError as error:
        raise StoreError(
            f"{path}: the store cannot be opened ({error.filename}: {error.strerror})"
        ) from error


def _open_for_writing(path: Path) -> sqlite3.Connection:
    connection = _connect(f"{path.absolute().as_uri()}?mode=rw", path)
    try:
        _set_journal(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def check_header(path: Path) -> None:
    """Check that a file is a store of this version, without any change to it.

    Not while this process has a connection to the file: closing any descriptor of it drops the
    locks of the whole process ("How to corrupt an SQLite database file", section 2.2). The next
    other process to close the store would delete the write-ahead log.

    Raises:
        StoreError: if it is not.
        OSError: if it cannot be read.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder; expected a file")
    with open(path, "rb") as file:
        header = file.read(100)
    if not header:
        raise StoreError(f"{path} is empty; expected a store, or no file")
    if len(header) < 100 or not header.startswith(_HEADER):
        raise StoreError(f"{path} is not a store; expected an SQLite file of dynamaze, or no file")
    version, application = (int.from_bytes(header[at : at + 4], "big") for at in (60, 68))
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite file of another program; expected one of dynamaze")
    if version != FORMAT:
        raise StoreError(f"{path} is a store of version {version}; expected version {FORMAT}")


def _create(path: Path) -> None:
    """Make an empty store, unless another process makes it first."""
    connection = _new_store()
    try:
        content = connection.serialize()
    finally:
        connection.close()
    create_atomically(path, content)


def _new_store() -> sqlite3.Connection:
    """Return an empty store in memory."""
    connection = _connect(":memory:")
    connection.executescript(_SCHEMA)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    return connection


def _check_schema(connection: sqlite3.Connection) -> None:
    """Check that a file has no other tables than a store, and none of its own rules.

    A view in the place of a table, a trigger or a computed column would be executed.

    Raises:
        sqlite3.DatabaseError: if it has.
    """
    if set(connection.execute(_LISTING)) != _expected_schema():
        raise sqlite3.DatabaseError("malformed: the tables are not those of a store")


_LISTING = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


@cache
def _expected_schema() -> frozenset[tuple[str, str, str]]:
    connection = _new_store()
    try:
        return frozenset(connection.execute(_LISTING))
    finally:
        connection.close()


def _open_for_reading(path: Path) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    # A file that cannot be written is opened for reading by SQLite itself. "ro" would leave the
    # files of the write-ahead log behind.
    connection = _connect(f"{address}?mode=rw", path)
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    except BaseException as error:
        connection.close()
        wal = path.with_name(f"{path.name}-wal")
        has_log = wal.exists() and wal.stat().st_size > 0
        if has_log or not isinstance(error, sqlite3.OperationalError):
            raise
    # A write-ahead log needs a folder to write to, if only to read; there is no log here.
    return _connect(f"{address}?mode=ro&immutable=1", path)


_FileKey = tuple[int, int]  # device and inode

_open_files: Counter[_FileKey] = Counter()
"""Connections of this process to each store."""

_opening = threading.RLock()
"""Held while a header is checked, and while connections are counted."""


def _file_key(path: Path) -> _FileKey:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_open(path: Path) -> bool:
    """Tell whether this process has a connection to a store."""
    return _open_files[_file_key(path)] > 0


class _Connection(sqlite3.Connection):
    """Connection that is counted as long as it is open."""

    _key: _FileKey | None = None

    def count(self, path: Path) -> None:
        with _opening:
            self._key = _file_key(path)
            _open_files[self._key] += 1

    def close(self) -> None:
        super().close()
        with _opening:
            if self._key is not None:
                _open_files[self._key] -= 1
                self._key = None


def _connect(address: str, path: Path | None = None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address,
        timeout=LOCK_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
        factory=_Connection,
    )
    if path is not None:
        connection.count(path)
    # Damaged text must not hinder the search for damaged runs, which are known by their CRC.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    return connection


def _set_journal(connection: sqlite3.Connection, path: Path) -> None:
    """Choose the journal: a write-ahead log needs memory that is shared by all drivers."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    wanted = "delete" if is_on_network(path) else "wal"
    if mode != wanted:
        (mode,) = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
    # With a log a power failure costs the last commits at most; a rollback journal needs FULL.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")


_NETWORK = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "afs", "9p", "fuse.", "panfs")


def is_on_network(path: Path) -> bool:
    """Tell whether a file lies on a network file system; False where that is not known."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    folder = os.fspath(path.absolute().parent.resolve()) + "/"
    found, kind = "", ""
    for line in mounts:
        _, place, own, *_ = line.split()
        place = place.replace("\\040", " ").rstrip("/") + "/"
        if folder.startswith(place) and len(place) >= len(found):
            found, kind = place, own
    return kind.startswith(_NETWORK)
