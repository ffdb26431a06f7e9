"""Model predictive control of continuous actions by the cross-entropy method (CEM) or MPPI."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

_LAZY = {
    "TrajectoryOptimisation": ".agent",
    "TrajectoryOptimisationPlanning": ".planning",
    "TrajectorySettings": ".planning",
    "TrueVectorModel": ".agent",
}
"""Name -> module that is imported when the name is first used."""

__all__ = sorted(_LAZY)  # noqa: PLE0605

__getattr__ = lazy_exports(__name__, _LAZY)


def __dir__() -> list[str]:
    return __all__
