"""Model predictive control of continuous actions by the cross-entropy method (CEM) or MPPI."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "TrajectoryOptimisation": ".agent",
        "TrajectoryOptimisationPlanning": ".planning",
        "TrajectorySettings": ".planning",
        "TrueVectorModel": ".agent",
    },
)
