"""Custom models in the Dyna agents, and rejected arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, DynaQPlus, LatestOutcome, TableValues, Transitions
from dynamaze.agents.models import MODELS, make_model
from dynamaze.agents.planning.base import check_fit
from dynamaze.agents.planning.uniform import UniformPlanning


def batch(stream: list[tuple[Any, ...]]) -> Transitions:
    return Transitions(*(np.array(column) for column in zip(*stream, strict=True)))


def test_make_model_rejects_unknown_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'latest_outcome'"):
        make_model("latest_outcom", 2, 2)
    with pytest.raises(TypeError, match="'update'"):
        make_model(type("Half", (), {"capabilities": frozenset()})(), 2, 2)


class LastFew:
    """Custom model: samples the last transitions."""

    capabilities = frozenset({"sample"})

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def update(self, transitions: Transitions) -> None:
        self.seen = (self.seen + list(zip(*transitions, strict=True)))[-100:]

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        return batch([self.seen[i] for i in rng.integers(len(self.seen), size=n)])


def test_custom_model_speeds_up_learning() -> None:
    learned = DynaQ("DynaMaze-v0", model=LastFew(), planning_steps=20, seed=0).learn(5000)
    alone = DynaQ("DynaMaze-v0", planning_steps=0, seed=0).learn(5000)
    assert learned.num_episodes > 1.5 * alone.num_episodes


def test_custom_model_gets_time_bonus() -> None:
    # It samples tried actions only, with which the bonus harms learning; here it need only be
    # added.
    agent = DynaQPlus("DynaMaze-v0", model=LastFew(), kappa=0.01, seed=0).learn(200)
    samples = agent.model.sample(50, np.random.default_rng(0))
    plain = agent.model.model.sample(50, np.random.default_rng(0))  # type: ignore[attr-defined]
    bonus = samples.reward - plain.reward
    assert bonus.max() <= 0.01 * np.sqrt(100)
    assert np.count_nonzero(bonus) > 30


def test_check_fit_rejects_missing_capability() -> None:
    silent = type("Silent", (LastFew,), {"capabilities": frozenset({"predict"})})()
    with pytest.raises(ValueError, match=r"'sample'.*latest_outcome"):
        DynaQ("DynaMaze-v0", model=silent)
    values = TableValues(54, 4, learning_rate=0.5, gamma=0.9)
    check_fit(UniformPlanning(0), silent, values)


def test_model_object_equals_named_model(model_name: str) -> None:
    named = DynaQ("DynaMaze-v0", model=model_name, seed=0).learn(300)
    given = DynaQ("DynaMaze-v0", model=MODELS[model_name](54, 4), seed=0).learn(300)
    np.testing.assert_array_equal(named.values.q, given.values.q)  # type: ignore[attr-defined]


def test_agent_rejects_model_size() -> None:
    with pytest.raises(ValueError, match="num_states=53; expected 54"):
        DynaQ("DynaMaze-v0", model=LatestOutcome(53, 4))
    with pytest.raises(ValueError, match="num_actions=2; expected 4"):
        DynaQPlus("DynaMaze-v0", model=LatestOutcome(54, 2))


def test_agent_rejects_model_class() -> None:
    with pytest.raises(TypeError, match=r"LatestOutcome.* is a class; expected an object"):
        DynaQ("DynaMaze-v0", model=LatestOutcome)  # type: ignore[arg-type]


def test_save_rejects_stateless_model(tmp_path: Path) -> None:
    for agent in (DynaQ, DynaQPlus):
        learned = agent("DynaMaze-v0", model=LastFew(), seed=0).learn(20)
        with pytest.raises(TypeError, match=r"'LastFew' .* needs get_state and set_state"):
            learned.save(tmp_path / "agent.npz")
    assert not list(tmp_path.iterdir())


def test_agent_rejects_invalid_sample() -> None:
    class Invalid(LastFew):
        def sample(self, n: int, rng: np.random.Generator) -> Transitions:
            return super().sample(n, rng)._replace(next_observation=np.full(n, 54))

    agent = DynaQ("DynaMaze-v0", model=Invalid(), planning_steps=3, initial_value=1.0, seed=0)
    with pytest.raises(ValueError, match="expected states below 54"):
        agent.learn(1)
    # The real step was learned, none of the simulated ones was.
    assert np.count_nonzero(agent.values.q != 1.0) == 1  # type: ignore[attr-defined]
