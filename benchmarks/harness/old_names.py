"""Names in stored tables of version 0.1, which are read until version 0.3."""

from __future__ import annotations

from collections.abc import Mapping

_SCORES = {
    f"share_{phase}{end}": f"score_{phase}{end}"
    for phase in (1, 2, 3)
    for end in ("", "_low", "_high")
}

OLD_NAMES: Mapping[str, Mapping[str, str]] = {
    "adapt": {
        "kept": "normalised_return",
        "world": "maze",
        "not distilled again": "no further distillation",
        "planner that sees the walls": "value iteration network",
    },
    "frontier": {
        "kept": "normalised_return",
        "planner, 4 maps": "VIN, 4 channels",
        "planner, 8 maps": "VIN, 8 channels",
        "perceptron, 4 units": "MLP, 4 units",
        "perceptron, 64 units": "MLP, 64 units",
        "planner, 4 maps, trained directly": "VIN, 4 channels, policy gradient",
        "exact planner, by the first map": "exact planner, initial map",
    },
    "loca": _SCORES,
    "loca_continuous": _SCORES,
    "model_confidence": {
        "model_doubt": "model_confidence",
        "Doubt": "Uncertainty",
        "Scored + doubt": "Scored + uncertainty",
    },
    "model_error": {"wrong_models": "model_error", "dial": "level"},
    "sb3_dyna": {
        "dyna_sb3": "sb3_dyna",
        "alone": "model-free",
        "with a model": "learned model",
        "with the true world": "true environment",
        "grid, DQN": "grid-dqn",
        "point, DQN": "point-dqn",
        "point, SAC": "point-sac",
    },
    "soft_labels": {
        "labels": "soft_labels",
        "kept": "normalised_return",
        "alike": "uniform",
    },
}
"""Of each experiment: old name of a table, a column or a text value -> present name."""
