"""The conformance suite of models: what every model must do to work in every agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import form, refusals
from . import model_accuracy as truth
from . import model_behaviour as manners
from .environments import Case, CheckWorld
from .registry import PROMISES, Check, abilities, collect, refuse_unknown, run_checks
from .report import ModelCheckError, Report

CHECKS: dict[str, Check] = collect(
    manners.capabilities_are_known_and_there,
    manners.update_leaves_its_input_alone,
    manners.predict_leaves_its_input_alone,
    manners.keeps_no_array_of_the_caller,
    manners.samples_are_the_callers,
    manners.predictions_are_the_callers,
    manners.sampling_teaches_nothing,
    manners.predicting_teaches_nothing,
    manners.an_empty_update_is_nothing,
    manners.an_empty_model_says_so,
    manners.models_share_no_memory,
    manners.samples_follow_the_generator,
    manners.another_generator_gives_another_sample,
    manners.global_generators_are_left_alone,
    form.samples_have_n_rows,
    form.samples_have_the_right_dtypes,
    form.predictions_have_the_form_of_the_question,
    form.a_row_alone_is_as_in_a_batch,
    form.a_batch_teaches_what_its_rows_teach,
    form.a_state_gives_the_model_again,
    form.a_state_is_a_copy,
    form.a_state_is_arrays_and_numbers,
    form.a_deep_copy_goes_on_alike_and_alone,
    truth.samples_of_a_deterministic_world_are_true,
    truth.predictions_of_a_deterministic_world_are_true,
    truth.the_end_is_predicted,
    truth.the_end_is_drawn,
    truth.nothing_steps_out_of_a_terminal_state,
    truth.only_seen_pairs_are_drawn,
    truth.all_seen_pairs_are_drawn,
    truth.outcomes_are_drawn_by_their_frequency,
    truth.the_predicted_reward_is_the_mean,
    truth.the_order_does_not_matter,
    truth.a_change_is_followed,
    truth.visits_are_counted,
    truth.the_unknown_is_more_doubtful_than_the_known,
    truth.more_visits_leave_no_more_doubt,
    refusals.a_nan_reward_is_refused,
    refusals.an_infinite_reward_is_refused,
    refusals.an_action_that_does_not_exist_is_refused,
    refusals.an_observation_that_does_not_exist_is_refused,
    refusals.columns_of_different_lengths_are_refused,
    refusals.a_bad_batch_leaves_the_model_as_it_was,
    refusals.a_pair_that_does_not_exist_has_no_prediction,
)
"""Name -> check, in the order in which they run; each one's docstring says what is promised."""


def check_model(factory: Callable[[CheckWorld], Any], **how: Any) -> Report:
    """Run every check on models that a factory makes.

    Args:
        factory: called with a `CheckWorld`, makes a new model that has seen nothing, for example
            `lambda world: MyModel(world.num_states, world.num_actions)`.
        how: see `model_report`.

    Returns:
        The report, without failures.

    Raises:
        ModelCheckError: (an AssertionError) with the report, if a check failed.
    """
    report = model_report(factory, **how)
    if report.failures:
        raise ModelCheckError(f"{len(report.failures)} promises are broken\n{report}")
    return report


def model_report(
    factory: Callable[[CheckWorld], Any],
    *,
    vectors: bool = False,
    promises: frozenset[str] | None = None,
    tolerance: float | None = None,
    repeats: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """The results of every check on models that a factory makes.

    Args:
        factory: see `check_model`.
        vectors: whether observations are (batch, world.size) float64 vectors, one-hot; else they
            are (batch,) int64 numbers of states.
        promises: some of `PROMISES`; without, those of the model's attribute `promises`.
        tolerance: how far numbers may lie from the truth; by default 1e-9, with vectors 0.1.
        repeats: how often a model of vectors is shown each transition until it should know it.
        expected_failures: check -> why it must fail; one that passes is a failure.

    Raises:
        ValueError: for an unknown promise or check.
    """
    expected = {} if expected_failures is None else expected_failures
    model = factory(CheckWorld(vectors))
    promised = frozenset(getattr(model, "promises", ())) if promises is None else promises
    refuse_unknown("promise", promised, PROMISES)
    refuse_unknown("check", expected, CHECKS)
    case = Case(
        factory,
        CheckWorld(vectors),
        tolerance if tolerance is not None else (0.1 if vectors else 1e-9),
        repeats if repeats is not None else (20 if vectors else 1),
        getattr(model, "adapts_within", 1),
    )
    able = abilities(model, promised)
    return run_checks(CHECKS, case, able, expected)
