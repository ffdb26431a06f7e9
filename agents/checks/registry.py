"""Registry of conformance checks, how they are run, and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dynamaze.common.validation import did_you_mean

PASSED, FAILED = "passed", "FAILED"
EXPECTED_FAILURE, NOT_PROMISED = "expected failure", "not promised"


class ModelCheckError(AssertionError):
    """A model failed a check; the message is the whole report."""


class PlannerCheckError(AssertionError):
    """A planner failed a check; the message is the whole report."""


class Result(NamedTuple):
    """Result of one check."""

    name: str
    outcome: str  # "passed", "FAILED", "expected failure" or "not promised"
    reason: str  # reason of failure or of not being run


class Report(NamedTuple):
    """All results, in the order of the checks; `str` formats them as text."""

    results: tuple[Result, ...]

    def named(self, outcome: str) -> list[str]:
        """Return the names of the checks with this outcome."""
        return [result.name for result in self.results if result.outcome == outcome]

    @property
    def failures(self) -> list[str]:
        """Names of the checks that failed unexpectedly."""
        return self.named(FAILED)

    def __str__(self) -> str:
        width = max(len(result.name) for result in self.results)
        lines = [
            f"{name:{width}}  {outcome}{': ' + reason if reason else ''}"
            for name, outcome, reason in self.results
        ]
        outcomes = (PASSED, FAILED, EXPECTED_FAILURE, NOT_PROMISED)
        counts = ", ".join(f"{len(self.named(each))} {each}" for each in outcomes)
        return "\n".join([*lines, counts])


PROMISES = {
    "exact_when_deterministic": "predicts and samples a deterministic environment exactly",
    "represents_chance": "samples outcomes by their observed frequency",
    "order_does_not_matter": "learns the same from transitions in any order",
    "batch_as_rows": "learns the same from a batch as from its rows one by one",
    "samples_only_seen": "samples seen pairs only",
    "samples_all_seen": "samples every seen pair",
    "adapts": "tracks a change within `adapts_within` visits of the pair (by default 1)",
    "knows_uncertainty": "is less uncertain with more data (`pair_uncertainty` or `known`)",
}
"""Promises that a model may declare by its attribute `promises`."""

PLANNER_PROMISES = {
    "converges": "the values converge to the optimum of a deterministic environment",
    "converges_in_expectation": "also with several outcomes of a pair",
    "tracks_changes": "also after a change of the environment and the model",
    "optimal_search": "the search values are the optimal values of each action",
}
"""Promises that a planner may declare by its attribute `promises`."""


class Check(NamedTuple):
    """Test of one promise."""

    name: str
    needs: frozenset[str]  # capabilities, promises, or "state" for get_state and set_state
    function: Callable[[Any], None]  # raises AssertionError if the promise is broken


def collect(*functions: Any) -> dict[str, Check]:
    """Return the checks by name."""
    return {f.__name__: Check(f.__name__, getattr(f, "needs", frozenset()), f) for f in functions}


def needs(*names: str) -> Callable[[Any], Any]:
    """Decorate a check that applies only to plug-ins with these capabilities or promises."""

    def mark(function: Any) -> Any:
        function.needs = frozenset(names)
        return function

    return mark


def abilities(model: Any, promises: frozenset[str]) -> frozenset[str]:
    """Return the capabilities and promises of a model, with "state" if it can be saved."""
    has_state = hasattr(model, "get_state") and hasattr(model, "set_state")
    return frozenset(model.capabilities) | promises | ({"state"} if has_state else set())


def run_checks(
    checks: Mapping[str, Check], case: Any, able: frozenset[str], expected: Mapping[str, str]
) -> Report:
    """Run the checks and return their results.

    Args:
        checks: by name.
        case: argument of the checks.
        able: capabilities and promises of the plug-in; a check that needs others is not run.
        expected: check -> reason of its failure; if it passes, that is a failure.
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
        return Result(check.name, FAILED, f"passed; expected to fail: {expected[check.name]}")
    return Result(check.name, PASSED, "")


def check_names(kind: str, names: Iterable[str], known: Mapping[str, Any]) -> None:
    """Check that names are known.

    Raises:
        ValueError: for the first unknown one.
    """
    for name in names:
        if name not in known:
            raise ValueError(
                f"{kind} {name!r}; expected one of {sorted(known)}{did_you_mean(name, known)}"
            )
