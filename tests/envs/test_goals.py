"""Goal environments: `compute_reward` is the reward of every step, or the maze is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import DynaMazeEnv, Layout

RandomLayout = Callable[[np.random.Generator], Layout]

STEPS = {"step_reward": -0.5, "goal_reward": 2.0}

KEPT: dict[str, dict[str, Any]] = {
    "plain": {"layout": ["S.G"]},
    "slip": {"layout": ["S..", "..G"], "slip_probability": 0.4, **STEPS},
    "equal rewards": {"layout": ["S.#", "..G"], "goal_reward": 0.0},
    "starts": {"layout": ["S.S", ".G.", "S.S"], **STEPS},
    "wall falls": {"layout": ["S..", "..G"], "changes": {2: ["S#.", "..G"], 5: ["S..", "#.G"]}},
    "start and slip": {"layout": ["S..G"], "changes": {3: {"start": (0, 1)}}, **STEPS},
    "goal by episode": {
        "layout": ["S.G", "..."],
        "changes": {"episode 1": {"goal": (1, 0)}, "episode 2": ["..G", ".S."]},
        **STEPS,
    },
    "walls": {
        "layout": ["S.#.", "#..G"],
        "random_changes": {"when": "poisson", "rate": 2.0, "what": ["walls", "start", "slip"]},
        **STEPS,
    },
}
GENERATED = {"size": 3, "algorithm": "obstacles", "levels": 4}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two goals": ({"layout": ["G.S.G"]}, "a layout of 2 goals; expected one"),
    "later goals": (
        {"layout": ["S..G"], "changes": {"episode 3": {"goal": [(0, 2), (0, 3)]}}},
        "a layout of 2 goals",
    ),
    "goal moves": ({"layout": ["S..G"], "changes": {4: {"goal": (0, 1)}}}, "goal moves from"),
    "wall": ({"layout": ["S..G"], "wall_reward": -1}, "wall_reward=-1 and step_reward=0"),
    "later wall": ({"layout": ["S..G"], "changes": {4: {"wall_reward": -1}}}, "wall_reward=-1"),
    "reward": ({"layout": ["S..G"], "changes": {4: {"goal_reward": 9}}}, "rewards that change"),
    "random goal": (
        {"layout": ["S..G"], "random_changes": {"probability": 1, "what": "goal"}},
        "random_changes of goal;",
    ),
    "random reward": (
        {"layout": ["S..G"], "random_changes": {"probability": 1, "what": ["rewards", "slip"]}},
        "random_changes of rewards;",
    ),
}


def makers(kwargs: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return ids and arguments of a maze on a grid and for points."""
    more = {"observation": "goal", **kwargs}
    point = {"noise": 0.3, "step_size": 0.9, "action": "discrete"}
    return [("DynaMaze-v0", more), ("DynaMazeContinuous-v0", {**more, **point})]


CASES = [case for kwargs in KEPT.values() for case in makers(kwargs)] + [
    ("DynaMazeGenerated-v0", {"observation": "goal", **GENERATED, **STEPS}),
    ("DynaMazeContinuous-v0", {"observation": "goal", "layout": GENERATED, "action": "discrete"}),
    ("DynaMazeDrifting-v0", {"observation": "goal"}),
    ("DynaMaze-v0", {"observation": {"kind": "action_mask", "of": "goal"}, "layout": "S.G"}),
    ("DynaMaze-v0", {"observation": "goal", "change_info": "cells", "layout": "S.G"}),
]


@pytest.mark.parametrize(("env_id", "kwargs"), CASES)
def test_compute_reward_is_step_reward(env_id: str, kwargs: dict[str, Any]) -> None:
    env: Any = gym.make(env_id, **kwargs).unwrapped
    rng = np.random.default_rng(0)
    batch: list[tuple[Any, ...]] = []
    env.reset(seed=0)
    for action in rng.integers(4, size=150).tolist():
        seen, reward, terminated, _, info = env.step(action)
        goals = seen["achieved_goal"], seen["desired_goal"]
        assert env.compute_reward(*goals, info) == reward
        batch.append((*goals, info, reward, terminated))
        if terminated:
            with pytest.raises(gym.error.ResetNeeded, match="on a goal"):
                env.step(action)
            env.reset()
    achieved, desired, infos, rewards, ends = zip(*batch, strict=True)
    computed = env.compute_reward(np.array(achieved), np.array(desired), infos)
    assert computed.tolist() == list(rewards)
    assert any(ends) or env_id == "DynaMazeDrifting-v0"


def random_task(rng: np.random.Generator, random_layout: RandomLayout) -> dict[str, Any]:
    """Return arguments of a random maze that changes, in a way that may be refused."""
    layout = random_layout(rng)
    rewards = [0.0, -0.5, 2.0]
    task: dict[str, Any] = {
        "layout": layout.to_rows(),
        "slip_probability": float(rng.choice([0.0, 0.3])),
        "step_reward": float(rng.choice(rewards)),
        "goal_reward": float(rng.choice(rewards)),
    }
    row, col = (int(one) for one in rng.choice(np.argwhere(~layout.walls)))
    change = [
        {"goal": (row, col)},
        {"start": (row, col)},
        {"goal_reward": float(rng.choice(rewards))},
        {"wall_reward": float(rng.choice(rewards))},
        {"slip_probability": 0.5},
    ][rng.integers(5)]
    if rng.random() < 0.6:
        task["changes"] = {str(rng.choice(["3", "9", "episode 2"])): change}
    if rng.random() < 0.3:
        what = rng.permutation(["walls", "start", "goal", "rewards", "slip"])[: rng.integers(1, 3)]
        task["random_changes"] = {"when": "poisson", "rate": 0.5, "what": what.tolist()}
    return task


def make_or_none(task: dict[str, Any]) -> DynaMazeEnv | None:
    """Return the environment with goals, or None if it is refused for them."""
    try:
        return DynaMazeEnv(**task, observation="goal")
    except ValueError as error:
        if "observation 'goal'" not in str(error):
            raise
        return None


def test_random_mazes_are_exact_or_refused(random_layout: RandomLayout) -> None:
    rng = np.random.default_rng(0)
    kept = steps = 0
    for number in range(250):
        task = random_task(rng, random_layout)
        try:
            DynaMazeEnv(**task)
        except ValueError:  # a start on a goal, or no wall that could move
            continue
        env = make_or_none(task)
        if env is None:
            continue
        kept += 1
        env.reset(seed=number)
        for action in rng.integers(4, size=40).tolist():
            if rng.random() < 0.1:
                with contextlib.suppress(ValueError):  # a goal at the agent, or on a wall
                    env.change({"goal": tuple(rng.integers(4, size=2).tolist())})
            seen, reward, terminated, _, info = env.step(action)
            steps += 1
            assert env.compute_reward(seen["achieved_goal"], seen["desired_goal"], info) == reward
            if terminated:
                env.reset()
    assert 30 < kept < 220
    assert steps > 1000


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
@pytest.mark.parametrize(("env_id", "kwargs"), [makers(KEPT["walls"])[0], CASES[-5]])
def test_compute_reward_of_vector_env(env_id: str, kwargs: dict[str, Any], mode: str) -> None:
    env: Any = gym.make_vec(env_id, 4, autoreset_mode=mode, **kwargs)
    env.reset(seed=0)
    begins = np.zeros(4, dtype=np.bool_)
    for _ in range(60):
        seen, reward, terminated, truncated, infos = env.step(env.action_space.sample())
        goals = [seen[name].copy() for name in ("achieved_goal", "desired_goal")]
        for i in np.flatnonzero(infos.get("_final_obs", [])):
            for goal, name in zip(goals, ("achieved_goal", "desired_goal"), strict=True):
                goal[i] = infos["final_obs"][i][name]
        took_step = ~begins if mode == "NextStep" else np.ones(4, dtype=np.bool_)
        assert (env.compute_reward(*goals, infos) == reward)[took_step].all()
        begins = terminated | truncated
    assert not hasattr(gym.make_vec("DynaMaze-v0", 2), "compute_reward")


@pytest.mark.parametrize("mode", ["SameStep", "NextStep", "Disabled"])
def test_vector_env_refuses_step_on_goal(mode: str) -> None:
    kwargs = {"layout": ["SG.", "..."], "observation": "goal"}
    env: Any = gym.make_vec("DynaMaze-v0", 2, autoreset_mode=mode, **kwargs)
    env.reset(seed=0)
    env.call("change", {"goal": (1, 2)})
    env.step([1, 0])
    env.set_attr("world_step", 0)  # undoes the change: the first agent stands on the goal
    with pytest.raises(gym.error.ResetNeeded, match="an agent on a goal"):
        env.step([1, 1])
    env.reset(options={"reset_mask": np.array([True, False])})
    _, _, terminated, _, _ = env.step([1, 1])
    assert terminated.all()
    env.call("get_state")  # looks at agents on goals whose episodes have ended
    if mode != "Disabled":
        env.step([1, 1])
        env.step([1, 1])


@pytest.mark.parametrize(("kwargs", "message"), REFUSED.values(), ids=REFUSED)
def test_unclear_rewards_are_refused(kwargs: dict[str, Any], message: str) -> None:
    for env_id, more in makers(kwargs):
        with pytest.raises(ValueError, match=f"observation 'goal' .*{message}"):
            gym.make(env_id, **more)


@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeContinuous-v0"])
def test_change_by_call_is_refused(env_id: str) -> None:
    env: Any = gym.make(env_id, layout="S..G", observation="goal").unwrapped
    env.reset(seed=0)
    before = env.get_state()
    for change in ({"goal": (0, 0), "start": (0, 1)}, "SG.G", {"goal_reward": 5}):
        with pytest.raises(ValueError, match="observation 'goal'"):
            env.change(change)
    assert env.get_state() == before
    env.change({"goal": (0, 2)})
    assert env.reset()[0]["desired_goal"].astype(int).tolist() == [0, 2]


def test_goal_shapes_are_checked() -> None:
    compute = gym.make("DynaMaze-v0", observation="goal").get_wrapper_attr("compute_reward")
    for wrong, message in (
        (np.zeros(3), r"achieved_goal of shape \(3,\)"),
        ([[0, 1], [2]], "achieved_goal of shape"),
        (["a", "b"], "achieved_goal=.*expected numbers"),
        (np.zeros((5, 2)), "the same number of goals"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            compute(wrong, np.zeros((4, 2)), {})


def test_every_id_is_covered() -> None:
    goal_ids = {env_id for env_id, _ in CASES}
    assert set(ENVIRONMENTS) - goal_ids == {
        "DynaMazeBlocking-v0",
        "DynaMazeShortcut-v0",
        "DynaMazeAdaptation-v0",
        "DynaMazeLoCA-v0",
        "DynaMazeLoCAContinuous-v0",
    }
    for env_id in ENVIRONMENTS:
        if "LoCA" in env_id:
            with pytest.raises(ValueError, match="observation='goal' in a LoCA"):
                gym.make(env_id, observation="goal")
