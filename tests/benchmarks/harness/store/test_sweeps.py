"""Sweeps in a store: tables, what was shown, repetitions."""

from __future__ import annotations

import numpy as np

from dynamaze.benchmarks.harness.store.database import Store

from .toy_store import GROUP


def test_sweep_keeps_tables_and_report(store: Store) -> None:
    group_id = store.open_group(GROUP)
    sweep_id = store.begin_sweep("toy", '{"runs":3}', [group_id])
    assert store.sweeps("toy")[0].ended is None
    table = {"agent": np.array(["a", "b"]), "runs": np.array([3, 3])}
    lines = [("agent", "n"), ("a", "3")]
    store.end_sweep(
        sweep_id, {"toy": table}, title="Toy", sections={"T": lines}, caption="c", pictures=[b"png"]
    )
    (sweep,) = store.sweeps("toy")
    assert (sweep.title, sweep.sections, sweep.caption) == ("Toy", {"T": lines}, "c")
    assert sweep.group_ids == (group_id,)
    assert store.sweep_pictures(sweep_id) == [b"png"]
    assert store.sweep_tables(sweep_id)["toy"]["agent"].tolist() == ["a", "b"]
    assert store.sweeps("other") == []


def test_repeated_sweep_replaces_the_last(store: Store) -> None:
    for configuration in ("{}", "{}", '{"runs":9}', "{}"):
        sweep_id = store.begin_sweep("toy", configuration, [])
        store.end_sweep(sweep_id, {"toy": {"x": np.arange(3)}}, pictures=[b"png"])
    unfinished = store.begin_sweep("toy", "{}", [])
    assert [(sweep.id, sweep.configuration) for sweep in store.sweeps()] == [
        (sweep_id - 1, '{"runs":9}'),
        (sweep_id, "{}"),
        (unfinished, "{}"),
    ]
    (pictures,) = store._connection.execute("SELECT count(*) FROM sweep_pictures").fetchone()
    assert pictures == 2
