"""Monte-Carlo tree search (UCT), on tables, through simulators, and for continuous actions."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "ContinuousTreeSearch": ".continuous",
        "TreeSearch": ".agent",
        "TreeSearchPlanning": ".agent",
        "TreeSettings": ".agent",
    },
)
