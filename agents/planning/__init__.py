"""Planners by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynamaze.common.validation import did_you_mean

from .base import Planning, UniformPlanning
from .certainty_equivalence import DynamicProgramming
from .pair_updates import BackwardUpdates, UniformUpdates
from .prioritised_sweeping import PrioritisedSweeping
from .trajectory_sampling import TrajectorySampling

PLANNERS: dict[str, Callable[[int, float], Planning]] = {
    "uniform": lambda steps, epsilon: UniformPlanning(steps),
    "uniform_expected": lambda steps, epsilon: UniformUpdates(steps),
    "backward": lambda steps, epsilon: BackwardUpdates(steps),
    "prioritised_sweeping": lambda steps, epsilon: PrioritisedSweeping(steps),
    "trajectory_sampling": lambda steps, epsilon: TrajectorySampling(steps, epsilon=epsilon),
    "dynamic_programming": lambda steps, epsilon: DynamicProgramming(),
}
"""Name -> planner of so many planning steps and an epsilon, for the `planning` argument."""


def make_planning(planning: str | Planning, planning_steps: int, epsilon: float) -> Planning:
    """The planner of that name, or the planner itself.

    Raises:
        ValueError: if there is none of that name, naming those that are.
        TypeError: if it is neither a name nor a planner.
    """
    if not isinstance(planning, str):
        return _checked(planning)
    if planning not in PLANNERS:
        raise ValueError(
            f"planning={planning!r}; expected one of {sorted(PLANNERS)}"
            f"{did_you_mean(planning, PLANNERS)}"
        )
    return PLANNERS[planning](planning_steps, epsilon)


def _checked(planning: Any) -> Planning:
    if isinstance(planning, type) or not isinstance(planning, Planning):
        raise TypeError(
            f"planning={planning!r}; expected one of {sorted(PLANNERS)} or an object of a class "
            "that inherits from dynamaze.agents.Planning"
        )
    return planning
