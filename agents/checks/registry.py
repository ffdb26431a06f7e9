"""The list of checks, how they are run, and what a plug-in may promise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dynamaze.common.validation import did_you_mean

from .report import EXPECTED_FAILURE, FAILED, NOT_PROMISED, PASSED, Report, Result

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

PLANNER_PROMISES = {
    "settles": "in a deterministic world the values settle where those of dynamic programming do",
    "expects": "so they do where a pair has several outcomes",
    "follows_changes": "and after the world, and the model with it, has changed",
    "looks_far": "what it finds by looking ahead is the optimal value of each action",
}
"""What a planner may promise by its attribute `promises`."""


class Check(NamedTuple):
    """One promise, put to the test."""

    name: str
    needs: frozenset[str]  # capabilities, promises, or "state" for get_state and set_state
    function: Callable[[Any], None]  # raises AssertionError where the promise is broken


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


def run_checks(
    checks: Mapping[str, Check], case: Any, able: frozenset[str], expected: Mapping[str, str]
) -> Report:
    """The results of checks.

    Args:
        checks: by name.
        case: what they are called with.
        able: what the plug-in declares and promises; a check that needs more is not run.
        expected: check -> why it must fail; one that passes is a failure.
    """
    return Report(tuple(_result(check, case, able, expected) for check in checks.values()))


def _result(check: Check, case: Any, able: frozenset[str], expected: Mapping[str, str]) -> Result:
    missing = sorted(check.needs - able)
    if missing:
        return Result(check.name, NOT_PROMISED, f"needs {', '.join(missing)}")
    try:
        check.function(case)
    except Exception as error:
        if check.name in expected:
            return Result(check.name, EXPECTED_FAILURE, expected[check.name])
        what = str(error) if isinstance(error, AssertionError) else repr(error)
        return Result(check.name, FAILED, what)
    if check.name in expected:
        return Result(check.name, FAILED, f"passed, though expected to: {expected[check.name]}")
    return Result(check.name, PASSED, "")


def refuse_unknown(kind: str, names: Iterable[str], known: Mapping[str, Any]) -> None:
    """Refuse names that are none.

    Raises:
        ValueError: for the first.
    """
    for name in names:
        if name not in known:
            raise ValueError(
                f"{kind} {name!r}; expected one of {sorted(known)}{did_you_mean(name, known)}"
            )
