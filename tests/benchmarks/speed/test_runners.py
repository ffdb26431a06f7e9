"""Speed of the runner: its row of the table."""

from __future__ import annotations

import pytest

from dynamaze.benchmarks.speed import runners


def test_overhead_gives_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "RUNS", 3)
    (row,) = runners.runner_overhead(1)
    assert row.target == "<= +1 ms"
    assert row.speed.endswith(" ms")
    assert float(row.baseline_speed.removesuffix(" ms")) >= 10


def test_compiled_scaling_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "SCALED_RUNS", 2)
    monkeypatch.setattr(runners, "SCALED_EPISODES", 5)
    rows = runners.compiled_scaling(1)
    assert [row.measurement.split()[-1] for row in rows] == ["threads", "processes"]
    assert all(row.ratio.endswith("of linear") for row in rows)
