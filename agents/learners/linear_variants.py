"""A learner for each action as one learner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from ..core.state import part_of, prefixed
from .protocol import Estimate, Learner, checked_batch, checked_rows, checked_size


class PerAction:
    """A learner of its own for each action; the last inputs say, one-hot, which action it is.

    For linear learners, whose inputs would otherwise only add up: it makes one block of weights
    for each action, at the cost of one.

    Args:
        make: called with (inputs, outputs), makes the learner of an action.
        num_inputs: numbers that go in, without the action.
        num_actions: how many actions.
        num_outputs: numbers that come out.

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
        self.num_actions = checked_size("num_actions", num_actions)
        self.num_inputs = checked_size("num_inputs", num_inputs) + self.num_actions
        self.num_outputs = checked_size("num_outputs", num_outputs)
        self.learners = [make(num_inputs, num_outputs) for _ in range(self.num_actions)]

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Let each action's learner learn from its examples.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity, another shape or no action; all are then as they were.
        """
        x, y = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        actions = self._actions(x)
        before: dict[int, dict[str, Any]] = {}
        try:
            for action in np.unique(actions):
                mine = actions == action
                before[action] = self.learners[action].get_state() if not mine.all() else {}
                self.learners[action].update(x[mine, : -self.num_actions], y[mine])
        except ValueError:
            for action, state in before.items():
                if state:
                    self.learners[action].set_state(state)
            raise

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """What each row's learner believes of it."""
        x = checked_rows("inputs", inputs, self.num_inputs)
        actions = self._actions(x)
        result = Estimate(*(np.zeros((len(x), self.num_outputs)) for _ in Estimate._fields))
        for action in np.unique(actions):
            mine = actions == action
            estimate = self.learners[action].predict(x[mine, : -self.num_actions])
            for column, part in zip(result, estimate, strict=True):
                column[mine] = part
        return result

    def expect(self, inputs: npt.ArrayLike) -> FloatArray:
        """(batch, outputs) the mean alone, which costs less than the variances."""
        return self._each(inputs, expected)

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """(batch, outputs) one draw of each row's learner."""
        return self._each(inputs, lambda learner, x: learner.draw(x, rng))

    def _each(
        self, inputs: npt.ArrayLike, ask: Callable[[Learner, FloatArray], FloatArray]
    ) -> FloatArray:
        x = checked_rows("inputs", inputs, self.num_inputs)
        actions = self._actions(x)
        answers = np.zeros((len(x), self.num_outputs))
        for action in np.unique(actions):
            mine = actions == action
            answers[mine] = ask(self.learners[action], x[mine, : -self.num_actions])
        return answers

    def get_state(self) -> dict[str, Any]:
        """The learners' states, named by the number of the action."""
        state: dict[str, Any] = {}
        for action, learner in enumerate(self.learners):
            state |= prefixed(str(action), learner.get_state())
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is not such a state; all learners are then as they were.
        """
        before = [learner.get_state() for learner in self.learners]
        try:
            for action, learner in enumerate(self.learners):
                learner.set_state(part_of(str(action), state))
        except (KeyError, ValueError):  # a learner of the user's may raise the former
            for learner, old in zip(self.learners, before, strict=True):
                learner.set_state(old)
            raise

    def _actions(self, x: FloatArray) -> npt.NDArray[np.int64]:
        one_hot = x[:, -self.num_actions :]
        if not ((one_hot == 0) | (one_hot == 1)).all() or not (one_hot.sum(axis=1) == 1).all():
            raise ValueError(
                f"the last {self.num_actions} inputs are no action; expected one 1 among zeros"
            )
        actions: npt.NDArray[np.int64] = one_hot.argmax(axis=1)
        return actions


def expected(learner: Learner, inputs: FloatArray) -> FloatArray:
    """(batch, outputs) the mean of a learner, by its `expect` where it has one."""
    expect = getattr(learner, "expect", None)
    mean: FloatArray = learner.predict(inputs).mean if expect is None else expect(inputs)
    return mean
