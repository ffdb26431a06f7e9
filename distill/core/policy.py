"""The policy protocol, agreement of two policies, and policies defined by logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from .checks import checked_probabilities


@runtime_checkable
class Policy(Protocol):
    """A policy with action probabilities."""

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return (batch, actions) probabilities for a batch of observations.

        They are finite and at least 0, and each row sums to 1 (up to 0.001); others are refused
        wherever they are used.
        """


def agreement(teacher: Policy, student: Policy, observations: Any) -> float:
    """Return the fraction of observations for which both policies prefer the same action.

    Among equal probabilities the first action is preferred. High agreement does not imply a high
    return: what matters is where the two differ.

    Args:
        teacher: a policy.
        student: another for the same spaces.
        observations: a batch of them.

    Raises:
        ValueError: for numbers that are no probabilities, if the two policies return different
            numbers of rows or actions, or for an empty batch.
    """
    expected, found = (
        checked_probabilities(policy.action_probabilities(observations), policy)
        for policy in (teacher, student)
    )
    if expected.shape != found.shape:
        raise ValueError(
            f"the teacher gives probabilities of shape {expected.shape} and the student of shape "
            f"{found.shape}; expected the same"
        )
    if not len(expected):
        raise ValueError("no observations; expected at least one")
    return float((expected.argmax(axis=1) == found.argmax(axis=1)).mean())


MIN_PROBABILITY = 1e-6
"""Lower limit of probabilities whose logarithm is taken."""


def softmax(logits: npt.ArrayLike) -> FloatArray:
    """Return the (queries, actions) probabilities of logits; each row sums to 1."""
    rows = np.asarray(logits, dtype=np.float64)
    # The row's maximum is subtracted, so that no exponential overflows.
    unnormalised = np.exp(rows - rows.max(axis=1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def log_probabilities(probabilities: npt.ArrayLike) -> FloatArray:
    """Return the logits of (queries, actions) probabilities, none below log(1e-6)."""
    return np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), MIN_PROBABILITY))


class LogitPolicy(ABC):
    """Base class of policies that are defined by logits, without torch."""

    @abstractmethod
    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits for a batch of observations; only differences matter."""

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return (queries, actions) probabilities for a batch of observations."""
        return softmax(self.action_logits(observations))

    def act(self, observation: Any) -> int:
        """Return the best action for one observation, the first of equal ones."""
        return int(self.action_logits(np.asarray(observation)[None])[0].argmax())
