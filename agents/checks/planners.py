"""Conformance suite of planners: the checks and how they are run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.conformance import Check, Report, Suite, collect, needs, require

from ..core.sparse_mdp import SparseMDP
from ..models import CAPABILITIES, LatestOutcome, MaximumLikelihood
from ..planning.base import Planning
from ..planning.dynamic_programming import value_iteration
from ..values.table import TableValues
from .environments import TERMINAL, CheckEnvironment, Row, deterministic_rows, generator
from .errors import PlannerCheckError
from .learning import equal, require_plain_data, require_unused_generators


def check_planner(factory: Callable[[CheckEnvironment], Planning], **options: Any) -> Report:
    """Run every check on planners of a factory, and raise an error if one fails.

    Args:
        factory: called with a `CheckEnvironment`, makes a new planner, for example
            `lambda env: MyPlanner(planning_steps=10)`.
        options: see `planner_report`.

    Returns:
        The report, without failures.

    Raises:
        PlannerCheckError: (an AssertionError) with the report, if a check failed.
    """
    return SUITE.passed(planner_report(factory, **options))


def planner_report(
    factory: Callable[[CheckEnvironment], Planning],
    *,
    model: Callable[[CheckEnvironment], Any] | None = None,
    promises: frozenset[str] | None = None,
    tolerance: float = 1e-3,
    phases: int = 300,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Return the results of every check on planners of a factory.

    A planner gets a table of values with a learning rate of 1 and gamma = 0.9.

    Args:
        factory: see `check_planner`.
        model: factory of its model, called with the same `CheckEnvironment`; by default
            `LatestOutcome`, and `MaximumLikelihood` if pairs have several outcomes.
        promises: some of `PLANNER_PROMISES`; by default the planner's attribute `promises`.
        tolerance: largest error of values; rewards are from 0 to 3.
        phases: number of planning phases until its values should have converged.
        expected_failures: check -> reason of its failure; if it passes, that is a failure.

    Raises:
        ValueError: for an unknown promise or check.
    """
    env = CheckEnvironment()
    promised = frozenset(factory(env).promises) if promises is None else promises
    case = PlannerCase(factory, model, env, tolerance, phases)
    return SUITE.report(case, frozenset(), promised, expected_failures)


STATES = np.arange(TERMINAL)
"""Non-terminal states."""


@dataclass(frozen=True)
class PlannerCase:
    """Factory of a planner and the tolerances of its checks."""

    factory: Callable[[CheckEnvironment], Planning]
    make_model: Callable[[CheckEnvironment], Any] | None  # None for a table that fits the check
    env: CheckEnvironment
    tolerance: float
    phases: int  # planning phases until values should have converged

    def run(
        self, rows: Sequence[Row] | None = None, *, phases: int = 0, by_chance: bool = False
    ) -> PlannerRun:
        """Return a planner after some real transitions, by default each pair once.

        Args:
            rows: the transitions.
            phases: number of planning phases after them.
            by_chance: use a model of several outcomes of a pair; else of the latest one.
        """
        table = MaximumLikelihood if by_chance else LatestOutcome
        env = self.env
        model = (
            table(env.num_states, env.num_actions)
            if self.make_model is None
            else self.make_model(env)
        )
        run = PlannerRun(
            self.factory(self.env),
            TableValues(
                self.env.num_states, self.env.num_actions, learning_rate=1.0, gamma=self.env.gamma
            ),
            model,
            self.env,
            generator(0),
        )
        run.experience(deterministic_rows() if rows is None else rows)
        run.plan(phases)
        return run


@dataclass
class PlannerRun:
    """Planner and the agent's parts that it works on."""

    planner: Planning
    values: TableValues
    model: Any
    env: CheckEnvironment
    rng: np.random.Generator

    def experience(self, rows: Sequence[Row]) -> None:
        """Process transitions one by one, as the agents do."""
        for row in rows:
            one = self.env.batch([row])
            if self.planner.learns_from(self.model, one):
                self.values.update(one)
            self.model.update(one)
            self.planner.record_transition(self.values, self.model, one)
            self.planner.plan(self.values, self.model, self.rng)

    def plan(self, phases: int) -> None:
        """Plan without real steps in between."""
        for _ in range(phases):
            self.planner.plan(self.values, self.model, self.rng)

    def search(
        self, states: Sequence[int], rng: np.random.Generator, *, learning: bool = False
    ) -> FloatArray:
        """Return the (states, actions) values by which an action would be chosen."""
        return self.planner.action_values(
            self.values, self.model, np.array(states), rng, learning=learning
        )

    def optimal(self) -> FloatArray:
        """Return the (states, actions) exact values of the model's distribution."""
        mdp = SparseMDP.of_model(self.model)
        return value_iteration(mdp, self.env.gamma, tolerance=1e-12).action_values


def needs_are_valid(case: PlannerCase) -> None:
    """The needs of the planner are capabilities that a model can declare."""
    unknown = sorted(case.factory(case.env).needs - set(CAPABILITIES))
    require(not unknown, f"needs is {unknown}; expected some of {sorted(CAPABILITIES)}")


def transitions_are_unchanged(case: PlannerCase) -> None:
    """Real transitions are not modified."""
    run = case.run()
    given = case.env.batch(deterministic_rows())
    before = copy.deepcopy(given)
    run.planner.record_transition(run.values, run.model, given)
    require(equal(given, before), "record_transition changed the transitions that it was given")


def planning_does_not_update_model(case: PlannerCase) -> None:
    """Planning does not change the model."""
    run = case.run()
    before = copy.deepcopy(run.model.get_state())
    run.plan(3)
    run.search([0, 1], generator(1))
    require(equal(run.model.get_state(), before), "planning changed the model's state")


def planning_without_experience(case: PlannerCase) -> None:
    """Without experience values stay finite, without NaN; or RuntimeError is raised."""
    run = case.run([])
    try:
        run.plan(2)
        found = run.search([0], generator(1))
    except RuntimeError:
        return
    require(np.isfinite(run.values.q).all(), "values are not finite")
    require(not np.isnan(found).any(), "action_values returned NaN")


def values_stay_finite(case: PlannerCase) -> None:
    """The values stay finite."""
    run = case.run(phases=20)
    require(np.isfinite(run.values.q).all(), "values are not finite")


def planning_is_reproducible(case: PlannerCase) -> None:
    """All randomness comes from the generator that is passed."""
    first, second = case.run(phases=3), case.run(phases=3)
    require(
        equal(first.values.q, second.values.q), "equal generators gave different tables of values"
    )
    searched = [run.search([0, 2], generator(4)) for run in (first, second)]
    require(equal(*searched), "equal generators gave different search values")


def global_generators_are_unused(case: PlannerCase) -> None:
    """Neither NumPy's nor Python's global generator is used."""
    require_unused_generators(lambda: case.run(phases=2).search([0], generator(1)))


def planners_share_no_state(case: PlannerCase) -> None:
    """Two planners share no state."""
    alone = case.run(phases=2)
    other = case.run(deterministic_rows()[::-1] * 2, phases=3)
    again = case.run(phases=2)
    require(
        equal(alone.values.q, again.values.q),
        "a new planner plans differently after another one was used",
    )
    del other


def search_keeps_values(case: PlannerCase) -> None:
    """Search does not modify the learned values."""
    run = case.run()
    before = run.values.q.copy()
    run.search([0, 1], generator(1))
    require(equal(run.values.q, before), "action_values changed the learned values")


def search_keeps_planner(case: PlannerCase) -> None:
    """Search without `learning`, from any state, leaves the planner unchanged."""
    run, other = case.run(), case.run()
    run.search([2, 0], generator(1))
    require(
        equal(run.planner.get_state(), other.planner.get_state()),
        "action_values changed the planner's state",
    )
    for each in (run, other):
        _continue(each)
    require(equal(run.values.q, other.values.q), "it plans differently after action_values")
    searched = [each.search([1], generator(3)) for each in (run, other)]
    require(equal(*searched), "action_values differ after an earlier call")


def search_value_shapes(case: PlannerCase) -> None:
    """Search values are new (batch, actions) float64 arrays, for one and several states."""
    run = case.run()
    for states in ([1], [0, 1, 2]):
        found = run.search(states, generator(1))
        shape = (len(states), case.env.num_actions)
        require(
            np.shape(found) == shape,
            f"{len(states)} observations gave shape {np.shape(found)}; expected {shape}",
        )
        require(
            found.dtype == np.float64, f"action_values returned {found.dtype}; expected float64"
        )
    kept = run.search([1], generator(1), learning=True)
    before = kept.copy()
    run.experience(deterministic_rows()[:3])
    run.search([2], generator(2), learning=True)
    require(equal(kept, before), "an array that action_values returned was changed later")


# -- states and copies -------------------------------------------------------------------------


def state_restores_planner(case: PlannerCase) -> None:
    """A new planner with the state of another continues identically."""
    run = case.run(phases=1)
    planner = case.factory(case.env)
    planner.set_state(copy.deepcopy(run.planner.get_state()))
    _require_equal_runs(run, planner, "set_state(get_state())")


def state_is_copy(case: PlannerCase) -> None:
    """Later transitions do not change a state that was returned."""
    run = case.run()
    state = run.planner.get_state()
    before = copy.deepcopy(state)
    _continue(run)
    require(equal(state, before), "later transitions changed a state that get_state had returned")


def state_is_plain_data(case: PlannerCase) -> None:
    """The state consists of arrays and numbers, for files without pickle."""
    require_plain_data(case.run(phases=1).planner.get_state())


def deep_copy_is_independent(case: PlannerCase) -> None:
    """A deep copy continues identically and independently."""
    run = case.run(phases=1)
    _require_equal_runs(run, copy.deepcopy(run.planner), "a deep copy")
    run = case.run(phases=1)
    before = copy.deepcopy(run.planner.get_state())
    other = copy.deepcopy(run)
    other.planner = copy.deepcopy(run.planner)
    _continue(other)
    require(
        equal(run.planner.get_state(), before), "planning with a deep copy changed the original"
    )


def _continue(run: PlannerRun) -> None:
    run.rng = generator(9)
    run.experience(deterministic_rows()[::-1])
    run.plan(2)


def _require_equal_runs(run: PlannerRun, planner: object, label: str) -> None:
    other = copy.deepcopy(run)
    other.planner = planner  # type: ignore[assignment]
    for each in (run, other):
        _continue(each)
    require(equal(run.values.q, other.values.q), f"{label} plans differently")
    searched = [each.search([0, 1], generator(3)) for each in (run, other)]
    require(equal(*searched), f"{label} gives different action_values")


# -- promises ----------------------------------------------------------------------------------


@needs("converges")
def values_converge(case: PlannerCase) -> None:
    """In a deterministic environment the values converge to those of dynamic programming."""
    _require_optimal(case, case.run(phases=case.phases))


@needs("converges_in_expectation")
def values_converge_to_expectation(case: PlannerCase) -> None:
    """With two outcomes of a pair the values converge to their expectation."""
    rows = [*deterministic_rows(), (0, 1, 3.0, 3, False)]
    _require_optimal(case, case.run(rows, phases=case.phases, by_chance=True))


@needs("tracks_changes")
def values_track_change(case: PlannerCase) -> None:
    """After a change of two pairs the values converge to the new optimum."""
    run = case.run(phases=case.phases)
    changed = [(0, 0, 2.0, 0, False), (3, 2, 0.0, 0, False)]
    run.experience(changed)
    run.plan(case.phases)
    _require_optimal(case, run)


@needs("optimal_search")
def search_values_are_optimal(case: PlannerCase) -> None:
    """Search returns the optimal value of every state and action."""
    run = case.run(phases=case.phases)
    found, exact = run.search(STATES.tolist(), generator(1)), run.optimal()[STATES]
    _require_close(case, found, exact)


def _require_optimal(case: PlannerCase, run: PlannerRun) -> None:
    _require_close(case, run.values.q[STATES], run.optimal()[STATES])


def _require_close(case: PlannerCase, found: np.ndarray, exact: np.ndarray) -> None:
    wrong = np.unravel_index(np.abs(found - exact).argmax(), exact.shape)
    state, action = (int(place) for place in wrong)
    require(
        np.abs(found - exact).max() <= case.tolerance,
        f"state {state}, action {action} has the value {found[wrong]:.6g}; expected "
        f"{exact[wrong]:.6g} within {case.tolerance:g}",
    )


PLANNER_CHECKS: dict[str, Check] = collect(
    needs_are_valid,
    transitions_are_unchanged,
    planning_does_not_update_model,
    planning_without_experience,
    values_stay_finite,
    planning_is_reproducible,
    global_generators_are_unused,
    planners_share_no_state,
    search_keeps_values,
    search_keeps_planner,
    search_value_shapes,
    state_restores_planner,
    state_is_copy,
    state_is_plain_data,
    deep_copy_is_independent,
    values_converge,
    values_converge_to_expectation,
    values_track_change,
    search_values_are_optimal,
)
"""Name -> check, in the order of execution; each docstring states the promise."""

PLANNER_PROMISES = {
    "converges": "the values converge to the optimum of a deterministic environment",
    "converges_in_expectation": "also with several outcomes of a pair",
    "tracks_changes": "also after a change of the environment and the model",
    "optimal_search": "the search values are the optimal values of each action",
}
"""Promises that a planner may declare by its attribute `promises`."""

SUITE = Suite("planner", PLANNER_PROMISES, PLANNER_CHECKS, PlannerCheckError)
