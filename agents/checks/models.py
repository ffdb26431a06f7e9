"""Conformance suite of models: the checks of invalid input, the list of checks, how they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.transitions import Transitions
from . import model_accuracy as accuracy
from . import model_behaviour as behaviour
from .environments import CheckEnvironment, ModelCase, deterministic_rows, equal, require
from .registry import (
    PROMISES,
    Check,
    ModelCheckError,
    Report,
    abilities,
    check_names,
    collect,
    needs,
    run_checks,
)


def check_model(factory: Callable[[CheckEnvironment], Any], **options: Any) -> Report:
    """Run every check on models of a factory, and raise an error if one fails.

    Args:
        factory: called with a `CheckEnvironment`, returns a new, untrained model, for example
            `lambda env: MyModel(env.num_states, env.num_actions)`.
        options: see `model_report`.

    Returns:
        The report, without failures.

    Raises:
        ModelCheckError: (an AssertionError) with the report, if a check failed.
    """
    report = model_report(factory, **options)
    if report.failures:
        raise ModelCheckError(f"{len(report.failures)} checks failed\n{report}")
    return report


def model_report(
    factory: Callable[[CheckEnvironment], Any],
    *,
    vectors: bool = False,
    promises: frozenset[str] | None = None,
    tolerance: float | None = None,
    repeats: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Return the results of every check on models of a factory.

    Args:
        factory: see `check_model`.
        vectors: if True observations are one-hot (batch, size) float64 vectors, otherwise (batch,)
            int64 states.
        promises: some of `PROMISES`; by default the model's attribute `promises`.
        tolerance: largest error of predictions; by default 1e-9, with vectors 0.1.
        repeats: number of times that a model of vectors is trained with each transition.
        expected_failures: check -> reason of its failure; if it passes, that is a failure.

    Raises:
        ValueError: for an unknown promise or check.
    """
    expected = {} if expected_failures is None else expected_failures
    model = factory(CheckEnvironment(vectors))
    promised = frozenset(getattr(model, "promises", ())) if promises is None else promises
    check_names("promise", promised, PROMISES)
    check_names("check", expected, CHECKS)
    case = ModelCase(
        factory,
        CheckEnvironment(vectors),
        tolerance if tolerance is not None else (0.1 if vectors else 1e-9),
        repeats if repeats is not None else (20 if vectors else 1),
        getattr(model, "adapts_within", 1),
    )
    able = abilities(model, promised)
    return run_checks(CHECKS, case, able, expected)


REJECTIONS = (ValueError, TypeError)


def nan_reward_is_rejected(case: ModelCase) -> None:
    """A NaN reward is rejected, before it spreads to every value."""
    _require_rejection(case.trained(), case.env.batch([(0, 0, float("nan"), 1, False)]), "NaN")


def infinite_reward_is_rejected(case: ModelCase) -> None:
    """Infinite rewards of either sign are rejected."""
    model = case.trained()
    for reward in (float("inf"), float("-inf")):
        _require_rejection(
            model, case.env.batch([(0, 0, reward, 1, False)]), f"a reward of {reward}"
        )


def invalid_action_is_rejected(case: ModelCase) -> None:
    """Actions out of range are rejected, -1 included."""
    model = case.trained()
    for action in (case.env.num_actions, -1):
        _require_rejection(model, case.env.batch([(0, action, 0.0, 1, False)]), f"action {action}")


def invalid_observation_is_rejected(case: ModelCase) -> None:
    """Rows out of range, or vectors of another length, are rejected."""
    model, rows = case.trained(), case.env.batch([(0, 0, 0.5, 1, False)])
    for name in ("observation", "next_observation"):
        column = getattr(rows, name)
        wrong = column[:, :-1] if case.env.vectors else column * 0 + case.env.num_states
        _require_rejection(model, rows._replace(**{name: wrong}), f"{name} {wrong.tolist()}")


def unequal_columns_are_rejected(case: ModelCase) -> None:
    """Columns of unequal lengths are rejected."""
    model, rows = case.trained(), case.env.batch(deterministic_rows())
    for name, column in zip(rows._fields, rows, strict=True):
        _require_rejection(model, rows._replace(**{name: column[:-1]}), f"a shorter column {name}")


def rejected_batch_changes_nothing(case: ModelCase) -> None:
    """A rejected batch leaves the model unchanged, its valid rows included."""
    model = case.trained()
    before = case.predictions(model)
    good, bad = (0, 0, 1.0, 3, False), (1, 1, float("nan"), 2, False)
    try:
        model.update(case.env.batch([good, good, bad]))
    except REJECTIONS:
        require(equal(case.predictions(model), before), "a rejected batch changed the model")


@needs("predict")
def invalid_pair_prediction_is_rejected(case: ModelCase) -> None:
    """Predictions of invalid pairs raise an error."""
    model = case.trained()
    for action in (case.env.num_actions, -1):
        try:
            case.predict(model, 0, action)
        except REJECTIONS:
            continue
        except Exception as error:
            raise AssertionError(f"predict with action {action} raised {error!r}") from error
        raise AssertionError(f"predict with action {action} returned; expected a ValueError")


def _require_rejection(model: Any, transitions: Transitions, label: str) -> None:
    # If warnings are errors, a floating-point warning must not pass for a rejection.
    with np.errstate(all="ignore"):
        try:
            model.update(transitions)
        except REJECTIONS:
            return
        except Exception as error:
            raise AssertionError(
                f"{label} raised {error!r}; expected a ValueError or TypeError"
            ) from error
    raise AssertionError(f"{label} was accepted; expected a ValueError")


CHECKS: dict[str, Check] = collect(
    behaviour.capabilities_are_valid,
    behaviour.update_keeps_inputs,
    behaviour.predict_keeps_inputs,
    behaviour.update_copies_inputs,
    behaviour.samples_are_copies,
    behaviour.predictions_are_copies,
    behaviour.sample_does_not_learn,
    behaviour.predict_does_not_learn,
    behaviour.empty_update_changes_nothing,
    behaviour.empty_model_raises,
    behaviour.models_share_no_state,
    behaviour.sample_is_reproducible,
    behaviour.sample_depends_on_generator,
    behaviour.global_generators_are_unused,
    behaviour.sample_has_n_rows,
    behaviour.sample_dtypes,
    behaviour.prediction_shapes,
    behaviour.predict_batch_equals_rows,
    behaviour.update_batch_equals_rows,
    behaviour.state_restores_model,
    behaviour.state_is_copy,
    behaviour.state_is_plain_data,
    behaviour.deep_copy_is_independent,
    accuracy.deterministic_samples_are_exact,
    accuracy.deterministic_predictions_are_exact,
    accuracy.termination_is_predicted,
    accuracy.termination_is_sampled,
    accuracy.no_sample_from_terminal_state,
    accuracy.only_seen_pairs_are_sampled,
    accuracy.all_seen_pairs_are_sampled,
    accuracy.outcome_frequencies,
    accuracy.predicted_reward_is_mean,
    accuracy.update_order_is_irrelevant,
    accuracy.change_is_tracked,
    accuracy.visits_are_counted,
    accuracy.unseen_pairs_are_more_uncertain,
    accuracy.visits_do_not_add_uncertainty,
    nan_reward_is_rejected,
    infinite_reward_is_rejected,
    invalid_action_is_rejected,
    invalid_observation_is_rejected,
    unequal_columns_are_rejected,
    rejected_batch_changes_nothing,
    invalid_pair_prediction_is_rejected,
)
"""Name -> check, in the order of execution; each docstring states the promise."""
