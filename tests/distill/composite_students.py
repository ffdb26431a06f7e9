"""Composite students for tests over every kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.distill.students.mlp import MLP

PART = {"kind": "mlp", "observation_shape": (3, 5, 7)}

COMPOSITES: dict[str, dict[str, Any]] = {
    "actor_critic": {"actor": {**PART, "num_actions": 4}, "critic": {**PART, "num_actions": 1}},
    "gaussian": {"inner": {**PART, "num_actions": 4}, "low": [-1, -2], "high": [1, 2]},
}
"""Kind -> arguments of `make_student`."""

BOUNDS: tuple[Any, Any] = ([-0.1, 0.0], [0.1, 5.0])
"""Bounds of two dimensions, for `wide_outputs`."""


def wide_outputs(seed: int = 1) -> MLP:
    """Return an MLP with outputs far beyond bounds and deviation limits, and within."""
    inner = MLP((3,), 4, 8, seed=seed)
    inner.layers[-1].weight.data *= 30
    return inner


def assert_same_policy(policy: Any, student: Any, queried: Any, alone: int = 50) -> None:
    """Assert equal Gaussians, and equal actions for the first observations, up to rounding."""
    for found, expected in zip(
        policy.action_gaussian(queried), student.action_gaussian(queried), strict=True
    ):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    for one in queried[:alone]:
        found, expected = policy.act(one), student.act(one)
        assert (found.dtype, found.shape) == (np.float32, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
