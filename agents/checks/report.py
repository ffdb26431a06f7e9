"""What a conformance suite found."""

from __future__ import annotations

from typing import NamedTuple

PASSED, FAILED = "passed", "FAILED"
EXPECTED_FAILURE, NOT_PROMISED = "expected failure", "not promised"


class ModelCheckError(AssertionError):
    """A plug-in broke a promise; the message is the whole report."""


class PlannerCheckError(AssertionError):
    """A planner broke a promise; the message is the whole report."""


class Result(NamedTuple):
    """What came of one check."""

    name: str
    outcome: str  # "passed", "FAILED", "expected failure" or "not promised"
    reason: str  # why it failed, was expected to, or was not run


class Report(NamedTuple):
    """All results, in the order of the checks; `str` gives a page of text."""

    results: tuple[Result, ...]

    def named(self, outcome: str) -> list[str]:
        """The names of the checks with this outcome."""
        return [result.name for result in self.results if result.outcome == outcome]

    @property
    def failures(self) -> list[str]:
        """The names of the checks that failed and were not expected to."""
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
