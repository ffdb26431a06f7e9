"""Claims of several drivers, killed writers, heartbeats."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.harness.store import sessions
from dynamaze.benchmarks.harness.store import sqlite_file as store_file
from dynamaze.benchmarks.harness.store.database import (
    RunRecord,
    Store,
    StoreError,
)

from .toy_store import GROUP, result


def test_claim_leaves_stored_and_claimed(store: Store, path: Path) -> None:
    group_id = store.open_group(GROUP)
    store.record(group_id, [result(0), RunRecord(1, None, "failed")])
    assert store.claim(group_id, [3, 2, 1, 0, 2]) == [3, 2]
    with Store(path) as other:
        assert other.claim(group_id, range(6)) == [4, 5]
    store.release(group_id, [3])
    store.record(group_id, [result(2)])
    with Store(path) as other:
        assert other.claim(group_id, range(6)) == [3, 4, 5]


def test_hidden_run_is_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver must not wait for runs that a damaged index hides."""
    group_id = store.open_group(GROUP)
    store.record(group_id, [result(0), result(1)])
    monkeypatch.setattr(store, "states", lambda group_id: {0: "done"})
    assert store.claim(group_id, [0, 2]) == [2]
    with pytest.raises(StoreError, match=r"damaged; .*the index of runs hides some"):
        store.claim(group_id, [1])


def claim_all(path: Path, barrier: Barrier, queue: Any) -> None:
    with Store(path) as store:
        group_id = store.open_group(GROUP)
        barrier.wait()
        own = []
        for start in range(0, 200, 10):
            own += store.claim(group_id, range(start, start + 20))
        queue.put(own)
        barrier.wait()


def test_processes_never_claim_the_same_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[4]))
    context = get_context("spawn")
    barrier, queue = context.Barrier(2), context.Queue()
    processes = [context.Process(target=claim_all, args=(path, barrier, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    first, second = queue.get(timeout=60), queue.get(timeout=60)
    for process in processes:
        process.join(timeout=60)
    assert not set(first) & set(second)
    assert sorted(first + second) == list(range(210))


WRITER = """
import sys
from tests.benchmarks.harness.store.toy_store import GROUP, Store, result
with Store(sys.argv[1]) as store:
    group_id = store.open_group(GROUP)
    number = 0
    while True:
        claimed = store.claim(group_id, range(number, number + 5))
        store.record(group_id, [result(each) for each in claimed[:4]])
        if len(claimed) > 3:
            print(claimed[3], flush=True)
        number += 5
"""


def test_other_readers_keep_the_log(path: Path, store: Store) -> None:
    group_id = store.open_group(GROUP)
    store_file.open_store_file(path, True).close()  # as each heartbeat does
    program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM runs')"
    subprocess.run([sys.executable, "-c", program, path], check=True)
    # Another process that believes to be the last one deletes the log at its end.
    assert path.with_name("runs.sqlite-wal").exists()
    store.record(group_id, [result(0)])
    with Store(path, write=False) as reader:
        assert reader.states(group_id) == {0: "done"}


def start_writer(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_writer_loses_no_run(path: Path) -> None:
    generator = np.random.default_rng(0)
    told: list[int] = []
    for _ in range(4):
        with start_writer(path) as writer:
            assert writer.stdout is not None
            told.append(int(writer.stdout.readline()))
            time.sleep(generator.uniform(0, 0.1))
            writer.kill()
            told += map(int, writer.stdout.read().split())
    with Store(path) as store:
        group_id = store.open_group(GROUP)
        states = store.states(group_id)
        assert set(told) <= set(states)
        assert {number: table["reward"][0] for number, table in store.tables(group_id)} == {
            number: number / 3 for number in states
        }
        # The claims of the killed writers are free at once.
        missing = [number for number in range(max(states)) if number not in states]
        assert missing
        assert store.claim(group_id, missing) == missing


def test_claims_of_another_machine_end_with_its_heartbeat(store: Store, path: Path) -> None:
    group_id = store.open_group(GROUP)
    store.claim(group_id, [0])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE sessions SET machine = 'elsewhere', pid = 1")
        connection.commit()
        with Store(path) as other:
            assert other.claim(group_id, [0]) == []
            connection.execute("UPDATE sessions SET heartbeat = heartbeat - 1000")
            connection.commit()
            assert other.claim(group_id, [0]) == [0]
    connection.close()


def test_heartbeat_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "HEARTBEAT_SECONDS", 0.01)
    with Store(path) as store, sqlite3.connect(path) as connection:
        store.claim(store.open_group(GROUP), [0])
        query = "SELECT max(heartbeat) FROM sessions"
        (before,) = connection.execute(query).fetchone()
        deadline = time.monotonic() + 30
        while connection.execute(query).fetchone() == (before,):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    connection.close()
