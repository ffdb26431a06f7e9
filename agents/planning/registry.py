"""Names of planners, and the planner of a name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, partial

from dynamaze.common.registry import Registry
from dynamaze.common.validation import checked_choice

from .base import Planning

_CLASSES: Registry[type[Planning]] = Registry(
    "planning",
    {
        "uniform": ".uniform:UniformPlanning",
        "uniform_expected": ".pair_updates:UniformUpdates",
        "backward": ".pair_updates:BackwardUpdates",
        "prioritised_sweeping": ".prioritised_sweeping:PrioritisedSweeping",
        "trajectory_sampling": ".trajectory_sampling:TrajectorySampling",
        "dynamic_programming": ".certainty_equivalence:DynamicProgramming",
    },
    __package__,
)


def _make(name: str, planning_steps: int, epsilon: float) -> Planning:
    """Make a planner with those of the two arguments that its constructor has."""
    planner = _CLASSES[name]
    arguments = {"planning_steps": planning_steps, "epsilon": epsilon}
    own = _parameters(planner)  # type: ignore[arg-type]  # classes are hashable
    return planner(**{each: value for each, value in arguments.items() if each in own})


@lru_cache(maxsize=64)
def _parameters(planner: type[Planning]) -> frozenset[str]:
    """Return the names of a constructor's arguments."""
    return frozenset(inspect.signature(planner).parameters)


PLANNERS: dict[str, Callable[[int, float], Planning]] = {
    name: partial(_make, name) for name in _CLASSES
}
"""Name -> function of (planning_steps, epsilon) that makes the planner."""


def make_planning(planning: str | Planning, planning_steps: int, epsilon: float) -> Planning:
    """Return the planner of a name, or the given planner.

    Raises:
        ValueError: for an unknown name; lists the known ones.
        TypeError: for an argument that is neither a name nor a planner.
    """
    if isinstance(planning, str):
        return PLANNERS[checked_choice("planning", planning, PLANNERS)](planning_steps, epsilon)
    if isinstance(planning, type) or not isinstance(planning, Planning):
        raise TypeError(
            f"planning={planning!r}; expected one of {list(PLANNERS)} or an object of a class "
            "that inherits from dynamaze.agents.Planning"
        )
    return planning
