"""Peers: equal answers, so that speeds compare; rows where one is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.speed import peers
from dynamaze.benchmarks.speed.learners import toy_data

PEERS = ("minigrid", "gym_gridworlds", "envpool", "sklearn", "gpytorch", "torch", "onnxruntime")


def posteriors(number: int) -> Any:
    """Return arguments of a posterior."""
    inputs, targets = toy_data(2 * number)
    return inputs[:number], targets[:number], inputs[number:]


@pytest.mark.parametrize("library", ["sklearn", "gpytorch"])
def test_posterior_equals_ours(library: str) -> None:
    pytest.importorskip("scipy")
    pytest.importorskip(library)
    given = posteriors(60)
    theirs = getattr(peers, f"{library}_posterior")(*given)
    np.testing.assert_allclose(theirs, peers.own_posterior(*given), atol=1e-6)


@pytest.mark.parametrize("form", ["numpy", "onnx"])
def test_student_forms_act_alike(form: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from dynamaze.distill.students.mlp import MLP

    student = MLP(peers.WINDOW, peers.ACTIONS, 8)
    if form == "numpy":
        act = peers.numpy_policy(student)
    else:
        pytest.importorskip("onnxruntime")
        act = peers.onnx_policy(student, tmp_path)
    rng = np.random.default_rng(0)
    for observation in rng.normal(size=(50, *peers.WINDOW)).astype(np.float32):
        assert act(observation) == student.act(observation)


def test_measurements_give_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a peer that is not installed the row says so."""
    pytest.importorskip("torch")
    for name, size in (("STEPS", 500), ("POINTS", 20), ("VECTORS", ((4, 10, 5),))):
        monkeypatch.setattr(peers, name, size)
    monkeypatch.setattr("dynamaze.distill.core.size.SECONDS", 1e-4)
    rows = [row for measure in peers.MEASUREMENTS for row in measure(1)]
    assert len(rows) == 8
    for row in rows:
        measured = row.speed and row.ratio.endswith("x")
        assert bool(measured) != (row.baseline_speed == "not installed")


@pytest.mark.parametrize("library", PEERS)
def test_missing_peer_gives_row(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    rows = [
        row
        for measure in peers.MEASUREMENTS
        if measure.__name__.endswith(f"beside_{library}")
        for row in measure(1)
    ]
    assert [(row.baseline, row.baseline_speed) for row in rows] == [(library, "not installed")]
