"""Models of the environment, learned from real experience; they generate simulated experience."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "CAPABILITIES": ".protocol",
        "LEARNED_MODELS": ".registry",
        "MODELS": ".registry",
        "TABLE_MODELS": ".registry",
        "ForgettingExperience": ".stored",
        "ForgettingLatest": ".latest",
        "ForgettingLikelihood": ".likelihood",
        "LatestOutcome": ".latest",
        "MaximumLikelihood": ".likelihood",
        "Model": ".protocol",
        "ModelWrapper": ".wrapper",
        "NullModel": ".protocol",
        "Outcomes": ".protocol",
        "Prediction": ".protocol",
        "RegressionModel": ".regression",
        "ScoredModel": ".scored",
        "StoredExperience": ".stored",
        "StoredVectors": ".vector_memory",
        "TableModel": ".table",
        "TabularAdapter": ".tabular_adapter",
        "TimeBonus": ".bonus",
        "TrueModel": ".true",
        "UncertaintyBonus": ".bonus",
        "make_model": ".registry",
        "model_for": ".registry",
    },
)
