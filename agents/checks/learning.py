"""Conformance checks of every part that learns from transitions: models and action values."""

from __future__ import annotations

import copy
import random  # noqa: TID251  # to check that nothing draws from it
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamaze.common.conformance import needs, require

from ..core.transitions import Transitions
from .environments import CheckEnvironment, Row, deterministic_rows

REJECTIONS = (ValueError, TypeError)


@dataclass(frozen=True)
class LearnerCase:
    """Factory of a part that learns, and the tolerances of its checks."""

    factory: Callable[[CheckEnvironment], Any]
    env: CheckEnvironment
    tolerance: float
    repeats: int  # number of times that each transition is presented

    def make(self) -> Any:
        """Return a new part."""
        return self.factory(self.env)

    def train(self, part: Any, rows: Sequence[Row]) -> Any:
        """Train with transitions; a table gets them one by one.

        So that a fault in learning from batches fails the check of batches alone.
        """
        if self.env.vectors:
            part.update(self.env.batch(list(rows) * self.repeats))
        else:
            for row in list(rows) * self.repeats:
                part.update(self.env.batch([row]))
        return part

    def trained(self) -> Any:
        """Return a new part trained on the deterministic environment."""
        return self.train(self.make(), deterministic_rows())

    @abstractmethod
    def predictions(self, part: Any) -> Any:
        """Return what the part predicts of all deterministic pairs."""


# -- inputs ------------------------------------------------------------------------------------


def update_keeps_inputs(case: LearnerCase) -> None:
    """`update` does not modify its arguments."""
    given = case.env.batch(deterministic_rows())
    before = [column.copy() for column in given]
    case.make().update(given)
    require(equal(list(given), before), "update changed the arrays that it was given")


def update_copies_inputs(case: LearnerCase) -> None:
    """`update` keeps no reference to its arguments."""
    part, given = case.make(), case.env.batch(deterministic_rows() * case.repeats)
    part.update(given)
    before = case.predictions(part)
    for column in given:
        column[:] = column[::-1].copy()
    require(
        equal(case.predictions(part), before),
        "update keeps a reference to the arrays that it was given",
    )


def empty_update_changes_nothing(case: LearnerCase) -> None:
    """An update with an empty batch changes nothing."""
    part = case.trained()
    before = case.predictions(part)
    part.update(case.env.batch([]))
    require(equal(case.predictions(part), before), "an empty batch changed the predictions")


@needs("batch_as_rows")
def update_batch_equals_rows(case: LearnerCase) -> None:
    """An update with a batch equals updates with its rows, also with repeated pairs."""
    rows = deterministic_rows() + [(0, 0, 1.0, 2, False)] * 3 + [(0, 0, 0.0, 0, False)]
    at_once, one_by_one = case.make(), case.make()
    at_once.update(case.env.batch(rows))
    for row in rows:
        one_by_one.update(case.env.batch([row]))
    left, right = (np.array(case.predictions(each), dtype=float) for each in (at_once, one_by_one))
    require(
        np.allclose(left, right, atol=1e-9),
        "an update with a batch differs from updates with its rows",
    )


# -- invalid input -----------------------------------------------------------------------------


def nan_reward_is_rejected(case: LearnerCase) -> None:
    """A NaN reward is rejected, before it spreads to every value."""
    _require_rejection(case.trained(), case.env.batch([(0, 0, float("nan"), 1, False)]), "NaN")


def infinite_reward_is_rejected(case: LearnerCase) -> None:
    """Infinite rewards of either sign are rejected."""
    part = case.trained()
    for reward in (float("inf"), float("-inf")):
        _require_rejection(
            part, case.env.batch([(0, 0, reward, 1, False)]), f"a reward of {reward}"
        )


def invalid_action_is_rejected(case: LearnerCase) -> None:
    """Actions out of range are rejected, -1 included."""
    part = case.trained()
    for action in (case.env.num_actions, -1):
        _require_rejection(part, case.env.batch([(0, action, 0.0, 1, False)]), f"action {action}")


def invalid_observation_is_rejected(case: LearnerCase) -> None:
    """Rows out of range, or vectors of another length, are rejected."""
    part, rows = case.trained(), case.env.batch([(0, 0, 0.5, 1, False)])
    for name in ("observation", "next_observation"):
        column = getattr(rows, name)
        wrong = column[:, :-1] if case.env.vectors else column * 0 + case.env.num_states
        _require_rejection(part, rows._replace(**{name: wrong}), f"{name} {wrong.tolist()}")


def unequal_columns_are_rejected(case: LearnerCase) -> None:
    """Columns of unequal lengths are rejected."""
    part, rows = case.trained(), case.env.batch(deterministic_rows())
    for name, column in zip(rows._fields, rows, strict=True):
        _require_rejection(part, rows._replace(**{name: column[:-1]}), f"a shorter column {name}")


def rejected_batch_changes_nothing(case: LearnerCase) -> None:
    """A rejected batch changes nothing, its valid rows included."""
    part = case.trained()
    before = case.predictions(part)
    good, bad = (0, 0, 1.0, 3, False), (1, 1, float("nan"), 2, False)
    try:
        part.update(case.env.batch([good, good, bad]))
    except REJECTIONS:
        require(equal(case.predictions(part), before), "a rejected batch changed the predictions")


def _require_rejection(part: Any, transitions: Transitions, label: str) -> None:
    # If warnings are errors, a floating-point warning must not pass for a rejection.
    with np.errstate(all="ignore"):
        try:
            part.update(transitions)
        except REJECTIONS:
            return
        except Exception as error:
            raise AssertionError(
                f"{label} raised {error!r}; expected a ValueError or TypeError"
            ) from error
    raise AssertionError(f"{label} was accepted; expected a ValueError")


# -- state -------------------------------------------------------------------------------------


@needs("state")
def state_is_copy(case: LearnerCase) -> None:
    """Later updates do not change a state that was returned."""
    part = case.trained()
    state = part.get_state()
    before = copy.deepcopy(state)
    case.train(part, OTHER_ROWS * 3)
    require(equal(state, before), "an update changed a state that get_state had returned")


@needs("state")
def state_is_plain_data(case: LearnerCase) -> None:
    """The state consists of arrays and numbers, for files without pickle."""
    require_plain_data(case.trained().get_state())


OTHER_ROWS: list[Row] = [(0, 0, 0.5, 3, False), (2, 1, 0.5, 0, False)]
"""Transitions that differ from those of `deterministic_rows`."""


# -- shared with the suites of planners and agents ---------------------------------------------


def equal(left: Any, right: Any) -> bool:
    """Return True if nested arrays are bit-identical."""
    try:
        np.testing.assert_equal(left, right)
    except AssertionError:
        return False
    return True


def require_plain_data(state: dict[str, Any]) -> None:
    """Require that a state consists of arrays and numbers by name."""
    for name, value in state.items():
        plain = isinstance(value, (bool, int, float, str, np.number)) or (
            isinstance(value, np.ndarray) and value.dtype.kind in "biufU"
        )
        require(
            isinstance(name, str) and plain,
            f"state[{name!r}] is a {type(value).__name__}; expected an array or a number",
        )


def require_unused_generators(use: Callable[[], Any]) -> None:
    """Require that a call leaves NumPy's and Python's global generators alone."""
    before = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002  # to see that
    use()
    after = np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002  # nothing uses it
    require(equal(after, before), "a global generator was used")
