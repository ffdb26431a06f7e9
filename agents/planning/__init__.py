"""Background planning (Sutton & Barto 2018, chapter 8): planners, and the table of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_exports

if TYPE_CHECKING:  # type checkers read what is imported on first use
    from .base import Planning
    from .certainty_equivalence import DynamicProgramming
    from .pair_updates import BackwardUpdates, UniformUpdates
    from .prioritised_sweeping import PrioritisedSweeping
    from .registry import PLANNERS, make_planning
    from .trajectory_sampling import TrajectorySampling
    from .uniform import UniformPlanning

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

_LAZY = {
    "BackwardUpdates": ".pair_updates",
    "DynamicProgramming": ".certainty_equivalence",
    "PLANNERS": ".registry",
    "Planning": ".base",
    "PrioritisedSweeping": ".prioritised_sweeping",
    "TrajectorySampling": ".trajectory_sampling",
    "UniformPlanning": ".uniform",
    "UniformUpdates": ".pair_updates",
    "make_planning": ".registry",
}
"""Name -> module that is imported when the name is first used."""

__getattr__ = lazy_exports(__name__, _LAZY)


def __dir__() -> list[str]:
    return __all__
