"""Environment of points: Gymnasium's contract, actions, rewards, states and copies."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dynamaze  # noqa: F401
from dynamaze.envs import DynaMazeContinuousEnv, LayoutError

from ..helpers import COPIES, her_samples

OBSERVATIONS = ["position", "position_velocity", "rays", "goal", "rgb"]
ACTIONS = ["continuous", "discrete"]
BELOW = float(np.nextafter(np.float32(1), np.float32(0)))
Same = Callable[[Any, Any], None]


def walk(env: DynaMazeContinuousEnv, steps: int, seed: int = 0) -> list[Any]:
    env.action_space.seed(seed)
    results = []
    for _ in range(steps):
        results.append(env.step(env.action_space.sample()))
        if results[-1][2]:
            results.append(env.reset())
    return results


# -- the contract ------------------------------------------------------------------------------


@pytest.mark.parametrize("change_info", ["none", "cells"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_checker_gymnasium_passes(observation: Any, action: str, change_info: str) -> None:
    env = gym.make(
        "DynaMazeContinuous-v0",
        observation=observation,
        action=action,
        inertia=0.5,
        change_info=change_info,
        change_info_in="observation",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_checker_sb3_passes(observation: Any, action: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    env = gym.make("DynaMazeContinuous-v0", observation=observation, action=action)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The image of this maze is smaller than the checker's recommended minimum.
        warnings.filterwarnings("ignore", ".*minimal resolution.*")
        checker.check_env(env.unwrapped)


def test_render_shows_point() -> None:
    frames = []
    for place in ([2.5, 0.3, 0, 0], [2.5, 0.7, 0, 0]):
        env = DynaMazeContinuousEnv(render_mode="rgb_array")
        env.reset(seed=0)
        env.set_state({**env.get_state(), "state": place})
        frames.append(env.render())
        assert env.scene().position == pytest.approx(tuple(place[:2]))
        assert env.scene().agent == env.agent == (2, 0)
    assert (frames[0] != frames[1]).any()
    text = DynaMazeContinuousEnv(layout="S.G", render_mode="ansi", noise=0.0, step_size=1)
    text.reset(seed=0)
    text.step(np.array([0, 1]))
    assert text.render() == "SAG"


def test_scene_holds_path() -> None:
    env = DynaMazeContinuousEnv(layout="S...G", noise=0.0, render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(3):
        env.step(np.array([0.0, 1.0]))
    assert env.scene().path == ((0.5, 1.0), (0.5, 1.5), (0.5, 2.0))
    assert env.render().shape[2] == 3
    env.reset()
    assert env.scene().path == ()


# -- actions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [0, 1, 2, 3])
def test_discrete_actions_move_like_grid(action: int) -> None:
    env = DynaMazeContinuousEnv(["...", ".S.", "..G"], action="discrete", noise=0.0, step_size=0.25)
    env.reset(seed=0)
    down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[action]
    observation, *_ = env.step(np.array(action))
    assert observation.tolist() == [1.5 + down / 4, 1.5 + right / 4]


def test_actions_are_clipped() -> None:
    env = DynaMazeContinuousEnv(["...", ".S.", "..G"], noise=0.0)
    env.reset(seed=0)
    observation, *_ = env.step(np.array([-9.0, 0.25]))
    assert observation.tolist() == [1.0, 1.625]


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (np.array([np.nan, 0.0]), ValueError, "expected two finite numbers"),
        ([0.0, math.inf], ValueError, "expected two finite numbers"),
        (0.5, ValueError, r"shape \(\); expected \(2,\)"),
        ([0.1, 0.2, 0.3], ValueError, r"shape \(3,\)"),
        (["up", "left"], TypeError, "expected real numbers"),
        (None, TypeError, "expected real numbers"),
        ([True, False], TypeError, "dtype bool"),
    ],
)
def test_actions_reject_bad_continuous(action: Any, error: type[Exception], message: str) -> None:
    env = DynaMazeContinuousEnv()
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(error, match=message):
        env.step(action)
    assert env.get_state() == before


@pytest.mark.parametrize(("action", "error"), [(4, ValueError), (-1, ValueError), (1.0, TypeError)])
def test_actions_reject_bad_discrete(action: Any, error: type[Exception]) -> None:
    env = DynaMazeContinuousEnv(action="discrete")
    env.reset(seed=0)
    with pytest.raises(error, match="expected an integer from 0 to 3"):
        env.step(action)


def test_step_needs_reset() -> None:
    with pytest.raises(gym.error.ResetNeeded, match="first reset"):
        DynaMazeContinuousEnv().step(np.zeros(2))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"action": "continous"}, ValueError, "did you mean 'continuous'"),
        ({"observation": "positon"}, ValueError, "did you mean 'position'"),
        ({"observation": "index"}, ValueError, "expected one of"),
        ({"step_size": 0}, ValueError, "step_size=0"),
        ({"step_size": 1e7}, ValueError, "step_size"),
        ({"step_size": "far"}, TypeError, "step_size"),
        ({"inertia": 1}, ValueError, "inertia=1"),
        ({"inertia": -0.1}, ValueError, "inertia=-0.1"),
        ({"noise": -1}, ValueError, "noise=-1"),
        ({"noise": math.nan}, ValueError, "noise=nan"),
        ({"layout": {"size": 2}}, ValueError, "size"),
        ({"layout": {"size": 5}, "changes": {3: "S.G"}}, ValueError, "changes"),
        ({"layout": ["S" + "." * 4096 + "G"]}, LayoutError, "at most 4096"),
    ],
)
def test_arguments_are_checked(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DynaMazeContinuousEnv(**arguments)


# -- motion and rewards ------------------------------------------------------------------------


def test_rewards_and_termination() -> None:
    env = DynaMazeContinuousEnv(
        "S.G", noise=0.0, step_size=1, goal_reward=5, step_reward=-1, wall_reward=-2
    )
    env.reset(seed=0)
    actions = ([0, 0.25], [1, 0], [0, -1], [1, 1], [0, 1])
    rewards = [env.step(np.array(action))[1:3] for action in actions]
    assert rewards == [(-1.0, False), (-2.0, False), (-2.0, False), (-2.0, False), (5.0, True)]


def test_inertia_keeps_velocity() -> None:
    env = DynaMazeContinuousEnv(
        ["S.........G"] + ["..........."] * 3,
        noise=0.0,
        inertia=0.5,
        step_size=0.25,
        observation="position_velocity",
    )
    assert env.observation_space.high.tolist() == [4, 11, 0.5, 0.5]  # type: ignore[attr-defined]
    env.reset(seed=0)
    assert env.velocity == (0.0, 0.0)
    expected = [
        ([0, 9], [0.5, 0.75, 0, 0.25]),  # clipped
        ([0, 1], [0.5, 1.125, 0, 0.375]),
        ([9, 0], [0.75, 1.3125, 0.25, 0.1875]),  # clipped
        ([-1, 0], [0.625, 1.40625, -0.125, 0.09375]),
        ([-1, 0], [0.3125, 1.453125, -0.3125, 0.046875]),
        ([-1, 0], [0.0, 1.4765625, 0.0, 0.0234375]),  # the edge
        ([0, 0], [0.0, 1.48828125, 0.0, 0.01171875]),
    ]
    for action, state in expected:
        assert env.step(np.array(action))[0].tolist() == state
    assert env.velocity == (0.0, 0.01171875)
    assert env.position == (0.0, 1.48828125)


def test_slip_turns_action() -> None:
    """False alarm: 6 standard errors, twice, once in 10^8."""
    env = DynaMazeContinuousEnv(
        ["." * 9] * 8 + ["S.......G"], noise=0.0, slip_probability=0.3, step_size=1
    )
    env.reset(seed=0)
    n, moves = 4000, []
    for _ in range(n):
        now = env.get_state()
        env.set_state({**now, "state": [4.5, 4.5, 0, 0]})
        observation, *_ = env.step(np.array([1.0, 0.25]))
        moves.append(tuple((observation - 4.5).tolist()))
    assert set(moves) == {(1.0, 0.25), (0.25, -1.0), (-0.25, 1.0)}
    for turned in ((0.25, -1.0), (-0.25, 1.0)):
        assert abs(moves.count(turned) / n - 0.15) < 6 * math.sqrt(0.15 * 0.85 / n)


def test_step_equals_grid_step() -> None:
    config: dict[str, Any] = {
        "layout": "S.G\n.S#\n#SG",
        "slip_probability": 0.5,
        "step_reward": -1.0,
        "wall_reward": -2.0,
        "random_changes": {"when": "each_step", "probability": 0.5, "what": ["walls", "start"]},
        "change_info": "change",
    }
    point = DynaMazeContinuousEnv(**config, action="discrete", step_size=1, noise=0.0)
    grid: Any = gym.make("DynaMaze-v0", **config).unwrapped
    for seed in range(60):
        assert point.reset(seed=seed)[1] == grid.reset(seed=seed)[1]
        assert point.agent == grid.agent
        assert point.step(seed % 4)[1:] == grid.step(seed % 4)[1:]
        assert point.agent == grid.agent
        assert point.layout == grid.layout


def test_goal_at_point_terminates() -> None:
    env = DynaMazeContinuousEnv("S..G", noise=0.0, step_size=1)
    env.reset(seed=0)
    env.step(np.array([0, 1]))
    env.change({"goal": (0, 1)})
    observation, reward, terminated, *_ = env.step(np.array([0, -1]))
    assert (observation.tolist(), reward, terminated) == ([0.5, 1.5], 0.0, True)


def test_wall_at_point_keeps_position() -> None:
    env = DynaMazeContinuousEnv(
        "S..G\n....", changes={1: ".#.G\nS..."}, noise=0.0, step_size=0.5, action="discrete"
    )
    env.reset(seed=0)
    env.step(1)
    assert env.agent == (0, 1)
    assert env.layout.walls[0, 1]
    assert env.step(1)[0].tolist() == [0.5, 1.5]  # inside the wall's cell
    assert env.step(1)[0].tolist() == [0.5, 2.0]  # leaves it
    assert env.step(3)[0].tolist() == [0.5, 2.0]  # and does not come back


def test_position_is_exact_state() -> None:
    env = DynaMazeContinuousEnv(noise=0.3, step_size=2.0)
    observation, _ = env.reset(seed=0)
    for result in walk(env, 2000):
        observation = result[0]
        assert observation in env.observation_space
        assert not env.layout.walls[tuple(observation.astype(int))]
    assert env.position == tuple(observation.tolist())
    assert env.agent == tuple(observation.astype(int).tolist())


def test_rounding_stays_out_of_walls() -> None:
    grain = 2.0**-25
    env = DynaMazeContinuousEnv("S#\nG.", noise=0.0, step_size=0.75 - 2 * grain)
    env.reset(seed=0)
    env.set_state({**env.get_state(), "state": [0.5, 0.25 + grain, 0, 0]})
    observation, *_ = env.step(np.array([0, 1]))  # to 1 - grain, which float32 rounds to 1
    assert observation.tolist() == [0.5, BELOW]


def test_rays_are_exact_distances() -> None:
    env = DynaMazeContinuousEnv(["..#..", ".S..G", "....."], observation="rays", noise=0.0)
    observation, _ = env.reset(seed=0)
    root = math.sqrt(2)
    lengths = [1.5, 0.5 * root, 3.5, 1.5 * root, 1.5, 1.5 * root, 1.5, 1.5 * root]
    np.testing.assert_allclose(observation[:8], lengths, rtol=1e-6)
    assert observation[8:].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    env.set_state({**env.get_state(), "state": [1.5, 4.5, 0, 0]})
    assert env.step(np.zeros(2))[0][8:].tolist() == [1] * 8  # in the goal


def test_generated_mazes_change_each_episode() -> None:
    env = DynaMazeContinuousEnv({"size": 7, "algorithm": "prim", "levels": 50}, observation="rays")
    levels = {env.reset(seed=0 if episode == 0 else None)[1]["level"] for episode in range(20)}
    assert len(levels) > 5
    _, info = env.reset(options={"level": 3})
    assert info["level"] == env.level == 3
    grid: Any = gym.make("DynaMazeGenerated-v0", size=7, algorithm="prim", levels=50).unwrapped
    grid.reset(options={"level": 3})
    assert grid.layout == env.layout


# -- goals -------------------------------------------------------------------------------------


def test_compute_reward_equals_step_reward() -> None:
    env = DynaMazeContinuousEnv(
        "S..\n..G", observation="goal", step_size=1.5, noise=0.5, step_reward=-1.0, wall_reward=-1.0
    )
    env.reset(seed=0)
    seen = set()
    for result in walk(env, 500):
        if len(result) == 5:
            observation, reward, terminated, *_ = result
            goals = observation["achieved_goal"], observation["desired_goal"]
            assert env.compute_reward(*goals, {}) == reward
            assert observation["desired_goal"].tolist() == [1.5, 2.5]
            seen.add((reward, terminated))
    assert seen == {(-1.0, False), (1.0, True)}
    several = np.array([[0.0, 0.0], [0.9, 0.1], [1.0, 0.5]]), np.full((3, 2), 0.5)
    assert env.compute_reward(*several, [{}] * 3).tolist() == [1.0, 1.0, -1.0]


def test_desired_goal_follows_goal() -> None:
    env = DynaMazeContinuousEnv("S.G\n...", {"episode 1": {"goal": (1, 0)}}, observation="goal")
    observation, _ = env.reset(seed=0)
    assert observation["desired_goal"].tolist() == [0.5, 2.5]
    env.change({"goal": (1, 2)})
    observation, *_ = env.step(np.zeros(2))
    assert observation["desired_goal"].tolist() == [1.5, 2.5]
    observation, _ = env.reset()
    assert observation["desired_goal"].tolist() == [1.5, 0.5]


def test_her_runs() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    env = gym.make(
        "DynaMazeContinuous-v0",
        layout="S..\n..G",
        observation={"kind": "goal", "of": "position_velocity"},
        step_reward=-1.0,
        wall_reward=-1.0,
        goal_reward=0.0,
        max_episode_steps=20,
    )
    batch = her_samples(
        sb3.SAC, env, steps=120, learning_starts=50, policy_kwargs={"net_arch": [8]}
    )
    achieved, desired = (
        np.floor(batch.next_observations[name].numpy())
        for name in ("achieved_goal", "desired_goal")
    )
    reached = (achieved == desired).all(axis=1)
    np.testing.assert_array_equal(batch.rewards.numpy()[:, 0], np.where(reached, 0.0, -1.0))
    assert reached.any()


# -- states and copies -------------------------------------------------------------------------

BUSY: dict[str, Any] = {
    "layout": "S..#\n.#.S\n...G",
    "slip_probability": 0.2,
    "inertia": 0.6,
    "observation": "position_velocity",
    "random_changes": {"when": "each_step", "probability": 0.1},
    "change_info": "cells",
}


def test_state_round_trips(same: Same) -> None:
    env, other = DynaMazeContinuousEnv(**BUSY), DynaMazeContinuousEnv(**BUSY)
    env.reset(seed=1)
    walk(env, 77)
    state = json.loads(json.dumps(env.get_state()))
    assert state == env.get_state()
    other.set_state(state)
    assert other.get_state() == state
    for left, right in zip(walk(env, 300, seed=5), walk(other, 300, seed=5), strict=True):
        same(left, right)


@pytest.mark.parametrize(
    "place",
    [
        [2.5, 0.5, 0.0],
        [2.5, 9.0, 0.0, 0.0],
        [-0.1, 0.5, 0.0, 0.0],
        [2.5, math.nan, 0.0, 0.0],
        [2.5, 0.5, 0.6, 0.0],
        "here",
        7,
    ],
)
def test_state_rejects_bad_values(place: Any) -> None:
    env = DynaMazeContinuousEnv()
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError, match="state"):
        env.set_state({**before, "state": place, "world_step": 5})
    assert env.get_state() == before


def test_state_before_reset_round_trips() -> None:
    env = DynaMazeContinuousEnv()
    env.set_state(env.get_state())
    assert env.agent is env.position is env.velocity is None


@pytest.mark.parametrize("make_copy", COPIES)
def test_copy_continues_identically(make_copy: Callable[[Any], Any], same: Same) -> None:
    env = DynaMazeContinuousEnv(**BUSY, render_mode="rgb_array")
    env.reset(seed=3)
    walk(env, 50)
    env.render()
    other = make_copy(env)
    for left, right in zip(walk(env, 200, seed=5), walk(other, 200, seed=5), strict=True):
        same(left, right)
    np.testing.assert_array_equal(env.render(), other.render())


def test_results_are_not_modified() -> None:
    env = DynaMazeContinuousEnv(observation="position_velocity")
    kept, _ = env.reset(seed=0)
    before = kept.copy()
    walk(env, 20)
    np.testing.assert_array_equal(kept, before)


def test_actions_are_not_modified() -> None:
    env = DynaMazeContinuousEnv()
    env.reset(seed=0)
    action = np.array([7.0, -3.0], dtype=np.float32)
    env.step(action)
    assert action.tolist() == [7.0, -3.0]


def test_keys_move_point() -> None:
    for kind in ACTIONS:
        env = DynaMazeContinuousEnv(action=kind, noise=0.0)
        env.reset(seed=0)
        for action in env.get_keys_to_action().values():
            assert action in env.action_space
            env.step(action)
        assert env.position == (2.5, 0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"noise": 0.0},
        {"noise": 0.0, "action": "discrete", "step_size": 1.3},
        {"noise": 0.0, "id": "DynaMazeLoCAContinuous-v0"},
        {"noise": 0.0, "inertia": 0.6, "observation": "position_velocity", "step_reward": -0.1},
    ],
)
def test_sample_transitions_equals_step(options):
    env = gym.make(**{"id": "DynaMazeContinuous-v0", **options})
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    seen, actions, following, rewards, ends = [], [], [], [], []
    for _ in range(300):
        action = env.action_space.sample()
        seen.append(observation)
        actions.append(action)
        observation, reward, terminated, _, _ = env.step(action)
        following.append(observation)
        rewards.append(reward)
        ends.append(terminated)
        if terminated:
            observation, _ = env.reset()
    before = env.unwrapped.get_state()
    imagined = env.unwrapped.sample_transitions(
        np.array(seen), np.array(actions), np.random.default_rng(0)
    )
    assert env.unwrapped.get_state() == before
    for found, expected in zip(imagined, (following, rewards, ends), strict=True):
        np.testing.assert_array_equal(found, np.array(expected, dtype=found.dtype))


@pytest.mark.parametrize("env_id", ["DynaMazeContinuous-v0", "DynaMazeLoCAContinuous-v0"])
@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (np.full((3, 2), 99.0), [0, 1, 2], "expected positions in the"),
        (np.full((3, 2), np.nan), [0, 1, 2], "expected positions in the"),
        (np.ones((3, 3)), [0, 1, 2], "observations of shape"),
        (np.ones((3, 2)), [0, 1], "actions of shape"),
        (np.ones((3, 2)), [0, 1, -1], "action -1"),
        (np.ones((3, 2)), [0, 1, True], "action True"),
    ],
)
def test_sample_transitions_checks_arguments(env_id, observations, actions, message):
    env = gym.make(env_id, action="discrete").unwrapped
    with pytest.raises((ValueError, TypeError), match=message):
        env.sample_transitions(observations, actions, np.random.default_rng(0))
    assert len(env.sample_transitions(np.ones((0, 2)), np.ones(0, int), np.random)[0]) == 0


def test_sample_transitions_has_env_noise():
    """Standard deviations of 4000 draws, within 5 of their own (false alarms: 2e-6)."""
    env = gym.make("DynaMazeContinuous-v0", noise=0.05, layout="...\n.S.\n..G")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    many = np.full((4000, 2), 0.75, dtype=np.float32)
    following, _, _ = env.unwrapped.sample_transitions(many, np.full((4000, 2), 0.2), rng)
    spread = (following - many).std(axis=0)
    assert np.abs(spread - 0.05).max() < 5 * 0.05 / np.sqrt(2 * 4000)


@pytest.mark.parametrize("options", [{"observation": "rays"}, {"inertia": 0.5}])
def test_sample_transitions_rejects_partial_observations(options):
    env = gym.make("DynaMazeContinuous-v0", **options)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="is not the whole state of a point"):
        env.unwrapped.sample_transitions(
            np.zeros((1, 2)), np.zeros((1, 2)), np.random.default_rng(0)
        )
