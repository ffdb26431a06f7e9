"""Generic compiled functions, which dispatch on the type of a record.

A part that compiled code can use keeps its state in a record, a NamedTuple of arrays, and names the
compiled rules that serve it in a table beside the rules. A new kind of model needs a record and the
rules of `update_model` and `sample_transition`; it then works in the step-by-step agent and in
compiled runs:

    @compiled
    def sample_mine(table, num_actions, rng): ...

    rules(MyTable, update_model=update_mine, sample_transition=sample_mine)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global

from dynamaze.common.compile_cache import INTERPRETED, depend_on
from dynamaze.common.compiled import compiled, compiled_callee

CONFIDENCE_THRESHOLD = 0.5
"""Planners that update pair by pair skip pairs of a smaller confidence.

The values of a skipped pair are learned from real transitions alone.
"""

WHOLE_MODEL = -1
"""Number that stands for all pairs of a model, as the argument of `confidence`."""


class _Rules(NamedTuple):
    """Compiled rules of a record type."""

    by_name: dict[str, Any]  # name of a generic function -> rule
    inside: str | None  # field with the record of the model inside a wrapper


_RULES: dict[type, _Rules] = {}
_NO_RULES = _Rules({}, None)
_ARGUMENTS: dict[str, list[str]] = {}
"""Name of each generic function -> names of its arguments."""


def rules(record: type, *, inside: str | None = None, **by_name: Any) -> None:
    """Name the compiled rules that serve a record type.

    Args:
        record: the NamedTuple class of the generic functions' first argument.
        inside: of a model wrapper, the field that holds the record of the model inside; a generic
            function without a rule here uses that record's.
        by_name: name of a generic function of this module -> the compiled rule, which takes the
            same arguments.

    Raises:
        TypeError: for a name that is not a generic function, or a rule with other arguments.
    """
    for name, rule in by_name.items():
        if name not in _ARGUMENTS:
            raise TypeError(f"rule {name!r} of {record.__name__}; expected one of {[*_ARGUMENTS]}")
        given = inspect.signature(getattr(rule, "py_func", rule)).parameters
        if len(given) != len(_ARGUMENTS[name]):
            raise TypeError(
                f"rule {name!r} of {record.__name__} takes {[*given]}; expected {_ARGUMENTS[name]}"
            )
        depend_on(rule)
    _RULES[record] = _Rules(by_name, inside)


def has_rule(function: Callable[..., Any], record: Any) -> bool:
    """Return True if a rule of a generic function serves a record, or one that is inside it."""
    name, table = function.__name__, _RULES.get(type(record), _NO_RULES)
    while name not in table.by_name and table.inside is not None:
        record = getattr(record, table.inside)
        table = _RULES.get(type(record), _NO_RULES)
    return name in table.by_name


def generic(function: Callable[..., Any]) -> Any:
    """Make a function generic: the rule of the first argument's type takes its place."""
    return _generic(function, None)


def generic_with_default(function: Callable[..., Any]) -> Any:
    """Make a function generic whose body serves the records without a rule."""
    return _generic(function, compiled(function))


def _generic(function: Callable[..., Any], default: Any) -> Any:
    names = (*inspect.signature(function).parameters,)
    _ARGUMENTS[function.__name__] = [*names]
    dispatched: Any = function

    def rule_for(record: type) -> Any:
        table = _RULES.get(record, _NO_RULES)
        if function.__name__ in table.by_name:
            return table.by_name[function.__name__]
        if table.inside is not None:
            return _rule_inside(dispatched, names, table.inside)
        if default is None:
            raise TypeError(f"no rule {function.__name__!r} serves {record.__name__}")
        return default

    if INTERPRETED:
        dispatched = wraps(function)(lambda *given: rule_for(type(given[0]))(*given))
        return dispatched

    # The rule is looked up by the record's type while the calling code is compiled, which calls the
    # rule itself: at run time, and for Numba, a dispatched call costs nothing.
    class Dispatched(AbstractTemplate):
        key = function

        def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
            self._rule = types.Dispatcher(rule_for(args[0].instance_class))
            return self._rule.get_call_type(self.context, args, kws)

        def get_impl_key(self, signature: Any) -> Any:
            return self._rule.get_impl_key(signature)

    infer_global(function, types.Function(Dispatched))
    return function


@cache
def _rule_inside(dispatched: Any, names: tuple[str, ...], field: str) -> Any:
    """Return the rule of a wrapper's record: that of the record inside."""
    call = ", ".join([f"{names[0]}.{field}", *names[1:]])
    return compiled_callee(
        eval(f"lambda {', '.join(names)}: generic({call})", {"generic": dispatched})
    )


# -- models ------------------------------------------------------------------------------------


@generic
def update_model(model, num_actions, state, action, reward, next_state, terminated):
    """Update a model with a real transition."""


@generic
def sample_transition(model, num_actions, rng):
    """Sample a simulated transition.

    Returns (pair, reward, next state, terminated, the generator's state). `num_actions` and the
    pair, state * num_actions + action, are uint64.
    """


@generic
def sample_outcome(model, num_actions, pair, rng):
    """Sample an outcome of a pair: (reward, next state, terminated, the generator's state)."""


@generic
def expected_backup(model, num_actions, pair, q, gamma):
    """Return a pair's expected reward plus the discounted value of its next state by `q` (flat)."""


@generic
def outcome_probability(model, num_actions, pair, next_state, terminated):
    """Return the model's probability of an outcome, its predictive entropy and the visit count.

    Three floats: probability, entropy in nats, and the (discounted) number of the pair's outcomes.
    """


@generic
def append_next_states(model, num_actions, pair, steps, order, count):
    """Append the states that a pair may lead to and that were not reached before.

    Args:
        model: the record.
        num_actions: int64, as is the pair.
        pair: state * num_actions + action.
        steps: (states,) number of steps to each state, -1 for not reached.
        order: (states,) reached states, in order.
        count: their number.

    Returns:
        Their new number.
    """


@generic_with_default
def pair_uncertainty(model, num_actions, pair):
    """Return a pair's uncertainty in [0, 1]; by default 1 / sqrt(visits + 1)."""
    return 1.0 / np.sqrt(model.visits[pair] + 1.0)


@generic
def pair_bonus(model, num_actions, pair):
    """Return the bonus that a model wrapper adds to the simulated rewards of a pair."""


@generic_with_default
def visited_pairs(model):
    """Return the `VisitedPairs` of a model."""
    return model.seen


@generic_with_default
def confidence(model, pair):
    """Return the confidence in a model's predictions of a pair, in [0, 1]; by default 1.

    With `WHOLE_MODEL` as the pair it is the confidence in the model as a whole.
    """
    return 1.0


# -- exploration and planning --------------------------------------------------------------------


@generic_with_default
def decision_values(planning, model, q, num_actions, state, rng):
    """Return the values by which an action is chosen in a state, and the generator's state.

    Three results: a flat array, the index of the first action's value in it, and the generator. By
    default they are the learned values `q`, a flat table; a planner that searches finds others.
    """
    return q, state * num_actions, rng


@generic
def choose(exploration, values, first, num_actions, state, rng):
    """Choose an action in a state, whose values begin at `first`; also returns the generator."""


@generic_with_default
def record_step(exploration, pair):
    """Update an exploration rule after a real step; by default it has no memory."""


@generic_with_default
def record_transition(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Record a real transition, which the model has already learned, in a planner's record.

    By default nothing is recorded: the model stores the experience. `q` is the flat table; pair and
    number of actions are int64.
    """


@generic
def plan(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Run one planning phase on the flat table `q`; returns the generator's state.

    The number of actions is int64.
    """


@compiled
def plan_nothing(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Return the generator's state: a search takes place before the decision."""
    return rng


# -- selective planning --------------------------------------------------------------------------


@compiled
def confident_steps(model, planning_steps):
    """Return the planning steps to take with a model: a fraction of them, its confidence."""
    return fraction_of_steps(planning_steps, confidence(model, WHOLE_MODEL))


@compiled
def fraction_of_steps(planning_steps, share):
    """Return a share in [0, 1] of the planning steps, rounded to the nearest whole number."""
    return int(share * planning_steps + 0.5)


@compiled
def is_confident(model, pair):
    """Return True if a pair's confidence reaches `CONFIDENCE_THRESHOLD`."""
    return confidence(model, pair) >= CONFIDENCE_THRESHOLD


@compiled
def planned_backup(model, num_actions, pair, q, gamma):
    """Return the value that an expected update gives a pair: an unconfident one keeps its own."""
    if is_confident(model, pair):
        return expected_backup(model, num_actions, pair, q, gamma)
    return q[pair]


# -- reachable states ----------------------------------------------------------------------------


@compiled
def append_state(state, before, steps, order, count):
    """Append a state, unless it was reached already, one step after `before`; return the count."""
    if steps[state] >= 0:
        return count
    steps[state] = steps[before] + 1
    order[count] = state
    return count + 1
