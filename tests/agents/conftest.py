"""Helpers of the agents' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import Agent, DynaQ, DynaQPlus, QLearning, Transitions
from dynamaze.agents.models import TABLE_MODELS

KINDS: dict[str, Callable[..., Agent]] = {"QLearning": QLearning}
for _model in TABLE_MODELS:
    for _name, _cls, _more in (
        ("DynaQ", DynaQ, {}),
        ("DynaQPlus", DynaQPlus, {}),
        ("DynaQPlus-action", DynaQPlus, {"bonus": "action"}),
    ):
        KINDS[f"{_name}-{_model}"] = lambda env, _cls=_cls, _model=_model, _more=_more, **kw: _cls(
            env, model=_model, **_more, **kw
        )


@pytest.fixture(params=sorted(KINDS))
def make_agent(request: pytest.FixtureRequest) -> Callable[..., Agent]:
    """Return a factory of each agent with each table model: make_agent(env, **arguments)."""
    return KINDS[request.param]


@pytest.fixture(params=sorted(TABLE_MODELS))
def model_name(request: pytest.FixtureRequest) -> str:
    """Return the name of each table model."""
    name: str = request.param
    return name


@pytest.fixture
def same_bits() -> Callable[[Agent, Agent], None]:
    """Return a function that asserts that two agents are in bit-identical states."""

    def check(one: Agent, other: Agent) -> None:
        for part in ("values", "model", "exploration"):
            left, right = getattr(one, part).get_state(), getattr(other, part).get_state()
            assert left.keys() == right.keys()
            for name in left:
                used = _used(left, name)
                np.testing.assert_array_equal(_cut(left[name], used), _cut(right[name], used), name)
        assert one.rng.random() == other.rng.random()
        for counter in ("num_timesteps", "num_episodes", "episode_length", "episode_return"):
            assert getattr(one, counter) == getattr(other, counter)
        assert np.array_equal(one.observation, other.observation)

    return check


def _used(state: dict[str, Any], name: str) -> int | None:
    """Used part of a growing column; its capacity may differ."""
    prefix = name[: name.rfind(".") + 1]
    growing = ("link", "next_state", "terminated", "tally", "reward_sum", "pair", "reward")
    if f"{prefix}used" in state and name[len(prefix) :] in growing:
        return int(state[f"{prefix}used"][0])
    return None


def _cut(value: Any, used: int | None) -> Any:
    return value if used is None else value[:used]


@pytest.fixture
def corridor() -> gym.Env[Any, Any]:
    """Three cells: start, middle, goal."""
    return gym.make("DynaMaze-v0", layout="S.G")


@pytest.fixture
def random_transitions() -> Callable[..., Transitions]:
    """Return a factory of n random transitions among 5 states and 3 actions."""

    def make(rng: np.random.Generator, n: int) -> Transitions:
        return Transitions(
            rng.integers(5, size=n),
            rng.integers(3, size=n),
            rng.integers(4, size=n) / 4,
            rng.integers(5, size=n),
            rng.random(n) < 0.2,
        )

    return make
