"""The list of checks, and what a model may promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .world import Case

PROMISES = {
    "exact_when_deterministic": "in a deterministic world it predicts and draws the truth",
    "represents_chance": "outcomes are drawn as often as they happened",
    "order_does_not_matter": "the same transitions in another order teach the same",
    "batch_as_rows": "a batch teaches what its rows teach one by one",
    "samples_only_seen": "only pairs that were seen are drawn",
    "samples_all_seen": "every pair that was seen is drawn now and then",
    "adapts": "follows a change within `adapts_within` visits of the pair (an attribute; else 1)",
    "knows_uncertainty": "is the surer the more it saw (method `doubt`, or `known` in predictions)",
}
"""What a model may promise by its attribute `promises`, beside its capabilities."""


class Check(NamedTuple):
    """One promise, put to the test."""

    name: str
    needs: frozenset[str]  # capabilities, promises, or "state" for get_state and set_state
    function: Callable[[Case], None]  # raises AssertionError where the promise is broken


def collect(*functions: Any) -> dict[str, Check]:
    """The checks by name."""
    return {f.__name__: Check(f.__name__, getattr(f, "needs", frozenset()), f) for f in functions}


def needs(*names: str) -> Callable[[Any], Any]:
    """Decorate a check that holds only a model to account which declares or promises so much."""

    def mark(function: Any) -> Any:
        function.needs = frozenset(names)
        return function

    return mark


def abilities(model: Any, promises: frozenset[str]) -> frozenset[str]:
    """All that a model declares, promises, or evidently has."""
    has_state = hasattr(model, "get_state") and hasattr(model, "set_state")
    return frozenset(model.capabilities) | promises | ({"state"} if has_state else set())
