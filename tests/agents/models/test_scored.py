"""Scored models: confidence, uncertainty and their effect on planning."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import (
    DynaQ,
    LatestOutcome,
    MaximumLikelihood,
    ScoredModel,
    StoredExperience,
    Transitions,
)
from dynamaze.agents.core.kernels import fraction_of_steps
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models.protocol import confidence_in

STATES, ACTIONS = 6, 2


def scored(kind: Any = MaximumLikelihood, **more: Any) -> ScoredModel:
    return ScoredModel(kind(STATES, ACTIONS), STATES, ACTIONS, **more)


def train(model: Any, steps: list[tuple[int, int, int]]) -> Any:
    for state, action, following in steps:
        model.update(one_transition(state, action, 0.0, following, False))
    return model


def test_correct_model_keeps_confidence() -> None:
    model = train(scored(), [(s, a, (s + a) % STATES) for s in range(STATES) for a in (0, 1)] * 9)
    assert model.confidence() == 1
    pairs = np.arange(STATES), np.zeros(STATES, dtype=np.int64)
    np.testing.assert_array_equal(model.confidence(*pairs), 1)


def test_score_is_excess_log_loss() -> None:
    model = train(scored(rate=0.5, pair_rate=0.25), [(0, 0, 1)] * 8)
    train(model, [(0, 0, 2)])
    new = 1 / 10  # eight outcomes were counted; the probability of an unseen one is 1 / 10
    expected = -(1 - new) * np.log(1 - new) - new * np.log(new)
    excess = -np.log(new) - expected
    assert model.scores.excess[0] == pytest.approx(0.5 * excess)
    assert model.confidence() == pytest.approx(np.exp(-0.5 * excess))
    assert model.scores.pair_excess[0] == pytest.approx(0.25 * excess)
    share = model.confidence(np.array([0]), np.array([0]))[0]
    assert share == pytest.approx(max(0, 2 * np.exp(-0.25 * excess) - 1))


def test_first_try_is_not_scored() -> None:
    model = train(scored(), [(s, 0, (s + 1) % STATES) for s in range(STATES)])
    assert model.confidence() == 1


def test_known_chance_keeps_confidence() -> None:
    rng = np.random.default_rng(0)
    steps = [(0, 0, int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))) for _ in range(3000)]
    model = train(scored(), steps)
    shares = []
    for step in steps[:1000]:
        train(model, [step])
        shares.append(model.confidence())
    assert np.mean(shares) > 0.85
    # The latest outcome does not represent chance, so it loses confidence.
    wrong = train(scored(LatestOutcome), steps)
    assert wrong.confidence() < 0.3


@pytest.mark.parametrize("kind", [MaximumLikelihood, StoredExperience])
def test_surprising_pair_not_sampled_until_correct(kind: Any) -> None:
    model = train(scored(kind), [(s, 0, (s + 1) % STATES) for s in range(3)] * 40)
    train(model, [(1, 0, 1)] * 4)
    drawn = model.sample(500, np.random.default_rng(0))
    assert 1 not in drawn.observation
    assert {0, 2} <= set(drawn.observation)
    assert model.confidence() < 0.6
    train(model, [(1, 0, 1)] * 150)
    assert 1 in model.sample(500, np.random.default_rng(0)).observation
    assert model.confidence() > 0.9


def test_sample_without_confident_pairs() -> None:
    model = train(scored(), [(0, 0, 1)] * 50 + [(0, 0, 2)] * 5)
    assert len(model.sample(20, np.random.default_rng(0)).action) == 20


def test_confidence_scales_steps() -> None:
    assert [fraction_of_steps(10, share) for share in (0.0, 0.04, 0.06, 0.5, 1.0)] == [
        0,
        0,
        1,
        5,
        10,
    ]

    class Counting(LatestOutcome):
        trust = 0.3
        drawn = 0

        def confidence(self, observations: Any = None, actions: Any = None) -> Any:
            return self.trust if observations is None else np.ones(len(actions))

        def sample(self, n: int, rng: np.random.Generator) -> Transitions:
            self.drawn += n
            return super().sample(n, rng)

    model = Counting(54, 4)
    DynaQ("DynaMaze-v0", model=model, planning_steps=10, seed=0).learn(50)
    assert model.drawn == 150
    model.trust = 0.0
    DynaQ("DynaMaze-v0", model=model, planning_steps=10, seed=0).learn(50)
    assert model.drawn == 150  # model-free


def test_old_names_of_confidence_warn() -> None:
    """They work until 0.3."""
    model = scored()
    pairs = np.array([0, 1]), np.array([0, 0])
    with pytest.warns(DeprecationWarning, match="planning_share is now called"):
        assert model.planning_share == model.confidence()
    with pytest.warns(DeprecationWarning, match="pair_confidence is now called"):
        np.testing.assert_array_equal(model.pair_confidence(*pairs), model.confidence(*pairs))

    class Old:
        planning_share = 0.3

        def pair_confidence(self, observations: Any, actions: Any) -> Any:
            return 0.1 * observations

    with pytest.warns(DeprecationWarning, match=r"confidence\(observations=None"):
        assert confidence_in(Old()) == 0.3
    with pytest.warns(DeprecationWarning, match=r"confidence\(observations=None"):
        assert confidence_in(Old(), *pairs).tolist() == [0.0, 0.1]


def test_uncertainty_grows_with_time_and_changes() -> None:
    model = scored(change_rate=0.01, prior_strength=100)
    train(model, [(0, 0, 1)] * 200 + [(1, 0, 0)] * 50)
    one = np.array([1])
    recent, long_ago = (model.pair_uncertainty(one * s, one * 0)[0] for s in (1, 0))
    assert 0 < recent < long_ago < 1
    assert long_ago == pytest.approx(1 - (1 - model.estimated_change_rate) ** 51)
    calm = model.estimated_change_rate
    train(model, [(0, 0, 4)])
    assert model.estimated_change_rate > 1.3 * calm
    assert model.pair_uncertainty(one * 0, one * 0)[0] < model.pair_uncertainty(one * 1, one * 0)[0]


def test_unseen_outcome_is_chance_or_change() -> None:
    model = train(scored(change_rate=0.01, prior_strength=100), [(0, 0, 1)] * 8 + [(1, 0, 2)] * 3)
    changes, steps, unseen, expected = model.scores.counts
    # Pair (0, 0) was tried last four steps ago; a change affects 1 in 50 pairs.
    rate = (1 + changes) / (100 + steps + changes)
    changed = 0.02 * (1 - (1 - rate) ** 4)
    new = 1 / 10  # eight outcomes were counted
    posterior = changed / (changed + (1 - changed) * new * unseen / expected)
    train(model, [(0, 0, 5)])
    after = [changes + posterior, steps + 1, unseen + 1 - posterior, expected + new]
    np.testing.assert_allclose(model.scores.counts, after, rtol=1e-12)


def test_chance_not_counted_as_change() -> None:
    rng = np.random.default_rng(0)
    steps = [
        (int(rng.integers(STATES)), int(rng.integers(2)), int(rng.choice([0, 1, 2, 3])))
        for _ in range(2000)
    ]
    model = train(scored(), steps)
    assert model.estimated_change_rate < 3e-3


def test_log_reports_confidence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dynamaze.agents.models.scored")
    model = train(scored(), [(0, 0, 1)] * 50)
    assert not caplog.messages
    train(model, [(0, 0, 2)] * 6)
    train(model, [(0, 0, 2)] * 200)
    lost, found = caplog.messages
    assert lost.startswith("step 56: MaximumLikelihood predicts badly, planning is down to")
    assert found.endswith("MaximumLikelihood predicts well again")


def test_scored_rejects_unsuitable_models() -> None:
    with pytest.raises(ValueError, match=r"LatestOnly does not declare \['distribution'\]"):
        scored(type("LatestOnly", (LatestOutcome,), {"capabilities": frozenset({"sample"})}))
    for wrong in (
        {"rate": 0.0},
        {"pair_rate": 1.5},
        {"change_rate": 0.0},
        {"prior_strength": -1.0},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            scored(**wrong)


def test_rejected_batch_not_scored() -> None:
    for kind in (MaximumLikelihood, StoredExperience):
        model = train(scored(kind), [(0, 0, 1)] * 3)
        before = model.get_state()
        bad = Transitions(*(np.repeat(c, 2) for c in one_transition(0, 0, 0.0, 2, False)))
        bad.reward[1] = np.nan
        with pytest.raises(ValueError, match="transition 1 is"):
            model.update(bad)
        np.testing.assert_equal(model.get_state(), before)
