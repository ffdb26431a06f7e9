"""Agents that search tables: prediction, and continuing from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    Dyna2,
    ForwardSearch,
    MonteCarloSearch,
    MonteCarloSettings,
    SparseSampling,
    TDSearch,
)


def uniform(observations: Any) -> Any:
    """Rollout policy given as a function."""
    return np.full((len(observations), 4), 0.25)


AGENTS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "forward": (ForwardSearch, {"depth": 6, "leaf_value": "values", "epsilon": 0.2}, {}),
    "sparse": (SparseSampling, {"width": 2, "depth": 4, "leaf_value": "values"}, {}),
    "rollouts": (
        MonteCarloSearch,
        {"simulations": 20, "settings": MonteCarloSettings(policy="values")},
        {},
    ),
    "rollouts of a function": (
        MonteCarloSearch,
        {"simulations": 20, "settings": MonteCarloSettings(policy=uniform)},
        {"policy": uniform},
    ),
    "td": (TDSearch, {"simulations": 5, "epsilon": 0.2}, {}),
    "dyna_2": (Dyna2, {"simulations": 5}, {}),
}
"""Name -> class, arguments, and those of `load`."""


def maze() -> Any:
    return gym.make("DynaMaze-v0", slip_probability=0.2)


def make(name: str, seed: int = 4) -> Any:
    cls, arguments, _ = AGENTS[name]
    return cls(maze(), model="maximum_likelihood", seed=seed, **arguments)


def states_of(agent: Any) -> list[Any]:
    parts = [getattr(agent, part).get_state() for part in ("values", "model", "planning")]
    return [*parts, agent.rng.bit_generator.state]


@pytest.mark.parametrize("name", AGENTS)
def test_predict_leaves_agent_unchanged(name: str) -> None:
    agent = make(name).learn(150)
    before = states_of(agent)
    assert before[2].get("transient", np.ones(1)).any()  # of planners with a memory
    agent.predict(np.arange(54))
    np.testing.assert_equal(states_of(agent), before)


@pytest.mark.parametrize("name", AGENTS)
def test_agent_resumes_bit_identically(
    name: str, tmp_path: Path, same_bits: Callable[[Any, Any], None]
) -> None:
    cls, _, objects = AGENTS[name]
    whole, half = make(name).learn(300), make(name).learn(150)
    half.save(tmp_path / "agent.npz")
    resumed = cls.load(tmp_path / "agent.npz", maze(), **objects).learn(150)
    assert resumed.config == whole.config
    np.testing.assert_equal(whole.planning.get_state(), resumed.planning.get_state())
    same_bits(whole, resumed)


def test_load_requires_policy(tmp_path: Path) -> None:
    agent = make("rollouts of a function")
    agent.save(tmp_path / "agent.npz")
    assert agent.config["policy"] is None
    with pytest.raises(ValueError, match="saved with a policy object"):
        MonteCarloSearch.load(tmp_path / "agent.npz")
