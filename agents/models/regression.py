"""Model of the environment from any regression learner.

One regression from (s, a) to s' - s, the reward, and termination (1 or 0): each number is an output
of the learner.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import renamed_method
from dynamaze.common.validation import checked_choice

from ..core.encoders import Actions, as_actions
from ..core.features import Features, Identity
from ..core.records import Stateful
from ..core.transitions import Transitions
from ..core.vectors import check_pairs, check_vectors
from ..learners.per_action import predict_mean
from ..learners.protocol import Estimate, Learner
from .protocol import Prediction
from .vector_memory import CAPACITY, VectorMemory

DRAWS = ("sample", "mean")

MAX_NEAREST_CANDIDATES = 2000
"""Number of stored vectors, drawn at random, among which the nearest is searched."""


class RegressionModel(Stateful):
    """Model of vectors based on a regression learner.

    The learner's inputs are the features of the vector and the action (one-hot if discrete); its
    outputs the change of the vector, the reward, and termination as a number.

    `sample` draws a pair uniformly from the remembered transitions. The reward is the learner's
    mean: targets are linear in it, so that sampling it would only add noise (and raise the maximum
    over noisy action values). With `draws="sample"` the next vector is a draw from the learner's
    predictive distribution. With `draws="mean"` it is its mean; the model is then an *expectation
    model* and declares that. The expected next vector need not be reachable: the mean of two paths
    around a wall lies in the wall. Updates of state values that are linear in the vector (or in
    features whose means are learned, as in `dynamaze.agents.linear.dyna`) are still correct (Wan,
    Zaheer, White, White and Sutton 2019). Updates of action values are not, as max_a Q(E[s'], a)
    differs from E[max_a Q(s', a)], except in deterministic environments.

    With `grounded=True` the next vector is replaced by the nearest next observation seen so far. In
    a continuous maze the mean steps slightly into walls, and states that were never visited have no
    learned value.

    `terminated` is always drawn, with the learner's mean, clipped to [0, 1], as probability: the
    discounted part of the target is then correct in expectation.

    Args:
        learner: its inputs are the features and the action, its outputs d + 2 numbers.
        num_actions: number of actions; `VectorActions` for continuous actions.
        features: feature map of the vectors; None for the vectors themselves.
        draws: "sample" or "mean".
        grounded: restrict next observations of `sample` to those that were seen.
        low: (d,) lower bounds to which simulated vectors are clipped; None for no bound.
        high: (d,) upper bounds.
        capacity: number of pairs kept for search control; the oldest are overwritten.

    Raises:
        ValueError: for a learner of another size, or an unknown `draws`.
    """

    observes = "vectors"
    state_fields: ClassVar = {
        "learner": "learner.",
        "memory": "memory.",
        "_targets": "targets",
    }

    def __init__(
        self,
        learner: Learner,
        num_actions: int | Actions,
        *,
        features: Features | None = None,
        draws: str = "sample",
        grounded: bool = False,
        low: npt.ArrayLike | None = None,
        high: npt.ArrayLike | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        self.draws = checked_choice("draws", draws, DRAWS)
        self.learner, self.actions = learner, as_actions(num_actions)
        self.num_actions, self.grounded = self.actions.count, grounded
        self.size = learner.num_outputs - 2
        self.features: Features = Identity(self.size) if features is None else features
        wanted = self.features.num_features + self.actions.size
        if self.size < 1 or learner.num_inputs != wanted:
            raise ValueError(
                f"a learner with {learner.num_inputs} inputs and {learner.num_outputs} outputs; "
                f"expected {wanted} inputs ({self.features.num_features} features, "
                f"{self.actions.size} of the action) and at least 3 outputs (change of the "
                "vector, reward, end)"
            )
        self.low = -np.inf if low is None else np.asarray(low, dtype=np.float64)
        self.high = np.inf if high is None else np.asarray(high, dtype=np.float64)
        self.memory = VectorMemory(self.size, self.actions, capacity=capacity)
        self._targets = np.zeros((3, learner.num_outputs))  # count, mean, sum of squared deviations

    @property
    def capabilities(self) -> frozenset[str]:
        """Capabilities: samples and predictions, with their uncertainty."""
        more = {"expectation"} if self.draws == "mean" and not self.grounded else set()
        return frozenset({"sample", "predict", "visits", "uncertainty"} | more)

    @property
    def is_empty(self) -> bool:
        """True before the first update."""
        return self.memory.used == 0

    # -- learning ------------------------------------------------------------------------------

    def update(self, transitions: Transitions) -> None:
        """Update the model with real transitions.

        Raises:
            TypeError, ValueError: for NaN or infinity, another shape, or an action out of range;
                the model is then unchanged.
        """
        checked = check_vectors(transitions, self.size, self.actions)
        if not len(checked.action):
            return
        targets = np.column_stack(
            (checked.next_observation - checked.observation, checked.reward, checked.terminated)
        )
        self.learner.update(self._inputs(checked.observation, checked.action), targets)
        self.memory.add(checked)
        self._update_target_statistics(targets)

    def _inputs(self, observations: FloatArray, actions: npt.NDArray[Any]) -> FloatArray:
        inputs = np.zeros((len(actions), self.learner.num_inputs))
        inputs[:, : self.features.num_features] = self.features(observations)
        self.actions.fill(inputs[:, self.features.num_features :], actions)
        return inputs

    def _update_target_statistics(self, targets: FloatArray) -> None:
        """Update the targets' running mean and variance, the reference for `known`."""
        # Chan's parallel update of mean and sum of squares
        n, mean, squares = self._targets
        m, new = len(targets), targets.mean(axis=0)
        apart = new - mean
        squares += ((targets - new) ** 2).sum(axis=0) + apart**2 * n * m / (n + m)
        mean += apart * m / (n + m)
        n += m

    # -- simulation ----------------------------------------------------------------------------

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Sample n simulated transitions, with all randomness from `rng`.

        Raises:
            RuntimeError: before the first update.
        """
        drawn = self.memory.draw(n, rng)
        simulated = self.sample_transitions(drawn.observation, drawn.action, rng)
        if not self.grounded:
            return simulated
        nearest = self.memory.nearest_successors(
            simulated.next_observation, MAX_NEAREST_CANDIDATES, rng
        )
        return simulated._replace(next_observation=nearest)

    def sample_transitions(
        self, observations: FloatArray, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> Transitions:
        """Simulate (batch, d) vectors with (batch,) or (batch, size) actions.

        Raises:
            TypeError, ValueError: for an invalid pair.
        """
        vectors, actions = check_pairs(observations, actions, self.size, self.actions)
        inputs = self._inputs(vectors, actions)
        mean = predict_mean(self.learner, inputs)
        drawn = mean if self.draws == "mean" else self.learner.draw(inputs, rng)
        following = np.clip(vectors + drawn[:, :-2], self.low, self.high)
        # Bernoulli with the learner's mean, which `<` clips to [0, 1]
        terminated = rng.random(len(vectors)) < mean[:, -1]
        return Transitions(vectors, actions, mean[:, -2].copy(), following, terminated)

    imagine = renamed_method("imagine", "sample_transitions")

    def predict(self, observations: FloatArray, actions: npt.NDArray[Any]) -> Prediction:
        """Return mean and standard deviation of the outcome of each pair.

        `known` is 1 minus the epistemic fraction of the targets' variance.

        Args:
            observations: (batch, d) vectors.
            actions: (batch,) from 0, or (batch, size) vectors.

        Raises:
            TypeError, ValueError: for an invalid pair.
        """
        vectors, actions = check_pairs(observations, actions, self.size, self.actions)
        estimate = self.learner.predict(self._inputs(vectors, actions))
        spread = np.sqrt(estimate.epistemic + estimate.noise)
        return Prediction(
            estimate.mean[:, -2].copy(),
            np.clip(vectors + estimate.mean[:, :-2], self.low, self.high),
            np.clip(estimate.mean[:, -1], 0.0, 1.0),
            self.memory.count(vectors, actions),
            reward_spread=spread[:, -2].copy(),
            next_spread=spread[:, :-2].copy(),
            known=self._known(estimate),
        )

    def _known(self, estimate: Estimate) -> FloatArray:
        n, _, squares = self._targets
        if self.is_empty:
            return np.zeros(len(estimate.mean))
        variance = (squares / n).sum()
        epistemic = estimate.epistemic.sum(axis=1)
        shares = np.divide(epistemic, variance, out=np.ones_like(epistemic), where=variance > 0)
        known: FloatArray = 1.0 - np.clip(np.where(epistemic > 0, shares, 0.0), 0.0, 1.0)
        return known
