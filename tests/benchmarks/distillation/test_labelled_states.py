"""Labelled states: exact values, normalised returns and observations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.distillation.labelled_states import LabelledStates, crossings
from dynamaze.benchmarks.distillation.mazes import GAMMA
from dynamaze.benchmarks.distillation.soft_labels import (
    FEW_LABELS,
    OPEN_GRID,
    small_student_states,
)
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import steps_to_goal

GENERATOR = MazeGenerator(4, "obstacles", density=0.2)


MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def played_out(maze: Any, actions: dict[tuple[int, int], int], slip: float) -> dict[Any, float]:
    """Return the policy's returns from every free cell, by iterative policy evaluation."""
    rows, cols = maze.walls.shape
    values = dict.fromkeys(actions, 0.0)
    for _ in range(3000):
        newer = {}
        for (row, col), action in actions.items():
            total = 0.0
            for turn, chance in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
                down, right = MOVES[(action + turn) % 4]
                there = (row + down, col + right)
                inside = 0 <= there[0] < rows and 0 <= there[1] < cols
                if not inside or maze.walls[there]:
                    there = (row, col)
                total += chance * (1.0 if there == maze.goal else GAMMA * values[there])
            newer[row, col] = total
        values = newer
    return values


def test_success_is_that_of_steps_without_slips() -> None:
    slippery, dry = (
        LabelledStates(map(GENERATOR.make, range(3)), "planes", slip) for slip in (0.2, 0.0)
    )
    logits = np.random.default_rng(5).normal(size=(len(dry.values), 4))
    assert slippery.success(logits) == dry.success(logits)
    assert dry.success(dry.values).rate == 1.0
    assert {each.success for each in dry.success(dry.values).by_distance} == {1.0}
    up = np.tile([1.0, 0.0, 0.0, 0.0], (len(dry.values), 1))
    # Upwards the goal is reached from the free cells below it, without a wall between.
    rates = []
    for maze in map(GENERATOR.make, range(3)):
        below = ~maze.walls[maze.goal[0] + 1 :, maze.goal[1]]
        rates.append(below.cumprod().sum() / ((~maze.walls).sum() - 1))
    assert dry.success(up).rate == pytest.approx(np.mean(rates))


@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_return_matches_value_iteration(slip: float) -> None:
    states = LabelledStates(map(GENERATOR.make, range(3)), "planes", slip)
    logits = np.random.default_rng(5).normal(size=(len(states.values), 4))
    # Many actions are optimal, so the return is high but not optimal.
    good = np.random.default_rng(6).random(len(logits)) < 0.7
    logits[good] = states.values[good]
    fractions, at = [], 0
    for level in range(3):
        maze = GENERATOR.make(level)
        cells = [(r, c) for r, c in np.argwhere(~maze.walls).tolist() if (r, c) != maze.goal]
        actions = logits[at : at + len(cells)].argmax(axis=1).tolist()
        best = states.values[at : at + len(cells)].max(axis=1).sum()
        played = played_out(maze, dict(zip(cells, actions, strict=True)), slip)
        fractions.append(sum(played.values()) / best)
        at += len(cells)
    assert at == len(logits)
    assert 0.05 < np.mean(fractions) < 0.95
    assert states.normalised_return(logits) == pytest.approx(np.mean(fractions), abs=1e-9)


def test_return_of_known_policies() -> None:
    states = LabelledStates(map(GENERATOR.make, range(4)), "planes", 0.2)
    assert states.normalised_return(states.values) == pytest.approx(1, abs=1e-6)
    up = np.tile([1.0, 0.0, 0.0, 0.0], (len(states.values), 1))
    assert states.normalised_return(np.zeros_like(up)) == states.normalised_return(up) < 0.9


def test_values_match_path_lengths() -> None:
    maze = GENERATOR.make(2)
    states = LabelledStates([maze], "planes", 0.0)
    planes = np.stack([maze.walls, ~maze.walls, np.zeros_like(maze.walls)])[None].astype(np.float32)
    planes[(0, 1, *maze.goal)], planes[(0, 2, *maze.goal)] = 0.0, 1.0
    steps = steps_to_goal(planes, states.values.argmax(axis=1))
    np.testing.assert_allclose(states.values.max(axis=1), GAMMA ** (steps - 1.0), rtol=1e-12)


def test_observation_matches_environment() -> None:
    import gymnasium as gym

    maze = OPEN_GRID.make(7)
    states = LabelledStates([maze], FEW_LABELS.observation, 0.2)
    env = gym.make(
        "DynaMazeGenerated-v0", size=8, algorithm="empty", observation=dict(FEW_LABELS.observation)
    )
    seen, _ = env.reset(seed=0, options={"level": 7})
    cells = [cell for cell in np.ndindex(8, 8) if cell != maze.goal]
    np.testing.assert_array_equal(states.observations[cells.index(maze.start)], seen)


def test_crossings_are_complete() -> None:
    mazes = crossings(7)
    assert len({maze.walls.tobytes() for maze in mazes}) == len(mazes) == 2 * 3 * 7
    for maze in mazes:
        upright, lying = maze.walls.sum(axis=0), maze.walls.sum(axis=1)
        assert sorted(upright.tolist() + lying.tolist()) == [0] * 7 + [1] * 6 + [6]
        assert max(*upright[::2], *lying[::2]) == 1
        assert (maze.start, maze.goal) == ((0, 0), (6, 6))
    assert len(small_student_states().values) == 42 * (49 - 6 - 1)
