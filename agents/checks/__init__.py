"""Conformance suites: what every plug-in of a kind must do, as checks that anyone may run.

from dynamaze.agents.checks import check_model, check_planner

check_model(lambda world: MyModel(world.num_states, world.num_actions))
check_planner(lambda world: MyPlanner(planning_steps=10))
"""

from __future__ import annotations

from .environments import CheckWorld
from .models import CHECKS, check_model, model_report
from .planner_checks import PLANNER_CHECKS, check_planner, planner_report
from .registry import PLANNER_PROMISES, PROMISES, Check
from .report import ModelCheckError, PlannerCheckError, Report, Result

__all__ = [
    "CHECKS",
    "PLANNER_CHECKS",
    "PLANNER_PROMISES",
    "PROMISES",
    "Check",
    "CheckWorld",
    "ModelCheckError",
    "PlannerCheckError",
    "Report",
    "Result",
    "check_model",
    "check_planner",
    "model_report",
    "planner_report",
]
