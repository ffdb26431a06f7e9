"""Students that are made of others, for what is tried with every kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.distill.students.mlp import MLP

PART = {"kind": "mlp", "observation_shape": (3, 5, 7)}

COMPOSITES: dict[str, dict[str, Any]] = {
    "actor_critic": {"actor": {**PART, "num_actions": 4}, "critic": {**PART, "num_actions": 1}},
    "gaussian": {"inner": {**PART, "num_actions": 4}, "low": [-1, -2], "high": [1, 2]},
}
"""What `make_student` takes, by kind."""

BOUNDS: tuple[Any, Any] = ([-0.1, 0.0], [0.1, 5.0])
"""Of two numbers, for `wide`."""


def wide(seed: int = 1) -> MLP:
    """Outputs far beyond what bounds and deviations allow, and within."""
    inner = MLP((3,), 4, 8, seed=seed)
    inner.layers[-1].weight.data *= 30
    return inner


def same(policy: Any, student: Any, asked: Any, alone: int = 50) -> None:
    """The same Gaussians, and the same actions for the first, to what float32 may lose."""
    for mine, its in zip(
        policy.action_gaussian(asked), student.action_gaussian(asked), strict=True
    ):
        assert mine.dtype == np.float64
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-5)
    for one in asked[:alone]:
        mine, its = policy.act(one), student.act(one)
        assert (mine.dtype, mine.shape) == (np.float32, its.shape)
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-5)
