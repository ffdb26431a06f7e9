"""A linear expectation model of features: what follows on average, and what is paid.

Sutton, Szepesvári, Geramifard and Bowling 2008. For each action a matrix F and a vector b: F x is
the expected next feature vector, b . x the expected reward. After the end of an episode the
features are 0, so the model needs no more to know of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number, did_you_mean

from ..learners.linear import take_arrays

KINDS = ("least_mean_squares", "recursive_least_squares")

MAX_NUMBERS = 2**27
"""Numbers of the matrices of all actions together: 1 GiB."""


class LinearExpectation:
    """F and b of each action, learned from one transition at a time.

    By least mean squares F += step (y - F x) x' and b += step (r - b . x) x, or by recursive least
    squares, as `dynamaze.agents.learners.linear` has them; here one may look at what leads to a
    feature.

    Args:
        num_features: n.
        num_actions: how many actions.
        kind: "least_mean_squares" or "recursive_least_squares".
        prior_variance: of the least squares: 1 / it is the ridge.

    Attributes:
        leads: (actions, n, n); [a, j, i] is how much of feature i follows feature j: F transposed.
        rewards: (actions, n) b.
        counts: (actions, n) how often a feature was other than 0.
        spread: (actions, n, n) of least squares; empty without.

    Raises:
        ValueError: for an unknown kind, a number outside its range, or too many features.
    """

    def __init__(
        self,
        num_features: int,
        num_actions: int,
        *,
        kind: str = "least_mean_squares",
        prior_variance: float = 1e4,
    ) -> None:
        self.kind = known_name("model", kind, KINDS)
        self.num_features = int(checked_number("num_features", num_features, 1, whole=True))
        self.num_actions = int(checked_number("num_actions", num_actions, 1, whole=True))
        variance = checked_number("prior_variance", prior_variance, 0, above=True)
        shape = (self.num_actions, self.num_features, self.num_features)
        if float(np.prod(shape, dtype=np.float64)) > MAX_NUMBERS:
            raise ValueError(
                f"{num_features} features and {num_actions} actions; expected matrices of at most "
                f"{MAX_NUMBERS} numbers together"
            )
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
            reward: what was paid.
            y: (n,) features of what followed; 0 after the end.
            step_size: of least mean squares; a number, or one for each feature that is not 0.
        """
        places = np.flatnonzero(x)  # features are mostly 0
        self.counts[action, places] += 1
        leads, rewards = self.leads[action], self.rewards[action]
        error = y - x[places] @ leads[places]
        unpaid = reward - rewards[places] @ x[places]
        if self.kind == "recursive_least_squares":
            spread = self.spread[action]
            toward = spread[:, places] @ x[places]
            gain = toward / (1 + x[places] @ toward[places])
            spread -= np.outer(gain, toward)
            leads += np.outer(gain, error)
            rewards += unpaid * gain
        else:
            gain = step_size * x[places]
            leads[places] += np.outer(gain, error)
            rewards[places] += unpaid * gain

    def ahead(self, x: FloatArray, theta: FloatArray, gamma: float) -> FloatArray:
        """(actions,) b . x + gamma theta . F x: what each action is worth where values are theta.

        Args:
            x: (n,) features.
            theta: (n,) weights of the values.
            gamma: discount.
        """
        places = np.flatnonzero(x)
        worth: FloatArray = (self.rewards[:, places] + gamma * (self.leads[:, places] @ theta)) @ x[
            places
        ]
        return worth

    def get_state(self) -> dict[str, Any]:
        """F, b, and what learning needs besides."""
        return {name: getattr(self, name).copy() for name in _PARTS}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for arrays of another shape, or none.
        """
        own = {name: getattr(self, name) for name in _PARTS}
        self.leads, self.rewards, self.counts, self.spread = take_arrays(own, state)


_PARTS = ("leads", "rewards", "counts", "spread")


def known_name(argument: str, value: str, names: tuple[str, ...]) -> str:
    """The name, if it is one of these.

    Raises:
        ValueError: if it is not.
    """
    if value not in names:
        raise ValueError(
            f"{argument}={value!r}; expected one of {list(names)}{did_you_mean(value, names)}"
        )
    return value
