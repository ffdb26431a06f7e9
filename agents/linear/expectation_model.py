"""Linear expectation model of features: expected next features and expected reward.

Sutton, Szepesvári, Geramifard and Bowling 2008. For each action a matrix F and a vector b: F x is
the expected next feature vector, b . x the expected reward. The features of terminal states are 0,
so the model needs no separate output for termination.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import (
    check_entries,
    checked_choice,
    checked_count,
    checked_number,
)

from ..core.records import Stateful
from ..learners.linear import least_squares_gain

KINDS = ("least_mean_squares", "recursive_least_squares")


class LinearExpectation(Stateful):
    """F and b of each action, learned from one transition at a time.

    By least mean squares, F += step (y - F x) x' and b += step (r - b . x) x, or by recursive least
    squares as in `dynamaze.agents.learners.linear`; search control reads the predecessors of a
    feature from F.

    Args:
        num_features: n.
        num_actions: number of actions.
        kind: "least_mean_squares" or "recursive_least_squares".
        prior_variance: of the least squares; its inverse is the ridge.

    Attributes:
        leads: (actions, n, n) F transposed: [a, j, i] is the expected feature i after feature j.
        rewards: (actions, n) b.
        counts: (actions, n) number of updates with a nonzero feature.
        spread: (actions, n, n) P = (X'X + I / prior_variance)^-1 of least squares; else empty.

    Raises:
        ValueError: for an unknown kind, a number outside its range, or too many features.
    """

    state_fields: ClassVar = {
        "leads": "leads",
        "rewards": "rewards",
        "counts": "counts",
        "spread": "spread",
    }

    def __init__(
        self,
        num_features: int,
        num_actions: int,
        *,
        kind: str = "least_mean_squares",
        prior_variance: float = 1e4,
    ) -> None:
        self.kind = checked_choice("model", kind, KINDS)
        self.num_features = checked_count("num_features", num_features)
        self.num_actions = checked_count("num_actions", num_actions)
        variance = checked_number("prior_variance", prior_variance, 0, above=True)
        shape = (self.num_actions, self.num_features, self.num_features)
        check_entries(f"num_features={num_features}, num_actions={num_actions}", *shape)
        self.leads, self.rewards = np.zeros(shape), np.zeros(shape[:2])
        self.counts = np.zeros(shape[:2])
        eye = np.eye(self.num_features) * variance
        is_recursive = kind == "recursive_least_squares"
        self.spread = np.stack([eye] * (self.num_actions if is_recursive else 0) or [eye[:0, :0]])

    def learn(
        self, x: FloatArray, action: int, reward: float, y: FloatArray, step_size: Any
    ) -> None:
        """Learn from a transition between feature vectors.

        Args:
            x: (n,) features.
            action: from 0.
            reward: the reward.
            y: (n,) features of the next state; 0 for a terminal one.
            step_size: of least mean squares; a number, or one for each nonzero feature.
        """
        places = np.flatnonzero(x)  # features are mostly 0
        self.counts[action, places] += 1
        leads, rewards = self.leads[action], self.rewards[action]
        error = y - x[places] @ leads[places]
        reward_error = reward - rewards[places] @ x[places]
        if self.kind == "recursive_least_squares":
            gain, _ = least_squares_gain(self.spread[action], places, x[places])
            leads += np.outer(gain, error)
            rewards += reward_error * gain
        else:
            # F += step (y - F x) x' and b += step (r - b . x) x
            gain = step_size * x[places]
            leads[places] += np.outer(gain, error)
            rewards[places] += reward_error * gain

    def lookahead(self, x: FloatArray, theta: FloatArray, gamma: float) -> FloatArray:
        """Return the (actions,) one-step lookahead values b . x + gamma theta . F x.

        Args:
            x: (n,) features.
            theta: (n,) weights of the values.
            gamma: discount factor.
        """
        places = np.flatnonzero(x)
        per_feature = self.rewards[:, places] + gamma * (self.leads[:, places] @ theta)
        values: FloatArray = per_feature @ x[places]
        return values
