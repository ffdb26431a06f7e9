"""Conformance suites: what every plug-in of a kind must do, as checks that anyone may run.

from dynamaze.agents.checks import check_model

check_model(lambda world: MyModel(world.num_states, world.num_actions))
"""

from __future__ import annotations

from .model_checks import CHECKS, check_model, model_report
from .registry import PROMISES, Check
from .report import ModelCheckError, Report, Result
from .world import CheckWorld

__all__ = [
    "CHECKS",
    "PROMISES",
    "Check",
    "CheckWorld",
    "ModelCheckError",
    "Report",
    "Result",
    "check_model",
    "model_report",
]
