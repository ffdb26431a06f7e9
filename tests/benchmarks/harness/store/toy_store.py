"""Records and stores of the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dynamaze.benchmarks.harness.store.database import (
    Group,
    RunRecord,
    Store,
    encode_table,
)

GROUP = Group("toy", "n = 5", "DynaMaze-v0", "{}", "code")


def result(number: int) -> RunRecord:
    table = {"reward": np.array([number / 3]), "curve": np.array([float(number)])}
    return RunRecord(number, encode_table(table), seconds=0.5)


def curve(number: int, rows: int = 50) -> RunRecord:
    return RunRecord(number, encode_table({"steps": np.arange(rows) * number}))


def fill(path: Path, runs: int = 3) -> None:
    with Store(path) as opened:
        opened.record(opened.open_group(GROUP), [result(number) for number in range(runs)])
