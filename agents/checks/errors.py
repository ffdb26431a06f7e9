"""Errors of failed checks."""

from __future__ import annotations

from dynamaze.common.conformance import CheckError


class ModelCheckError(CheckError):
    """A model failed a check; the message is the whole report."""


class PlannerCheckError(CheckError):
    """A planner failed a check; the message is the whole report."""


class ValuesCheckError(CheckError):
    """Action values failed a check; the message is the whole report."""


class AgentCheckError(CheckError):
    """An agent failed a check; the message is the whole report."""
