"""Mazes of the book, cell by cell, and known exact numbers.

The numbers were computed without this package, and hold to all printed digits. (The book's "first
episode of about 1700 steps" cannot come from this maze: a random walk takes 868.7.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import PRESETS, FiniteMDP, Schedule, greedy_policy

GAMMA = 0.95
UP, RIGHT, DOWN, LEFT = range(4)


class Known(NamedTuple):
    """Known numbers of one phase."""

    walls: set[tuple[int, int]]
    start: tuple[int, int]
    shortest: int
    value: float  # of the start, gamma = 0.95
    walk: tuple[float, float]  # mean and deviation of a random walk's episode
    best: tuple[float, float]  # those of the best policy with epsilon = 0.1, ties at random
    reward_per_step: float  # of that policy


def row_3(first: int, last: int) -> set[tuple[int, int]]:
    return {(3, col) for col in range(first, last + 1)}


DYNA = {(1, 2), (2, 2), (3, 2), (0, 7), (1, 7), (2, 7), (4, 5)}
LONG = (16, 0.463291, (683.921, 580.095), (17.9198, 1.9963), 0.05580)
SHORT = (10, 0.630249)
KNOWN = {
    "dyna": [Known(DYNA, (2, 0), 14, 0.513342, (868.725, 789.236), (15.8781, 2.0005), 0.06298)],
    "blocking": [
        Known(row_3(0, 7), (5, 3), *SHORT, (441.884, 375.949), (11.2639, 1.6139), 0.08878),
        Known(row_3(1, 8), (5, 3), *LONG),
    ],
    "shortcut": [
        Known(row_3(1, 8), (5, 3), *LONG),
        Known(row_3(1, 7), (5, 3), *SHORT, (344.304, 285.770), (11.2639, 1.6139), 0.08878),
    ],
}
PHASES = [(name, phase) for name in KNOWN for phase in range(len(KNOWN[name]))]


def printed(number: float, digits: int) -> Any:
    return pytest.approx(number, rel=0, abs=0.5 * 10**-digits)


def mdp_of(name: str, phase: int) -> FiniteMDP:
    env_id = next(
        env_id for env_id, entry in ENVIRONMENTS.items() if entry.kwargs.get("layout") == name
    )
    mdp: FiniteMDP = gym.make(env_id).unwrapped.phase_mdp(phase)  # type: ignore[attr-defined]
    return mdp


def test_presets_change_as_in_book() -> None:
    steps = {name: Schedule.from_text(text).steps for name, text in PRESETS.items()}
    assert steps == {"dyna": (0,), "blocking": (0, 1000), "shortcut": (0, 3000)}
    assert len(PHASES) == 5


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_preset_cells_match_book(name: str, phase: int) -> None:
    layout, known = Schedule.from_text(PRESETS[name]).layouts[phase], KNOWN[name][phase]
    assert layout.walls.shape == (6, 9)
    assert {(int(row), int(col)) for row, col in np.argwhere(layout.walls)} == known.walls
    assert layout.starts == (known.start,)
    assert layout.goals == ((0, 8),)
    assert layout.rewards == (1.0, 0.0, 0.0)
    assert layout.shortest_path_length == known.shortest


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_start_value_matches_closed_form(name: str, phase: int) -> None:
    known = KNOWN[name][phase]
    start = known.start[0] * 9 + known.start[1]
    value = mdp_of(name, phase).optimal_values(GAMMA)[start]
    assert value == printed(known.value, 6)
    assert value == pytest.approx(GAMMA ** (known.shortest - 1), rel=1e-12)


def test_env_values_follow_phase() -> None:
    maze: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    for phase, step in ((0, 0), (1, 1000), (0, 999)):
        maze.reset(options={"world_step": step})
        mdp = maze.phase_mdp(phase)
        np.testing.assert_array_equal(maze.mdp.next_state, mdp.next_state)
        np.testing.assert_array_equal(maze.optimal_values(), mdp.optimal_values(GAMMA))
        q = mdp.optimal_action_values(GAMMA)
        np.testing.assert_array_equal(maze.optimal_action_values(), q)
        np.testing.assert_array_equal(maze.optimal_policy(), greedy_policy(q, tolerance=1e-9))
        assert mdp.to_toy_text() == maze.P
        assert len(maze.shortest_path) == maze.shortest_path_length + 1 == (11, 17)[phase]


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_random_walk_length_matches(name: str, phase: int) -> None:
    mean, deviation = mdp_of(name, phase).episode_steps(np.full((54, 4), 0.25))
    assert mean == printed(KNOWN[name][phase].walk[0], 3)
    assert deviation == printed(KNOWN[name][phase].walk[1], 3)


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_epsilon_greedy_length_matches(name: str, phase: int) -> None:
    mdp, known = mdp_of(name, phase), KNOWN[name][phase]
    policy = greedy_policy(mdp.optimal_action_values(GAMMA), epsilon=0.1, tolerance=1e-9)
    mean, deviation = mdp.episode_steps(policy)
    assert mean == printed(known.best[0], 4)
    assert deviation == printed(known.best[1], 4)
    assert 1 / mean == printed(known.reward_per_step, 5)


def at(env_id: str, cell: tuple[int, int], world_step: int) -> Any:
    """Return the environment with its agent at a cell and the clock at a step."""
    env = gym.make(env_id)
    env.reset(seed=0)
    maze: Any = env.unwrapped
    maze.world_step = world_step
    maze.set_state({**maze.get_state(), "state": cell[0] * 9 + cell[1]})
    return env


def test_blocking_changes_at_1000() -> None:
    below, gap, above = 4 * 9 + 8, 3 * 9 + 8, 2 * 9 + 8
    last = at("DynaMazeBlocking-v0", (4, 8), 999)
    assert last.step(UP) == (gap, 0.0, False, False, {"world_step": 1000, "phase": 1})
    assert [last.step(action)[0] for action in (LEFT, UP, DOWN)] == [gap, above, above]
    first = at("DynaMazeBlocking-v0", (4, 8), 1000)
    assert first.step(UP)[0] == below
    assert at("DynaMazeBlocking-v0", (4, 0), 999).step(UP)[0] == 4 * 9
    assert at("DynaMazeBlocking-v0", (4, 0), 1000).step(UP)[0] == 3 * 9


def test_shortcut_opens_at_3000() -> None:
    env = at("DynaMazeShortcut-v0", (4, 8), 2999)
    assert env.step(UP) == (4 * 9 + 8, 0.0, False, False, {"world_step": 3000, "phase": 1})
    assert env.step(UP)[0] == 3 * 9 + 8


@pytest.mark.parametrize(("name", "change"), [("Blocking", 1000), ("Shortcut", 3000)])
def test_change_happens_once(name: str, change: int) -> None:
    env = gym.make(f"DynaMaze{name}-v0", max_episode_steps=70)
    env.reset(seed=0)
    phases = []
    for action in np.random.default_rng(0).integers(4, size=change + 50):
        _, _, terminated, truncated, info = env.step(action)
        phases.append(info["phase"])
        if terminated or truncated:
            assert env.reset()[1] == info
    assert phases == [0] * (change - 1) + [1] * 51
