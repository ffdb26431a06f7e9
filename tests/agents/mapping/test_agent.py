"""The agent that explores on a learned map."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import dynamaze
from dynamaze.agents import MapExplorer, Spaces, Transitions
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.mapping.agent import GridRows
from dynamaze.common.map_memory import BUMPED, ENTERED, NEVER, REWARDED
from dynamaze.common.storage import CheckpointError

UP, RIGHT, DOWN, LEFT = range(4)
FOUR = spaces.Discrete(4)


def maze(layout: str, **arguments: Any) -> gym.Env[Any, Any]:
    return gym.make("DynaMaze-v0", layout=layout, **arguments)


def lengths(env: gym.Env[Any, Any], episodes: int, **arguments: Any) -> list[int]:
    """Return the lengths of the first episodes of an agent."""
    found = []
    for step in MapExplorer(env, seed=0, **arguments).steps():
        if step.terminated or step.truncated:
            found.append(step.episode_length)
        if len(found) == episodes:
            return found
    raise AssertionError


@pytest.mark.parametrize("observation", ["index", "coordinates"])
def test_third_episode_is_shortest(observation: str) -> None:
    """A corridor with a turn: in the second episode it tries the two cells that may be free."""
    env = maze("S..\n##.\nG..", observation=observation)
    assert lengths(env, 4)[2:] == [6, 6]


def test_wall_is_known_from_all_sides() -> None:
    agent = MapExplorer(maze("S#G\n..."), seed=0)
    agent.model.update(one_transition(0, RIGHT, 0.0, 0, False))
    prediction = agent.model.predict(np.array([2, 4, 0, 0]), np.array([LEFT, UP, RIGHT, DOWN]))
    assert prediction.next_observation.tolist() == [2, 4, 0, 3]
    assert prediction.visits.tolist() == [1, 1, 1, 0]


def test_map_outlives_episodes_and_change() -> None:
    """The goal moves: the agent looks at its old place, then for its new one."""
    env = maze("S..G..", changes={9: {"goal": (0, 5)}})
    assert lengths(env, 6) == [3, 3, 3, 5, 5, 5]
    agent = MapExplorer(env, seed=0).learn(9 + 5)
    assert agent.model.memory.event[0].tolist() == [ENTERED] * 5 + [REWARDED]


def test_block_is_found_and_avoided() -> None:
    env = maze("S.G\n...", changes={4: "S#G\n..."})
    found = lengths(env, 4)
    assert found[:2] == [2, 2]
    assert found[2] == 5  # one step into the wall, and around it
    assert found[3] == 4


def test_shortcut_is_found_through_old_wall() -> None:
    """The wall is tried again when its age saves more than the detour: 4 + 400 - age < 12."""
    env = maze("S#G\n.#.\n.#.\n.#.\n.#.\n...", changes={20: "S.G\n.#.\n.#.\n.#.\n.#.\n..."})
    agent = MapExplorer(env, seed=0)
    bumped, opened = None, None
    for number, _ in enumerate(islice(agent.steps(), 800)):
        event = agent.model.memory.event[0, 1]
        bumped = number if bumped is None and event == BUMPED else bumped
        opened = number if bumped is not None and opened is None and event == ENTERED else opened
    assert bumped is not None
    assert opened is not None
    assert 400 - 12 <= opened - bumped <= 400 + 12
    assert max(step.episode_length for step in islice(agent.steps(), 10)) <= 2


def test_start_of_episode_is_recorded_before_decision() -> None:
    agent = MapExplorer(maze("S.G"), seed=0).learn(2)
    assert agent.model.memory.age[0].tolist() == [2, 1, 0]  # the goal was just reached
    agent.learn(1)
    assert agent.model.memory.age[0].tolist() == [1, 0, 1]  # it stood in the start


def test_changes_are_reported_where_map_is_contradicted() -> None:
    """Steps 0 to 3 reach the goal twice; step 4 bumps into the new wall."""
    env = maze("S.G\n...", changes={4: "S#G\n..."})
    agent = MapExplorer(env, seed=0).learn(4)
    assert agent.reported_changes == []
    assert agent.learn(20).reported_changes == [4]
    moved = MapExplorer(maze("S..G..", changes={9: {"goal": (0, 5)}}), seed=0).learn(30)
    assert moved.reported_changes == [11]  # the old place of the goal, three steps after the start


@pytest.mark.parametrize(
    ("action", "reward", "next_row", "reported"),
    [
        (RIGHT, 1.0, 2, False),  # as before
        (RIGHT, 0.0, 2, True),  # no reward
        (RIGHT, 0.0, 1, True),  # a wall
        (RIGHT, 0.0, 4, True),  # a slip
        (DOWN, 0.0, 1, False),  # a known wall
        (DOWN, 0.0, 4, True),  # is open
        (UP, 0.0, 1, False),  # the edge
        (LEFT, 1.0, 0, True),  # a reward
    ],
)
def test_report_of_one_move(action: int, reward: float, next_row: int, reported: bool) -> None:
    agent = MapExplorer(maze("S.G\n.#."), seed=0)
    for move in ((0, RIGHT, 0.0, 1, False), (1, DOWN, 0.0, 1, False), (1, RIGHT, 1.0, 2, True)):
        agent.model.update(one_transition(*move))
    assert agent.reported_changes == []
    agent.model.update(one_transition(1, action, reward, next_row, False))
    assert agent.reported_changes == [3] * reported


def test_unknown_cells_contradict_nothing() -> None:
    agent = MapExplorer("DynaMaze-v0", seed=0).learn(1000)
    assert agent.reported_changes == []  # a static maze without slips


def test_values_are_costs_of_paths() -> None:
    agent = MapExplorer(maze("S.G"), seed=0).learn(4)
    assert agent.values.values(np.array([0, 1])).tolist() == [
        [-3.0, -2.0, -3.0, -3.0],
        [-4.0, -1.0, -4.0, -3.0],
    ]
    assert agent.predict(np.array([0, 1]), deterministic=True)[0].tolist() == [RIGHT, RIGHT]
    assert agent.action_probabilities(0).tolist() == [[0.0, 1.0, 0.0, 0.0]]


def test_resumes_identically(tmp_path: Path) -> None:
    env_id, arguments = "DynaMazeAdaptation-v0", {"size": 5, "observation": "index"}
    agent = MapExplorer(gym.make(env_id, **arguments), seed=1).learn(150)
    agent.save(tmp_path / "agent.npz")
    loaded = MapExplorer.load(tmp_path / "agent.npz", gym.make(env_id, **arguments))
    one, other = ([step[:6] for step in islice(each.steps(), 150)] for each in (agent, loaded))
    assert one == other
    assert loaded.reported_changes == agent.reported_changes
    assert len(agent.reported_changes) > 0
    assert loaded.config == json.loads(json.dumps(agent.config))
    with pytest.raises(CheckpointError, match="expected a"):
        dynamaze.agents.DynaQ.load(tmp_path / "agent.npz")  # type: ignore[attr-defined]


def test_damaged_state_is_refused() -> None:
    agent = MapExplorer(maze("S.G"), seed=0).learn(5)
    state = agent.model.get_state()
    for name, wrong in (("event", 4), ("time", 6)):
        damaged = {**state, name: np.full_like(state[name], wrong)}
        with pytest.raises(ValueError, match="expected 0 to"):
            agent.model.set_state(damaged)
    for wrong_moves in ([5], [-1], [2, 2], [3, 1]):
        with pytest.raises(ValueError, match="expected ascending moves from 0 to 4"):
            agent.model.set_state({**state, "contradictions": np.array(wrong_moves)})
    assert agent.model.memory.event[0, 2] == REWARDED


def test_position_is_found_in_parts() -> None:
    """Observations (key, col, row) of a grid of 2 rows and 3 columns."""
    space = spaces.MultiDiscrete([2, 3, 2])
    grid = GridRows(Spaces(space, FOUR), None, (2, 1))
    assert grid.shape == (2, 3)
    rows = [int(np.ravel_multi_index((key, 2, 1), (2, 3, 2))) for key in range(2)]
    assert grid.cells[rows].tolist() == [5, 5]
    agent = MapExplorer(Spaces(space, FOUR), position=(2, 1))
    up = agent.model.predict(np.array(rows), np.array([UP, UP]))
    expected = [int(np.ravel_multi_index((key, 2, 0), (2, 3, 2))) for key in range(2)]
    assert up.next_observation.tolist() == expected


@pytest.mark.parametrize(
    ("space", "arguments", "message"),
    [
        (spaces.Discrete(6), {}, r"shape=None with observations Discrete\(6\)"),
        (spaces.Discrete(6), {"shape": (2, 2)}, "expected 6 cells"),
        (spaces.Discrete(6), {"shape": 6}, "expected two whole numbers"),
        (spaces.Discrete(6), {"shape": (0, 6)}, "shape=0; expected"),
        (spaces.MultiDiscrete([2, 3]), {"shape": (3, 2)}, r"expected \(2, 3\), as of the"),
        (spaces.MultiDiscrete([2, 3]), {"position": (0, 2)}, "position=2; expected"),
        (spaces.Discrete(6), {"shape": (2, 3), "displacements": [(0, 1)]}, "each of 4 actions"),
        (spaces.Discrete(6), {"shape": (2, 3), "unknown_cost": -1}, "unknown=-1; expected"),
        (spaces.Discrete(6), {"shape": (2, 3), "epsilon": 2}, "epsilon=2; expected"),
    ],
)
def test_arguments_are_checked(space: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MapExplorer(Spaces(space, FOUR), **arguments)


def test_vectors_are_refused() -> None:
    box = spaces.Box(0.0, 1.0, (2,))
    with pytest.raises(TypeError, match="a table needs Discrete"):
        MapExplorer(Spaces(box, FOUR))


def test_map_refuses_wrong_transitions() -> None:
    agent = MapExplorer(maze("S.G"), seed=0)
    wrong = Transitions(*(np.array([each]) for each in (0, RIGHT, 0.0, 3, False)))
    with pytest.raises(ValueError, match="expected"):
        agent.model.update(wrong)
    assert (agent.model.memory.event == NEVER).all()
    with pytest.raises(RuntimeError, match="cannot be sampled"):
        agent.model.sample(1, np.random.default_rng(0))
