"""Regression learners with uncertainty estimates, the core of the learned models.

Learners that need SciPy or torch are imported at their first use, so that importing this package
stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .ensemble import ProbabilisticEnsemble
from .protocol import Estimate, Learner

__all__ = [
    "Estimate",
    "Learner",
    "ProbabilisticEnsemble",
]

_HEAVY = {
    "DeepBelief": "deep_belief",
    "GaussianProcess": "gaussian_process",
}


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HEAVY[name]}", __name__), name)
