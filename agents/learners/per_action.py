"""A learner that keeps one model for each action."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray
from dynamaze.common.validation import checked_count

from ..core.records import part_of, prefixed
from .protocol import BaseLearner, Estimate, Learner, checked_rows


class PerAction(BaseLearner):
    """One learner for each action, selected by one-hot inputs at the end.

    For linear learners, whose inputs would otherwise only add up: one block of weights for each
    action at the cost of one.

    Args:
        make: factory of an action's learner, called with (inputs, outputs).
        num_inputs: number of inputs without the action.
        num_actions: number of actions.
        num_outputs: number of outputs.

    Attributes:
        learners: one for each action.
    """

    def __init__(
        self,
        make: Callable[[int, int], Learner],
        num_inputs: int,
        num_actions: int,
        num_outputs: int,
    ) -> None:
        self.num_actions = checked_count("num_actions", num_actions)
        super().__init__(checked_count("num_inputs", num_inputs) + num_actions, num_outputs)
        self.learners = [make(num_inputs, num_outputs) for _ in range(self.num_actions)]

    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        """Update each action's learner with its examples.

        Raises:
            ValueError: for rows without an action, or where a learner raises one; all learners are
                then unchanged.
        """
        parts = list(self._by_action(rows))
        before = [learner.get_state() for learner, *_ in parts] if len(parts) > 1 else []
        try:
            for learner, mine, inputs in parts:
                learner.update(inputs, targets[mine])
        except ValueError:
            for (learner, *_), state in zip(parts, before, strict=False):  # none of a single one
                learner.set_state(state)
            raise

    def _estimate(self, rows: FloatArray) -> Estimate:
        result = Estimate(*(np.zeros((len(rows), self.num_outputs)) for _ in Estimate._fields))
        for learner, mine, inputs in self._by_action(rows):
            for column, part in zip(result, learner.predict(inputs), strict=True):
                column[mine] = part
        return result

    def _sample(self, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
        return self._each(rows, lambda learner, inputs: learner.draw(inputs, rng))

    def predict_mean(self, inputs: npt.ArrayLike) -> FloatArray:
        """Return the (batch, outputs) mean, at a lower cost than with variances."""
        return self._each(checked_rows("inputs", inputs, self.num_inputs), predict_mean)

    def _each(
        self, rows: FloatArray, method: Callable[[Learner, FloatArray], FloatArray]
    ) -> FloatArray:
        results = np.zeros((len(rows), self.num_outputs))
        for learner, mine, inputs in self._by_action(rows):
            results[mine] = method(learner, inputs)
        return results

    def _by_action(self, rows: FloatArray) -> Iterator[tuple[Learner, BoolArray, FloatArray]]:
        """Generate the learner of each action in a batch, the mask of its rows, and its inputs."""
        one_hot = rows[:, -self.num_actions :]
        if not ((one_hot == 0) | (one_hot == 1)).all() or not (one_hot.sum(axis=1) == 1).all():
            raise ValueError(
                f"the last {self.num_actions} inputs are not an action; expected a one-hot row"
            )
        actions = one_hot.argmax(axis=1)
        for action in np.unique(actions):
            mine = actions == action
            yield self.learners[action], mine, rows[mine, : -self.num_actions]

    def get_state(self) -> dict[str, Any]:
        """Return the learners' states, prefixed by the number of the action."""
        state: dict[str, Any] = {}
        for action, learner in enumerate(self.learners):
            state |= prefixed(str(action), learner.get_state())
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is not such a state; all learners are then unchanged.
        """
        before = [learner.get_state() for learner in self.learners]
        try:
            for action, learner in enumerate(self.learners):
                learner.set_state(part_of(str(action), state))
        except (KeyError, ValueError):  # user-defined learners may raise the former
            for learner, old in zip(self.learners, before, strict=True):
                learner.set_state(old)
            raise


def predict_mean(learner: Learner, inputs: FloatArray) -> FloatArray:
    """Return the (batch, outputs) mean of a learner, by its `predict_mean` if it has one."""
    method = getattr(learner, "predict_mean", None)
    mean: FloatArray = learner.predict(inputs).mean if method is None else method(inputs)
    return mean
