"""Learned models by name; each is imported when it is first used."""

from __future__ import annotations

from typing import Any

from dynamaze.common.registry import Registry

LEARNED_MODELS: Registry[Any] = Registry(
    "model",
    {
        "linear": ".learned:LINEAR",
        "recursive_linear": ".learned:RECURSIVE_LINEAR",
        "bayesian_linear": ".learned:BAYESIAN_LINEAR",
        "gaussian_process": ".learned:GAUSSIAN_PROCESS",
        "deep_belief": ".learned:DEEP_BELIEF",
        "ensemble": ".learned:ENSEMBLE",
    },
    __package__,
)
"""Name -> `LearnedModel`: learner, draws and features of the model."""
