"""Regression learners with uncertainty estimates, the core of the learned models.

They are imported at their first use: some need SciPy or torch.
"""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "DeepBelief": ".deep_belief",
        "Estimate": ".protocol",
        "GaussianProcess": ".gaussian_process",
        "Learner": ".protocol",
        "ProbabilisticEnsemble": ".ensemble",
        "TrainingSettings": ".networks",
    },
)
