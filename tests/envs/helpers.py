"""Mazes, walks and comparisons that several tests of the environments use."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251  # our own bytes, of this process
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import at, bursts, cycle, every, poisson
from dynamaze.envs.vector.base import MazeVectorEnv

Same = Callable[[Any, Any], None]
N = 5
SEVERAL = "S..#\n.#.S\n...G\n@ 40\nS#..\n...S\n.#.G"
BY_EPISODE: dict[str, Any] = {
    "layout": "S.G\n...",
    "changes": {"episode 1": "S#G\n.S.", "episode 4": {"goal": (1, 0)}},
}
NUMBERS: dict[str, Any] = {
    "changes": {30: {"slip_probability": 0.4}, 60: {"goal_reward": 5, "start": [[0, 0], [5, 5]]}}
}
TIMED: dict[str, Any] = {
    "changes": [
        every(25, cycle({"slip_probability": 0.4}, {"slip_probability": 0.0})),
        poisson(0.05, cycle({"goal": (0, 3)}, {"goal": (5, 8)}, "blocking")),
        bursts(0.05, 3, {"layout": "shortcut", "goal_reward": 2}),
        at(["episode 2", "episode 4"], cycle({"start": (5, 0)}, {"start": (0, 0)})),
    ],
    "random_changes": {"when": "each_step", "probability": 0.1},
}
"""Schedules of all kinds beside each other."""

ALL_KINDS: dict[str, Any] = {
    "when": "bursts",
    "probability": 0.05,
    "length": 3,
    "what": ["walls", "start", "goal", "rewards", "slip"],
}
"""Random changes of every kind."""


def wander(env: Any, steps: int, seed: int = 0) -> list[Any]:
    """Return the results of random actions, with resets where an episode ends."""
    given: list[Any] = []
    for action in np.random.default_rng(seed).integers(4, size=steps).tolist():
        given.append(env.step(action))
        if given[-1][2] or given[-1][3]:
            given.append(env.reset())
    return given


def her_samples(algorithm: Any, env: Any, steps: int, **arguments: Any) -> Any:
    """Return transitions of hindsight experience replay, after some steps of a learner of SB3."""
    from stable_baselines3 import HerReplayBuffer

    model = algorithm(
        "MultiInputPolicy",
        env,
        replay_buffer_class=HerReplayBuffer,
        seed=0,
        device="cpu",
        **arguments,
    )
    model.learn(steps)
    return model.replay_buffer.sample(256)


def both(mode: AutoresetMode, env_id: str = "DynaMaze-v0", **arguments: Any) -> tuple[Any, Any]:
    """Return the native vector environment and SyncVectorEnv of the single one."""
    arguments.setdefault("max_episode_steps", 60)
    native = gym.make_vec(env_id, num_envs=N, autoreset_mode=mode, **arguments)
    sync = gym.make_vec(
        env_id,
        num_envs=N,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        **arguments,
    )
    assert isinstance(native.unwrapped, MazeVectorEnv)
    return native, sync


def actions_of(env: Any, steps: int, seed: int = 1) -> Any:
    """Return random actions; those of a Box have drift, and some are outside of it."""
    rng = np.random.default_rng(seed)
    if isinstance(env.single_action_space, gym.spaces.Discrete):
        return rng.integers(4, size=(steps, N))
    drift = np.repeat(rng.uniform(-1, 1, size=(steps // 10 + 1, N, 2)), 10, axis=0)[:steps]
    return (drift + rng.normal(0, 0.4, size=(steps, N, 2))).astype(np.float32)


def step_both(native: Any, sync: Any, actions: Any, mode: AutoresetMode, same: Same) -> None:
    """Step both, and reset where episodes ended in mode DISABLED; compare what they return."""
    given_native = native.step(actions)
    same(given_native, sync.step(actions))
    done = given_native[2] | given_native[3]
    if mode == AutoresetMode.DISABLED and done.any():
        same(*(env.reset(options={"reset_mask": done.copy()}) for env in (native, sync)))


def walk_both(
    native: Any, sync: Any, steps: int, mode: AutoresetMode, same: Same, seed: Any = 3
) -> None:
    """Compare a reset, then the steps of random actions."""
    assert native.observation_space == sync.observation_space
    same(*(env.reset(seed=seed) for env in (native, sync)))
    for actions in actions_of(native, steps):
        step_both(native, sync, actions, mode, same)


def change_both(native: Any, sync: Any, steps: int, same: Same) -> None:
    """Compare steps after each of four changes by call, and that a seed undoes them."""
    same(*(env.reset(seed=1) for env in (native, sync)))
    for number, change in enumerate(
        [{"slip_probability": 0.5}, "shortcut", {"start": [(0, 0), (5, 0)]}, {"goal": (5, 8)}]
    ):
        for env in (native, sync):
            assert env.call("change", change) == (None,) * N
        for actions in actions_of(native, steps, seed=number):
            same(native.step(actions), sync.step(actions))
        assert native.get_attr("phase") == (number + 1,) * N
    same(*(env.reset(seed=1) for env in (native, sync)))
    assert native.get_attr("phase") == (0,) * N


COPIES: list[Callable[[Any], Any]] = [
    copy.deepcopy,
    lambda env: pickle.loads(pickle.dumps(env)),
]
"""Functions that copy an environment."""


def check_copy(native: Any, make_copy: Callable[[Any], Any], steps: int, same: Same) -> None:
    """Compare the steps of a vector environment and of its copy."""
    native.reset(seed=2)
    actions = actions_of(native, steps)
    for each in actions[:50]:
        native.step(each)
    other = make_copy(native)
    for each in actions[50:]:
        same(native.step(each), other.step(each))


def check_results_stay(native: Any) -> None:
    """Check that later steps do not modify what a step returned."""
    native.reset(seed=0)
    first, *later = actions_of(native, 21)
    kept = native.step(first)
    copies = copy.deepcopy(kept)
    for actions in later:
        native.step(actions)
    np.testing.assert_equal(kept, copies)


EVENTS = ["step", "step", "step", "seed", "seeds", "clock", "get", "set", "mask"]


def run_events(
    native: Any,
    sync: Any,
    events: list[str],
    mode: AutoresetMode,
    calls: list[tuple[Any, ...]],
) -> None:
    """Compare what both return for each of `EVENTS`; "get" stands for the calls."""
    for env in (native, sync):  # setting the clock prevents the warning about seeded resets
        env.reset(options={"world_step": 0})
    rng = np.random.default_rng(0)

    def equal(call: Callable[[Any], Any]) -> Any:
        left, right = call(native), call(sync)
        np.testing.assert_equal(_plain(left), _plain(right))
        return left

    equal(lambda env: env.reset(seed=0))
    for number, event in enumerate(events):
        if event == "step":
            actions = actions_of(native, 1, seed=number)[0]
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
            for call in calls:
                equal(lambda env, c=call: env.call(*c))
        else:
            for env in (native, sync):
                env.set_attr("world_step", [number + i for i in range(N)])


def _plain(given: Any) -> Any:
    """Return a copy that NumPy can compare: it cannot compare arrays of arrays."""
    if isinstance(given, tuple):
        return tuple(_plain(one) for one in given)
    if isinstance(given, dict):
        return {key: _plain(one) for key, one in given.items()}
    return list(given) if isinstance(given, np.ndarray) and given.dtype == object else given
