"""Store of runs: completed and failed runs, damaged files."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.store import database as store_module
from dynamaze.benchmarks.harness.store import sqlite_file as store_file
from dynamaze.benchmarks.harness.store.database import (
    Group,
    RunRecord,
    Store,
    StoreError,
    encode_table,
)

from .toy_store import GROUP, curve, fill, result


def test_group_is_found_again(store: Store, path: Path) -> None:
    group_id = store.open_group(GROUP)
    assert store.open_group(GROUP) == group_id
    others = [GROUP._replace(**{name: "other"}) for name in Group._fields]
    assert len({group_id, *map(store.open_group, others)}) == 6
    with Store(path) as again:
        assert again.open_group(GROUP) == group_id


def test_states_lists_done_and_failed(store: Store) -> None:
    group_id = store.open_group(GROUP)
    store.record(group_id, [result(2), RunRecord(0, None, "Traceback"), result(1)])
    assert list(store.states(group_id).items()) == [(0, "failed"), (1, "done"), (2, "done")]
    (failure,) = store.failures(group_id)
    assert (failure.number, failure.error) == (0, "Traceback")
    store.forget_failed(group_id)
    assert list(store.states(group_id)) == [1, 2]


def test_tables_come_in_order(store: Store) -> None:
    group_id = store.open_group(GROUP)
    runs = 2 * store_module.CHUNK + 10
    for number in reversed(range(runs)):
        record = result(number) if number % 3 else curve(number, number % 4)
        store.record(group_id, [record])
    found = list(store.tables(group_id))
    assert [number for number, _ in found] == list(range(runs))
    for number, table in found:
        if number % 3:
            assert table["reward"].tolist() == [number / 3]
        else:
            assert table["steps"].tolist() == [row * number for row in range(number % 4)]
    chosen = [number for number, _ in store.tables(group_id, [700, 3, 5, 10**6])]
    assert chosen == [3, 5, 700]


def test_large_runs_are_read_in_small_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CHUNK_BYTES", 2000)
    group_id = store.open_group(GROUP)
    tables = [{"x": np.random.default_rng(number).random(100)} for number in range(30)]
    store.record(group_id, [RunRecord(n, encode_table(table)) for n, table in enumerate(tables)])
    assert max(len(chunk.numbers) for chunk in store.chunks(group_id)) == 3
    for numbers in (range(30), [1, *range(7, 25)]):
        found = dict(store.tables(group_id, numbers))
        assert list(found) == list(numbers)
        assert all(found[number]["x"].tolist() == tables[number]["x"].tolist() for number in found)
    assert len(list(store.tables(group_id))) == 30


def test_record_keeps_the_first_result(store: Store) -> None:
    group_id = store.open_group(GROUP)
    store.record(group_id, [result(0), RunRecord(1, None, "failed")])
    store.record(group_id, [curve(0), RunRecord(0, None, "failed"), result(1)])
    assert store.states(group_id) == {0: "done", 1: "done"}
    assert "reward" in dict(store.tables(group_id))[0]


def test_metrics_are_readable_by_sqlite(store: Store, path: Path) -> None:
    store.record(store.open_group(GROUP), [result(3)])
    with sqlite3.connect(path) as connection:
        query = "SELECT json_extract(metrics, '$.reward') FROM runs"
        assert connection.execute(query).fetchall() == [(1.0,)]
    connection.close()


def test_memory_store_needs_no_file() -> None:
    with Store() as store:
        group_id = store.open_group(GROUP)
        store.record(group_id, [result(0)])
        assert store.states(group_id) == {0: "done"}


@pytest.mark.parametrize("text", ["a'b;--", "\x00", "<b>", "é漢\U0001f600", "x" * 10_000, "a\nb"])
def test_any_text_comes_back(text: str, store: Store) -> None:
    group = Group(text, text, text, "{}", "")
    group_id = store.open_group(group)
    store.record(group_id, [RunRecord(0, None, text)])
    assert store.groups(text)[0].group == group
    assert store.failures(group_id)[0].error == text


def test_half_of_a_surrogate_is_escaped(store: Store) -> None:
    """An error may name a file whose name is no text."""
    group_id = store.open_group(Group("toy", "\udc80", "", "{}", ""))
    store.record(group_id, [RunRecord(0, None, "no file '\udc80'")])
    assert store.failures(group_id)[0].error == "no file '\\udc80'"
    assert store.open_group(Group("toy", "\udc80", "", "{}", "")) == group_id


def test_provenance_of_each_driver(store: Store, path: Path) -> None:
    group_id = store.open_group(GROUP)
    store.record(group_id, [result(0), result(1)])
    with Store(path) as other:
        other.record(group_id, [result(2)])
    (first, runs), (second, run) = store.provenances([group_id])
    assert (first, runs, run) == ({"command": "test"}, 2, 1)
    assert {"versions", "cpu", "cores", "command", "time"} <= set(second)


# -- bad files


def test_damaged_run_is_found_and_run_again(path: Path) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET metrics = replace(metrics, '0.3', '0.4')")
    connection.close()
    with Store(path) as store:
        group_id = store.open_group(GROUP)
        with pytest.raises(StoreError, match=r"sqlite: run 1 of toy, n = 5 is damaged; run the"):
            list(store.tables(group_id))
        assert store.drop_damaged(group_id) == [1]
        assert store.claim(group_id, range(3)) == [1]
        assert [number for number, _ in store.tables(group_id)] == [0, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET body = zeroblob(20)",
        "UPDATE runs SET body = 'text'",
        "UPDATE runs SET metrics = cast(x'ff' || metrics AS TEXT)",
        "UPDATE runs SET number = number + 10",
        "UPDATE runs SET schema_id = 99",
        "UPDATE schemas SET columns = '[]'",
    ],
)
def test_every_part_of_a_run_is_checked(statement: str, path: Path) -> None:
    fill(path, 1)
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    with Store(path) as store, pytest.raises(StoreError, match="is damaged"):
        list(store.tables(store.open_group(GROUP)))


def foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()


def newer_store(path: Path) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


BAD_FILES = {
    "is empty; expected a store, or no file": lambda path: path.write_bytes(b""),
    "is not a store; expected an SQLite file": lambda path: path.write_bytes(b"run,reward\n" * 99),
    "is an SQLite file of another program": foreign_database,
    "is a store of version 99; expected version 1": newer_store,
}


@pytest.mark.parametrize("message", BAD_FILES)
@pytest.mark.parametrize("write", [True, False])
def test_foreign_file_is_refused_unchanged(message: str, write: bool, tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    BAD_FILES[message](path)
    content = path.read_bytes()
    with pytest.raises(StoreError, match=message):
        Store(path, write=write)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["runs.sqlite"]


def test_error_of_a_damaged_schema_is_one_line(path: Path) -> None:
    fill(path)
    path.write_bytes(path.read_bytes().replace(b"code TEXT", b'c"de TEXT'))
    with pytest.raises(StoreError, match="malformed database schema") as caught:
        Store(path, write=False)
    assert "\n" not in str(caught.value)


def test_folder_and_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder; expected a file"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="no such store"):
        Store(tmp_path / "missing.sqlite", write=False)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file: File exists"):
        Store(tmp_path / "file" / "runs.sqlite")
    assert os.listdir(tmp_path) == ["file"]


def test_cut_store_is_damaged(path: Path) -> None:
    fill(path, 2000)
    content = path.read_bytes()
    path.write_bytes(content[:20_000] + bytes(4096) + content[24_096:-50_000])
    with pytest.raises(StoreError, match=r"runs.sqlite: .*damaged"), Store(path) as store:
        list(store.tables(store.open_group(GROUP)))


def test_damaged_bytes_raise_one_error(path: Path) -> None:
    fill(path, 40)
    with Store(path) as store:
        sweep_id = store.begin_sweep("toy", "{}", [1])
        store.end_sweep(sweep_id, {"toy": {"x": np.arange(9)}}, sections={"a": [("x",)]})
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    found = set()
    for _ in range(40):
        damaged = bytearray(content)
        for place in generator.integers(100, len(content), size=3):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            with Store(path) as store:
                group_id = store.open_group(GROUP)
                store.drop_damaged(group_id)
                assert all(n / 3 == table["reward"][0] for n, table in store.tables(group_id))
                for sweep in store.sweeps():
                    store.sweep_tables(sweep.id)
            found.add("ok")
        except StoreError:
            found.add("error")
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    assert found == {"ok", "error"}


def test_full_disk_keeps_what_was_stored(store: Store) -> None:
    group_id = store.open_group(GROUP)
    store.record(group_id, [result(0)])
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    records = [curve(number, 5000) for number in range(1, 50)]
    with pytest.raises(StoreError, match=r"runs.sqlite: no space is left on the disk"):
        store.record(group_id, records)
    assert store.states(group_id) == {0: "done"}
    store._connection.execute("PRAGMA max_page_count = 1000000")
    store.record(group_id, records)
    assert len(store.states(group_id)) == 50


def test_locked_store_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    monkeypatch.setattr(store_file, "LOCK_SECONDS", 0.05)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with Store(path) as store, pytest.raises(StoreError, match="locked by another process"):
        store.claim(1, [7])
    connection.close()


def test_read_only_store_is_read(path: Path) -> None:
    fill(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with Store(path, write=False) as store:
            assert len(list(store.tables(1))) == 3
            with pytest.raises(StoreError, match="the store cannot be written"):
                store.record(1, [result(9)])
    finally:
        path.parent.chmod(0o755)
    assert os.listdir(path.parent) == ["runs.sqlite"]


def test_closed_store_is_reported(path: Path) -> None:
    store = Store(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        store.states(1)


def test_network_store_has_a_rollback_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    with Store(path) as store:
        assert store.journal == "wal"
    monkeypatch.setattr(store_file, "is_on_network", lambda path: True)
    with Store(path) as store:
        assert store.journal == "delete"
        assert store.claim(1, [7]) == [7]


def test_copied_store_is_whole(path: Path, tmp_path: Path) -> None:
    fill(path)
    shutil.copy(path, tmp_path / "copy.sqlite")
    with Store(tmp_path / "copy.sqlite", write=False) as store:
        assert len(list(store.tables(1))) == 3


def test_store_refuses_tables_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE runs RENAME TO stored")
        connection.execute("CREATE VIEW runs AS SELECT * FROM stored")
    for write in (True, False):
        with pytest.raises(StoreError, match=r"runs\.sqlite: the store is damaged"):
            Store(path, write=write)
