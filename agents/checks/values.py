"""Conformance suite of action values."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.conformance import Check, Report, Suite, collect, needs, require

from . import learning
from .environments import TERMINAL, CheckEnvironment, deterministic_rows, optimal_values
from .errors import ValuesCheckError
from .learning import OTHER_ROWS, LearnerCase, equal, require_unused_generators

STATES = np.arange(TERMINAL)
"""Non-terminal states."""


def check_values(factory: Callable[[CheckEnvironment], Any], **options: Any) -> Report:
    """Run every check on action values of a factory, and raise an error if one fails.

    Args:
        factory: called with a `CheckEnvironment`, makes new action values, for example
            `lambda env: MyValues(env.num_states, env.num_actions, gamma=env.gamma)`.
        options: see `values_report`.

    Returns:
        The report, without failures.

    Raises:
        ValuesCheckError: (an AssertionError) with the report, if a check failed.
    """
    return SUITE.passed(values_report(factory, **options))


def values_report(
    factory: Callable[[CheckEnvironment], Any],
    *,
    vectors: bool = False,
    promises: frozenset[str] | None = None,
    tolerance: float | None = None,
    repeats: int = 1,
    sweeps: int = 400,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Return the results of every check on action values of a factory.

    Args:
        factory: see `check_values`; the discount must be that of the `CheckEnvironment`.
        vectors: if True observations are one-hot (batch, size) float64 vectors, otherwise (batch,)
            int64 states.
        promises: some of `VALUES_PROMISES`; by default the attribute `promises` of the values.
        tolerance: largest error of values; by default 1e-3, with vectors 0.1. The optimal values
            are from 1.75 to 12.6.
        repeats: number of times that each transition is presented before a check.
        sweeps: number of updates with every transition until the values should have converged.
        expected_failures: check -> reason of its failure; if it passes, that is a failure.

    Raises:
        ValueError: for an unknown promise or check.
    """
    env = CheckEnvironment(vectors)
    values = factory(env)
    promised = frozenset(getattr(values, "promises", ())) if promises is None else promises
    accepted = tolerance if tolerance is not None else (0.1 if vectors else 1e-3)
    has_state = hasattr(values, "get_state") and hasattr(values, "set_state")
    return SUITE.report(
        ValuesCase(factory, env, accepted, repeats, sweeps),
        frozenset({"state"}) if has_state else frozenset(),
        promised,
        expected_failures,
    )


@dataclass(frozen=True)
class ValuesCase(LearnerCase):
    """Factory of action values and the tolerances of their checks."""

    sweeps: int

    def of_states(self, values: Any, states: Any) -> FloatArray:
        """Return the (states, actions) values of some states."""
        found: FloatArray = values.values(self.env.observations(states))
        return found

    def predictions(self, part: Any) -> Any:
        """Return copies of the values of all states."""
        return self.of_states(part, range(self.env.num_states)).copy()


# -- queries -----------------------------------------------------------------------------------


def value_shapes(case: ValuesCase) -> None:
    """Values are (batch, actions) arrays for 0, 1 and n observations."""
    values = case.trained()
    for n in (0, 1, 4):
        found = case.of_states(values, range(n))
        shape = (n, case.env.num_actions)
        require(
            np.shape(found) == shape,
            f"values of {n} observations have shape {np.shape(found)}; expected {shape}",
        )


def value_dtype(case: ValuesCase) -> None:
    """Values are float64."""
    found = case.of_states(case.trained(), [0, 1])
    require(found.dtype == np.float64, f"values are {found.dtype}; expected float64")


def values_are_finite(case: ValuesCase) -> None:
    """Values are finite, before the first update and after many."""
    values = case.make()
    for _ in range(20):
        require(np.isfinite(case.predictions(values)).all(), "values are not finite")
        case.train(values, deterministic_rows())


def values_keep_inputs(case: ValuesCase) -> None:
    """`values` does not modify its argument."""
    values, observations = case.trained(), case.env.observations([2, 0, 1])
    before = observations.copy()
    values.values(observations)
    require(equal(observations, before), "values changed the array that it was given")


def values_are_copies(case: ValuesCase) -> None:
    """Modifying returned values does not change the learned ones."""
    values = case.trained()
    before = case.predictions(values)
    found = case.of_states(values, range(case.env.num_states))
    if found.flags.writeable:
        found[...] = -1.0
    require(equal(case.predictions(values), before), "writing into returned values changed them")


def values_do_not_learn(case: ValuesCase) -> None:
    """Queries do not change the values."""
    values = case.trained()
    found = [case.predictions(values) for _ in range(5)]
    require(equal(found, found[:1] * 5), "equal queries gave different values")


def value_batch_equals_rows(case: ValuesCase) -> None:
    """The values of a batch equal those of its rows one by one, in any order."""
    values, states = case.trained(), [3, 0, 2, 2]
    together = case.of_states(values, states)
    alone = np.vstack([case.of_states(values, [state]) for state in states])
    require(
        np.allclose(together, alone, rtol=1e-5, atol=1e-6),  # networks compute in float32
        "the values of a batch differ from those of its rows",
    )


# -- learning ----------------------------------------------------------------------------------


def updates_are_reproducible(case: ValuesCase) -> None:
    """New values that get equal transitions are equal."""
    first, second = case.trained(), case.trained()
    require(
        equal(case.predictions(first), case.predictions(second)),
        "equal transitions gave different values",
    )


def global_generators_are_unused(case: ValuesCase) -> None:
    """Neither NumPy's nor Python's global generator is used."""
    require_unused_generators(lambda: case.predictions(case.trained()))


def values_share_no_state(case: ValuesCase) -> None:
    """Two objects share no state."""
    values, other = case.trained(), case.make()
    before = case.predictions(values)
    case.train(other, OTHER_ROWS * 3)
    require(equal(case.predictions(values), before), "updating one object changed another")


def rewards_raise_values(case: ValuesCase) -> None:
    """The value of a rewarded pair grows."""
    values = case.make()
    before = case.of_states(values, [0])[0, 1]
    high = float(np.max(case.predictions(values))) + 1.0
    for _ in range(20 * case.repeats):
        values.update(case.env.batch([(0, 1, high, TERMINAL, True)] * 8))
    after = case.of_states(values, [0])[0, 1]
    require(
        after > before,
        f"the value of a pair is {after:g} after rewards of {high:g}; it was {before:g}",
    )


@needs("converges")
def values_converge(case: ValuesCase) -> None:
    """In a deterministic environment the values converge to the optimal ones."""
    exact = optimal_values(case.env.gamma)[STATES]
    values = case.make()
    for _ in range(case.sweeps):
        values.update(case.env.batch(deterministic_rows()))
    _require_close(case, case.of_states(values, STATES), exact, "converges to")


@needs("converges")
def termination_ends_return(case: ValuesCase) -> None:
    """The target of a terminal transition is its reward, whatever the next state is worth."""
    values = case.make()
    rows = [(1, 0, 1.0, 1, False), (0, 0, 0.5, 1, True)]  # state 1 is worth 1 / (1 - gamma)
    for _ in range(case.sweeps):
        values.update(case.env.batch(rows))
    found = case.of_states(values, [0])[:, :1]
    _require_close(case, found, np.array([[0.5]]), "after terminal transitions of reward 0.5 is")


@needs("separate_pairs")
def other_pairs_keep_values(case: ValuesCase) -> None:
    """An update changes the value of its own pair alone."""
    values = case.trained()
    before = case.predictions(values)
    values.update(case.env.batch([(1, 2, 5.0, 0, False)]))
    changed = np.argwhere(case.predictions(values) != before).tolist()
    require(
        changed == [[1, 2]],
        f"an update of state 1 and action 2 changed the values of {changed}",
    )


def _require_close(case: ValuesCase, found: FloatArray, exact: FloatArray, label: str) -> None:
    wrong = np.unravel_index(np.abs(found - exact).argmax(), exact.shape)
    state, action = (int(place) for place in wrong)
    require(
        np.abs(found - exact).max() <= case.tolerance,
        f"the value of state {state}, action {action} {label} {found[wrong]:.6g}; expected "
        f"{exact[wrong]:.6g} within {case.tolerance:g}",
    )


# -- state -------------------------------------------------------------------------------------


@needs("state")
def state_restores_values(case: ValuesCase) -> None:
    """A new object with the state of another continues identically."""
    values, other = case.trained(), case.make()
    other.set_state(copy.deepcopy(values.get_state()))
    _require_equal_values(case, values, other, "set_state(get_state())")


def deep_copy_is_independent(case: ValuesCase) -> None:
    """A deep copy continues identically and independently."""
    values = case.trained()
    before, other = case.predictions(values), copy.deepcopy(values)
    case.train(copy.deepcopy(values), OTHER_ROWS * 3)
    require(equal(case.predictions(values), before), "updating a deep copy changed the original")
    _require_equal_values(case, values, other, "a deep copy")


def _require_equal_values(case: ValuesCase, values: Any, other: Any, label: str) -> None:
    for _ in range(2):
        require(
            equal(case.predictions(values), case.predictions(other)),
            f"{label} gives different values",
        )
        for each in (values, other):
            case.train(each, OTHER_ROWS * 3)


VALUES_CHECKS: dict[str, Check] = collect(
    value_shapes,
    value_dtype,
    values_are_finite,
    values_keep_inputs,
    values_are_copies,
    values_do_not_learn,
    value_batch_equals_rows,
    learning.update_keeps_inputs,
    learning.update_copies_inputs,
    updates_are_reproducible,
    global_generators_are_unused,
    values_share_no_state,
    learning.empty_update_changes_nothing,
    learning.update_batch_equals_rows,
    rewards_raise_values,
    values_converge,
    termination_ends_return,
    other_pairs_keep_values,
    state_restores_values,
    learning.state_is_copy,
    learning.state_is_plain_data,
    deep_copy_is_independent,
    learning.nan_reward_is_rejected,
    learning.infinite_reward_is_rejected,
    learning.invalid_action_is_rejected,
    learning.invalid_observation_is_rejected,
    learning.unequal_columns_are_rejected,
    learning.rejected_batch_changes_nothing,
)
"""Name -> check, in the order of execution; each docstring states the promise."""

VALUES_PROMISES = {
    "converges": "the values converge to the optimum of a deterministic environment",
    "batch_as_rows": "learns the same from a batch as from its rows one by one",
    "separate_pairs": "an update changes the value of its own pair alone",
}
"""Promises that action values may declare by their attribute `promises`."""

SUITE = Suite("values", VALUES_PROMISES, VALUES_CHECKS, ValuesCheckError)
