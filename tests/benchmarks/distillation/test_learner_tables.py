"""Tests of the table learner as a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import DynaQ
from dynamaze.benchmarks.distillation.learner_tables import TableLearner, TableTeacher

UP, RIGHT, DOWN, LEFT = range(4)


def test_learner_equals_the_agent() -> None:
    env = gym.make("DynaMaze-v0")
    agent = DynaQ(
        env,
        planning="dynamic_programming",
        learning_rate=1.0,
        initial_value=1.0,
        epsilon=0.0,
        seed=0,
    )
    learner = TableLearner(54)
    for step in islice(agent.steps(), 400):
        learner.learn(step.observation, step.action, step.reward, step.next_observation)
    np.testing.assert_allclose(learner.values.q, agent.values.q, atol=1e-7)


def taught(grid: tuple[int, int], observations: Sequence[tuple[int, int, int]]) -> TableTeacher:
    """Return a teacher that has observed one run: (cell, last action, last reward)."""
    teacher = TableTeacher()
    teacher.grid = grid
    for each in observations:
        teacher.best_actions(np.array([each], dtype=np.float32))
        if each[2] > 0:
            teacher.reset(np.array([True]))
    return teacher


def labels(teacher: TableTeacher) -> tuple[Any, list[int]]:
    """Return the labelled actions of each cell, and the lengths."""
    assert teacher.memory is not None
    found = teacher.labels(teacher.memory, np.array([True]))
    return [np.flatnonzero(each).tolist() for each in found.best[0]], found.length[0].tolist()


def test_labels_lead_to_new_cells() -> None:
    teacher = taught((1, 3), [(0, 0, 0), (1, RIGHT, 0)])
    # in cell 0 the learner would try the edges, in cell 2 it would go back to cell 1
    assert labels(teacher) == ([[], [RIGHT], []], [0, 1, 0])
    bumps = [(0, action, 0) for action in (UP, DOWN, LEFT)]
    teacher = taught((1, 3), [(0, 0, 0), *bumps, (1, RIGHT, 0)])
    assert labels(teacher) == ([[RIGHT], [RIGHT], []], [2, 1, 0])


def test_labels_lead_to_the_goal() -> None:
    bumps = [[(cell, action, 0) for action in (UP, DOWN)] for cell in (0, 1)]
    run = [(0, 0, 0), *bumps[0], (0, LEFT, 0), (1, RIGHT, 0), *bumps[1], (0, LEFT, 0)]
    teacher = taught((1, 3), [*run, (1, RIGHT, 0), (2, RIGHT, 1)])
    assert labels(teacher) == ([[RIGHT], [RIGHT], []], [2, 1, 0])


def test_known_map_is_looked_at_again() -> None:
    teacher = taught((1, 2), [(0, 0, 0), (1, RIGHT, 0)])
    assert labels(teacher) == ([[], [LEFT]], [0, 1])


def test_new_memory_is_a_new_learner() -> None:
    teacher = taught((1, 3), [(0, 0, 0), (1, RIGHT, 0)])
    first = teacher.learners[0]
    teacher.best_actions(np.array([[1, LEFT, 0]], dtype=np.float32))
    assert teacher.learners[0] is first
    teacher.grid = (1, 3)
    teacher.best_actions(np.array([[0, 0, 0]], dtype=np.float32))
    assert teacher.learners[0] is not first
    assert teacher.learners[0].values.q == pytest.approx(1.0)
