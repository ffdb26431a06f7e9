"""Detection of the imitation gap: what a student that sees less than its teacher cannot imitate.

Where equal observations of the student hide different states, the teacher's labels may contradict
each other. The best that imitation can then reach is their mean, and its return may be poor however
good the teacher is ("impossibly good experts", Walsman et al. 2023). Then rewards must count as
well: see the method `privileged`.

    dataset = collect(teacher, env, 2000, rng, observation_fn=student_sees)
    gap = imitation_gap(dataset)
    evaluate(gap.policy, env, 500, gamma=0.99, seed=1, observation_fn=student_sees)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..core.dataset import Dataset
from ..core.distributions import CATEGORICAL
from ..core.policy import softmax


@dataclass(frozen=True)
class ImitationGap:
    """How far a teacher's labels are from being a function of the student's observations.

    Both measures are 0 for a teacher that the student can imitate. They are lower bounds for
    students without memory, on the states of the dataset.

    Attributes:
        contradiction: share of the rows whose best action is not the most frequent best action
            of their observation: the least error rate of a deterministic student.
        divergence: least mean KL(teacher || student) that a student can reach, in nats.
        observations: number of different observations.
        policy: the student of this divergence, a table of the teacher's mean probabilities;
            uniform for unknown observations. Its loss of return against the teacher's is the gap.
    """

    contradiction: float
    divergence: float
    observations: int
    policy: MeanPolicy


class MeanPolicy:
    """Policy with the mean action probabilities of all rows of an observation.

    Args:
        observations: (keys, ...) different observations.
        probabilities: (keys, actions).
    """

    def __init__(self, observations: Any, probabilities: FloatArray) -> None:
        self.probabilities = probabilities
        self._rows = {row.tobytes(): number for number, row in enumerate(observations)}
        self._dtype = observations.dtype

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return (batch, actions) probabilities for a batch of observations."""
        actions = self.probabilities.shape[1]
        table = np.vstack([self.probabilities, np.full((1, actions), 1 / actions)])
        rows = np.ascontiguousarray(observations, dtype=self._dtype)
        return table[[self._rows.get(row.tobytes(), -1) for row in rows]]


def imitation_gap(dataset: Dataset) -> ImitationGap:
    """Measure how far a teacher's labels contradict each other on equal observations.

    Args:
        dataset: observations of the student, labelled by a teacher that sees more, as by
            `collect(..., observation_fn=)`. Many rows of each observation are needed: an
            observation that occurs once contradicts nothing.

    Raises:
        ValueError: for a dataset without labels.
        TypeError: for continuous actions.
    """
    logits, weights = dataset.rows.logits, dataset.rows.weights
    if logits is None or weights is None:
        raise ValueError("imitation_gap of observations without labels; expected labelled ones")
    if dataset.distribution != CATEGORICAL:
        raise TypeError(f"imitation_gap of {dataset.distribution} actions; expected Discrete ones")
    observations = np.ascontiguousarray(dataset.rows.observations)
    flat = observations.reshape(len(observations), -1)
    _, first, key = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    key = key.ravel()
    probabilities = softmax(logits)
    mean, votes = np.zeros((2, len(first), probabilities.shape[1]))
    np.add.at(mean, key, weights[:, None] * probabilities)
    np.add.at(votes, (key, probabilities.argmax(axis=1)), weights)
    mean /= np.maximum(mean.sum(axis=1, keepdims=True), 1e-300)
    # The mean of the labels minimises the mean divergence from them.
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = probabilities * (np.log(probabilities) - np.log(mean[key]))
    divergences = np.where(probabilities > 0, terms, 0.0).sum(axis=1)
    total = weights.sum()
    return ImitationGap(
        contradiction=float(1 - votes.max(axis=1).sum() / total),
        divergence=float((weights * divergences).sum() / total),
        observations=len(first),
        policy=MeanPolicy(observations[first], mean),
    )
