"""The student that plans on its own map, compiled, as ONNX and as C, along random runs."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.core.map_state import state_width
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.export.load import check_parity, open_policy
from dynamaze.distill.files.students import load_student, save_student, to_stored
from dynamaze.distill.files.weights import StudentFileError
from dynamaze.distill.students.map_value_iteration import MapValueIteration, with_exact_moves
from dynamaze.distill.students.quantise import quantised

from ..exporters import Exporter, every_exporter

GRID, GOAL, RUNS, STEPS = (5, 7), (1, 2), 20, 60
MOVES = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])


def network(form: str = "learned") -> Any:
    student = MapValueIteration(seed=3)
    with torch.no_grad():
        student.reading *= 5  # far from ties
    made = student if form == "learned" else quantised(with_exact_moves(student))
    made.grid = GRID
    return made


def exported(export: Exporter, student: Any, folder: Path) -> Any:
    policy = export(student, folder, np.zeros(3, dtype=np.float32))
    policy.grid = GRID
    return policy


def random_runs(seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield observations of random walks, and where an episode begins, at each step."""
    rng = np.random.default_rng(seed)
    walls = rng.random((RUNS, *GRID)) < 0.3
    walls[:, 0, 0] = walls[:, *GOAL] = False
    cell, action, reward = np.zeros((RUNS, 2), int), np.zeros(RUNS), np.zeros(RUNS)
    start = np.ones(RUNS, dtype=np.bool_)
    for _ in range(STEPS):
        yield np.column_stack([cell @ [GRID[1], 1], action, reward]), start
        ended = reward > 0
        action = rng.integers(4, size=RUNS)
        after = np.clip(cell + MOVES[action], 0, np.array(GRID) - 1)
        blocked = walls[np.arange(RUNS), after[:, 0], after[:, 1]]
        cell = np.where((blocked | ended)[:, None], np.where(ended[:, None], 0, cell), after)
        reward = (cell == GOAL).all(axis=1) * 1.0
        start = ended | (rng.random(RUNS) < 0.01)
        cell[start], reward[start] = 0, 0


@every_exporter
@pytest.mark.parametrize("form", ["learned", "int8"])
def test_exports_match_student_along_runs(form: str, export: Exporter, tmp_path: Path) -> None:
    student = network(form)
    policy = exported(export, student, tmp_path)
    same = 0
    for observations, start in random_runs(seed=0):
        student.reset(start)
        policy.reset(start)
        same += check_parity(student, policy, observations).same_actions
        np.testing.assert_array_equal(policy.memory, student.memory)
    assert same == RUNS * STEPS
    events = student.memory[:, : GRID[0] * GRID[1]]
    assert (np.bincount(events.astype(int).ravel()) >= RUNS // 4).all()  # all four


@every_exporter
def test_exports_refuse_what_does_not_fit(export: Exporter, tmp_path: Path) -> None:
    policy = exported(export, network(), tmp_path)
    with pytest.raises(ValueError, match="cell 35 of a maze of 35"):
        policy.action_logits([[35, 0, 0]])
    policy.memory = np.zeros((1, 12), dtype=np.float32)
    with pytest.raises(ValueError, match=r"memory of shape \(1, 12\); expected \(1, 72\)"):
        policy.action_logits([[0, 0, 0]])
    assert state_width(GRID) == 72
    policy.memory = None
    assert policy.act(np.zeros(3)) == network().act(np.zeros(3))


@pytest.mark.parametrize("form", ["learned", "int8"])
def test_file_loads_without_torch(form: str, tmp_path: Path) -> None:
    student = network(form)
    save_student(tmp_path / "s.safetensors", student)
    opened, loaded = (
        open_policy(tmp_path / "s.safetensors"),
        load_student(tmp_path / "s.safetensors"),
    )
    assert opened.kind == "map_value_iteration"
    opened.policy.grid = loaded.grid = GRID
    assert opened.policy.num_parameters == student.num_parameters
    observations, _ = next(random_runs(seed=1))
    expected = student.action_logits(observations)
    np.testing.assert_array_equal(loaded.action_logits(observations), expected)
    np.testing.assert_allclose(opened.policy.action_logits(observations), expected, rtol=1e-5)


def test_grid_is_needed_and_changes_clear_the_map() -> None:
    policy = build_policy(to_stored(network()))
    with pytest.raises(ValueError, match=r"expected policy.grid = \(rows, cols\)"):
        policy.act(np.zeros(3))
    policy.grid = GRID
    policy.act(np.zeros(3))
    copy = deepcopy(policy)
    copy.act(np.array([1, 1, 0]))
    assert not np.array_equal(copy.memory, policy.memory)
    policy.grid = (3, 3)
    assert policy.memory is None


def test_written_grid_is_fixed(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    student = network()
    export_onnx(tmp_path / "s.onnx", student, np.zeros(3, dtype=np.float32))
    with pytest.raises(ValueError, match=r"grid=\(9, 9\) of a policy that is written for \(5, 7\)"):
        open_policy(tmp_path / "s.onnx").policy.grid = (9, 9)
    plain = MapValueIteration()
    with pytest.raises(ValueError, match=r"expected policy.grid"):
        export_onnx(tmp_path / "t.onnx", plain, np.zeros(3, dtype=np.float32))
    assert not (tmp_path / "t.onnx").exists()


def test_misfit_weights_are_refused() -> None:
    stored = to_stored(network())
    with pytest.raises(StudentFileError, match="moves='wrong'"):
        build_policy(stored._replace(config={**stored.config, "moves": "wrong"}))
    with pytest.raises(StudentFileError, match="move"):
        build_policy(stored._replace(config={**stored.config, "moves": "exact"}))
