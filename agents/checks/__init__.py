"""Conformance suites of models, planners, action values and agents.

from dynamaze.agents.checks import check_agent, check_model, check_planner, check_values

check_model(lambda env: MyModel(env.num_states, env.num_actions))
check_planner(lambda env: MyPlanner(planning_steps=10))
check_values(lambda env: MyValues(env.num_states, env.num_actions, gamma=env.gamma))
check_agent(lambda env, seed: MyAgent(env, seed=seed))
"""

from __future__ import annotations

from dynamaze.common.conformance import Check, CheckError, Report, Result

from .agents import AGENT_CHECKS, AGENT_PROMISES, agent_report, check_agent
from .environments import CheckEnvironment, Corridor
from .errors import (
    AgentCheckError,
    ModelCheckError,
    PlannerCheckError,
    ValuesCheckError,
)
from .models import CHECKS, PROMISES, check_model, model_report
from .planners import PLANNER_CHECKS, PLANNER_PROMISES, check_planner, planner_report
from .values import VALUES_CHECKS, VALUES_PROMISES, check_values, values_report

__all__ = [
    "AGENT_CHECKS",
    "AGENT_PROMISES",
    "CHECKS",
    "PLANNER_CHECKS",
    "PLANNER_PROMISES",
    "PROMISES",
    "VALUES_CHECKS",
    "VALUES_PROMISES",
    "AgentCheckError",
    "Check",
    "CheckEnvironment",
    "CheckError",
    "Corridor",
    "ModelCheckError",
    "PlannerCheckError",
    "Report",
    "Result",
    "ValuesCheckError",
    "agent_report",
    "check_agent",
    "check_model",
    "check_planner",
    "check_values",
    "model_report",
    "planner_report",
    "values_report",
]
