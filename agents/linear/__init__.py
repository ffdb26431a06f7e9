"""Linear Dyna: planning and policy evaluation with linear expectation models of features."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

_LAZY = {
    "FeatureTransitions": ".evaluation",
    "LinearDyna": ".dyna",
    "LinearEvaluation": ".evaluation",
    "LinearExpectation": ".expectation_model",
    "least_squares_values": ".evaluation",
}
"""Name -> module that is imported when the name is first used."""

__all__ = sorted(_LAZY)  # noqa: PLE0605

__getattr__ = lazy_exports(__name__, _LAZY)


def __dir__() -> list[str]:
    return __all__
