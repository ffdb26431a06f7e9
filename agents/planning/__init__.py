"""Background planning (Sutton & Barto 2018, chapter 8): planners, and the table of their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynamaze.common.validation import did_you_mean

from .base import Planning, UniformPlanning
from .certainty_equivalence import DynamicProgramming
from .pair_updates import BackwardUpdates, UniformUpdates
from .prioritised_sweeping import PrioritisedSweeping
from .trajectory_sampling import TrajectorySampling

__all__ = [
    "PLANNERS",
    "BackwardUpdates",
    "DynamicProgramming",
    "Planning",
    "PrioritisedSweeping",
    "TrajectorySampling",
    "UniformPlanning",
    "UniformUpdates",
    "make_planning",
]

PLANNERS: dict[str, Callable[[int, float], Planning]] = {
    "uniform": lambda steps, epsilon: UniformPlanning(steps),
    "uniform_expected": lambda steps, epsilon: UniformUpdates(steps),
    "backward": lambda steps, epsilon: BackwardUpdates(steps),
    "prioritised_sweeping": lambda steps, epsilon: PrioritisedSweeping(steps),
    "trajectory_sampling": lambda steps, epsilon: TrajectorySampling(steps, epsilon=epsilon),
    "dynamic_programming": lambda steps, epsilon: DynamicProgramming(),
}
"""Name -> function of (planning_steps, epsilon) that makes the planner."""


def make_planning(planning: str | Planning, planning_steps: int, epsilon: float) -> Planning:
    """Return the planner of a name, or the given planner.

    Raises:
        ValueError: for an unknown name; lists the known ones.
        TypeError: for an argument that is neither a name nor a planner.
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
