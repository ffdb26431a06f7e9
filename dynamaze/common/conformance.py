"""Conformance suites: checks of promises, how they are run, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .validation import checked_choice

PASSED, FAILED = "passed", "FAILED"
EXPECTED_FAILURE, NOT_PROMISED = "expected failure", "not promised"


class Suite(NamedTuple):
    """Conformance suite of one kind of part."""

    kind: str  # such as "model"
    promises: Mapping[str, str]  # promise that a part may declare -> its meaning
    checks: Mapping[str, Check]  # by name, in the order in which they run
    error: type[CheckError]  # error of a failed check

    def report(
        self,
        case: Any,
        abilities: frozenset[str],
        promises: frozenset[str],
        expected_failures: Mapping[str, str] | None,
    ) -> Report:
        """Run the checks and return their results.

        Args:
            case: argument of the checks: the factory of the part and tolerances.
            abilities: what the part can do beside its promises; a check that needs more than
                abilities and promises is not run.
            promises: some of the suite's promises.
            expected_failures: check -> reason of its failure; if it passes, that is a failure.

        Raises:
            ValueError: for an unknown promise or check.
        """
        expected = {} if expected_failures is None else expected_failures
        for promise in sorted(promises):
            checked_choice("promise", promise, self.promises)
        for name in expected:
            checked_choice("check", name, self.checks)
        able = abilities | promises
        return Report(tuple(_result(check, case, able, expected) for check in self.checks.values()))

    def passed(self, report: Report) -> Report:
        """Return a report without failures.

        Raises:
            CheckError: of the suite's own class, with the report, if a check failed.
        """
        if report.failures:
            raise self.error(f"{len(report.failures)} checks failed\n{report}")
        return report


class Check(NamedTuple):
    """Test of one promise."""

    name: str
    needs: frozenset[str]  # abilities or promises of the part
    function: Callable[[Any], None]  # raises AssertionError if the promise is broken


class CheckError(AssertionError):
    """A part failed a check; the message is the whole report."""


def needs(*names: str) -> Callable[[Any], Any]:
    """Decorate a check that applies only to parts with these abilities or promises."""

    def mark(function: Any) -> Any:
        function.needs = frozenset(names)
        return function

    return mark


def collect(*functions: Any) -> dict[str, Check]:
    """Return the checks by name."""
    return {f.__name__: Check(f.__name__, getattr(f, "needs", frozenset()), f) for f in functions}


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


def require(condition: object, message: str) -> None:
    """Raise an error unless a condition holds.

    Raises:
        AssertionError: with the message, if the condition is false.
    """
    if not condition:
        raise AssertionError(message)
