"""Compiled code that works on every kind of part.

A part that compiled code can use keeps its memory in a record, a NamedTuple of arrays, and has a
compiled rule for each of the functions below. Which rule is meant is settled by the record's type
when the calling code is compiled, so that a call costs nothing. A new kind of model needs a record
and two rules, and then works in the step-by-step agent and in whole compiled runs:

    @rule(draw, MyTable)
    @njit(cache=True, _nrt=False)
    def draw_mine(table, rng): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.extending import overload

_RULES: dict[tuple[Any, type], Any] = {}


def rule(function: Any, record: type) -> Callable[[Any], Any]:
    """Decorate the compiled rule that `function` stands for, where its first argument is a record.

    Args:
        function: `observe`, `draw`, `choose` or `note`.
        record: the NamedTuple class.
    """

    def register(compiled: Any) -> Any:
        _RULES[function, record] = compiled
        return compiled

    return register


def observe(model, state, action, reward, next_state, terminated):
    """Let a model learn from a real transition."""


def draw(model, rng):
    """A simulated transition: pair (state * actions + action), reward, next state, terminated."""


def choose(exploration, q, num_actions, state, rng):
    """An action in a state, given the flat table of action values."""


def note(exploration, pair):
    """Let an exploration rule take note of a real step."""


@overload(observe, inline="always")
def _observe(model, state, action, reward, next_state, terminated):
    compiled = _RULES[observe, model.instance_class]
    return lambda model, state, action, reward, next_state, terminated: compiled(
        model, state, action, reward, next_state, terminated
    )


@overload(draw, inline="always")
def _draw(model, rng):
    compiled = _RULES[draw, model.instance_class]
    return lambda model, rng: compiled(model, rng)


@overload(choose, inline="always")
def _choose(exploration, q, num_actions, state, rng):
    compiled = _RULES[choose, exploration.instance_class]
    return lambda exploration, q, num_actions, state, rng: compiled(
        exploration, q, num_actions, state, rng
    )


@overload(note, inline="always")
def _note(exploration, pair):
    compiled = _RULES[note, exploration.instance_class]
    return lambda exploration, pair: compiled(exploration, pair)
