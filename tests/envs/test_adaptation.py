"""Runs in mazes that change once: DynaMazeAdaptation-v0.

Statistical bounds are 5 standard errors: each has a false-alarm rate below 1e-6; seeds are fixed.
"""

from __future__ import annotations

import json
import warnings
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from dynamaze.envs import DynaMazeAdaptationEnv, DynaMazeEnv, DynaMazeGeneratedEnv
from dynamaze.envs.adaptation import CHANGE_KINDS

from .helpers import wander

RUNS = 400


def small(**arguments: Any) -> DynaMazeAdaptationEnv:
    return DynaMazeAdaptationEnv(**{"size": 7, "run_steps": 40, **arguments})


def test_run_keeps_maze_and_start() -> None:
    env = small(run_steps=1000, change_steps=(999, 999))
    _, info = env.reset(seed=0)
    generator: Any = DynaMazeGeneratedEnv(7, "wilson", loops=0.15)
    generator.reset(options={"level": info["level"]})
    assert env.layout == generator.layout
    for _ in range(3):
        wander(env, 50)
        env.reset()
        assert env.agent == generator.layout.starts[0]
        assert (env.layout, env.phase) == (generator.layout, 0)


def test_next_run_has_other_maze() -> None:
    env = small()
    _, first = env.reset(seed=0)
    for _ in range(40):  # the end of a run ends no episode
        env.step(0)
    assert (env.world_step, env.level) == (40, first["level"])
    _, second = env.reset()
    assert (first["run"], second["run"]) == (0, 1)
    assert second["level"] != first["level"]
    phase = env.phase
    for _ in range(39):
        env.step(0)
        _, info = env.reset()
    assert (info["run"], info["level"], info["phase"]) == (1, second["level"], phase + 1)


@pytest.mark.parametrize("options", [{"level": 5}, {"world_step": 3}])
def test_reset_option_begins_run(options: dict[str, int]) -> None:
    env = small()
    env.reset(seed=0)
    wander(env, 5)
    _, info = env.reset(options=options)
    assert info["run"] == 1
    assert env.maze.next_change >= env.world_step + 10
    assert info["level"] == options.get("level", info["level"])


def test_change_comes_once_in_middle() -> None:
    """Times are uniform: 21 of them, with 19 expected in 400 runs, and a standard error of 4.3."""
    env, times = small(size=5, observation="index"), []
    for seed in range(RUNS):
        env.reset(seed=seed)
        times.append(env.maze.next_change)
    counts = np.bincount(times, minlength=31)[10:]
    assert len(counts) == 21
    assert counts.sum() == RUNS
    assert counts.max() < RUNS / 21 + 5 * np.sqrt(RUNS / 21)
    env.reset(seed=0)
    phases = [env.step(0)[4]["phase"] for _ in range(39)]
    assert phases == [0] * (times[0] - 1) + [1] * (40 - times[0])


def kind_of(before: Any, after: Any) -> str:
    """Return the kind of a change, as it can be seen."""
    if before.goals != after.goals:
        return "goal"
    opened, closed = ((before.walls & ~after.walls).sum(), (after.walls & ~before.walls).sum())
    kinds = {(0, 1): "block", (1, 0): "shortcut", (4, 4): "walls"}
    kind = kinds[int(opened), int(closed)]
    longer = after.shortest_path_length - before.shortest_path_length
    assert {"block": longer > 0, "shortcut": longer <= -4, "walls": True}[kind]
    return kind


def test_kinds_of_change_are_equally_likely() -> None:
    """Each in a quarter of the runs, but what is impossible is a move of the goal."""
    env = small(size=9, change_steps=(1, 1))
    kinds = []
    for seed in range(RUNS):
        env.reset(seed=seed)
        before = env.layout
        env.step(0)
        kinds.append(kind_of(before, env.layout))
    shares = {kind: kinds.count(kind) / RUNS for kind in CHANGE_KINDS}
    deviation = np.sqrt(0.25 * 0.75 / RUNS)
    assert abs(shares["walls"] - 0.25) < 5 * deviation
    assert shares["goal"] > 0.25 - 5 * deviation
    for kind in ("block", "shortcut"):
        assert 0.05 < shares[kind] < 0.25 + 5 * deviation


def test_run_equals_maze_with_one_change() -> None:
    """Steps are those of a `DynaMazeEnv` with the same two layouts."""
    env = small(observation="index", slip_probability=0.0)
    env.reset(seed=3)
    step, first = env.maze.next_change, env.layout
    found = wander(env, 39)
    reference = DynaMazeEnv(first, {step: env.layout})
    reference.reset(seed=0)
    expected = wander(reference, 39)
    assert [each[:4] for each in found] == [each[:4] for each in expected]
    assert env.layout != first


def test_observation_shows_experience_only() -> None:
    env = small(goal_reward=2.5, step_reward=-0.5, run_steps=400)
    observation, _ = env.reset(seed=0)
    start = env.layout.index(env.layout.starts[0])
    assert observation["observation"] == start
    assert (observation["last_action"], observation["last_reward"].item()) == (4, 0.0)
    path = env.layout.shortest_path
    moves = {(-1, 0): 0, (0, 1): 1, (1, 0): 2, (0, -1): 3}
    for here, there in pairwise(path):
        action = moves[there[0] - here[0], there[1] - here[1]]
        observation, reward, *_ = env.step(action)
        assert observation["observation"] == env.layout.index(there)
        assert observation["last_action"] == action
        assert observation["last_reward"].item() == reward
    assert reward == 2.5
    assert env.observation_space.contains(observation)


@pytest.mark.parametrize("of", ["index", "coordinates", "one_hot"])
def test_cell_has_several_forms(of: str) -> None:
    plain = DynaMazeGeneratedEnv(7, observation=of)
    env = small(observation={"kind": "experience", "of": of})
    assert env.observation_space["observation"] == plain.observation_space  # type: ignore[index]
    assert small(observation=of).observation_space == plain.observation_space


def test_checkers_pass_without_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make("DynaMazeAdaptation-v0").unwrapped)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last_actions", [5, 0]),
        ("last_actions", [0]),
        ("last_rewards", ["a", 0]),
        ("run_end", None),
    ],
)
def test_wrong_vector_state_is_refused(name: str, value: Any) -> None:
    env: Any = gym.make_vec("DynaMazeAdaptation-v0", 2, size=5)
    env.reset(seed=0)
    state = json.loads(json.dumps(env.unwrapped.get_state()))
    wrong = json.loads(json.dumps(state))
    if name in wrong:
        wrong[name] = value
    else:
        wrong["envs"][0]["world"][name] = value
    with pytest.raises(ValueError, match="not a state that"):
        env.unwrapped.set_state(wrong)
    assert env.unwrapped.get_state() == state


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"observation": "planes"}, ValueError, "observation='planes'; expected one of"),
        (
            {"observation": {"kind": "experience", "of": "planes"}},
            ValueError,
            "observation='planes'; expected one of",
        ),
        ({"run_steps": 1}, ValueError, "run_steps=1; expected a whole number in"),
        ({"change_steps": (5, 40)}, ValueError, r"change_steps=40; .* in \[5, 39\]"),
        ({"change_steps": (9, 5)}, ValueError, r"change_steps=5; .* in \[9, 39\]"),
        ({"change_steps": (9,)}, ValueError, "expected two steps, the first one first"),
        ({"change_steps": 9}, TypeError, "expected two steps, the first one first"),
        ({"change_kinds": []}, ValueError, "expected one or more of"),
        ({"change_kinds": ["wals"]}, ValueError, "did you mean 'walls'"),
        ({"algorithm": "empty", "loops": 0.2}, ValueError, "loops=0.2 with algorithm 'empty'"),
        ({"size": 2}, ValueError, "size=2; expected a whole number of at least 3"),
    ],
)
def test_arguments_are_checked(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        small(**arguments)


@pytest.mark.parametrize("algorithm", ["prim", "rooms", "obstacles", "empty"])
def test_other_generators_change_once(algorithm: str) -> None:
    env = small(algorithm=algorithm)
    env.reset(seed=0)
    wander(env, 39)
    assert env.phase + env.maze.skipped == 1
