"""Background planning (Sutton & Barto 2018, chapter 8): planners, and the table of their names."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "BackwardUpdates": ".pair_updates",
        "DynamicProgramming": ".certainty_equivalence",
        "PLANNERS": ".registry",
        "Planning": ".base",
        "PrioritisedSweeping": ".prioritised_sweeping",
        "TrajectorySampling": ".trajectory_sampling",
        "UniformPlanning": ".uniform",
        "UniformUpdates": ".pair_updates",
        "make_planning": ".registry",
    },
)
