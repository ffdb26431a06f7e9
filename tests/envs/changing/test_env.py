"""The wrapper of environments that change: dynamics, clock, information, copies, bad input."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251  # our own bytes, of this process
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from dynamaze.agents import DynaQ
from dynamaze.common.origin import Origin
from dynamaze.envs import ChangingEnv, cycle, every, poisson
from dynamaze.envs.timing.times import LAST_STEP

from ..helpers import Same


def table(env_id: str, **arguments: Any) -> Any:
    """Return the table of transitions of a toy-text environment."""
    return gym.make(env_id, **arguments).unwrapped.P  # type: ignore[attr-defined]  # toy-text


DRY = table("FrozenLake-v1", is_slippery=False)
RAINY = table("Taxi-v4", is_rainy=True)

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "CartPole": ("CartPole-v1", {"gravity": 12.0, "length": 1.0, "masspole": 0.3}),
    "Pendulum": ("Pendulum-v1", {"g": 5.0, "m": 2.0, "max_speed": 6.5}),
    "FrozenLake": ("FrozenLake-v1", {"P": DRY}),
    "Taxi": ("Taxi-v4", {"P": RAINY}),
}


def walk(env: Any, steps: int, seed: int = 0, *, resets: bool = True) -> list[Any]:
    """Return the results of random actions, with resets where an episode ends."""
    rng, space = np.random.default_rng(seed), env.action_space
    given: list[Any] = []
    for _ in range(steps):
        if isinstance(space, gym.spaces.Discrete):
            action = int(rng.integers(space.n))
        else:
            action = rng.uniform(space.low, space.high).astype(np.float32)
        given.append(env.step(action))
        if resets and (given[-1][2] or given[-1][3]):
            given.append(env.reset())
    return given


def plain(results: list[Any]) -> list[Any]:
    """Return results without the clock and the phase."""
    return [
        (*each[:-1], {k: v for k, v in each[-1].items() if k not in ("world_step", "phase")})
        for each in results
    ]


# -- dynamics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_before_change_equals_wrapped(name: str, same: Same) -> None:
    env_id, change = CASES[name]
    env, raw = ChangingEnv(gym.make(env_id), {201: change}), gym.make(env_id)
    env.reset(seed=5)
    raw.reset(seed=5)
    same(tuple(plain(walk(env, 200))), tuple(plain(walk(raw, 200))))


def constructed(name: str) -> Any:
    """Return an environment that was made with the changed attributes."""
    if name == "FrozenLake":
        return gym.make("FrozenLake-v1", is_slippery=False)
    if name == "Taxi":
        return gym.make("Taxi-v4", is_rainy=True)
    if name == "Pendulum":
        env = gym.make("Pendulum-v1", g=5.0)
        env.unwrapped.m, env.unwrapped.max_speed = 2.0, 6.5  # type: ignore[attr-defined]
        return env

    class OtherPole(type(gym.make("CartPole-v1").unwrapped)):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gravity, self.length, self.masspole = 12.0, 1.0, 0.3
            self.total_mass = self.masspole + self.masscart
            self.polemass_length = self.masspole * self.length

    return OtherPole()


@pytest.mark.parametrize("name", CASES)
def test_after_change_equals_constructed(name: str, same: Same) -> None:
    env_id, change = CASES[name]
    env, other = ChangingEnv(gym.make(env_id), {40: change}), constructed(name)
    env.reset(seed=1)
    walk(env, 40)
    assert env.phase == 1
    env.reset()
    other.reset(seed=1)
    # The same state and the same random numbers from here on.
    other.unwrapped.np_random = copy.deepcopy(env.unwrapped.np_random)
    for attribute in ("state", "s"):
        if hasattr(env.unwrapped, attribute):
            setattr(other.unwrapped, attribute, copy.deepcopy(getattr(env.unwrapped, attribute)))
    steps = [plain(walk(each, 12, 3, resets=False)) for each in (env, other)]
    same(tuple(steps[0]), tuple(steps[1]))


def test_functions_see_present_values() -> None:
    def heavier(env: Any) -> dict[str, float]:
        return {"g": 2 * env.g}

    env: Any = ChangingEnv(gym.make("Pendulum-v1"), every(10, heavier))
    env.reset(seed=0)
    walk(env, 31)
    assert env.unwrapped.g == 80.0
    env.reset(options={"world_step": 20})
    assert (env.unwrapped.g, env.phase) == (40.0, 2)
    env.reset(seed=0)
    assert env.unwrapped.g == 10.0
    with pytest.raises(ValueError, match="expected at most 100,000"):
        env.reset(options={"world_step": 10**7})
    assert (env.unwrapped.g, env.world_step) == (10.0, 0)


# -- the clock -----------------------------------------------------------------------------------


def test_clock_survives_resets() -> None:
    env: Any = ChangingEnv(gym.make("CartPole-v1"), {30: {"gravity": 12.0}})
    _, info = env.reset(seed=0)
    assert (info["world_step"], info["phase"]) == (0, 0)
    results = walk(env, 60)
    steps = [each for each in results if len(each) == 5]
    assert [each[4]["world_step"] for each in steps] == list(range(1, 61))
    assert [each[4]["phase"] for each in steps] == [0] * 29 + [1] * 31
    assert len(results) > 60  # resets came between
    assert env.unwrapped.gravity == 12.0
    _, info = env.reset(seed=0)
    assert (info["world_step"], info["phase"], env.unwrapped.gravity) == (0, 0, 9.8)


@pytest.mark.parametrize("step", [29, 30, 99, 100, LAST_STEP])
def test_world_step_option_sets_the_clock(step: int) -> None:
    changes = [(30, {"gravity": 12.0}), every(100, cycle({"tau": 0.01}, {"tau": 0.02}))]
    env: Any = ChangingEnv(gym.make("CartPole-v1"), changes)
    _, info = env.reset(options={"world_step": step})
    count = step // 100
    assert info == {"world_step": step, "phase": (step >= 30) + count}
    assert env.unwrapped.gravity == (12.0 if step >= 30 else 9.8)
    assert env.unwrapped.tau == (0.01 if count % 2 else 0.02)
    if step == LAST_STEP:
        with pytest.raises(RuntimeError, match="the end of the clock"):
            env.step(0)
    env.world_step = 0
    assert env.unwrapped.gravity == 9.8


def test_episodes_are_counted() -> None:
    env: Any = ChangingEnv(gym.make("CartPole-v1"), every("episode 2", {"gravity": 12.0}))
    phases = [env.reset(seed=0 if i == 0 else None)[1]["phase"] for i in range(5)]
    assert phases == [0, 0, 1, 1, 2]


def test_random_times_need_no_number_of_the_environment(same: Same) -> None:
    changes = poisson(0.2, cycle({"P": DRY}, {"P": DRY}))
    env = ChangingEnv(gym.make("FrozenLake-v1", is_slippery=False), changes)
    raw = gym.make("FrozenLake-v1", is_slippery=False)
    env.reset(seed=3)
    raw.reset(seed=3)
    results = walk(env, 300)
    same(tuple(plain(results)), tuple(plain(walk(raw, 300))))
    phases = [each[-1]["phase"] for each in results]
    assert 30 < phases[-1] < 90  # 60 on average, by 4 standard deviations
    env.reset(seed=3)
    assert [each[-1]["phase"] for each in walk(env, 300)] == phases
    env.reset(seed=4)
    assert [each[-1]["phase"] for each in walk(env, 300)] != phases


def test_seeded_resets_warn() -> None:
    env = ChangingEnv(gym.make("CartPole-v1"), {30: {"gravity": 12.0}})
    for _ in range(6):
        env.reset(seed=0)
        walk(env, 5, resets=False)
    with pytest.warns(UserWarning, match="never reached its first change at world step 30"):
        env.reset(seed=0)


def test_change_info_is_reported_once() -> None:
    env: Any = ChangingEnv(
        gym.make("CartPole-v1"), {2: {"masspole": 0.2}}, change_info="attributes"
    )
    infos = [env.reset(seed=0)[1], *(env.step(0)[4] for _ in range(3))]
    assert [info["changed"] for info in infos] == [False, False, True, False]
    names = ("masspole", "total_mass", "polemass_length")
    assert [info["changed_attributes"] for info in infos] == [(), (), names, ()]
    env.change({"gravity": 3.0})
    assert env.step(0)[4]["changed_attributes"] == ("gravity",)
    brief = ChangingEnv(gym.make("CartPole-v1"), {2: {"masspole": 0.2}}, change_info="change")
    assert brief.reset(seed=0)[1] == {"world_step": 0, "phase": 0, "changed": False}


# -- copies and state ----------------------------------------------------------------------------


def lake(**more: Any) -> Any:
    """Return a lake that changes at random, after some steps."""
    changes = [poisson(0.1, cycle({"P": DRY}, {"P": table("FrozenLake-v1")})), (70, {"P": DRY})]
    env = ChangingEnv(gym.make("FrozenLake-v1"), changes, **more)
    env.reset(seed=2)
    walk(env, 50)
    return env


def through_state(env: Any) -> Any:
    other = lake()
    other.reset(seed=9)
    other.set_state(env.get_state())
    return other


@pytest.mark.parametrize(
    "make_copy", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env)), through_state]
)
def test_copy_continues_identically(make_copy: Callable[[Any], Any], same: Same) -> None:
    env = lake()
    other = make_copy(env)
    same(tuple(walk(env, 100)), tuple(walk(other, 100)))
    assert env.phase > 5


def test_state_is_apart_from_the_environment(same: Same) -> None:
    env = lake()
    inner, state = env.unwrapped, env.get_state()
    expected = walk(env, 60)
    for _ in range(2):
        env.set_state(state)
        assert env.unwrapped is inner
        same(tuple(walk(env, 60)), tuple(expected))


def test_state_of_changed_attributes_is_undone_by_seed() -> None:
    env: Any = ChangingEnv(gym.make("CartPole-v1"), {})
    env.reset(seed=0)
    env.change({"gravity": 12.0})
    other: Any = ChangingEnv(gym.make("CartPole-v1"), {})
    other.set_state(env.get_state())
    assert other.unwrapped.gravity == 12.0
    other.reset(seed=0)
    assert other.unwrapped.gravity == 9.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"world_step": -1}, "world_step=-1"),
        ({"phase": "x"}, "phase='x'"),
        ({"timeline": []}, "expected a list of 2"),
        ({"timeline": [[1, None], [0, None]]}, "after 1 scheduled changes at world step 50"),
        ({"rng": {}}, "not a state"),
        ({"env": gym.make("CartPole-v1")}, "expected .'TimeLimit'.*FrozenLakeEnv"),
    ],
)
def test_bad_state_changes_nothing(change: dict[str, Any], message: str, same: Same) -> None:
    env = lake()
    before = env.get_state()
    with pytest.raises(ValueError, match=message):
        env.set_state({**before, **change})
    with pytest.raises(ValueError, match="not a state that get_state"):
        env.set_state({name: before[name] for name in list(before)[:3]})
    with pytest.raises(ValueError, match="not a state that get_state"):
        env.set_state(3)
    other = through_state(env)
    same(tuple(walk(env, 30)), tuple(walk(other, 30)))


def test_planning_copy_is_frozen_and_apart() -> None:
    env = lake()
    present, phase = env.unwrapped.P, env.phase
    expected = walk(copy.deepcopy(env), 40)
    frozen = env.planning_copy()
    results = walk(frozen, 400)
    assert {each[-1]["phase"] for each in results} == {phase}
    assert present == frozen.unwrapped.P
    frozen.reset(seed=0)
    assert present == frozen.unwrapped.P
    assert frozen.spec.additional_wrappers[-1].kwargs["changes"] == []
    assert [each[0] for each in walk(env, 40)] == [each[0] for each in expected]
    # Other random numbers, which a seed chooses.
    assert [each[0] for each in results[:40]] != [each[0] for each in expected]
    runs = [[each[0] for each in walk(env.planning_copy(seed), 40)] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_uncopyable_environment_is_named() -> None:
    env: Any = ChangingEnv(gym.make("CartPole-v1"), {})
    env.unwrapped.file = (number for number in ())  # a generator cannot be copied
    for copying in (env.get_state, env.planning_copy):
        with pytest.raises(TypeError, match="CartPole-v1 cannot be copied"):
            copying()


# -- Gymnasium -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_spec_round_trips_json(name: str, same: Same) -> None:
    env_id, change = CASES[name]
    env = ChangingEnv(gym.make(env_id), [(9, change), poisson(0.1, change)], change_info="change")
    assert env.spec is not None
    made = gym.make(EnvSpec.from_json(env.spec.to_json()))
    for each in (env, made):
        each.reset(seed=0)
    same(tuple(walk(env, 60)), tuple(walk(made, 60)))


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
@pytest.mark.filterwarnings("ignore:.*Box (observation|action) space")
@pytest.mark.parametrize("name", CASES)
def test_passes_check_env(name: str) -> None:
    env_id, change = CASES[name]
    env = ChangingEnv(gym.make(env_id), {3: change}, change_info="attributes")
    check_env(env, skip_render_check=True)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_sync_vector_has_own_clocks(mode: AutoresetMode) -> None:
    changes = [(20, {"gravity": 12.0}), poisson(0.1, {"force_mag": 8.0})]
    wrap = partial(ChangingEnv, changes=changes)
    envs = gym.make_vec(
        "CartPole-v1",
        num_envs=3,
        vectorization_mode="sync",
        wrappers=[wrap],
        vector_kwargs={"autoreset_mode": mode},
    )
    singles = [wrap(gym.make("CartPole-v1")) for _ in range(3)]
    observations, _ = envs.reset(seed=7)
    for i, single in enumerate(singles):
        np.testing.assert_array_equal(single.reset(seed=7 + i)[0], observations[i])
    done = np.zeros(3, dtype=bool)
    for action in np.random.default_rng(0).integers(0, 2, 60).tolist():
        observations, _, terminated, truncated, info = envs.step(np.full(3, action))
        for i, single in enumerate(singles):
            if done[i] and mode is AutoresetMode.NEXT_STEP:
                own = single.reset()
            else:
                own = single.step(action)
                if (own[2] or own[3]) and mode is AutoresetMode.SAME_STEP:
                    own = single.reset()
            np.testing.assert_array_equal(own[0], observations[i])
            assert (own[-1]["world_step"], own[-1]["phase"]) == (
                info["world_step"][i],
                info["phase"][i],
            )
        done = terminated | truncated
        if mode is AutoresetMode.DISABLED and done.any():
            envs.reset(options={"reset_mask": done})
            for i in np.flatnonzero(done):
                singles[i].reset()
    assert len(set(info["phase"])) > 1


def greedy_rewards(agent: Any, env: Any) -> float:
    """Return the return of the greedy policy in an episode of at most 20 steps."""
    env, total = env.planning_copy(), 0.0
    observation, _ = env.reset()
    for _ in range(20):
        action, _ = agent.predict(observation, deterministic=True)
        observation, reward, terminated, _, _ = env.step(int(action))
        total += reward
        if terminated:
            break
    return total


def test_origin_names_the_changes() -> None:
    lake = gym.make("FrozenLake-v1")
    origins = [
        Origin.of(env)
        for env in (lake, *(ChangingEnv(lake, {step: {"P": DRY}}) for step in (5, 5, 6)))
    ]
    assert not origins[1].is_other(origins[2])
    assert origins[1].is_other(origins[3])
    assert origins[1].is_other(origins[0])
    assert str(origins[1]) == "FrozenLake-v1(map_name='4x4').ChangingEnv"


def test_dyna_adapts_to_a_new_table() -> None:
    turned = {s: {a: outcomes[(a + 1) % 4] for a in range(4)} for s, outcomes in DRY.items()}
    env = ChangingEnv(gym.make("FrozenLake-v1", is_slippery=False), {4000: {"P": turned}})
    agent = DynaQ(env, planning_steps=10, epsilon=0.3, seed=0)
    returns = []
    for steps in (3900, 101, 6000):
        agent.learn(steps)
        returns.append(greedy_rewards(agent, env))
    assert returns == [1.0, 0.0, 1.0]


# -- bad input -----------------------------------------------------------------------------------


def pole(changes: Any, **options: Any) -> Any:
    return ChangingEnv(gym.make("CartPole-v1"), changes, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ChangingEnv(gym.make("DynaMaze-v0"), {}), ValueError, "a maze takes `changes`"),
        (
            lambda: pole({0: {"gravity": 1}}),
            ValueError,
            "changes: .*step 0",
        ),
        (
            lambda: pole(3),
            TypeError,
            "changes: .*expected a mapping or pairs",
        ),
        (
            lambda: pole({}, change_info="all"),
            ValueError,
            "change_info='all'",
        ),
        (lambda: pole({}).reset(options=3), TypeError, "options=3"),
        (
            lambda: pole({}).reset(options={"world_step": -1}),
            ValueError,
            "-1",
        ),
        (
            lambda: pole({}).reset(seed=-1),
            gym.error.Error,
            "Seed must",
        ),
    ],
)
def test_bad_argument_is_named(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
