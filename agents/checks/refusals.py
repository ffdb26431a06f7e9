"""Bad input: a clear error, and the model as it was before."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.transitions import Transitions
from .environments import Case, deterministic_rows, must, same
from .registry import needs

REFUSALS = (ValueError, TypeError)


def a_nan_reward_is_refused(case: Case) -> None:
    """Or it would be in every value sooner or later."""
    _must_refuse(case.taught(), case.world.batch([(0, 0, float("nan"), 1, False)]), "NaN")


def an_infinite_reward_is_refused(case: Case) -> None:
    """Of either sign."""
    model = case.taught()
    for reward in (float("inf"), float("-inf")):
        _must_refuse(model, case.world.batch([(0, 0, reward, 1, False)]), f"a reward of {reward}")


def an_action_that_does_not_exist_is_refused(case: Case) -> None:
    """NumPy would take -1 for the last one."""
    model = case.taught()
    for action in (case.world.num_actions, -1):
        _must_refuse(model, case.world.batch([(0, action, 0.0, 1, False)]), f"action {action}")


def an_observation_that_does_not_exist_is_refused(case: Case) -> None:
    """A row outside the table, or a vector of another length."""
    model, rows = case.taught(), case.world.batch([(0, 0, 0.5, 1, False)])
    for name in ("observation", "next_observation"):
        column = getattr(rows, name)
        wrong = column[:, :-1] if case.world.vectors else column * 0 + case.world.num_states
        _must_refuse(model, rows._replace(**{name: wrong}), f"{name} {wrong.tolist()}")


def columns_of_different_lengths_are_refused(case: Case) -> None:
    """However they come about."""
    model, rows = case.taught(), case.world.batch(deterministic_rows())
    for name, column in zip(rows._fields, rows, strict=True):
        _must_refuse(model, rows._replace(**{name: column[:-1]}), f"a shorter column {name}")


def a_bad_batch_leaves_the_model_as_it_was(case: Case) -> None:
    """The good rows of a bad batch are not learned either."""
    model = case.taught()
    before = case.beliefs(model)
    good, bad = (0, 0, 1.0, 3, False), (1, 1, float("nan"), 2, False)
    try:
        model.update(case.world.batch([good, good, bad]))
    except REFUSALS:
        must(same(case.beliefs(model), before), "a batch that was refused changed the model")


@needs("predict")
def a_pair_that_does_not_exist_has_no_prediction(case: Case) -> None:
    """An error says so."""
    model = case.taught()
    for action in (case.world.num_actions, -1):
        try:
            case.predict(model, 0, action)
        except REFUSALS:
            continue
        except Exception as error:
            raise AssertionError(f"predict with action {action} raised {error!r}") from error
        raise AssertionError(f"predicts something for action {action}; expected a ValueError")


def _must_refuse(model: Any, transitions: Transitions, what: str) -> None:
    # Where warnings are errors, numbers of another kind must not look like a refusal.
    with np.errstate(all="ignore"):
        try:
            model.update(transitions)
        except REFUSALS:
            return
        except Exception as error:
            raise AssertionError(
                f"{what} raised {error!r}; expected a ValueError or TypeError"
            ) from error
    raise AssertionError(f"{what} was learned; expected a ValueError")
