"""Batches of real or simulated transitions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled


class Transitions(NamedTuple):
    """Batch of transitions, in the order in which they occurred or were simulated."""

    observation: npt.NDArray[Any]  # (batch, ...); for tables (batch,) int64 row numbers
    action: IntArray  # (batch,) from 0
    reward: FloatArray  # (batch,)
    next_observation: npt.NDArray[Any]  # (batch, ...)
    terminated: BoolArray  # (batch,) True at the end of an episode; time limits do not count


def one_transition(
    observation: int, action: int, reward: float, next_observation: int, terminated: bool
) -> Transitions:
    """Return a batch of one transition."""
    return Transitions(
        np.array([observation]),
        np.array([action]),
        np.array([reward], dtype=np.float64),
        np.array([next_observation]),
        np.array([terminated]),
    )


def check_integers(transitions: Transitions) -> None:
    """Check that the transitions of a table have integer states and actions.

    Raises:
        TypeError: for another dtype.
    """
    for numbers in (transitions.observation, transitions.action, transitions.next_observation):
        if numbers.dtype.kind not in "iu":
            raise TypeError(f"transitions with {numbers.dtype} numbers; expected integers")


def check_transitions(transitions: Transitions, num_states: int, num_actions: int) -> None:
    """Check that a batch fits a table; for user-defined models.

    Raises:
        TypeError: if states or actions are not integers.
        ValueError: if one is outside the table, a reward is not finite, or columns are uneven.
    """
    check_integers(transitions)
    wrong = first_outside(transitions, num_states, num_actions)
    if wrong >= 0:
        raise outside_table(transitions, wrong, num_states, num_actions)


def outside_table(
    transitions: Transitions, wrong: int, num_states: int, num_actions: int
) -> ValueError:
    """Return the error for a transition outside a table or with a reward that is not finite."""
    sizes = [column.size for column in transitions]
    if len(set(sizes)) > 1:
        return ValueError(f"transitions with columns of {sizes} rows; expected equally many")
    what = tuple(column[wrong].item() for column in transitions)
    return ValueError(
        f"transition {wrong} is {what}; expected states below {num_states}, an action below "
        f"{num_actions} and a finite reward"
    )


@compiled
def first_outside(transitions, num_states, num_actions):
    """Return the index of the first invalid transition, or -1.

    Columns of different lengths are invalid from the first row on.
    """
    # Compiled code does not check indices, so a batch is validated first.
    n = transitions.action.size
    if not (
        n == transitions.observation.size == transitions.reward.size
        and n == transitions.next_observation.size == transitions.terminated.size
    ):
        return 0
    for i in range(n):
        if not (
            0 <= transitions.observation[i] < num_states
            and 0 <= transitions.next_observation[i] < num_states
            and 0 <= transitions.action[i] < num_actions
            and np.isfinite(transitions.reward[i])
        ):
            return i
    return -1
