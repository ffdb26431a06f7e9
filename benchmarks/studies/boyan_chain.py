"""The Boyan chain: a Markov chain whose values are linear in its features, exactly.

Boyan 2002, "Technical update: least-squares temporal difference learning", figure 1, with 13
states; Sutton, Szepesvári, Geramifard and Bowling 2008 make it longer. From state i > 1 it goes to
i - 1 or i - 2, each half as likely, and pays -3; from 1 to 0 it pays -2; from 0 the episode ends,
and nothing is paid. v(i) = -2 i. Every fourth state has a feature of its own, the others lie
linearly between: with 4 features theta* = (-24, -16, -8, 0).
"""

from __future__ import annotations

import numpy as np

from dynamaze.agents.linear.evaluation import FeatureTransitions
from dynamaze.common.arrays import FloatArray

APART = 4
"""States from one feature's own to the next."""


def chain_features(num_features: int) -> FloatArray:
    """(states, features) the features of states 0 to 4 (features - 1); the first is the start's."""
    states = np.arange(APART * (num_features - 1) + 1)
    own = APART * np.arange(num_features)[::-1]
    near = 1.0 - np.abs(states[:, None] - own) / APART
    features: FloatArray = np.maximum(near, 0.0, dtype=np.float64)
    return features


def chain_values(num_features: int) -> FloatArray:
    """(features,) theta*, which gives every state its value."""
    values: FloatArray = -2.0 * APART * np.arange(num_features, dtype=np.float64)[::-1]
    return values


def chain_episode(features: FloatArray, rng: np.random.Generator) -> FeatureTransitions:
    """The transitions of one episode from the last state to the end."""
    states = [len(features) - 1]
    while states[-1] > 0:
        states.append(max(states[-1] - (1 if states[-1] == 1 else int(rng.integers(1, 3))), 0))
    rewards = [-2.0 if state == 1 else -3.0 for state in states[:-1]]
    now = features[states]
    then = np.vstack((now[1:], np.zeros(features.shape[1])))
    return FeatureTransitions(now, np.array([*rewards, 0.0]), then)


def root_mean_square(features: FloatArray, theta: FloatArray) -> float:
    """The root of the mean squared error of the values over the states."""
    errors = features @ theta + 2.0 * np.arange(len(features))
    return float(np.sqrt((errors**2).mean()))
