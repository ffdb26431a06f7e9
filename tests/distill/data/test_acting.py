"""Policies as agents of one environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents.policies import policy_episodes
from dynamaze.distill.data.acting import MapActor, actor_for, keeps_map, sees_mazes
from dynamaze.distill.students.registry import make_student

from ..exact_map_planner import expert_student
from ..exact_value_iteration import exact_value_iteration


class Watched:
    """A policy with a map that records what it is shown."""

    def __init__(self) -> None:
        self.memory: Any = "of another run"
        self.seen: list[list[float]] = []
        self.resets = 0
        self.grid: Any = None

    def act(self, observation: Any) -> int:
        self.memory = self.memory or 0
        self.memory += 1
        self.seen.append(observation.tolist())
        return 1

    def reset(self) -> None:
        self.resets += 1


@pytest.mark.parametrize("observation", ["index", "experience"])
def test_map_actor_tells_last_step(observation: str) -> None:
    if observation == "index":
        env = gym.make("DynaMaze-v0", layout="S.G", observation=observation)
    else:
        env = gym.make("DynaMazeAdaptation-v0", size=5, observation=observation)
    policy = Watched()
    actor = actor_for(env, policy, "mine")
    assert isinstance(actor, MapActor)
    assert policy.memory is None
    steps = policy_episodes(actor.act, env, 0, on_reset=actor.reset, update=actor.update)
    taken = [next(steps) for _ in range(2)]
    assert policy.seen[0][1:] == [0, 0]
    assert policy.seen[1][1:] == [1, 0]
    if observation == "index":
        assert taken[1].terminated
        assert policy.seen[2] == [2, 1, 1]  # it sees where the episode ended
        assert policy.resets == 1
        assert policy.grid == (1, 3)


def test_map_actor_clears_map_with_run() -> None:
    env = gym.make(
        "DynaMazeAdaptation-v0", size=5, run_steps=7, observation="index", max_episode_steps=4
    )
    policy = Watched()
    actor = MapActor(env, policy, "mine")
    steps = policy_episodes(actor.act, env, 0, on_reset=actor.reset, update=actor.update)
    counts = []
    for _ in range(12):
        step = next(steps)
        counts.append((env.unwrapped.run, policy.memory))  # type: ignore[attr-defined]
        assert step.info["run"] == env.unwrapped.run  # type: ignore[attr-defined]
    # One observation a step, and one at the end of each episode of four.
    assert counts == [(0, n) for n in (1, 2, 3, 5, 6, 7, 8, 10)] + [(1, n) for n in (1, 2, 3, 5)]


def test_runs_exist_where_declared() -> None:
    env: Any = gym.make("DynaMazeGenerated-v0").unwrapped
    env.reset(seed=0)
    assert env.run is None
    env = gym.make("DynaMazeAdaptation-v0").unwrapped
    env.reset(seed=0)
    assert env.run == 0


@pytest.mark.parametrize(
    ("env_id", "options"),
    [("DynaMaze-v0", {"observation": "planes"}), ("CartPole-v1", {}), ("FrozenLake-v1", {})],
)
def test_map_policy_refuses_other_observation(env_id: str, options: dict[str, Any]) -> None:
    message = rf'mine does not fit {env_id}: expected a maze of cells with observation="index" or '
    with pytest.raises(ValueError, match=message):
        actor_for(gym.make(env_id, **options), expert_student(), "mine")


@pytest.mark.parametrize(
    ("env_id", "options"), [("DynaMazeAdaptation-v0", {}), ("DynaMaze-v0", {"observation": "goal"})]
)
def test_student_of_planes_refuses_unseen_maze(env_id: str, options: dict[str, Any]) -> None:
    env = gym.make(env_id, **options)
    with pytest.raises(ValueError, match="it sees whole mazes and keeps no map; expected") as error:
        actor_for(env, exact_value_iteration(), "mine")
    assert "\n" not in str(error.value)


def test_fitting_policy_is_itself() -> None:
    env = gym.make("DynaMaze-v0", observation="planes")
    student = exact_value_iteration()
    assert actor_for(env, student, "mine") is student
    assert sees_mazes(student)
    assert not keeps_map(student)
    small = make_student("mlp", observation_shape=(4,), num_actions=2)
    assert not sees_mazes(small)
    assert keeps_map(expert_student())
    np.testing.assert_equal(actor_for(gym.make("CartPole-v1"), small, "small"), small)
