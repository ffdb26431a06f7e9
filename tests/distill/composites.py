"""Students that are made of others, for what is tried with every kind."""

from __future__ import annotations

from typing import Any

PART = {"kind": "mlp", "observation_shape": (3, 5, 7)}

COMPOSITES: dict[str, dict[str, Any]] = {
    "actor_critic": {"actor": {**PART, "num_actions": 4}, "critic": {**PART, "num_actions": 1}},
    "gaussian": {"inner": {**PART, "num_actions": 4}, "low": [-1, -2], "high": [1, 2]},
}
"""What `make_student` takes, by kind."""
