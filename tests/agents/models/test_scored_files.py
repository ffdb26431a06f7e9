"""Scored learned models: checkpoints, conformance and invalid input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, ScoredModel, Transitions
from dynamaze.agents.checks import CheckEnvironment, check_model
from dynamaze.agents.core.encoders import VectorActions, Vectors
from dynamaze.agents.core.features import Identity
from dynamaze.agents.learners.linear import BayesianLinear
from dynamaze.agents.models import (
    MODELS,
    MaximumLikelihood,
    RegressionModel,
    StoredVectors,
    model_for,
)
from dynamaze.common.storage import read_checkpoint

OLD_FILE = Path(__file__).parent / "data" / "scored_agent_0_1"
"""Checkpoint that version 0.1 wrote of the agent in `test_state_of_version_0_1_restored`."""

CONTINUOUS = {"observation": "position", "action": "discrete"}


def drift(n: int, seed: int) -> Transitions:
    """Transitions of a point that all three actions move equally."""
    rng = np.random.default_rng(seed)
    at, action = rng.uniform(2, 8, (n, 2)), rng.integers(3, size=n)
    return Transitions(at, action, at[:, 0], at + 0.25, np.zeros(n, dtype=np.bool_))


@pytest.mark.parametrize("name", ["linear", "bayesian_linear", "gaussian_process", "ensemble"])
@pytest.mark.parametrize("observes", ["discrete", "vectors"])
def test_scored_agent_resumes_from_file(name: str, observes: str, tmp_path: Path) -> None:
    kind, options = (
        ("DynaMaze-v0", {"observation": "coordinates"})
        if observes == "discrete"
        else ("DynaMazeContinuous-v0", CONTINUOUS)
    )
    values = "table" if observes == "discrete" else "tile_coding"

    def model() -> ScoredModel:
        space = gym.make(kind, **options).observation_space
        return ScoredModel(model_for(name, space, 4, observes=observes))

    agent = DynaQ(gym.make(kind, **options), model=model(), values=values, seed=0).learn(40)
    agent.save(tmp_path / "agent.npz")
    other = DynaQ.load(tmp_path / "agent.npz", gym.make(kind, **options), model=model())
    for each in (agent, other):
        each.learn(25)
    np.testing.assert_equal(other.model.get_state(), agent.model.get_state())
    np.testing.assert_equal(other.values.get_state(), agent.values.get_state())
    assert agent.model.scores.times.clock[0] == 65  # type: ignore[attr-defined]


def test_scored_vector_model_passes_checks() -> None:
    promises = frozenset(
        {"exact_when_deterministic", "samples_only_seen", "samples_all_seen", "knows_uncertainty"}
    )

    def factory(env: CheckEnvironment) -> Any:
        vectors = Vectors(spaces.Discrete(env.size))
        return ScoredModel(MODELS["bayesian_linear"].on_vectors(vectors, env.num_actions))  # type: ignore[union-attr]

    assert len(check_model(factory, vectors=True, promises=promises).named("passed")) >= 37


def test_update_rejects_bad_batch() -> None:
    model = ScoredModel(RegressionModel(BayesianLinear(5, 4), 3))
    model.update(drift(20, 0))
    before = model.get_state()
    good = drift(3, 1)
    bad: list[dict[str, Any]] = [
        {"reward": np.array([0.0, 0.0, np.nan])},
        {"action": good.action + 3},
        {"next_observation": good.next_observation[:, :1]},
        {"reward": np.array([0.0, 0.0, 1e300])},  # which only the learner rejects, last of all
    ]
    for change in bad:
        with pytest.raises(ValueError, match="expected"):
            model.update(good._replace(**change))
        np.testing.assert_equal(model.get_state(), before)
    with pytest.raises(ValueError, match="visits"):
        model.set_state({**before, "scorer.visits": np.zeros(4, dtype=np.int64)})
    with pytest.raises((KeyError, ValueError)):
        model.set_state({name: before[name] for name in before if "learner" not in name})
    np.testing.assert_equal(model.get_state(), before)


def test_scoring_needs_spreads() -> None:
    with pytest.raises(ValueError, match=r"StoredVectors does not declare \['uncertainty'\]"):
        ScoredModel(StoredVectors(2, 3))


def test_continuous_actions_scored_by_bin() -> None:
    box = {"low": np.zeros(2), "high": np.full(2, 10.0)}
    inside = RegressionModel(BayesianLinear(4, 4), VectorActions(2), features=Identity(2), **box)
    model = ScoredModel(inside)
    rng = np.random.default_rng(0)
    at, push = rng.uniform(2, 8, (300, 2)), rng.uniform(-1, 1, (300, 2))
    flag = np.zeros(300, dtype=np.bool_)
    model.update(Transitions(at, push, at[:, 0], at + push, flag))
    assert model.confidence() > 0.9
    assert model.scorer.get_state()["visits"].sum() == 300
    model.update(Transitions(at[:30], push[:30], at[:30, 0], at[:30] - push[:30], flag[:30]))
    assert model.confidence() < 0.9
    assert model.sample(10, rng).action.shape == (10, 2)


def test_state_of_version_0_1_restored() -> None:
    arrays, document = read_checkpoint(OLD_FILE)
    old = {
        name.removeprefix("model."): value
        for name, value in {**arrays, **document["numbers"]}.items()
        if name.startswith("model.")
    }
    assert {"opinion.regret", "scores.pair_share", "scores.certainty", "is_trusted"} <= old.keys()
    restored = ScoredModel(MaximumLikelihood(3, 4), count_check=True)
    restored.set_state(old)

    env = gym.make("DynaMaze-v0", layout="S.G")
    model = ScoredModel(MaximumLikelihood(3, 4), count_check=True, prior_strength=100)
    DynaQ(env, model=model, planning_steps=5, seed=0).learn(60)
    found, expected = restored.get_state(), model.get_state()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, err_msg=name)


def test_old_keywords_warn() -> None:
    with pytest.warns(DeprecationWarning, match="second_opinion= is now called count_check="):
        model = ScoredModel(MaximumLikelihood(3, 4), second_opinion=True)
    assert "count_check.regret" in model.get_state()
    with pytest.warns(DeprecationWarning, match="certainty= is now called prior_strength="):
        model = ScoredModel(MaximumLikelihood(3, 4), certainty=100)
    assert model.scores.prior_strength == 100
