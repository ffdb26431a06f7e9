"""Native vector environment of points compared with SyncVectorEnv of the single one."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251  # our own bytes, of this process
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

import dynamaze  # noqa: F401
from dynamaze.envs import DynaMazeContinuousVectorEnv

Same = Callable[[Any, Any], None]
N = 5
SEVERAL = "S..#\n.#.S\n...G\n@ 40\nS#..\n...S\n.#.G"
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "exact": {"noise": 0, "layout": SEVERAL, "changes": {}},
    "fast": {"step_size": 3.0, "noise": 1.0, "layout": SEVERAL},
    "inert": {"inertia": 0.8, "step_size": 0.2, "wall_reward": -1.0, "layout": "blocking"},
    "all": {"layout": SEVERAL, "slip_probability": 0.2, "inertia": 0.5, "step_reward": -0.1},
    "slippery": {"slip_probability": 0.3, "noise": 0.0},
    "by episode": {
        "layout": "S.G\n...",
        "changes": {"episode 1": "S#G\n.S.", "episode 4": {"goal": (1, 0)}},
    },
    "numbers": {
        "changes": {
            30: {"slip_probability": 0.4},
            60: {"goal_reward": 5, "start": [[0, 0], [5, 5]]},
        }
    },
    "generated": {
        "layout": {"size": 7, "algorithm": "obstacles", "levels": 9},
        "random_changes": {"when": "poisson", "rate": 0.3, "what": ["walls", "goal"]},
    },
    "random": {
        "layout": "S..#\n.#.S\n...G",
        "slip_probability": 0.2,
        "random_changes": {
            "when": "bursts",
            "probability": 0.05,
            "length": 3,
            "what": ["walls", "start", "goal", "rewards", "slip"],
        },
    },
}
OBSERVATIONS = ["position", "position_velocity", "rays", "goal", "rgb"]


def both(mode: AutoresetMode, **arguments: Any) -> tuple[Any, Any]:
    arguments.setdefault("max_episode_steps", 30)
    native = gym.make_vec("DynaMazeContinuous-v0", num_envs=N, autoreset_mode=mode, **arguments)
    sync = gym.make_vec(
        "DynaMazeContinuous-v0",
        num_envs=N,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        **arguments,
    )
    assert isinstance(native.unwrapped, DynaMazeContinuousVectorEnv)
    return native, sync


def actions_of(env: Any, steps: int, seed: int = 1) -> Any:
    """Return random actions with drift; some of those of a Box are outside of it."""
    rng = np.random.default_rng(seed)
    if isinstance(env.single_action_space, gym.spaces.Discrete):
        return rng.integers(4, size=(steps, N))
    drift = np.repeat(rng.uniform(-1, 1, size=(steps // 10 + 1, N, 2)), 10, axis=0)[:steps]
    return (drift + rng.normal(0, 0.4, size=(steps, N, 2))).astype(np.float32)


def plain(given: Any) -> Any:
    """Return a copy that NumPy can compare: it cannot compare arrays of arrays."""
    if isinstance(given, tuple):
        return tuple(plain(one) for one in given)
    if isinstance(given, dict):
        return {key: plain(one) for key, one in given.items()}
    return list(given) if isinstance(given, np.ndarray) and given.dtype == object else given


def step_both(native: Any, sync: Any, actions: Any, mode: AutoresetMode, same: Same) -> None:
    given_native = native.step(actions)
    same(given_native, sync.step(actions))
    done = given_native[2] | given_native[3]
    if mode == AutoresetMode.DISABLED and done.any():
        same(*(env.reset(options={"reset_mask": done.copy()}) for env in (native, sync)))


@pytest.mark.parametrize("action", ["continuous", "discrete"])
@pytest.mark.parametrize("config", sorted(CONFIGS))
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_equals_sync(mode: AutoresetMode, config: str, action: str, same: Same) -> None:
    native, sync = both(
        mode, action=action, observation="position_velocity", change_info="cells", **CONFIGS[config]
    )
    assert native.metadata["autoreset_mode"] is mode
    assert native.observation_space == sync.observation_space
    assert native.action_space == sync.action_space
    same(*(env.reset(seed=3) for env in (native, sync)))
    for actions in actions_of(native, 200):
        step_both(native, sync, actions, mode, same)
    assert native.get_attr("layout") == sync.get_attr("layout")


@pytest.mark.parametrize("change_info_in", ["info", "observation"])
@pytest.mark.parametrize("change_info", ["none", "change"])
@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("config", ["generated", "all"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_observations_follow_changes(
    mode: AutoresetMode,
    config: str,
    observation: str,
    change_info: str,
    change_info_in: str,
    same: Same,
) -> None:
    report = {"change_info": change_info, "change_info_in": change_info_in}
    native, sync = both(mode, observation=observation, **report, **CONFIGS[config])
    assert native.observation_space == sync.observation_space
    same(*(env.reset(seed=3) for env in (native, sync)))
    for actions in actions_of(native, 60):
        step_both(native, sync, actions, mode, same)


def test_call_changes_one_env(same: Same) -> None:
    native, sync = both(AutoresetMode.NEXT_STEP, observation="rays", change_info="cells")
    same(*(env.reset(seed=1) for env in (native, sync)))
    for number, change in enumerate(
        [{"slip_probability": 0.5}, "shortcut", {"start": [(0, 0), (5, 0)]}, {"goal": (5, 8)}]
    ):
        for env in (native, sync):
            assert env.call("change", change) == (None,) * N
        for actions in actions_of(native, 50, seed=number):
            same(native.step(actions), sync.step(actions))
        assert native.get_attr("phase") == (number + 1,) * N
    same(*(env.reset(seed=1) for env in (native, sync)))
    assert native.get_attr("phase") == (0,) * N


def test_call_keeps_mazes_apart(same: Same) -> None:
    native, sync = both(AutoresetMode.NEXT_STEP, **CONFIGS["generated"])
    same(*(env.reset(seed=1) for env in (native, sync)))
    for actions in actions_of(native, 30):
        one = [env.call("step", np.array([0.5, 0.5])) for env in (native, sync)]
        for left, right in zip(*one, strict=True):
            same(left, right)
        if any(result[2] for result in one[0]):
            same(*(env.reset() for env in (native, sync)))
        else:
            step_both(native, sync, actions, AutoresetMode.NEXT_STEP, same)
        same(*(env.get_attr("position") for env in (native, sync)))


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_uniforms_are_refilled(mode: AutoresetMode, same: Same) -> None:
    native, sync = both(mode, **CONFIGS["all"])
    same(*(env.reset(seed=[9, 8, 7, 6, 5]) for env in (native, sync)))
    for actions in actions_of(native, 900):
        step_both(native, sync, actions, mode, same)


@given(
    st.lists(
        st.sampled_from(["step", "step", "step", "seed", "seeds", "clock", "get", "set", "mask"]),
        max_size=20,
    ),
    st.sampled_from(list(AutoresetMode)),
)
def test_event_sequences_equal_sync(events: list[str], mode: AutoresetMode) -> None:
    native, sync = both(mode, **CONFIGS["all"])
    for env in (native, sync):  # setting the clock prevents the warning about seeded resets
        env.reset(options={"world_step": 0})
    rng = np.random.default_rng(0)

    def equal(call: Callable[[Any], Any]) -> Any:
        left, right = call(native), call(sync)
        np.testing.assert_equal(plain(left), plain(right))
        return left

    equal(lambda env: env.reset(seed=0))
    for number, event in enumerate(events):
        if event == "step":
            actions = rng.uniform(-1, 1, size=(N, 2))
            _, _, terminated, truncated, _ = equal(lambda env, a=actions: env.step(a))
            done = terminated | truncated
            if mode == AutoresetMode.DISABLED and done.any():
                equal(lambda env, d=done: env.reset(options={"reset_mask": d.copy()}))
        elif event == "seed":
            equal(lambda env, n=number: env.reset(seed=n))
        elif event == "seeds":
            equal(lambda env, n=number: env.reset(seed=[None, n, None, 2, n]))
        elif event == "clock":
            equal(lambda env, n=number: env.reset(options={"world_step": n}))
        elif event == "mask":
            mask = rng.random(N) < 0.5
            mask[0] = True
            equal(lambda env, m=mask: env.reset(options={"reset_mask": m.copy()}))
        elif event == "get":
            equal(lambda env: env.get_attr("position"))
            equal(lambda env: env.get_attr("velocity"))
        else:
            for env in (native, sync):
                env.set_attr("world_step", [number + i for i in range(N)])


def test_agent_is_none_before_reset() -> None:
    native = DynaMazeContinuousVectorEnv(2)
    assert native.get_attr("agent") == native.get_attr("position") == (None, None)
    with pytest.raises(gym.error.ResetNeeded, match="first reset"):
        native.step(np.zeros((2, 2)))


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copy_continues_identically(make_copy: Callable[[Any], Any], same: Same) -> None:
    native = DynaMazeContinuousVectorEnv(N, 60, observation="rays", **CONFIGS["random"])
    native.reset(seed=2)
    actions = actions_of(native, 300)
    for each in actions[:50]:
        native.step(each)
    other = make_copy(native)
    for each in actions[50:]:
        same(native.step(each), other.step(each))


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_results_are_not_modified(observation: str) -> None:
    native = DynaMazeContinuousVectorEnv(N, observation=observation)
    native.reset(seed=0)
    actions = np.ones((N, 2))
    kept = native.step(actions)
    copies = copy.deepcopy(kept)
    for _ in range(20):
        native.step(actions)
    np.testing.assert_equal(kept, copies)


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        (np.full((N, 2), np.nan), ValueError, r"environment 0; expected two finite numbers"),
        ([[0, 0]] * (N - 1) + [[0, np.inf]], ValueError, r"environment 4; expected two finite"),
        ([[0, 0], [0, -np.inf]] + [[0, np.inf]] * 3, ValueError, "environment 1"),
        (np.zeros((N, 3)), ValueError, r"shape \(5, 3\); expected \(5, 2\)"),
        (np.zeros(N), ValueError, r"shape \(5,\); expected \(5, 2\)"),
        ([["a", "b"]] * N, TypeError, "expected real numbers"),
        (np.zeros((N, 2), dtype=bool), TypeError, "dtype bool"),
        (np.zeros((N, 2), dtype=complex), TypeError, "dtype complex128"),
    ],
)
def test_actions_are_checked(actions: Any, error: type[Exception], message: str) -> None:
    native = DynaMazeContinuousVectorEnv(N)
    native.reset(seed=0)
    before = native.call("get_state")
    with pytest.raises(error, match=message):
        native.step(actions)
    assert native.call("get_state") == before


def test_actions_are_clipped() -> None:
    native = DynaMazeContinuousVectorEnv(2, noise=0.0)
    native.reset(seed=0)
    largest = np.finfo(np.float64).max
    observations, *_ = native.step(np.array([[largest, 0.0], [largest, largest]]))
    np.testing.assert_array_equal(observations, [[3.0, 0.5], [3.0, 1.0]])


def test_discrete_actions_are_checked() -> None:
    native = DynaMazeContinuousVectorEnv(2, action="discrete")
    native.reset(seed=0)
    with pytest.raises(ValueError, match="action 4 of environment 1"):
        native.step([0, 4])
    with pytest.raises(TypeError, match="expected integers"):
        native.step([0.0, 1.0])


def test_wrappers_accept_vector_env() -> None:
    native = gym.wrappers.vector.NormalizeObservation(
        gym.wrappers.vector.RecordEpisodeStatistics(
            gym.make_vec("DynaMazeContinuous-v0", num_envs=2, layout="SG", noise=0.0)
        )
    )
    native.reset(seed=0)
    *_, infos = native.step(np.array([[0, 1], [0, 0]], dtype=np.float32))
    assert infos["episode"]["r"].tolist() == [1.0, 0.0]
    assert infos["episode"]["l"].tolist() == [1, 0]
