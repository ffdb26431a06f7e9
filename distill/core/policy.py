"""What a teacher and a student are to each other: a policy."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from dynamaze.common.arrays import FloatArray


@runtime_checkable
class Policy(Protocol):
    """Anything that tells how likely it is to take each action."""

    def action_probabilities(self, observations: Any) -> FloatArray:
        """(batch, actions) probabilities for a batch of observations; each row sums to 1."""


def agreement(teacher: Policy, student: Policy, observations: Any) -> float:
    """The share of observations for which both policies prefer the same action.

    Of equal probabilities the first action counts as preferred. High agreement does not mean high
    return: what matters is where the two differ.

    Args:
        teacher: a policy.
        student: another for the same spaces.
        observations: a batch of them.

    Raises:
        ValueError: if the two policies give another number of rows or actions, or for no
            observations at all.
    """
    taught = teacher.action_probabilities(observations)
    learned = student.action_probabilities(observations)
    if taught.shape != learned.shape:
        raise ValueError(
            f"the teacher gives probabilities of shape {taught.shape} and the student of shape "
            f"{learned.shape}; expected the same"
        )
    if not len(taught):
        raise ValueError("no observations; expected at least one to agree on")
    return float((taught.argmax(axis=1) == learned.argmax(axis=1)).mean())
