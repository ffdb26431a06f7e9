"""The conformance suite of planners: what every planner must do to work in every agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..planning.base import Planning
from . import planners as checks
from .environments import CheckWorld
from .planner_cases import PlannerCase
from .registry import PLANNER_PROMISES, Check, collect, refuse_unknown, run_checks
from .report import PlannerCheckError, Report

PLANNER_CHECKS: dict[str, Check] = collect(
    checks.needs_are_known,
    checks.transitions_are_left_alone,
    checks.planning_teaches_the_model_nothing,
    checks.an_unseen_world_is_survived,
    checks.values_stay_finite,
    checks.planning_follows_its_generator,
    checks.global_generators_are_left_alone,
    checks.planners_share_no_memory,
    checks.looking_leaves_the_values_alone,
    checks.looking_leaves_the_planner_alone,
    checks.found_values_have_their_form,
    checks.a_state_gives_the_planner_again,
    checks.a_state_is_a_copy,
    checks.a_state_is_arrays_and_numbers,
    checks.a_deep_copy_goes_on_alike_and_alone,
    checks.values_settle_in_a_deterministic_world,
    checks.values_settle_where_chance_rules,
    checks.values_follow_a_change,
    checks.what_is_found_is_optimal,
)
"""Name -> check, in the order in which they run; each one's docstring says what is promised."""


def check_planner(factory: Callable[[CheckWorld], Planning], **how: Any) -> Report:
    """Run every check on planners that a factory makes.

    Args:
        factory: called with a `CheckWorld`, makes a new planner, for example
            `lambda world: MyPlanner(planning_steps=10)`.
        how: see `planner_report`.

    Returns:
        The report, without failures.

    Raises:
        PlannerCheckError: (an AssertionError) with the report, if a check failed.
    """
    report = planner_report(factory, **how)
    if report.failures:
        raise PlannerCheckError(f"{len(report.failures)} promises are broken\n{report}")
    return report


def planner_report(
    factory: Callable[[CheckWorld], Planning],
    *,
    model: Callable[[CheckWorld], Any] | None = None,
    promises: frozenset[str] | None = None,
    tolerance: float = 1e-3,
    phases: int = 300,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """The results of every check on planners that a factory makes.

    A planner is handed a table of values with a learning rate of 1 and gamma = 0.9.

    Args:
        factory: see `check_planner`.
        model: makes the model that it plans with, of the same `CheckWorld`; without,
            `LatestOutcome`, and `MaximumLikelihood` where pairs have several outcomes.
        promises: some of `PLANNER_PROMISES`; without, those of the planner's attribute `promises`.
        tolerance: how far values may lie from the truth; rewards are from 0 to 3.
        phases: how often it plans until its values should have settled.
        expected_failures: check -> why it must fail; one that passes is a failure.

    Raises:
        ValueError: for an unknown promise or check.
    """
    expected = {} if expected_failures is None else expected_failures
    world = CheckWorld()
    promised = frozenset(factory(world).promises) if promises is None else promises
    refuse_unknown("promise", promised, PLANNER_PROMISES)
    refuse_unknown("check", expected, PLANNER_CHECKS)
    case = PlannerCase(factory, model, world, tolerance, phases)
    return run_checks(PLANNER_CHECKS, case, promised, expected)
