"""LoCA environments: exact values, phases, and the contract of every environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from dynamaze.envs import at, cycle, every, poisson
from dynamaze.envs.loca.continuous import DynaMazeLoCAContinuousEnv
from dynamaze.envs.loca.grid import DynaMazeLoCAEnv
from dynamaze.envs.loca.tasks import GAMMA, LENGTH, STARTS, ZONE

from ..helpers import COPIES, Same, wander

UP, RIGHT, DOWN, LEFT = range(4)
TO_B = {"task": "B", "starts": "T1"}
KINDS = [DynaMazeLoCAEnv, DynaMazeLoCAContinuousEnv]
MORE: list[dict[str, Any]] = [
    {},
    {"task": "B", "starts": "T1"},
    {"changes": {40: {"task": "B", "starts": "T1"}, 90: {"starts": "all"}}},
    {"changes": {"episode 2": {"task": "B"}}, "change_info": "change"},
    {"changes": {"when": "poisson", "rate": 0.05, "changes": [TO_B, {"task": "A"}]}},
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    """The class of a LoCA environment."""
    return request.param


@pytest.fixture
def env_id(kind: Any) -> Iterator[str]:
    """A registered id of the class during a test."""
    name = f"{kind.__name__}Test-v0"
    gym.register(name, f"{kind.__module__}:{kind.__name__}", max_episode_steps=100)
    yield name
    del gym.registry[name]


def mean_of(env: DynaMazeLoCAEnv, values: Any) -> float:
    """Return the mean over all starts."""
    return float(env.mdp.start @ values)


# -- the exact values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slip", "task", "optimum"),
    [(0.25, "A", 2.597), (0.25, "B", 1.295), (0.0, "A", 2.846), (0.0, "B", 1.423)],
)
def test_optimum_equals_published(slip: float, task: str, optimum: float) -> None:
    env = DynaMazeLoCAEnv(task, slip_probability=slip)
    assert mean_of(env, env.optimal_values(GAMMA)) == pytest.approx(optimum, abs=5e-4)


@pytest.mark.parametrize(("slip", "level"), [(0.25, 0.873), (0.0, 0.771)])
def test_old_policy_equals_published(slip: float, level: float) -> None:
    policy = DynaMazeLoCAEnv("A", slip_probability=slip).optimal_policy()
    env = DynaMazeLoCAEnv("B", slip_probability=slip)
    assert mean_of(env, env.mdp.policy_values(policy, GAMMA)) == pytest.approx(level, abs=5e-4)


def test_values_without_slip_are_closed_form() -> None:
    columns = np.arange(1, LENGTH + 1)
    by_t1, by_t2 = GAMMA ** (LENGTH - columns), GAMMA ** (columns - 1)
    expected = np.maximum(1 * by_t1, 2 * by_t2)
    expected[ZONE - 1] = 1.0  # from there only T1 can be reached
    values = DynaMazeLoCAEnv("B", slip_probability=0).optimal_values().reshape(4, LENGTH + 2)
    np.testing.assert_allclose(values[:, 1:-1], np.tile(expected, (4, 1)), atol=1e-10)


def test_dynamics_slip_and_passage() -> None:
    toy = DynaMazeLoCAEnv().P
    inside, zone = 27 + 5, 27 + ZONE
    outcomes = {after: chance for chance, after, _, _ in toy[inside][LEFT]}
    beside = 0.25 / 4
    assert outcomes == {inside - 1: 1 - 3 * beside, 5: beside, 33: beside, 59: beside}
    chances = {after: 0.0 for _, after, _, _ in toy[zone][LEFT]}
    for chance, after, _, _ in toy[zone][LEFT]:
        chances[after] += chance
    assert chances == {zone: 1 - 3 * beside, ZONE: beside, zone + 1: beside, 54 + ZONE: beside}
    assert [
        (reward, ended) for _, after, reward, ended in toy[zone][RIGHT] if after == zone + 1
    ] == [(4.0, True)]
    assert [row[2:] for row in toy[28][LEFT] if row[1] == 27] == [(2.0, True)]


@pytest.mark.parametrize("task", ["A", "B"])
def test_step_frequencies_match_mdp(task: str) -> None:
    env = DynaMazeLoCAEnv(task)
    env.reset(seed=5)
    counts = np.zeros((108, 4, 108))
    rng = np.random.default_rng(0)
    state = env.get_state()["state"]
    for action in rng.integers(4, size=40_000).tolist():
        after, reward, terminated, _, _ = env.step(action)
        counts[state, action, after] += 1
        expected_reward = {0: 2.0, 26: 4.0 if task == "A" else 1.0}.get(after % 27, 0.0)
        assert (reward, terminated) == (expected_reward, after % 27 in (0, 26))
        state = env.reset()[0] if terminated else after
    exact = np.zeros_like(counts)
    for s, actions in env.P.items():
        for action, rows in actions.items():
            for chance, after, _, _ in rows:
                exact[s, action, after] += chance
    assert (exact[counts > 0] > 0).all()
    tried = counts.sum(axis=2, keepdims=True)
    expected = tried * exact
    off = (counts - expected)[exact > 0] / np.sqrt(np.maximum(expected, 1)[exact > 0])
    # Some 1600 counts, hardly one expected below 5: beyond 8 deviations a false alarm below 1e-4.
    assert np.abs(off).max() < 8


def test_regret_and_masks_include_passage() -> None:
    env = DynaMazeLoCAEnv(starts="T1")
    env.reset(seed=0)
    assert not env.action_masks()[LEFT]
    regret = env.regret()
    assert regret.min() == 0
    assert regret[27 + ZONE, LEFT] > 0.1
    with pytest.raises(ValueError, match="clairvoyant"):
        env.regret(clairvoyant=True)
    changing = DynaMazeLoCAEnv(changes={9: {"task": "B"}})
    assert changing.phase_mdp(1).reward.max() == 2
    assert changing.phase_mdp(0).reward.max() == 4


# -- phases ------------------------------------------------------------------------------------


def column_of(env: Any) -> int:
    return int(env.agent[1])


def test_phases_change_during_run(kind: Any) -> None:
    env = kind()
    env.reset(seed=1)
    wander(env, 20)
    clock = env.world_step
    info = env.reset(options={"task": "B", "starts": "T1"})[1]
    assert info == {"world_step": clock, "phase": 1}
    assert (env.task, env.starts, column_of(env)) == ("B", "T1", ZONE)
    env.set_task(starts="all")
    assert (env.task, env.starts) == ("B", "all")
    columns = set()
    for _ in range(400):
        env.reset()
        columns.add(column_of(env))
    assert columns == set(range(1, LENGTH + 1))  # one is missed once in 300,000 times
    env.reset(seed=1)
    assert (env.task, env.starts, env.world_step) == ("A", "all", 0)


def test_seeded_reset_repeats_phase(kind: Any, same: Same) -> None:
    one, other = kind(), kind("B", "T1")
    options = {"task": "B", "starts": "T1"}
    first = one.reset(seed=4, options=options)
    same(tuple(first), tuple(one.reset(seed=4, options=options)))
    assert (one.task, one.starts, column_of(one)) == ("B", "T1", ZONE)
    other.reset(seed=4)
    assert (other.task, other.starts, column_of(other)) == ("B", "T1", ZONE)


def test_set_task_before_reset_holds(kind: Any) -> None:
    env = kind()
    env.set_task("B", "T1")
    env.reset()
    assert (env.task, env.starts, column_of(env)) == ("B", "T1", ZONE)


def test_changes_schedule_phases(kind: Any) -> None:
    env = kind(changes={"5": {"task": "B", "starts": "T1"}, 9: {"starts": "all"}})
    env.reset(seed=0)
    seen = []
    for _ in range(10):
        seen.append((env.task, env.starts))
        env.step(UP)
    assert seen == [("A", "all")] * 5 + [("B", "T1")] * 4 + [("B", "all")]


def test_timed_changes_schedule_phases(kind: Any) -> None:
    tasks = cycle({"task": "B", "starts": "T1"}, {"task": "A"})
    for changes in (
        every(3, tasks),
        [every(6, {"task": "A"}), {"when": "every", "period": 6, "start": 3, "change": TO_B}],
        at([3, 6, 9], tasks),
    ):
        env = kind(changes=changes)
        env.reset(seed=0)
        seen = []
        for _ in range(10):
            seen.append((env.task, env.starts))
            _, _, _, _, info = env.step(UP)
        later = [(task, "T1") for task in "BAB" for _ in range(3)]
        assert seen == [("A", "all")] * 3 + later[:7]
        assert info["phase"] == 3


def test_timed_changes_count_episodes(kind: Any) -> None:
    env = kind(changes=every("episode 2", TO_B))
    seen = []
    for _ in range(4):
        env.reset()
        seen.append(env.task)
    assert seen == ["A", "A", "B", "B"]  # the first reset begins episode 0


def test_zone_leads_to_t1_only(kind: Any) -> None:
    env = kind("B", "T1")
    env.reset(seed=2)
    rewards = set()
    for action in np.random.default_rng(1).choice([UP, DOWN, LEFT, LEFT, RIGHT], 3000).tolist():
        _, reward, terminated, _, _ = env.step(action)
        assert column_of(env) >= ZONE
        assert terminated == (column_of(env) > ZONE)
        rewards.add(reward)
        if terminated:
            env.reset()
    assert rewards == {0.0, 1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "C"}, r"task='C'; expected one of \['A', 'B'\]"),
        ({"task": None}, "task=None"),
        ({"starts": "t1"}, r"starts='t1'; expected one of \['all', 'T1'\]"),
        ({"changes": {5: {"task": "D"}}}, "task='D'"),
        ({"changes": {0: {"task": "B"}}}, "expected 1 to"),
        ({"changes": every(5, {"task": "D"})}, "changes: task='D'"),
        ({"changes": {"when": "often", "change": {"task": "B"}}}, "when='often'"),
        ({"observation": "goal"}, "observation='goal' in a LoCA environment"),
        ({"observation": "no"}, "observation='no'"),
    ],
)
def test_arguments_are_checked(kind: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


@pytest.mark.parametrize("change", [{"goal_reward": 3}, {}, "S.G"])
def test_changes_reject_other_keys(kind: Any, change: Any) -> None:
    for changes in ({5: change}, every(5, change), [poisson(0.1, cycle(TO_B, change))]):
        with pytest.raises(TypeError, match="expected a mapping of 'task', 'starts' or both"):
            kind(changes=changes)


@pytest.mark.parametrize("options", [{"task": "C"}, {"starts": 1}, {"tasks": "B"}, {"level": 1}])
def test_options_are_checked(kind: Any, options: dict[str, Any]) -> None:
    env = kind()
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError, match="expected"):
        env.reset(options=options)
    with pytest.raises(ValueError, match="without a task"):
        env.set_task()
    assert env.get_state() == before


# -- the contract of every environment ---------------------------------------------------------


@pytest.mark.parametrize("more", MORE)
def test_checker_gymnasium_passes(kind: Any, more: dict[str, Any]) -> None:
    check_env(kind(**more), skip_render_check=True)  # warnings are errors


@pytest.mark.parametrize(
    "observation", ["coordinates", "one_hot", "planes", "window", "rays", "rgb"]
)
def test_checker_passes_other_observations(observation: str) -> None:
    check_env(DynaMazeLoCAEnv(observation=observation), skip_render_check=True)


def test_checker_passes_render_modes(env_id: str) -> None:
    check_env(gym.make(env_id, render_mode="rgb_array").unwrapped)


def test_checker_passes_continuous_actions() -> None:
    check_env(DynaMazeLoCAContinuousEnv(action="continuous"), skip_render_check=True)


@pytest.mark.parametrize("make_copy", COPIES)
def test_copy_continues_identically(kind: Any, make_copy: Callable[[Any], Any], same: Same) -> None:
    for more in MORE:
        env = kind(**more)
        env.reset(seed=7)
        wander(env, 30)
        env.reset(options={"task": "B", "starts": "T1"})
        env.step(LEFT)
        other = make_copy(env)
        same(tuple(wander(env, 120)), tuple(wander(other, 120)))


def test_state_round_trips_json(kind: Any, same: Same) -> None:
    env = kind()
    env.reset(seed=7)
    env.reset(options={"task": "B", "starts": "T1"})
    wander(env, 11)
    state = json.loads(json.dumps(env.get_state()))
    expected = wander(env, 200)
    env.set_state(state)
    same(tuple(wander(env, 200)), tuple(expected))
    other = kind()
    other.set_state(state)
    assert (other.task, other.starts) == ("B", "T1")
    same(tuple(wander(other, 200)), tuple(expected))


def test_spec_round_trips_json(env_id: str) -> None:
    changes = {"100": {"task": "B", "starts": "T1"}}
    made: Any = gym.make(env_id, changes=changes)
    again: Any = gym.make(EnvSpec.from_json(made.spec.to_json()))
    assert again.unwrapped.schedule == made.unwrapped.schedule
    assert str(again) == str(made)


# -- the point ---------------------------------------------------------------------------------


def test_point_starts_uniformly() -> None:
    env = DynaMazeLoCAContinuousEnv(starts="T1")
    env.reset(seed=0)
    places = np.array([env.reset()[0] for _ in range(2000)])
    cells = {(int(row), int(col)) for row, col in places}
    assert cells == set(STARTS["T1"])
    inside = places % 1
    # Means of 2000 uniform numbers: within 6 deviations of 0.0065, a false alarm below 1e-8.
    np.testing.assert_allclose(inside.mean(axis=0), 0.5, atol=0.039)
    assert inside.min() < 0.01
    assert inside.max() > 0.99


def test_point_rewarded_once() -> None:
    env = DynaMazeLoCAContinuousEnv(noise=0.0, step_size=0.75)
    for action, expected_reward, last in ((LEFT, 2.0, 0), (RIGHT, 4.0, 26)):
        env.reset(seed=0)
        reward, terminated = 0.0, False
        for _ in range(40):
            assert reward == 0
            _, reward, terminated, _, _ = env.step(action)
            if terminated:
                break
        assert (terminated, reward, column_of(env)) == (True, expected_reward, last)
        assert env.step(action)[1:3] == (0.0, True)


def test_point_noise_respects_passage() -> None:
    env = DynaMazeLoCAContinuousEnv(starts="T1", noise=2.0)
    env.reset(seed=0)
    for _ in range(500):
        _, _, terminated, _, _ = env.step(UP)
        assert column_of(env) >= ZONE
        if terminated:
            env.reset()
