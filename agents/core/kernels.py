"""Generic compiled functions, which dispatch on the type of a record.

A part that compiled code can use keeps its state in a record, a NamedTuple of arrays, and registers
a compiled rule for each of the functions below. A new kind of model needs a record and the two
rules of `update_model` and `sample_transition`; it then works in the step-by-step agent and in
compiled runs:

    @rule(sample_transition, MyTable)
    @compiled
    def sample_mine(table, num_actions, rng): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload

from dynamaze.common.compile_cache import INTERPRETED, depend_on
from dynamaze.common.compiled import compiled, interpreted_generic, spliced

_RULES: dict[tuple[Any, type], Any] = {}

CONFIDENCE_THRESHOLD = 0.5
"""Planners that update pair by pair skip pairs of a smaller confidence.

The values of a skipped pair are learned from real transitions alone.
"""


def rule(function: Any, record: type) -> Callable[[Any], Any]:
    """Register the decorated compiled rule as the implementation of `function` for a record type.

    Args:
        function: one of the functions below, such as `update_model` or `sample_transition`.
        record: the NamedTuple class of the function's first argument.
    """

    def register(compiled: Any) -> Any:
        depend_on(compiled)
        _RULES[function, record] = compiled
        return compiled

    return register


def has_rule(function: Any, record: type) -> bool:
    """Return True if a rule of `function` is registered for this record type."""
    return (function, record) in _RULES


# -- models ------------------------------------------------------------------------------------


def update_model(model, num_actions, state, action, reward, next_state, terminated):
    """Update a model with a real transition."""


def sample_transition(model, num_actions, rng):
    """Sample a simulated transition.

    Returns (pair, reward, next state, terminated, the generator's state). `num_actions` and the
    pair, state * num_actions + action, are uint64.
    """


def sample_outcome(model, num_actions, pair, rng):
    """Sample an outcome of a pair: (reward, next state, terminated, the generator's state)."""


def expected_backup(model, num_actions, pair, q, gamma):
    """Return a pair's expected reward plus the discounted value of its next state by `q` (flat)."""


def outcome_probability(model, num_actions, pair, next_state, terminated):
    """Return the model's probability of an outcome, its predictive entropy and the visit count.

    Three floats: probability, entropy in nats, and the (discounted) number of the pair's outcomes.
    """


def pair_uncertainty(model, num_actions, pair):
    """Return a pair's uncertainty in [0, 1]; without a rule 1 / sqrt(visits + 1)."""


def visited_pairs(model):
    """Return the `VisitedPairs` of a model; a wrapper has those of its inner model."""


def planning_share(model):
    """Return the fraction of the planning steps to be taken with a model, in [0, 1].

    Without a rule it is 1; a wrapper has that of its inner model.
    """


def pair_confidence(model, pair):
    """Return the confidence in a model's predictions of a pair, in [0, 1].

    Without a rule it is 1; a wrapper has that of its inner model.
    """


# -- exploration and planning --------------------------------------------------------------------


def choose(exploration, values, first, num_actions, state, rng):
    """Choose an action in a state, whose values begin at `first`; also returns the generator."""


def record_step(exploration, pair):
    """Update an exploration rule after a real step."""


def record_transition(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Record a real transition, which the model has already learned, in a planner's record.

    `q` is the flat table; pair and number of actions are int64.
    """


def plan(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Run one planning phase on the flat table `q`; returns the generator's state.

    The number of actions is int64.
    """


# -- selective planning --------------------------------------------------------------------------


@spliced
def fraction_of_steps(planning_steps, share):
    """Return a share in [0, 1] of the planning steps, rounded to the nearest whole number."""
    return int(share * planning_steps + 0.5)


@compiled
def is_confident(model, pair):
    """Return True if a pair's confidence reaches `CONFIDENCE_THRESHOLD`."""
    return pair_confidence(model, pair) >= CONFIDENCE_THRESHOLD


# -- overloads -----------------------------------------------------------------------------------
# The rule is looked up by the record's type while the calling code is compiled, and inlined there:
# at run time a dispatched call costs nothing.


@overload(update_model, inline="always")
def _update_model(model, num_actions, state, action, reward, next_state, terminated):
    compiled = _RULES[update_model, model.instance_class]
    return lambda model, num_actions, state, action, reward, next_state, terminated: compiled(
        model, num_actions, state, action, reward, next_state, terminated
    )


@overload(sample_transition, inline="always")
def _sample_transition(model, num_actions, rng):
    compiled = _RULES[sample_transition, model.instance_class]
    return lambda model, num_actions, rng: compiled(model, num_actions, rng)


@overload(sample_outcome, inline="always")
def _sample_outcome(model, num_actions, pair, rng):
    compiled = _RULES[sample_outcome, model.instance_class]
    return lambda model, num_actions, pair, rng: compiled(model, num_actions, pair, rng)


@overload(expected_backup, inline="always")
def _expected_backup(model, num_actions, pair, q, gamma):
    compiled = _RULES[expected_backup, model.instance_class]
    return lambda model, num_actions, pair, q, gamma: compiled(model, num_actions, pair, q, gamma)


@overload(outcome_probability, inline="always")
def _outcome_probability(model, num_actions, pair, next_state, terminated):
    compiled = _RULES[outcome_probability, model.instance_class]
    return lambda model, num_actions, pair, next_state, terminated: compiled(
        model, num_actions, pair, next_state, terminated
    )


@overload(pair_uncertainty, inline="always")
def _pair_uncertainty(model, num_actions, pair):
    compiled = _RULES.get((pair_uncertainty, model.instance_class))
    if compiled is None:
        return lambda model, num_actions, pair: 1.0 / np.sqrt(model.visits[pair] + 1.0)
    return lambda model, num_actions, pair: compiled(model, num_actions, pair)


@overload(visited_pairs, inline="always")
def _visited_pairs(model):
    if "model" in model.instance_class._fields:
        return lambda model: visited_pairs(model.model)
    return lambda model: model.seen


@overload(planning_share, inline="always")
def _planning_share(model):
    compiled = _RULES.get((planning_share, model.instance_class))
    if compiled is not None:
        return lambda model: compiled(model)
    if "model" in model.instance_class._fields:
        return lambda model: planning_share(model.model)
    return lambda model: 1.0


@overload(pair_confidence, inline="always")
def _pair_confidence(model, pair):
    compiled = _RULES.get((pair_confidence, model.instance_class))
    if compiled is not None:
        return lambda model, pair: compiled(model, pair)
    if "model" in model.instance_class._fields:
        return lambda model, pair: pair_confidence(model.model, pair)
    return lambda model, pair: 1.0


@overload(choose, inline="always")
def _choose(exploration, values, first, num_actions, state, rng):
    compiled = _RULES[choose, exploration.instance_class]
    return lambda exploration, values, first, num_actions, state, rng: compiled(
        exploration, values, first, num_actions, state, rng
    )


@overload(record_step, inline="always")
def _record_step(exploration, pair):
    compiled = _RULES[record_step, exploration.instance_class]
    return lambda exploration, pair: compiled(exploration, pair)


@overload(record_transition, inline="always")
def _record_transition(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    compiled = _RULES[record_transition, planning.instance_class]
    return lambda planning, model, q, num_actions, pair, next_state, terminated, gamma: compiled(
        planning, model, q, num_actions, pair, next_state, terminated, gamma
    )


@overload(plan, inline="always")
def _plan(planning, model, q, num_actions, learning_rate, gamma, rng):
    compiled = _RULES[plan, planning.instance_class]
    return lambda planning, model, q, num_actions, learning_rate, gamma, rng: compiled(
        planning, model, q, num_actions, learning_rate, gamma, rng
    )


if INTERPRETED:
    update_model = interpreted_generic(_update_model)
    sample_transition = interpreted_generic(_sample_transition)
    sample_outcome = interpreted_generic(_sample_outcome)
    expected_backup = interpreted_generic(_expected_backup)
    outcome_probability = interpreted_generic(_outcome_probability)
    pair_uncertainty = interpreted_generic(_pair_uncertainty)
    visited_pairs = interpreted_generic(_visited_pairs)
    planning_share = interpreted_generic(_planning_share)
    pair_confidence = interpreted_generic(_pair_confidence)
    choose = interpreted_generic(_choose)
    record_step = interpreted_generic(_record_step)
    record_transition = interpreted_generic(_record_transition)
    plan = interpreted_generic(_plan)
