"""How well a model predicted: the numbers behind trust and doubt, and the rule that keeps them.

Each real transition is scored before the model learns from it. The score is the excess of the
log loss over what the model itself expects: with N outcomes behind it, a prediction leaves
1 / (N + 2) to something new (Laplace's rule of succession), and a calibrated model has an excess
of 0 on average, in a deterministic world as in one of chance. Its moving average, never below 0,
is E; trust is exp(-E): how likely the model holds what happens, beside what it claims to. A pair
deserves the share max(0, 2 trust - 1) of its draws: none once its predictions are worth half.

Rewards are not scored: a model's mean reward says nothing of how far rewards may lie from it.

Something new may be the chance of the world as it was, or a world that changed. How likely the
second is follows from Bayes' rule, and so do two counts: of changes, which give the rate h at
which the world changes, and of what was new without a change. Of a pair that was not tried for
tau steps, 1 - (1 - h) ** tau is then the doubt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.compiled import compiled, spliced

from ..core.recency import TriedTimes, note_tried

EXTENT = 0.02
"""The part of all pairs that a change of the world is expected to touch."""


class Scores(NamedTuple):
    """Changed in place."""

    times: TriedTimes
    pair_excess: FloatArray  # (states * actions,) moving average E of each pair
    pair_share: FloatArray  # (states * actions,) of its draws that a pair deserves
    excess: FloatArray  # (1,) moving average E of all steps
    counts: FloatArray  # (4,) changes, scored steps, news without change, news expected
    rate: float  # step size of the average over all steps
    pair_rate: float  # step size of each pair's average
    change_rate: float  # changes per step that are expected beforehand
    certainty: float  # steps of experience that this expectation is worth

    @classmethod
    def begin(
        cls,
        num_states: int,
        num_actions: int,
        *,
        rate: float,
        pair_rate: float,
        change_rate: float,
        certainty: float,
    ) -> Scores:
        """Nothing scored yet: full trust."""
        pairs = num_states * num_actions
        return cls(
            TriedTimes.begin(num_states, num_actions),
            np.zeros(pairs),
            np.ones(pairs),
            np.zeros(1),
            np.array([0.0, 0.0, 1.0, 1.0]),
            rate,
            pair_rate,
            change_rate,
            certainty,
        )


@compiled
def note_score(scores, pair, probability, entropy, count):
    """Score a real outcome of a pair.

    Args:
        scores: changed in place.
        pair: number of the pair.
        probability: how likely the model held the outcome.
        entropy: of its prediction, in nats.
        count: by how many outcomes the pair is known; nothing is scored where it is 0.
    """
    if count > 0.0:
        new = 1.0 / (count + 2.0)
        loss = -np.log((1.0 - new) * probability if probability > 0.0 else new)
        expected = (1.0 - new) * (entropy - np.log(1.0 - new)) - new * np.log(new)
        excess = loss - expected
        _count_changes(scores, pair, probability <= 0.0, new)
        scores.pair_excess[pair] = _averaged(scores.pair_excess[pair], excess, scores.pair_rate)
        scores.pair_share[pair] = max(0.0, 2.0 * np.exp(-scores.pair_excess[pair]) - 1.0)
        scores.excess[0] = _averaged(scores.excess[0], excess, scores.rate)
    note_tried(scores.times, pair)


@spliced
def _averaged(average, excess, rate):
    return max(0.0, average + rate * (excess - average))


@compiled
def _count_changes(scores, pair, is_new, new):
    """By Bayes' rule: was it a change, or something that might have happened before?"""
    counts = scores.counts
    if is_new:
        changed = EXTENT * pair_doubt(scores, pair)
        without = (1.0 - changed) * new * counts[2] / counts[3]
        is_change = changed / (changed + without)
        counts[0] += is_change
        counts[2] += 1.0 - is_change
    counts[1] += 1.0
    counts[3] += new


@compiled
def world_change_rate(scores):
    """Changes per real step, as estimated by now."""
    prior = scores.change_rate * scores.certainty
    return (prior + scores.counts[0]) / (scores.certainty + scores.counts[1] + scores.counts[0])


@compiled
def pair_doubt(scores, pair):
    """The probability that the world has changed since a pair was last tried."""
    tau = float(scores.times.clock[0] + 1 - scores.times.last_tried[pair])
    return -np.expm1(tau * np.log1p(-world_change_rate(scores)))


@compiled
def overall_trust(scores):
    """In [0, 1]."""
    return np.exp(-scores.excess[0])
