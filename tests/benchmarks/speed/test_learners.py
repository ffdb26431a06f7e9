"""Speed of the learners: the rows of the table, at small sizes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dynamaze.benchmarks.harness.timing import SpeedRow
from dynamaze.benchmarks.speed import learners as speed_learners


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("TRANSITIONS", 40), ("SAMPLES", 5), ("POINTS", 20), ("BATCH", 8)):
        monkeypatch.setattr(speed_learners, name, size)


def test_rows_have_speed_and_target() -> None:
    pytest.importorskip("scipy", reason="the Gaussian process needs SciPy")
    pytest.importorskip("torch", reason="the networks need torch")
    rows = [row for measure in speed_learners.MEASUREMENTS for row in measure(1)]
    assert len(rows) == 12
    assert len({(row.measurement, row.baseline) for row in rows}) == 12
    for row in rows:
        assert row.speed.split()[1] in ("ms", "us")
        assert float(row.speed.split()[0]) >= 0
        assert row.met or row.target
    baselines = [row.baseline for row in rows if row.baseline]
    same = "one member, by the same code"
    assert baselines == [same, same, "one member, plain torch"]


@pytest.mark.parametrize("library", ["torch", "scipy"])
def test_missing_library_gives_row(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    name = {"torch": "deep_belief_networks", "scipy": "gaussian_processes"}[library]
    rows = getattr(speed_learners, name)(1)
    assert rows == [SpeedRow(name.replace("_", " "), "", library, "not installed", met=False)]


def test_toy_data_reproducible_and_noisy() -> None:
    one, again = speed_learners.toy_data(30), speed_learners.toy_data(30)
    assert [part.shape for part in one] == [(30, 2), (30, 3)]
    for left, right in zip(one, again, strict=True):
        assert np.array_equal(left, right)
    assert 0.02 < (one[1][:, 2] - one[0][:, 0] ** 2).std() < 0.1


def test_plain_member_learns() -> None:
    torch = pytest.importorskip("torch", reason="it is torch's")
    torch.manual_seed(0)
    inputs, targets = speed_learners.toy_data(40)
    step = speed_learners.plain_member(inputs, targets, (8,), 1e-2)
    losses = [float(step()) for _ in range(200)]
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) - 0.2
