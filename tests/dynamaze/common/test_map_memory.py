"""Map memory: events, ages, moves."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.common.map_memory import (
    BUMPED,
    ENTERED,
    MAZE_MOVES,
    NEVER,
    OUTSIDE,
    REWARDED,
    MapMemory,
    map_planes,
    move_targets,
    record_move,
    record_moves,
    record_presence,
    record_presences,
)

UP, RIGHT, DOWN, LEFT = range(4)


def test_targets_of_two_by_three() -> None:
    expected = [
        [OUTSIDE, 1, 3, OUTSIDE],
        [OUTSIDE, 2, 4, 0],
        [OUTSIDE, OUTSIDE, 5, 1],
        [0, 4, OUTSIDE, OUTSIDE],
        [1, 5, OUTSIDE, 3],
        [2, OUTSIDE, OUTSIDE, 4],
    ]
    assert move_targets((2, 3)).tolist() == expected


def test_targets_follow_displacements() -> None:
    knight_and_stay = move_targets((3, 2), [(2, 1), (0, 0)])
    assert knight_and_stay.tolist() == [[5, 0], *[[OUTSIDE, cell] for cell in range(1, 6)]]


@pytest.mark.parametrize(
    ("shape", "moves", "message"),
    [
        ((0, 3), MAZE_MOVES, "shape=0; expected a whole number in"),
        ((3,), MAZE_MOVES, r"expected \(rows, cols\)"),
        ((2, 2), [(1, 1, 1)], r"expected \(rows, cols\)"),
        ((2, 2), [], "expected at least one"),
        ((10**6, 10**6), MAZE_MOVES, "too large"),
    ],
)
def test_targets_refuse_wrong_arguments(shape: object, moves: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        move_targets(shape, moves)  # type: ignore[arg-type]


def test_memory_refuses_no_cells() -> None:
    with pytest.raises(ValueError, match="cells=0; expected"):
        MapMemory.empty(0)


def test_moves_give_events_and_ages() -> None:
    memory, targets = MapMemory.empty(6), move_targets((2, 3))
    record_presence(memory, 0, 0)
    assert memory.event[0].tolist() == [ENTERED] + 5 * [NEVER]
    record_move(memory, targets, 0, 0, RIGHT, 0.0, 1)  # 0 to 1
    record_move(memory, targets, 0, 1, DOWN, 0.0, 1)  # bumps into 4
    record_move(memory, targets, 0, 1, UP, 0.0, 1)  # bumps into the edge
    record_move(memory, targets, 0, 1, RIGHT, 1.0, 2)  # the goal is 2
    assert memory.event[0].tolist() == [ENTERED, ENTERED, REWARDED, NEVER, BUMPED, NEVER]
    assert memory.age[0].tolist() == [4, 1, 0, 4, 2, 4]  # the agent was in 1 until the last move


def test_new_episode_keeps_map() -> None:
    memory, targets = MapMemory.empty(3), move_targets((1, 3))
    record_move(memory, targets, 0, 0, RIGHT, 1.0, 1)
    record_presence(memory, 0, 0)  # the next episode begins in 0
    record_move(memory, targets, 0, 0, RIGHT, 0.0, 1)  # the goal has moved
    assert memory.event[0].tolist() == [ENTERED, ENTERED, NEVER]
    assert memory.age[0].tolist() == [1, 0, 2]


def test_fallen_wall_is_entered_and_slips_are_moves() -> None:
    memory, targets = MapMemory.empty(4), move_targets((2, 2))
    record_move(memory, targets, 0, 0, RIGHT, 0.0, 0)
    assert memory.event[0, 1] == BUMPED
    record_move(memory, targets, 0, 0, DOWN, 0.0, 1)  # slips to the right
    assert memory.event[0].tolist() == [ENTERED, ENTERED, NEVER, NEVER]


def test_presence_keeps_reward_of_cell() -> None:
    memory, targets = MapMemory.empty(2), move_targets((1, 2))
    record_move(memory, targets, 0, 0, RIGHT, 1.0, 1)
    record_move(memory, targets, 0, 1, RIGHT, 0.0, 1)  # the task goes on in the rewarded cell
    assert memory.event[0, 1] == REWARDED
    assert memory.age[0, 1] == 0


def test_batch_equals_single_runs() -> None:
    rng = np.random.default_rng(0)
    runs, targets = 5, move_targets((3, 4))
    together = MapMemory.empty(12, runs)
    alone = [MapMemory.empty(12) for _ in range(runs)]
    for _ in range(40):
        cells, actions = rng.integers(12, size=runs), rng.integers(4, size=runs)
        moved = rng.random(runs) < 0.5
        targeted = targets[cells, actions]
        following = np.where(moved & (targeted != OUTSIDE), targeted, cells)
        rewards = (rng.random(runs) < 0.2).astype(np.float64)
        begins = rng.random(runs) < 0.3
        record_presences(together, cells, begins)
        record_moves(together, targets, cells, actions, rewards, following)
        for run, one in enumerate(alone):
            if begins[run]:
                record_presence(one, 0, cells[run])
            record_move(one, targets, 0, cells[run], actions[run], rewards[run], following[run])
    for name in MapMemory._fields:
        expected = np.concatenate([getattr(one, name) for one in alone])
        np.testing.assert_array_equal(getattr(together, name), expected)


def test_planes_have_fresh_walls_around() -> None:
    memory, targets = MapMemory.empty(2), move_targets((1, 2))
    record_move(memory, targets, 0, 0, RIGHT, 0.0, 0)
    record_move(memory, targets, 0, 0, LEFT, 0.0, 0)
    events, age = map_planes(memory, (1, 2))
    assert events.shape == (1, 4, 3, 4)
    assert events.argmax(axis=1)[0].tolist() == [
        4 * [BUMPED],
        [BUMPED, ENTERED, BUMPED, BUMPED],
        4 * [BUMPED],
    ]
    assert (events.sum(axis=1) == 1).all()
    assert age[0].tolist() == [[0] * 4, [0, 0, 1, 0], [0] * 4]
