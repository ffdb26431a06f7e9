"""Conformance suites of models and planners, for built-in and user-defined ones.

from dynamaze.agents.checks import check_model, check_planner

check_model(lambda env: MyModel(env.num_states, env.num_actions))
check_planner(lambda env: MyPlanner(planning_steps=10))
"""

from __future__ import annotations

from .environments import CheckEnvironment
from .models import CHECKS, check_model, model_report
from .planners import PLANNER_CHECKS, check_planner, planner_report
from .registry import (
    PLANNER_PROMISES,
    PROMISES,
    Check,
    ModelCheckError,
    PlannerCheckError,
    Report,
    Result,
)

__all__ = [
    "CHECKS",
    "PLANNER_CHECKS",
    "PLANNER_PROMISES",
    "PROMISES",
    "Check",
    "CheckEnvironment",
    "ModelCheckError",
    "PlannerCheckError",
    "Report",
    "Result",
    "check_model",
    "check_planner",
    "model_report",
    "planner_report",
]
