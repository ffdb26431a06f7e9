"""Monte-Carlo tree search (UCT), on tables, through simulators, and for continuous actions."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

_LAZY = {
    "ContinuousTreeSearch": ".continuous",
    "TreeSearch": ".agent",
    "TreeSearchPlanning": ".planning",
    "TreeSettings": ".planning",
}
"""Name -> module that is imported when the name is first used."""

__all__ = sorted(_LAZY)  # noqa: PLE0605

__getattr__ = lazy_exports(__name__, _LAZY)


def __dir__() -> list[str]:
    return __all__
