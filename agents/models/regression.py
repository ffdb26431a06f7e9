"""Any learner as a model of the world: learning from experience is a regression.

From a vector s and an action a to s' - s, the reward, and whether the episode ends
(1 or 0): all three at once, for each number of s' is one more output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import did_you_mean

from ..core.actions import Actions, as_actions
from ..core.features import Features, Identity
from ..core.state import part_of
from ..core.transitions import Transitions
from ..learners.linear_variants import expected
from ..learners.protocol import Estimate, Learner
from .protocol import Prediction
from .vector_memory import CAPACITY, VectorMemory, check_pairs, check_vectors

DRAWS = ("sample", "mean")

MOST_NEAREST = 2000
"""Among so many of the vectors that were seen, drawn at random, the nearest is looked for."""


class RegressionModel:
    """A model of vectors made of a learner that knows nothing of worlds.

    The learner's inputs are the features of the vector and the action, one-hot where actions are
    numbered; its outputs the change of the vector, the reward, and the end as a number.

    What `sample` gives: the pair is one that was seen, each time it was seen as likely as the
    others. The reward is the learner's mean: targets are linear in it, so that drawing it would
    make them no truer, only noisier (and the maximum over noisy action values too high). With
    `draws="sample"` the next vector is a draw of the learner: what may happen, as far as it knows.
    With `draws="mean"` it is its mean; the model is then an *expectation model*, and says so. What
    it imagines need never happen: of two ways round a wall the mean is a step into it. With it,
    updates of state values that are linear in the vector (or in features whose means are learned,
    as in `dynamaze.agents.linear.dyna`) are right, whatever the chances (Wan, Zaheer, White, White
    and Sutton 2019). Updates of action values are not: the maximum over actions is not linear, and
    max_a Q(E[s'], a) is not E[max_a Q(s', a)]. In a deterministic world there is no difference.

    With `grounded=True` the next vector is put onto the nearest one that was really seen to follow
    something. In a continuous world with walls the mean steps a little into them, and a place where
    nobody ever was has no value that anybody learned.

    In all, `terminated` is drawn: 1 with the learner's mean, put into [0, 1], as probability. So
    the part of the target that continues is right on average.

    Args:
        learner: with as many inputs as features and actions, and d + 2 outputs.
        num_actions: how many actions; `VectorActions` where they are vectors themselves.
        features: a feature map of the vectors; None takes them as they are.
        draws: "sample" or "mean".
        grounded: whether `sample` leads only to vectors that were seen.
        low: (d,) bounds into which imagined vectors are put; None for no bound.
        high: (d,).
        capacity: so many pairs are remembered for search control; then the oldest give way.

    Raises:
        ValueError: for a learner of another size, or another kind of draws.
    """

    observes = "vectors"

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
        if draws not in DRAWS:
            raise ValueError(
                f"draws={draws!r}; expected one of {list(DRAWS)}{did_you_mean(draws, DRAWS)}"
            )
        self.learner, self.actions, self.draws = learner, as_actions(num_actions), draws
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
        """Samples and predictions, with their uncertainty."""
        more = {"expectation"} if self.draws == "mean" and not self.grounded else set()
        return frozenset({"sample", "predict", "visits", "uncertainty"} | more)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was seen yet."""
        return self.memory.used == 0

    # -- learning ------------------------------------------------------------------------------

    def update(self, transitions: Transitions) -> None:
        """Learn from real transitions.

        Raises:
            TypeError, ValueError: for NaN or infinity, another shape, or an action that there is
                not; then none is learned.
        """
        checked = check_vectors(transitions, self.size, self.actions)
        if not len(checked.action):
            return
        targets = np.column_stack(
            (checked.next_observation - checked.observation, checked.reward, checked.terminated)
        )
        self.learner.update(self._inputs(checked.observation, checked.action), targets)
        self.memory.add(checked)
        self._note(targets)

    def _inputs(self, observations: FloatArray, actions: npt.NDArray[Any]) -> FloatArray:
        inputs = np.zeros((len(actions), self.learner.num_inputs))
        inputs[:, : self.features.num_features] = self.features(observations)
        self.actions.fill(inputs[:, self.features.num_features :], actions)
        return inputs

    def _note(self, targets: FloatArray) -> None:
        """Keep the targets' mean and variance, by which doubt is measured."""
        n, mean, squares = self._targets
        m, new = len(targets), targets.mean(axis=0)
        apart = new - mean
        squares += ((targets - new) ** 2).sum(axis=0) + apart**2 * n * m / (n + m)
        mean += apart * m / (n + m)
        n += m

    # -- imagining -----------------------------------------------------------------------------

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Draw n simulated transitions, all randomness from `rng`.

        Raises:
            RuntimeError: if nothing was seen yet.
        """
        drawn = self.memory.draw(n, rng)
        imagined = self.imagine(drawn.observation, drawn.action, rng)
        if not self.grounded:
            return imagined
        nearest = self.memory.nearest_following(imagined.next_observation, MOST_NEAREST, rng)
        return imagined._replace(next_observation=nearest)

    def imagine(
        self, observations: FloatArray, actions: npt.NDArray[Any], rng: np.random.Generator
    ) -> Transitions:
        """What may follow (batch, d) vectors and (batch,) or (batch, size) actions.

        Raises:
            TypeError, ValueError: if one of them is no pair.
        """
        vectors, actions = check_pairs(observations, actions, self.size, self.actions)
        inputs = self._inputs(vectors, actions)
        mean = expected(self.learner, inputs)
        drawn = mean if self.draws == "mean" else self.learner.draw(inputs, rng)
        following = np.clip(vectors + drawn[:, :-2], self.low, self.high)
        terminated = rng.random(len(vectors)) < mean[:, -1]
        return Transitions(vectors, actions, mean[:, -2].copy(), following, terminated)

    def predict(self, observations: FloatArray, actions: npt.NDArray[Any]) -> Prediction:
        """Means and spreads of what follows each pair.

        `known` is 1 less the share of the targets' variance that is doubt (epistemic).

        Args:
            observations: (batch, d) vectors.
            actions: (batch,) from 0, or (batch, size) vectors.

        Raises:
            TypeError, ValueError: if one of them is no pair.
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
        doubt = estimate.epistemic.sum(axis=1)
        shares = np.divide(doubt, variance, out=np.ones_like(doubt), where=variance > 0)
        known: FloatArray = 1.0 - np.clip(np.where(doubt > 0, shares, 0.0), 0.0, 1.0)
        return known

    # -- files ---------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """The learner's state and what was seen."""
        return {
            **{f"learner.{name}": value for name, value in self.learner.get_state().items()},
            **{f"memory.{name}": value for name, value in self.memory.get_state().items()},
            "targets": self._targets.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another model; this one is then as it was.
        """
        targets = state["targets"]
        if not isinstance(targets, np.ndarray) or targets.shape != self._targets.shape:
            raise ValueError(f"targets {targets!r}; expected shape {self._targets.shape}")
        before = self.memory.get_state()
        self.memory.set_state(part_of("memory", state))
        try:
            self.learner.set_state(part_of("learner", state))
        except BaseException:
            self.memory.set_state(before)
            raise
        self._targets = targets.copy()
