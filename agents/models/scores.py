"""Scores of a model's predictions: confidence, uncertainty, and the rules that update them.

Each real transition is scored before the model learns from it, by the excess of the log loss over
the model's own expectation of it (`record_score`). `ScoredModel` applies the resulting confidence.
Rewards are not scored: a mean reward does not say how far rewards may deviate from it.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled

from ..core.kernels import (
    WHOLE_MODEL,
    outcome_probability,
    rules,
    sample_transition,
    update_model,
)
from ..core.records import Stateful
from ..core.rng import high_unit, next_word
from .bonus import VisitTimes, record_visit
from .likelihood import LikelihoodTable, MaximumLikelihood

EXTENT = 0.02
"""Expected fraction of all pairs that a change of the environment affects."""


class Scores(NamedTuple):
    """Record of all scores, changed in place."""

    times: VisitTimes
    pair_excess: FloatArray  # (states * actions,) moving average E of each pair
    pair_confidence: FloatArray  # (states * actions,) acceptance rate of each pair's draws
    excess: FloatArray  # (1,) moving average E of all steps
    # (4,) changes, scored steps, unseen outcomes without change, and the expected number of these
    counts: FloatArray
    rate: float  # step size of the average over all steps
    pair_rate: float  # step size of each pair's average
    change_rate: float  # prior expectation of the changes per step
    prior_strength: float  # weight of the prior, in steps of experience

    @classmethod
    def begin(
        cls,
        num_states: int,
        num_actions: int,
        *,
        rate: float,
        pair_rate: float,
        change_rate: float,
        prior_strength: float,
    ) -> Scores:
        """Return the record before the first score: full confidence."""
        pairs = num_states * num_actions
        return cls(
            VisitTimes.begin(num_states, num_actions),
            np.zeros(pairs),
            np.ones(pairs),
            np.zeros(1),
            np.array([0.0, 0.0, 1.0, 1.0]),
            rate,
            pair_rate,
            change_rate,
            prior_strength,
        )


@compiled
def record_outcome(
    scores, count_check, num_actions, pair, reward, next_state, terminated, predicted, after
):
    """Score a real outcome of a pair, and compare the model with the pair's counts.

    Args:
        scores: changed in place.
        count_check: changed in place; one of no pair is skipped.
        num_actions: number of actions in each state.
        pair: number of the pair.
        reward: reward of the outcome, which is not scored.
        next_state: next state of the outcome; not used without a count check.
        terminated: True if the outcome ended the episode.
        predicted: the model's probability of the outcome before it learned from it, its entropy
            and the number of the pair's outcomes, as of `outcome_probability`.
        after: the probability afterwards; not used without a count check.
    """
    probability, entropy, count = predicted
    record_score(scores, pair, probability, entropy, count)
    if count_check.regret.size:
        record_count_check(
            count_check, scores, num_actions, pair, next_state, terminated, probability, after
        )
        update_model(
            count_check.counts,
            num_actions,
            pair // num_actions,
            pair % num_actions,
            reward,
            next_state,
            terminated,
        )


@compiled
def record_score(scores, pair, probability, entropy, count):
    """Score a real outcome of a pair.

    Args:
        scores: changed in place.
        pair: number of the pair.
        probability: the model's probability of the outcome.
        entropy: entropy of the predictive distribution, in nats.
        count: number of earlier outcomes of the pair; without any nothing is scored.
    """
    if count > 0.0:
        # Laplace's rule of succession: the probability of an unseen outcome
        new = 1.0 / (count + 2.0)
        loss = -np.log((1.0 - new) * probability if probability > 0.0 else new)
        expected = (1.0 - new) * (entropy - np.log(1.0 - new)) - new * np.log(new)
        # 0 on average for a calibrated model, in deterministic and stochastic environments
        excess = loss - expected
        _count_changes(scores, pair, probability <= 0.0, new)
        scores.pair_excess[pair] = _ema_above_zero(
            scores.pair_excess[pair], excess, scores.pair_rate
        )
        # exp(-E) compares the likelihood of the outcomes with the claimed one; the confidence
        # 2 exp(-E) - 1 is 0 once the predictions are half as good as claimed.
        scores.pair_confidence[pair] = max(0.0, 2.0 * np.exp(-scores.pair_excess[pair]) - 1.0)
        scores.excess[0] = _ema_above_zero(scores.excess[0], excess, scores.rate)
    record_visit(scores.times, pair)


@compiled
def _ema_above_zero(average, excess, rate):
    return max(0.0, average + rate * (excess - average))


@compiled
def _count_changes(scores, pair, is_new, new):
    """Update the expected number of changes by Bayes' rule."""
    counts = scores.counts
    if is_new:
        # An unseen outcome is chance or a change of the environment: posterior of the change
        changed = EXTENT * change_probability(scores, pair)
        without = (1.0 - changed) * new * counts[2] / counts[3]
        is_change = changed / (changed + without)
        counts[0] += is_change
        counts[2] += 1.0 - is_change
    counts[1] += 1.0
    counts[3] += new


@compiled
def estimated_change_rate(scores):
    """Return the estimated number of changes per real step."""
    # Posterior mean of the rate with `prior_strength` pseudo-steps
    prior = scores.change_rate * scores.prior_strength
    return (prior + scores.counts[0]) / (
        scores.prior_strength + scores.counts[1] + scores.counts[0]
    )


@compiled
def change_probability(scores, pair):
    """Return the probability that the environment has changed since a pair was last tried."""
    tau = float(scores.times.clock[0] + 1 - scores.times.last_tried[pair])
    # 1 - (1 - h)^tau with the change rate h
    return -np.expm1(tau * np.log1p(-estimated_change_rate(scores)))


@compiled
def model_confidence(scores):
    """Return the confidence in the model as a whole, in [0, 1]."""
    return np.exp(-scores.excess[0])


PRIOR_OUTCOMES = 2.0
"""Weight of the model's prediction in the count-based probability, in outcomes."""


class CountCheckTable(NamedTuple):
    """Record of the count check, changed in place."""

    counts: LikelihoodTable  # of each pair's own outcomes
    regret: FloatArray  # (states * actions,) moving average R; empty without a count check
    overall: FloatArray  # (1,) moving average over all steps


class CountCheck(Stateful):
    """Count-based check of a model against the outcome counts of each pair.

    A model that generalises may predict a pair vaguely instead of wrongly: it expects its own loss,
    so its excess is 0, although it is wrong about every single pair. The counts of the pair's own
    outcomes show that: the regret is the excess of the model's loss over theirs.

    Args:
        num_states: number of states.
        num_actions: number of actions in each.
    """

    state_fields: ClassVar = {"counts": "counts.", "regret": "regret", "overall": "overall"}

    def __init__(self, num_states: int, num_actions: int) -> None:
        self.counts = MaximumLikelihood(num_states, num_actions)
        self.regret, self.overall = np.zeros(num_states * num_actions), np.zeros(1)

    @property
    def record(self) -> CountCheckTable:
        """Record for compiled code."""
        return CountCheckTable(self.counts.table, self.regret, self.overall)


NO_COUNT_CHECK = CountCheck(0, 0)
"""Count check of no pair: compiled code skips it."""


@compiled
def record_count_check(
    count_check, scores, num_actions, pair, next_state, terminated, probability, after
):
    """Compare a model with the counts of a pair, before the current outcome is counted.

    Args:
        count_check: changed in place.
        scores: changed in place: the confidence in the pair is lowered.
        num_actions: number of actions in each state.
        pair: number of the pair.
        next_state: next state of the outcome.
        terminated: True if the outcome ended the episode.
        probability: the model's probability of the outcome before it learned from it.
        after: the same afterwards.
    """
    frequency, _, count = outcome_probability(
        count_check.counts, num_actions, pair, next_state, terminated
    )
    if count == 0.0:
        # Until a pair is tested itself, it has the confidence of the whole model.
        count_check.regret[pair] = count_check.overall[0]
    elif probability > 0.0:
        # (n' + 2 p) / (n + 2): counts, with the model's probability p worth two outcomes
        counted = (count * frequency + PRIOR_OUTCOMES * probability) / (count + PRIOR_OUTCOMES)
        # A correct model has no larger mean loss than any other (Gibbs' inequality).
        more = np.log(counted / probability)
        update_ema(count_check.regret, pair, more, scores.pair_rate)
        update_ema(count_check.overall, 0, more, scores.rate)
    if after <= 0.0:  # a correct model does not exclude an outcome that it has just learned
        count_check.regret[pair] = max(count_check.regret[pair], np.log(2.0))
    confidence = max(0.0, 2.0 * np.exp(-count_check.regret[pair]) - 1.0)
    scores.pair_confidence[pair] = min(scores.pair_confidence[pair], confidence)


@compiled
def update_ema(averages, place, new, rate):
    """Update an exponential moving average that is never below 0."""
    averages[place] = max(0.0, averages[place] + rate * (new - averages[place]))


MAX_REDRAWS = 20
"""Largest number of draws of one sample, as pairs of low confidence are redrawn."""


class ScoredTable(NamedTuple):
    """Record of a model and its scores."""

    model: Any
    scores: Scores
    count_check: CountCheckTable


@compiled
def update_scored(table, num_actions, state, action, reward, next_state, terminated):
    """Score the model's prediction, then update the model."""
    pair = state * num_actions + action
    model, after = table.model, 0.0
    predicted = outcome_probability(model, num_actions, pair, next_state, terminated)
    update_model(model, num_actions, state, action, reward, next_state, terminated)
    if table.count_check.regret.size:
        after, _, _ = outcome_probability(model, num_actions, pair, next_state, terminated)
    record_outcome(
        table.scores,
        table.count_check,
        num_actions,
        pair,
        reward,
        next_state,
        terminated,
        predicted,
        after,
    )


@compiled
def sample_scored(table, num_actions, rng):
    """Sample a transition of the inner model; pairs of low confidence are redrawn."""
    confidence = table.scores.pair_confidence
    pair, reward, next_state, terminated, rng = sample_transition(table.model, num_actions, rng)
    for _ in range(MAX_REDRAWS - 1):
        if confidence[pair] >= 1.0:
            break
        word, rng = next_word(rng)
        if high_unit(word) < confidence[pair]:
            break
        pair, reward, next_state, terminated, rng = sample_transition(table.model, num_actions, rng)
    return pair, reward, next_state, terminated, rng


@compiled
def scored_uncertainty(table, num_actions, pair):
    """Return the probability that the environment has changed since the pair was last tried."""
    return change_probability(table.scores, pair)


@compiled
def scored_confidence(table, pair):
    """Return the confidence in a pair, or in the model as a whole."""
    if pair == WHOLE_MODEL:
        return model_confidence(table.scores)
    return table.scores.pair_confidence[pair]


rules(
    ScoredTable,
    inside="model",
    update_model=update_scored,
    sample_transition=sample_scored,
    pair_uncertainty=scored_uncertainty,
    confidence=scored_confidence,
)
