"""Linear Dyna: planning and policy evaluation with linear expectation models of features."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "FeatureTransitions": ".evaluation",
        "LinearDyna": ".dyna",
        "LinearEvaluation": ".evaluation",
        "LinearExpectation": ".expectation_model",
        "least_squares_values": ".evaluation",
    },
)
