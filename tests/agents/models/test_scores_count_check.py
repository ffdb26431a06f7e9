"""Count check of scored models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import MaximumLikelihood, RegressionModel, ScoredModel, Transitions
from dynamaze.agents.core.records import flatten
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.learners.linear import RecursiveLeastSquares
from dynamaze.agents.models.protocol import Outcomes, Prediction
from dynamaze.benchmarks.studies.corrupted_model import CorruptedModel, block_representatives

STATES, ACTIONS = 6, 2


class Fixed:
    """Model with a fixed distribution of every pair."""

    num_states, num_actions = STATES, ACTIONS
    capabilities = frozenset({"sample", "predict", "distribution"})

    def __init__(self, *probability: float) -> None:
        self.probability = np.array(probability)
        self.visits = np.zeros((STATES, ACTIONS), dtype=np.int64)

    def update(self, transitions: Transitions) -> None:
        np.add.at(self.visits, (transitions.observation, transitions.action), 1)

    def distribution(self, observation: int, action: int) -> Outcomes:
        size = self.probability.size
        nothing = np.zeros(size)
        return Outcomes(np.arange(size), self.probability, nothing, nothing.astype(np.bool_))

    def predict(self, observations: Any, actions: Any) -> Prediction:
        nothing = np.zeros(len(actions))
        visits = self.visits[observations, actions]
        return Prediction(nothing, nothing.astype(np.int64), nothing, visits)

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        raise NotImplementedError

    def get_state(self) -> dict[str, Any]:
        return {"visits": self.visits.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.visits = state["visits"].copy()


def train(model: ScoredModel, steps: list[tuple[int, int, int]]) -> None:
    for state, action, following in steps:
        model.update(one_transition(state, action, 0.0, following, False))


def pair_confidence(model: ScoredModel, state: int, action: int) -> float:
    return float(model.confidence(np.array([state]), np.array([action]))[0])


def test_vague_model_loses_confidence() -> None:
    vague: Any = Fixed(0.25, 0.25, 0.25, 0.25)
    model = ScoredModel(vague, count_check=True, pair_rate=0.4)
    without = ScoredModel(Fixed(0.25, 0.25, 0.25, 0.25), pair_rate=0.4)
    steps = [(0, 0, 2)] * 12
    train(model, steps)
    train(without, steps)
    assert pair_confidence(without, 0, 0) == 1  # its excess is 0: it expects its own loss
    regret = 0.0
    for count in range(1, 12):  # the first outcome is not compared
        more = np.log((count + 2 * 0.25) / (count + 2) / 0.25)
        regret += 0.4 * (more - regret)
    assert pair_confidence(model, 0, 0) == pytest.approx(max(0.0, 2 * np.exp(-regret) - 1))
    assert pair_confidence(model, 0, 0) < 0.5


def test_untested_pair_has_overall_confidence() -> None:
    model = ScoredModel(Fixed(0.25, 0.25, 0.25, 0.25), count_check=True, rate=0.5)
    train(model, [(0, 0, 2)] * 12)
    overall = 0.0
    for count in range(1, 12):
        overall += 0.5 * (np.log((count + 0.5) / (count + 2) / 0.25) - overall)
    train(model, [(1, 0, 3)])
    assert pair_confidence(model, 1, 0) == pytest.approx(max(0.0, 2 * np.exp(-overall) - 1))
    assert pair_confidence(model, 2, 0) == 1  # not planned with before it was tried


def test_denied_outcome_removes_confidence() -> None:
    model = ScoredModel(Fixed(0.0, 1.0), count_check=True)
    train(model, [(0, 0, 0)])
    assert pair_confidence(model, 0, 0) == 0
    train(model, [(1, 0, 1)])
    assert pair_confidence(model, 1, 0) == 1
    # One that learns denies nothing: a surprise is left to its excess.
    learner = ScoredModel(MaximumLikelihood(STATES, ACTIONS), count_check=True)
    train(learner, [(0, 0, 0), (0, 0, 1)])
    assert pair_confidence(learner, 0, 0) > 0.9


def test_correct_stochastic_model_keeps_confidence() -> None:
    """False alarms are below 1e-3; over 1000 other seeds the maxima were 0.0017 and 0.024."""
    rng = np.random.default_rng(0)
    model = ScoredModel(Fixed(0.6, 0.3, 0.1), count_check=True)
    regrets = []
    for following in rng.choice(3, p=[0.6, 0.3, 0.1], size=3000):
        train(model, [(0, 0, int(following))])
        regrets.append(model.count_check.regret[0])
    assert np.mean(2 * np.exp(-np.array(regrets)) - 1 < 0.5) < 0.01
    assert regrets[-1] < 0.05


@pytest.mark.parametrize("outcomes", [1, 3])
def test_counting_model_unaffected(outcomes: int) -> None:
    rng = np.random.default_rng(1)
    steps = [
        (s, int(rng.integers(ACTIONS)), int(s + rng.integers(outcomes)) % STATES)
        for s in rng.integers(STATES, size=400).tolist()
    ]
    with_it, without = (
        ScoredModel(MaximumLikelihood(STATES, ACTIONS), count_check=enabled)
        for enabled in (True, False)
    )
    train(with_it, steps)
    train(without, steps)
    np.testing.assert_allclose(
        with_it.scores.pair_confidence, without.scores.pair_confidence, atol=1e-12
    )
    if outcomes == 1:
        np.testing.assert_array_equal(with_it.scores.pair_confidence, 1)


def vague_of_blocks() -> ScoredModel:
    inside = CorruptedModel(
        MaximumLikelihood(STATES, ACTIONS), representatives=block_representatives(2, 3, 2)
    )
    return ScoredModel(inside, count_check=True)


def test_compiled_equals_python(
    random_transitions: Callable[..., Transitions],
) -> None:
    seen = random_transitions(np.random.default_rng(0), 300)
    seen = seen._replace(action=seen.action % ACTIONS)
    quick, slow = vague_of_blocks(), vague_of_blocks()
    slow._is_compiled = False
    quick.update(seen)
    slow.update(seen)
    assert quick.count_check.regret.max() > 0
    for left, right in (
        (quick.scores, slow.scores),
        (quick.count_check.record, slow.count_check.record),
    ):
        want = flatten(right)
        for name, value in flatten(left).items():
            if name.startswith("counts.") and name != "counts.visits":
                continue  # one has more room
            np.testing.assert_allclose(value, want[name], rtol=1e-9, atol=1e-12)


def test_count_check_restored_from_state(random_transitions: Callable[..., Transitions]) -> None:
    seen = random_transitions(np.random.default_rng(0), 200)
    seen = seen._replace(action=seen.action % ACTIONS)
    straight, other = vague_of_blocks(), vague_of_blocks()
    straight.update(seen)
    other.set_state(straight.get_state())
    for model in (straight, other):
        model.update(seen)
    np.testing.assert_equal(straight.get_state(), other.get_state())
    broken = straight.get_state()
    del broken["count_check.regret"]
    before = other.get_state()
    with pytest.raises(ValueError, match="regret"):
        other.set_state(broken)
    np.testing.assert_equal(other.get_state(), before)


def test_count_check_rejects_vectors() -> None:
    with pytest.raises(ValueError, match="count_check=True for RegressionModel"):
        ScoredModel(RegressionModel(RecursiveLeastSquares(5, 4), 3), count_check=True)
