"""Compiled code that works on every kind of part.

A part that compiled code can use keeps its memory in a record, a NamedTuple of arrays, and has a
compiled rule for each of the functions below. Which rule is meant is settled by the record's type
when the calling code is compiled, so that a call costs nothing. A new kind of model needs a record
and two rules, and then works in the step-by-step agent and in whole compiled runs:

    @rule(draw, MyTable)
    @compiled
    def draw_mine(table, num_actions, rng): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload

_RULES: dict[tuple[Any, type], Any] = {}


def rule(function: Any, record: type) -> Callable[[Any], Any]:
    """Decorate the compiled rule that `function` stands for, where its first argument is a record.

    Args:
        function: one of the functions below, such as `observe` or `draw`.
        record: the NamedTuple class.
    """

    def register(compiled: Any) -> Any:
        _RULES[function, record] = compiled
        return compiled

    return register


def observe(model, num_actions, state, action, reward, next_state, terminated):
    """Let a model learn from a real transition."""


def draw(model, num_actions, rng):
    """A simulated transition: pair, reward, next state, terminated, and the generator's state.

    `num_actions` and the pair, state * num_actions + action, are uint64.
    """


def follow(model, num_actions, pair, rng):
    """One outcome of a pair: reward, next state, terminated, and the generator's state."""


def expect(model, num_actions, pair, q, gamma):
    """A pair's expected reward plus the discounted value of what follows, by a flat table `q`."""


def believe(model, num_actions, pair, next_state, terminated):
    """How likely a model holds an outcome of a pair, its entropy there, and the counts behind it.

    Three floats: probability, entropy in nats, and by how many outcomes the pair is known.
    """


def doubt(model, num_actions, pair):
    """How little a model knows of a pair, in [0, 1]; without a rule 1 / sqrt(visits + 1)."""


def seen_pairs(model):
    """The pairs that a model has seen, a wrapper's those of the model inside: `SeenPairs`."""


def share(model):
    """The share of its planning steps that a model deserves, in [0, 1]; without a rule 1.

    A wrapper's is that of the model inside.
    """


def trust(model, pair):
    """The share of its updates that a pair deserves, in [0, 1]; without a rule 1.

    A wrapper's is that of the model inside.
    """


def choose(exploration, values, first, num_actions, state, rng):
    """An action in a state, whose values begin at `first`, and the generator's state."""


def note(exploration, pair):
    """Let an exploration rule take note of a real step."""


def remember(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """Let a planner take note of a real step, which the model has learned already.

    `q` is the flat table; pair and number of actions are int64.
    """


def improve(planning, model, q, num_actions, learning_rate, gamma, rng):
    """A phase of planning on the flat table `q`; gives the generator's state.

    The number of actions is int64.
    """


@overload(observe, inline="always")
def _observe(model, num_actions, state, action, reward, next_state, terminated):
    compiled = _RULES[observe, model.instance_class]
    return lambda model, num_actions, state, action, reward, next_state, terminated: compiled(
        model, num_actions, state, action, reward, next_state, terminated
    )


@overload(draw, inline="always")
def _draw(model, num_actions, rng):
    compiled = _RULES[draw, model.instance_class]
    return lambda model, num_actions, rng: compiled(model, num_actions, rng)


@overload(follow, inline="always")
def _follow(model, num_actions, pair, rng):
    compiled = _RULES[follow, model.instance_class]
    return lambda model, num_actions, pair, rng: compiled(model, num_actions, pair, rng)


@overload(expect, inline="always")
def _expect(model, num_actions, pair, q, gamma):
    compiled = _RULES[expect, model.instance_class]
    return lambda model, num_actions, pair, q, gamma: compiled(model, num_actions, pair, q, gamma)


@overload(believe, inline="always")
def _believe(model, num_actions, pair, next_state, terminated):
    compiled = _RULES[believe, model.instance_class]
    return lambda model, num_actions, pair, next_state, terminated: compiled(
        model, num_actions, pair, next_state, terminated
    )


@overload(doubt, inline="always")
def _doubt(model, num_actions, pair):
    compiled = _RULES.get((doubt, model.instance_class))
    if compiled is None:
        return lambda model, num_actions, pair: 1.0 / np.sqrt(model.visits[pair] + 1.0)
    return lambda model, num_actions, pair: compiled(model, num_actions, pair)


@overload(seen_pairs, inline="always")
def _seen_pairs(model):
    if "model" in model.instance_class._fields:
        return lambda model: seen_pairs(model.model)
    return lambda model: model.seen


@overload(share, inline="always")
def _share(model):
    compiled = _RULES.get((share, model.instance_class))
    if compiled is not None:
        return lambda model: compiled(model)
    if "model" in model.instance_class._fields:
        return lambda model: share(model.model)
    return lambda model: 1.0


@overload(trust, inline="always")
def _trust(model, pair):
    compiled = _RULES.get((trust, model.instance_class))
    if compiled is not None:
        return lambda model, pair: compiled(model, pair)
    if "model" in model.instance_class._fields:
        return lambda model, pair: trust(model.model, pair)
    return lambda model, pair: 1.0


def has_rule(function: Any, record: type) -> bool:
    """Whether a rule stands for `function` where its first argument is such a record."""
    return (function, record) in _RULES


@overload(choose, inline="always")
def _choose(exploration, values, first, num_actions, state, rng):
    compiled = _RULES[choose, exploration.instance_class]
    return lambda exploration, values, first, num_actions, state, rng: compiled(
        exploration, values, first, num_actions, state, rng
    )


@overload(note, inline="always")
def _note(exploration, pair):
    compiled = _RULES[note, exploration.instance_class]
    return lambda exploration, pair: compiled(exploration, pair)


@overload(remember, inline="always")
def _remember(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    compiled = _RULES[remember, planning.instance_class]
    return lambda planning, model, q, num_actions, pair, next_state, terminated, gamma: compiled(
        planning, model, q, num_actions, pair, next_state, terminated, gamma
    )


@overload(improve, inline="always")
def _improve(planning, model, q, num_actions, learning_rate, gamma, rng):
    compiled = _RULES[improve, planning.instance_class]
    return lambda planning, model, q, num_actions, learning_rate, gamma, rng: compiled(
        planning, model, q, num_actions, learning_rate, gamma, rng
    )
